"""The command line: `python -m data_prep SOURCE --out DIR`, or `mrt-data` for short."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mrt_verl.interrupts import ending_at_once, run_command

with ending_at_once("data_prep"):
    from data_prep import backtrack, check, prefixes, star
    from data_prep.problems import DataError, Source
    from data_prep.sources import SOURCES
    from mrt_verl.extras import explain_missing
    from mrt_verl.log import printable

EXAMPLES = """examples:
  mrt-data file --from mine.jsonl --question problem --answer solution --out data/mine
  mrt-data gsm8k --from copies/gsm8k --out data/gsm8k
  mrt-data check --data data/mine/train.parquet

The exit code is 0, 1 for input that cannot be used, 2 for a bad option, 130 if interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code, 1 for an input that cannot be used, 130 if interrupted."""
    options = _parser().parse_args(arguments)
    return run_command("data_prep", lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    try:
        return options.run(options) or 0
    except ModuleNotFoundError as error:
        print(f"data_prep: {explain_missing(error, 'data')}", file=sys.stderr)
        return 1
    except (DataError, OSError, ValueError) as error:
        print(printable(f"data_prep: {' '.join(str(error).split())}"), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    shown = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m data_prep", description=__doc__, epilog=EXAMPLES, formatter_class=shown
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for source in SOURCES.values():
        example = f"example: mrt-data {source.name} --out data/{source.name} {source.example}".rstrip()
        _add_source(
            commands.add_parser(source.name, help=source.summary, description=source.summary, epilog=example), source
        )
    for command in (prefixes, star, backtrack, check):
        command.add_command(commands)
    return parser


def _add_source(parser: argparse.ArgumentParser, source: Source) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, help="directory for train.parquet, test.parquet and manifest.json")
    add("--seed", type=int, default=0, help="of everything that is chosen (default: %(default)s)")
    add("--limit", type=_count, help="most problems per split, chosen by seed (default: all)")
    add("--skip", type=_count, default=0, help="problems to pass over in the order of the seed before --limit")
    add("--test-size", type=_count, default=0, help="problems to hold out of train as test, chosen by seed")
    add("--instruction", default=source.instruction, help="text after each question (default: %(default)r)")
    add(
        "--answers",
        choices=("math", "any"),
        default="math",
        help="any: keep answers that cannot be graded, and count them",
    )
    add("--evaluation", type=Path, action="append", metavar="PATH", help="prepared sets to decontaminate against")
    add("--no-decontamination", action="store_true", help="keep problems of evaluation sets")
    add("--ngram", type=_positive, default=8, help="tokens per n-gram (default: %(default)s)")
    add("--overlap", type=_share, default=0.5, help="share of common n-grams to drop from (default: %(default)s)")
    add("--show-dropped", action="store_true", help="list every row that is left out, and why")
    add("--workers", type=_positive, default=2, help="processes that check answers (default: %(default)s)")
    if source.is_hub:
        add("--from", dest="from_path", type=Path, metavar="PATH", help="a file or a copy of the repository to read")
        add("--revision", help="commit, tag or branch on the hub (default: the main branch; the commit is recorded)")
        add("--split", choices=source.splits, help="only this split; of a single file it is the split")
    if source.add_options is not None:
        source.add_options(parser)
    parser.set_defaults(run=lambda options: _prepare(source, options))


def _prepare(source: Source, options: argparse.Namespace) -> None:
    with ending_at_once("data_prep"):
        from data_prep.pipeline import Preparation  # numpy and tqdm, which --help does without

    del options.run
    if options.skip and options.limit is None:
        raise DataError("--skip without --limit; allowed: both, or --limit alone")
    if options.test_size and "test" in source.splits:
        raise DataError(f"--test-size: {source.name} has a test split of its own")
    manifest = Preparation(source, options).run()
    for split, reasons in manifest["dropped"].items():
        for reason, count in reasons.items():
            print(f"{split}: {count} left out: {reason}")
    for split, reasons in manifest["doubtful"].items():
        for reason, count in reasons.items():
            print(f"{split}: {count} kept that cannot be graded: {reason}")
    for name, file in manifest["files"].items():
        print(f"{file['rows']} problems in {options.out / name}")
    if manifest["decontaminated_against"] is None and "train.parquet" in manifest["files"]:
        print("not decontaminated: --evaluation names the evaluation sets", file=sys.stderr)


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text}; allowed: a whole number >= 0")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}; allowed: a whole number >= 1")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text}; allowed: a number in (0, 1]")
    return value


if __name__ == "__main__":
    sys.exit(main())
