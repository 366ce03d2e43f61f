"""A training that goes on from its checkpoint with other settings, sizes and data: what goes on, what is refused."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.case import PATIENCE, Case, Seen
from tests.faults.trainings import ended, finished, training

SAVE = ("trainer.save_freq=1", "trainer.max_actor_ckpt_to_keep=2", "mrt.traces_per_step=16")
SETTINGS = ("mrt.alpha=0.5", "mrt.prover=sample", "mrt.branches=2", "mrt.max_episodes=3")
SIZES = (
    *("data.train_batch_size=8", "actor_rollout_ref.actor.ppo_mini_batch_size=8"),
    *("actor_rollout_ref.rollout.n=2", "data.max_response_length=120"),
)
ROWS = 32
"""Of the workspace's training data."""


def go_on(workspace: Path, out: Path, seen: Seen, last: int, what: str, *overrides: str) -> None:
    """The run up to a step, from wherever it is, with what is told in words and given as overrides."""
    (out / "metrics.jsonl").unlink(missing_ok=True)  # verl's logger empties it
    with training(workspace, out, f"trainer.total_training_steps={last}", *SAVE, *overrides) as one:
        finished(one, seen, last)
        done = [int(step) for step in re.findall(r"(?<!_)step:(\d+) - ", one.log)]
        seen.check(f"its steps end with {last} {done}", done == list(range(done[0] if done else last, last + 1)))
        seen.what += f"{'; ' if seen.what else ''}to step {one.steps} {what}"


def refused(workspace: Path, out: Path, seen: Seen, told: str, *overrides: str) -> None:
    """The run is refused before Ray starts, in a line that matches."""
    with training(workspace, out, "trainer.total_training_steps=9", *SAVE, *overrides) as one:
        code = ended(one, 120 * PATIENCE)
        line = re.search(rf"reward_model=mrt: .*{told}.*", one.log)
        seen.check(f"refused with exit code {code}: {told}", bool(line) and code not in (None, 0))
        seen.what += f"; refused: {line[0][:130] if line else 'no'}"


def traces(out: Path, steps: Sequence[int]) -> list[dict[str, Any]]:
    """The trace rows of some steps."""
    lines = ((out / "traces" / f"{step}.jsonl").read_text().splitlines() for step in steps)
    return [json.loads(line) for text in lines for line in text]


def changed(workspace: Path, out: Path) -> Seen:
    """Two steps, then other settings of `mrt.*`, then other sizes, then other data; the epoch's rows come once."""
    seen = Seen()
    go_on(workspace, out, seen, 2, "as begun")
    go_on(workspace, out, seen, 3, "with another alpha, prover and cap on episodes", *SETTINGS)
    go_on(workspace, out, seen, 5, "with another batch size, group and length", *SETTINGS, *SIZES)
    rows = Counter(row["problem"] for row in traces(out, range(1, 6)))
    seen.check(f"28 of the {ROWS} rows, none twice ({len(rows)})", len(rows) == 28)
    seen.check("each with its group", sorted(rows.values()) == [2] * 16 + [4] * 12)
    alphas = [sorted({row["alpha"] for row in traces(out, [step])}) for step in range(1, 6)]
    seen.check(f"alpha as asked {alphas}", alphas == [[1.0], [1.0], [0.5], [0.5], [0.5]])
    longest = max(row["response_tokens"] for row in traces(out, [4, 5]))
    seen.check(f"responses have the new length ({longest})", longest <= 120)
    seen.what += f"; {len(rows)} of {ROWS} rows came, none twice"
    few, other = own_data(out, 8), own_data(out, ROWS)
    refused(workspace, out, seen, "position in the data", f"data.train_files={few}")
    refused(workspace, out, seen, "dataloader_num_workers", "data.dataloader_num_workers=2")
    go_on(workspace, out, seen, 6, "with another file", *SETTINGS, *SIZES, f"data.train_files={other}")
    strangers = {row["problem"] for row in traces(out, [6])}
    seen.check("the other file's rows come", len(strangers) == 8 and not strangers & set(rows))
    return seen


def own_data(out: Path, count: int) -> Path:
    """A file of so many rows that the workspace has not."""
    from data_prep.schema import write_parquet
    from data_prep.search_task import make_problems
    from recipes.quickstart.prepare import rows

    path = out / f"{count}_rows" / "train.parquet"
    write_parquet(rows(make_problems(seed=4)[100 : 100 + count], "train"), path)
    return path


CASES = (
    Case(
        *("resumed_otherwise", "resumed with other settings of mrt.*, batch, group, length and data", "resume"),
        *("goes on, rows of an epoch once; what cannot is refused", changed),
        1500,
    ),
)
