"""`python -m data_prep prefixes`: stale prefixes for the prefix variant (`mrt.prefix_source=dataset`).

The traces are sampled, split and graded by mrt_verl.evaluation, the same way as a model is evaluated: vLLM in this
process or an endpoint, J at every boundary. A run that was killed goes on where it stopped. Of each problem's traces
one boundary is chosen by seed, among those that another episode follows.
"""

import argparse
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.problems import DataError
from data_prep.schema import PREFIX_COLUMNS, arrow_type
from data_prep.traces import TraceRun, prefix_text, read_run
from data_prep.writing import explained_file, sha256, write_manifest
from mrt_verl.evaluation.options import add_sampling_options, sampling_fields
from mrt_verl.evaluation.records import TraceRecord
from mrt_verl.evaluation.traces import NO_THINKING

if TYPE_CHECKING:  # the command line starts without it
    import pyarrow as pa

NAME = "traces"
"""The run's directory in `--out`."""


def add_command(commands: Any) -> None:
    """Add the command to the command line."""
    text = "sample traces with J at every boundary; stale prefixes for the prefix variant"
    parser: argparse.ArgumentParser = commands.add_parser(
        "prefixes",
        help=text,
        description=text,
        epilog="example: mrt-data prefixes --model MODEL --data data/champ/train.parquet --out data/prefixes",
    )
    add = parser.add_argument
    add("--model", required=True, help="Hugging Face model or verl checkpoint")
    add("--data", type=Path, required=True, help="verl parquet file with the problems")
    add("--out", type=Path, required=True, help="directory for the traces, train.parquet and manifest.json")
    add("--traces", type=int, default=4, help="per problem (default: %(default)s)")
    add("--response-tokens", type=int, default=8192, help="most tokens of a trace (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the engine and of the choice (default: %(default)s)")
    add_sampling_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Sample what is missing, then write the parquet file.

    Raises:
        DataError: the data or the traces cannot be used, or the model writes no thinking.
    """
    import pyarrow.parquet as pq

    _check_data(options.data)
    _sample(options)
    traces = read_run(options.out / NAME)
    if not any(record.episodes for record in traces.records):
        raise DataError(f"{options.model}: {NO_THINKING}")
    table = pq.read_table(options.data)
    chosen = choose_prefixes(traces, options.seed)
    path = options.out / "train.parquet"
    with explained_file(path) as partial:
        pq.write_table(add_columns(table, chosen), partial, compression="zstd")
    write_manifest(
        options.out,
        {
            "source": "prefixes",
            "origin": {"model": options.model, "data": str(options.data), "sha256": sha256(options.data)},
            "options": {"traces": options.traces, "response_tokens": options.response_tokens, "seed": options.seed},
            "mrt": traces.mrt,
            "counts": {"problems": len(table), "with_prefix": len(chosen), "traces": len(traces.records)},
            "files": {path.name: {"rows": len(table), "sha256": sha256(path)}},
        },
    )
    print(f"{len(chosen)} of {len(table)} problems with a prefix in {path}; {len(traces.records)} traces")


def _check_data(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"--data {path}: not a parquet file: {error}") from error
    taken = sorted(set(names) & set(PREFIX_COLUMNS))
    if taken:
        raise DataError(f"--data {path}: column {taken[0]} is there already; allowed: problems without prefixes")


def _sample(options: argparse.Namespace) -> None:
    from mrt_verl.evaluation import EvaluationConfig, evaluate

    try:
        evaluate(
            EvaluationConfig(
                models={NAME: options.model},
                data=options.data,
                budgets=[options.response_tokens],
                out=options.out,
                traces=options.traces,
                seed=options.seed,
                **sampling_fields(options),
            )
        )
    except (ValueError, RuntimeError) as error:
        raise DataError(str(error)) from error


def choose_prefixes(traces: TraceRun, seed: int) -> dict[int, dict[str, Any]]:
    """{problem: values of the prefix columns}; a problem without a usable boundary is left out.

    Usable is a boundary whose J is known and that another episode follows. The trace is chosen first, so that long
    traces do not count more than short ones.
    """
    chosen: dict[int, dict[str, Any]] = {}
    for records in traces.by_problem():
        candidates = [boundaries for record in records if (boundaries := _boundaries(record, traces.mrt["think_open"]))]
        if candidates:
            # a seed of the problem's own: which other problems have traces changes nothing
            rng = random.Random(f"{seed}:{records[0].uid}")
            chosen[records[0].problem] = rng.choice(rng.choice(candidates))
    return chosen


def _boundaries(record: TraceRecord, think_open: str | None) -> list[dict[str, Any]]:
    found = []
    for number, episode in enumerate(record.episodes[:-1]):
        text = prefix_text(record, number, think_open)
        if episode.j is not None and text:
            found.append({"prefix": text, "prefix_j": episode.j, "prefix_episode": number})
    return found


def add_columns(table: "pa.Table", chosen: dict[int, dict[str, Any]]) -> "pa.Table":
    """The problems as they were, with the prefix columns; null where a problem has none."""
    import pyarrow as pa

    for column, kind in PREFIX_COLUMNS.items():
        values = [chosen.get(row, {}).get(column) for row in range(len(table))]
        table = table.append_column(column, pa.array(values, type=arrow_type(kind)))
    return table
