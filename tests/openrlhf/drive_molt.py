"""molt-rl's own runner actor, Experience and advantage code on MRT's runner; the study's tiny model writes (run.sh).

Its router, Ray and its trainer were not started: the engine behind its client's `generate` is the study's.
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch

sys.path.insert(0, str(Path(__file__).parent))  # by_hand, drive
ALPHA, CONTEXT, BUDGET = 0.5, 512, 160


class Client:
    """`RouterGenerateClient.generate` on the study's engine."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    async def generate(self, prompt_token_ids: list[int], sampling_params: Any, **further: Any) -> tuple[Any, int]:
        from molt.trainer.rollout.router import _inference_sampling_params

        values = _inference_sampling_params(sampling_params)  # what molt would send
        for key in ("min_tokens", "detokenize", "skip_special_tokens"):
            values.pop(key, None)
        output = await self.engine.generate(
            request_id=further["session_id"], prompt_ids=prompt_token_ids, sampling_params={**values, "logprobs": True}
        )
        pairs = zip(output.token_ids, output.log_probs, strict=True)
        rows = [{token: SimpleNamespace(logprob=value)} for token, value in pairs]
        gen = SimpleNamespace(token_ids=output.token_ids, text="", finish_reason="stop", logprobs=rows)
        return SimpleNamespace(outputs=[gen], prompt_routed_experts=None), 0


def make_actor(tokenizer: Any, engine: Any, agent: str) -> Any:
    """molt's AgentRunnerActor without its HTTP session."""
    from molt.agents.base import load_agent_runner
    from molt.trainer.rollout.router import AgentRunnerActor

    kind = AgentRunnerActor.__ray_metadata__.modified_class
    actor = kind.__new__(kind)
    actor._runner, actor._tokenizer, actor._media_ids = load_agent_runner(agent), tokenizer, set()
    actor._client = Client(engine)
    return actor


async def sample(actor: Any, tokenizer: Any, rows: list[dict[str, Any]], samples: int) -> list[Any]:
    """As SamplesGenerator dispatches: one call a rollout, each with sampling parameters of its own."""
    from vllm import SamplingParams

    params = SamplingParams(temperature=1.0, top_p=1.0, top_k=-1, max_tokens=BUDGET, min_tokens=1, logprobs=1)
    calls = []
    for number, row in enumerate(rows):
        prompt = tokenizer.apply_chat_template(list(row["prompt"]), tokenize=False, add_generation_prompt=True)
        for _ in range(samples):
            of_row = (prompt, row["reward_model"], None, params, CONTEXT, 1)
            calls.append(actor.run_group(*of_row, tools=None, group_id=str(number)))
    found = [one for some in await asyncio.gather(*calls) for one in some]
    assert all(reason is None for _, reason in found), {reason for _, reason in found}
    return [experience for experience, _ in found]


def advantages(experiences: list[Any], tokenizer: Any) -> list[Any]:
    """By molt's own code with `reinforce` and `no_whiten`."""
    from molt.trainer.rollout.experience_maker import RemoteExperienceMaker

    name = SimpleNamespace
    args = name(
        rollout=name(n_samples_per_prompt=8),
        reward=name(clip_range=(-10, 10), overlong_buffer_len=None, stop_properly_penalty_coef=None),
        algo=name(advantage=name(estimator="reinforce", gamma=1.0, lam=1.0, no_whiten=True)),
    )
    maker = RemoteExperienceMaker(None, None, name(value=0.0), name(args=args), tokenizer)
    for number, one in enumerate(experiences):
        one.index, one.kl = [number], torch.zeros(one.action_mask.shape)
    return list(maker.compute_advantages_and_returns(experiences))


def check(experiences: list[Any], traces: list[dict[str, Any]]) -> int:
    """Each rollout's rows train its sampled tokens once, each with what was worked out for its episode; rows."""
    import by_hand

    rollouts: dict[str, list[Any]] = {}
    for one in experiences:
        rollouts.setdefault(one.rollout_ids[0], []).append(one)
    found: dict[str, list[list[float]]] = {}
    for some in rollouts.values():
        assert len({tuple(one.sequences[0].tolist()) for one in some}) == 1
        masks = torch.cat([one.action_mask for one in some]).long()
        assert masks.sum(0).max() == 1, "a token is trained once"
        for one in some:
            assert (one.advantages[0][one.action_mask[0]] - one.rewards).abs().max() < 1e-6
        found.setdefault(some[0].group_ids[0], []).append(sorted(float(one.rewards) for one in some))
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in traces:
        groups.setdefault(row["uid"], []).append(row)
    expected = sorted(sorted(by_hand.dense(group, ALPHA, 0.05)) for group in groups.values())
    got = sorted(sorted(group) for group in found.values())
    for mine, theirs in zip(got, expected, strict=True):
        for paid, worked_out in zip(mine, theirs, strict=True):
            # an episode without a token of its own (its marker is the next one's) leaves no row
            assert all(min(abs(a - b) for b in worked_out) < 1e-4 for a in paid), (paid, worked_out)
    return len(experiences)


def main() -> None:
    from drive import MODEL, PROMPTS, SAMPLES, write_config
    from molt.trainer.algorithm.experience import Experience
    from transformers import AutoModelForCausalLM, AutoTokenizer

    import mrt_verl.openrlhf
    from data_prep.search_task import make_problems
    from recipes.quickstart.prepare import rows
    from recipes.study.fast.engine import TorchEngine
    from recipes.study.fast.tasks import PROBLEM_SEED, TRAIN

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    problems = rows(make_problems(PROBLEM_SEED)[TRAIN][:PROMPTS], "train")
    with tempfile.TemporaryDirectory() as directory:
        config, traces = Path(directory) / "mrt.yaml", Path(directory) / "traces"
        write_config(config, {"reward_model": "mrt", "mrt": {"prover": "ht"}}, traces)
        os.environ["MRT_CONFIG"] = str(config)
        agent = Path(mrt_verl.openrlhf.__file__).with_name("molt_agent.py")
        actor = make_actor(tokenizer, TorchEngine(model, tokenizer, seed=1), str(agent))
        with mock.patch.object(Experience, "offload", lambda one: one):  # into Ray's object store, which is not started
            sampled = asyncio.run(sample(actor, tokenizer, problems, SAMPLES))
        experiences = advantages(sampled, tokenizer)
        written = [json.loads(line) for file in traces.rglob("*.jsonl") for line in file.read_text().splitlines()]
        assert len(written) == PROMPTS * SAMPLES
        count = check(experiences, written)
        assert count > len(written)
    print(f"molt-rl: {len(written)} rollouts in {count} rows, each episode paid its progress: PASS")
    print("molt-rl's router, object store and trainer: NOT RUN")


if __name__ == "__main__":
    main()
