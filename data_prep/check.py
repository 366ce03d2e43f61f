"""`python -m data_prep check --data F.parquet`: which rows of any parquet file cannot be graded, and why.

Each reference must be right against itself and another answer wrong, graded by the package's own grader as in training.
Exit code 0: every row can be graded; 1: some cannot; 2: the file cannot be read.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.problems import DataError, shown
from data_prep.references import NoReferenceError, accepted_answers
from mrt_verl.log import printable

if TYPE_CHECKING:  # the command line starts without it
    import pyarrow.parquet as pq

    from data_prep.answers import Reference

REFERENCE = "reward_model.ground_truth"
_BATCH = 2_000


@dataclass
class Findings:
    """What was found in a file."""

    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Per reason the first rows, as they are printed."""

    @property
    def bad(self) -> int:
        """Rows that cannot be graded."""
        return self.reasons.total()

    def add(self, row: int, reason: str, value: Any, most: int) -> None:
        """Count a row that cannot be graded; the first `most` of a reason are kept as examples."""
        self.reasons[reason] += 1
        if len(self.examples[reason]) < most:
            self.examples[reason].append(f"row {row}: {shown(value)}")


def add_command(commands: Any) -> None:
    """Add the command to the command line."""
    text = "which rows of a parquet file cannot be graded, and why"
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help=text,
        description=__doc__,
        epilog="example: python -m data_prep check --data data/mine/train.parquet --examples 5",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="F.parquet", help="the file that training would read")
    add("--answer", default=REFERENCE, metavar="COLUMN", help="where the reference is (default: %(default)s)")
    add("--examples", type=int, default=3, help="rows to show of each reason (default: %(default)s)")
    add("--workers", type=int, default=2, help="grading processes (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the counts by reason; returns the exit code."""
    try:
        found = check_file(options.data, options.answer, workers=options.workers, examples=options.examples)
    except (DataError, OSError) as error:
        print(printable(f"data_prep check: {' '.join(str(error).split())}"), file=sys.stderr)
        return 2
    print(f"{options.data}: {found.rows} rows, {found.rows - found.bad} can be graded, {found.bad} cannot")
    for reason, count in found.reasons.most_common():
        print(f"{count} x {reason}")
        for example in found.examples[reason]:
            print(f"    {example}")
    return 1 if found.bad else 0


def check_file(path: Path, column: str = REFERENCE, *, workers: int = 2, examples: int = 3) -> Findings:
    """Check every row's reference.

    Args:
        column: its name; a dot leads into a struct.

    Raises:
        DataError: no parquet file, no rows, or no such column.
    """
    from data_prep.answers import AnswerChecker

    found = Findings()
    with AnswerChecker(workers=workers) as checker:
        for values in _batches(path, column):
            references: dict[int, Reference] = {}
            for row, value in enumerate(values, found.rows):
                try:
                    references[row] = _as_training_has_it(value)
                except NoReferenceError as why:
                    found.add(row, str(why), value, examples)
            reasons = checker.check(list(references.values()))
            for row, reason in zip(references, reasons, strict=True):
                if reason is not None:
                    found.add(row, reason, values[row - found.rows], examples)
            found.rows += len(values)
    return found


@dataclass(frozen=True)
class _Missing:
    """Stands where a row's struct has no such field."""

    field: str

    def __repr__(self) -> str:
        return "(not there)"


def _as_training_has_it(value: Any) -> "Reference":
    """The reference as the grader gets it in training: a text stays the text, a list is several accepted answers."""
    if isinstance(value, _Missing):
        raise NoReferenceError(f"no {value.field} in it")
    accepted = accepted_answers(value)
    if isinstance(value, str):
        return value.strip()
    return accepted[0] if len(accepted) == 1 else tuple(accepted)


def _batches(path: Path, column: str) -> Iterator[list[Any]]:
    """The references, some thousand at a time."""
    import pyarrow as pa
    from tqdm import tqdm

    file = _open(path)
    first, *inner = column.split(".")
    names = file.schema_arrow.names
    if column in names:
        first, inner = column, []
    elif first not in names:
        raise DataError(
            f"{path}: column {first} is missing; got {', '.join(names)} (--answer names another; "
            "`data_prep file --from` makes verl's rows of any table)"
        )
    if not file.metadata.num_rows:
        raise DataError(f"{path}: no rows")
    with tqdm(total=file.metadata.num_rows, desc="check", unit=" rows", leave=False, disable=None) as bar:
        row = 0
        try:
            for batch in file.iter_batches(batch_size=_BATCH, columns=[first]):
                yield [_inner(value, inner) for value in batch.column(0).to_pylist()]
                row += len(batch)
                bar.update(len(batch))
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # such as a date Python has none of
            raise DataError(f"{path}: broken after row {row}: {error}") from error


def _open(path: Path) -> "pq.ParquetFile":
    if not path.is_file():
        raise DataError(f"--data {path}: {'a directory' if path.is_dir() else 'no such file'}; allowed: a parquet file")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"--data {path}: not a whole parquet file: {error}") from error


def _inner(value: Any, names: list[str]) -> Any:
    for name in names:
        if value is None:
            return None
        value = value.get(name, _Missing(name)) if isinstance(value, dict) else _Missing(name)
    return value
