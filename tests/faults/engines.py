"""An engine that answers as no healthy one does, and one whose context has no room for forced answers."""

import re
from pathlib import Path

from tests.faults.case import PATIENCE, Case, Seen
from tests.faults.moments import during
from tests.faults.trainings import STEPS, ended, finished, training

FAILED = r"a branch failed and is left out of its mean"
LOST = r"a rollout is lost, its group trains on the others"
SMALL = "actor_rollout_ref.rollout.max_model_len=100"
"""A prompt has some 30 tokens, a trace up to 160, the stop text and a forced answer 28."""


def unwell(workspace: Path, out: Path) -> Seen:
    """Late, out of order, never, as errors, empty: a step trains on what is left, and each kind is told."""
    seen = Seen()
    limits = ["mrt.trace_timeout_s=30", "mrt.branch_timeout_s=10"]
    with training(workspace, out, *limits, environment=during("unwell_engine")) as one:
        finished(one, seen)
        log = one.log
        failures, rollouts = sum(one.metric("mrt/branch_failures")), one.metric("mrt/rollouts")
        for told in (FAILED, LOST, "rollouts failed and are not trained on"):
            seen.check(f"told: {told}", told in log)
        seen.check(f"failed branches are counted ({failures:.0f})", failures > 0)
        lost = sum(one.metric("mrt/trace_timeouts"))
        seen.check(f"lost traces are counted ({lost:.0f})", lost > 0)
        seen.check(f"some rollouts came in each step {rollouts}", len(rollouts) == STEPS and min(rollouts) > 0)
        missing = 16 * STEPS - sum(rollouts)
        seen.what = (
            f"{one.steps} steps; of {16 * STEPS} rollouts {missing:.0f} failed and {lost:.0f} timed out; "
            f"{failures:.0f} forced answers failed"
        )
    return seen


def no_room(workspace: Path, out: Path) -> Seen:
    """Refused at the start; where that check is left out, late boundaries have no forced answers and traces train."""
    seen = Seen()
    with training(workspace, out, SMALL) as refused:
        code = ended(refused, 120 * PATIENCE)
        told = re.search(r"reward_model=mrt: .*max_model_len=100; allowed: .*", refused.log)
        seen.check(f"refused in one line, exit code {code}", bool(told) and code not in (None, 0))
    with training(workspace, out, SMALL, environment=during("context_unchecked")) as one:
        finished(one, seen)
        failures, rollouts = sum(one.metric("mrt/branch_failures")), one.metric("mrt/rollouts")
        seen.check(f"every rollout came {rollouts}", rollouts == [16.0] * STEPS)
        seen.check(f"branches without room are counted ({failures:.0f})", failures > 0)
        seen.check("and told", FAILED in one.log and "leaves no room" in one.log)
        told_now = told[0][:160] if told else "not refused"
        seen.what = f"{told_now}; without that check: {one.steps} steps, {failures:.0f} forced answers without room"
    return seen


CASES = (
    Case(
        *("engine_unwell", "vLLM answers late, out of order, with errors, with nothing, or never", "all steps"),
        *("goes on with what is left, each told and counted", unwell),
        900,
    ),
    Case(
        *("no_room", "max_model_len leaves no room for forced answers after long traces", "all steps"),
        *("refused; where it is not, traces train and failed branches are counted", no_room),
        900,
    ),
)
