"""What our parts cost a step on 64 nodes: a load generator, an engine that answers at once, and measured unit costs.

    python -m tests.faults.scale [--rollouts 64] [--tokens 32768]

Rolls out traces of so many tokens with forced answers at each boundary through `online.roll_out`, grades them, lays
out their reward rows and computes a step's metrics, each timed in processor seconds. Prints a Markdown table: seconds
and bytes of a rollout, and of a step of 4,096 rollouts over 64 nodes: on each node, and in the one process for all.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from mrt_verl.branching import PromptBranches, RolloutBranches
from mrt_verl.grading import Grader
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.metrics import compute_metrics
from mrt_verl.online import RolledOut, roll_out
from mrt_verl.rollout import Rollout
from mrt_verl.rollout_grading import grade_rollout, reward_row
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.settings import MRTSettings
from tests.fakes import toy_tokenizer

NODES, STEP_ROLLOUTS, GROUP, STEP_S = 64, 4096, 8, 600.0
"""Of the step that is reckoned with; its seconds are those of 32k tokens at 50 a second and an update."""
ROW = {"reward_model": {"ground_truth": "17"}, "data_source": "scale", "uid": "u"}
PARAMS = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "logprobs": True}
EPISODE = "Try 4 + 12 is 16. so not clear.\n\nTake 4 + 13 is 17. so the answer is 17.\n\n"


class AtOnce:
    """An engine whose trace and forced answers are written already."""

    def __init__(self, tokenizer: Any, tokens: int) -> None:
        opening = tokenizer.encode("Wait " + EPISODE, add_special_tokens=False)
        plain = tokenizer.encode(EPISODE, add_special_tokens=False)
        part = tokens // 6
        body = [*opening, *(plain * (part // len(plain) + 1))][:part] + tokenizer.encode(
            "\n\n", add_special_tokens=False
        )
        end = tokenizer.encode("</think>\n\nThe answer is \\boxed{17}<|im_end|>", add_special_tokens=False)
        self.trace = [*(body * 6), *end]
        self.answer = tokenizer.encode(" 17}", add_special_tokens=False)
        self.requests = 0

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> Any:
        self.requests += 1
        ids = list(self.answer if sampling_params["max_tokens"] <= 64 else self.trace)
        if len(ids) > len(self.answer):
            ids[5] = self.requests % 30  # equal traces would share their forced answers
        return SimpleNamespace(
            token_ids=ids,
            log_probs=[-0.1] * len(ids),
            stop_reason="completed",
            num_preempted=None,
            extra_fields={"num_cached_tokens": 0},
        )


class Clock:
    """Processor seconds by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, name: str, since: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - since


async def drive(count: int, tokens: int, clock: Clock) -> dict[str, float]:
    """`count` rollouts in groups; figures of one rollout besides its seconds."""
    tokenizer = toy_tokenizer()
    settings = MRTSettings(prover="ht", branches=4)
    engine = AtOnce(tokenizer, tokens)
    rollout = Rollout(engine, tokenizer, settings, response_tokens=len(engine.trace) + 64)
    answers = AnswerGrader(Grader(thinking=None), tokenizer, settings, None)
    prompt_ids = list(tokenizer.apply_chat_template([{"role": "user", "content": "Try 4 + 13"}], return_dict=False))
    found: list[RolledOut] = []
    since = time.process_time()
    for _ in range(count // GROUP):
        shared = PromptBranches()
        found += await asyncio.gather(*(one_rollout(rollout, prompt_ids, shared) for _ in range(GROUP)))
    clock.add("agent loop: episodes, boundaries, forced answers", since)
    graded = await grade_all(answers, found, clock)
    return figures(found, graded, engine.requests, clock)


async def one_rollout(rollout: Rollout, prompt_ids: list[int], shared: PromptBranches) -> RolledOut:
    branches = RolloutBranches(shared, sampling_params=dict(PARAMS), references=("17",))
    return await roll_out(
        *(rollout, prompt_ids, branches), lambda request_id: rollout.sample(prompt_ids, dict(PARAMS), request_id)
    )


async def grade_all(answers: AnswerGrader, found: Sequence[RolledOut], clock: Clock) -> list[str]:
    """The records as they travel, JSON."""
    since = time.process_time()
    for one in found:
        await grade_rollout(answers, one.record, one.trace.ids, ROW)
    clock.add("reward worker: grading", since)
    since = time.process_time()
    texts = [one.record.to_json() for one in found]
    for text, one in zip(texts, found, strict=True):
        reward_row(RolloutRecord.from_json(text), 1.0, one.trace.mask)
    clock.add("agent loop: record and reward row", since)
    return texts


def figures(found: Sequence[RolledOut], texts: Sequence[str], requests: int, clock: Clock) -> dict[str, float]:
    """What the trainer's process does with all records, and sizes."""
    since = time.process_time()
    records = [RolloutRecord.from_json(text) for text in texts]
    compute_metrics(records, budget=len(found[0].trace.ids))
    clock.add("trainer: records and metrics", since)
    episodes = [len(one.record.response.episodes) for one in found]
    return {
        "requests": requests / len(found),
        "record bytes": sum(map(len, texts)) / len(found),
        "tokens": sum(len(one.trace.ids) for one in found) / len(found),
        "episodes": sum(episodes) / len(found),
    }


def table(count: int, clock: Clock, figures: dict[str, float]) -> list[str]:
    """Seconds of a rollout, and of a step: on a node, or of the one process that does it for all."""
    lines = [
        f"{count} rollouts of {figures['tokens']:.0f} tokens, {figures['episodes']:.1f} episodes, "
        f"{figures['requests']:.1f} requests and a record of {figures['record bytes']:.0f} bytes each; a step: "
        f"{STEP_ROLLOUTS} rollouts on {NODES} nodes in {STEP_S:.0f} s",
        "",
        "| part | where | processor ms a rollout | processor s a step | share of the step |",
        "|---|---|---|---|---|",
    ]
    for name, seconds in clock.seconds.items():
        is_central = name.startswith("trainer")
        of_step = seconds / count * STEP_ROLLOUTS / (1 if is_central else NODES)
        where = "one process for all" if is_central else "each node"
        lines.append(
            f"| {name} | {where} | {1000 * seconds / count:.1f} | {of_step:.1f} | {100 * of_step / STEP_S:.2f} % |"
        )
    messages = STEP_ROLLOUTS * figures["requests"]
    lines += [
        "",
        f"Requests to servers a step: {messages:.0f}, {messages / NODES:.0f} a node; records through TransferQueue: "
        f"{STEP_ROLLOUTS * figures['record bytes'] / 2**20:.0f} MB, {STEP_ROLLOUTS} messages.",
    ]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollouts", type=int, default=64, help="a multiple of 8")
    parser.add_argument("--tokens", type=int, default=32_768)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    clock = Clock()
    found = asyncio.run(drive(options.rollouts, options.tokens, clock))
    if options.json:
        print(json.dumps({"figures": found, "seconds": clock.seconds, "rollouts": options.rollouts}))
    else:
        print("\n".join(table(options.rollouts, clock, found)))


if __name__ == "__main__":
    main()
