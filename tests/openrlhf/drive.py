"""OpenRLHF's Experience and advantage code on what MRT's executor returns; the study's tiny model writes (run.sh).

OpenRLHF's modules are its own; what they import for CUDA alone (deepspeed, Ray's launcher, vLLM) is left empty, since
nothing of it is called here.
"""

import asyncio
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
import yaml

ROOT = Path(__file__).parents[2]
EMPTY = {
    "deepspeed": (),
    "vllm": ("SamplingParams",),
    "vllm.sampling_params": ("RequestOutputKind",),
    "ray": (),
    "openrlhf.trainer.ray.launcher": ("RayActorGroup",),
    "openrlhf.trainer.ray.vllm_engine": ("batch_vllm_engine_call",),
}
"""Modules that are not loaded, with the names that are imported from them."""
FOLDERS = ("openrlhf.models", "openrlhf.trainer.ray")
"""Packages whose __init__ loads what needs CUDA; their modules are OpenRLHF's own."""
SAMPLES, PROMPTS = 8, 4


class Params(SimpleNamespace):
    """vLLM's SamplingParams as far as both sides read it."""


def prepare(site: Path) -> None:
    """Let OpenRLHF's modules be imported without what they do not call here."""
    for name, names in EMPTY.items():
        module = ModuleType(name)
        for one in names:
            setattr(module, one, Params if one == "SamplingParams" else SimpleNamespace(FINAL_ONLY="final"))
        sys.modules[name] = module
    for name in FOLDERS:
        module = ModuleType(name)
        module.__path__ = [str(site / name.replace(".", "/"))]
        sys.modules[name] = module


class Actor:
    """`RolloutRayActor.generate` on the study's engine."""

    def __init__(self, engine) -> None:
        self.engine = engine

    async def generate(self, prompt_token_ids, sampling_params, multi_modal_data=None):
        values = dict(vars(sampling_params))
        values.pop("output_kind")
        values["logprobs"] = values["logprobs"] is not None
        # a trace's keys and values are kept by request id; without one each request stands for itself
        output = await self.engine.generate(
            request_id=str(id(sampling_params)), prompt_ids=prompt_token_ids, sampling_params=values
        )
        rows = None
        if output.log_probs is not None:
            pairs = zip(output.token_ids, output.log_probs, strict=True)
            rows = [{token: SimpleNamespace(logprob=value)} for token, value in pairs]
        completion = SimpleNamespace(token_ids=output.token_ids, logprobs=rows, finish_reason="stop")
        return SimpleNamespace(outputs=[completion], num_cached_tokens=0, prompt_logprobs=None)


def load_agent(variant: dict):
    """The executor, from its file as OpenRLHF loads it."""
    from openrlhf.utils.agent import AgentExecutorBase

    from recipes.study.fast.study import base_settings

    base = base_settings()
    kept = ("think_open", "think_close", "stop_text", "branch_max_tokens", "min_steps", "min_episode_tokens", "markers")
    mrt = {key: getattr(base, key) for key in kept}
    mrt = {key: list(value) if isinstance(value, tuple) else value for key, value in mrt.items()}
    node = {
        **variant,
        "mrt": {**mrt, "prover": "sample", **variant["mrt"]},
        "openrlhf": {"n_samples_per_prompt": SAMPLES},
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
        yaml.safe_dump(node, file)
    os.environ["MRT_CONFIG"] = file.name
    spec = importlib.util.spec_from_file_location("agent_module", ROOT / "mrt_verl/openrlhf/agent.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert issubclass(module.AgentExecutor, AgentExecutorBase)
    return module.AgentExecutor()


async def generate(executor, actor, tokenizer, rows):
    """As RolloutRayActor.generate_responses: n calls of a prompt at once, parameters of its own for each prompt."""
    groups = []
    for row in rows:
        prompt = tokenizer.apply_chat_template(list(row["prompt"]), tokenize=False, add_generation_prompt=True)
        params = Params(temperature=1.0, top_p=1.0, top_k=-1, max_tokens=160, logprobs=1)
        calls = [
            executor.execute(
                prompt=prompt,
                label=row["reward_model"],
                sampling_params=params,
                max_length=512,
                hf_tokenizer=tokenizer,
                llm_engine=actor,
                images=None,
            )
            for _ in range(SAMPLES)
        ]
        groups.append(asyncio.gather(*calls))
    return [one for group in await asyncio.gather(*groups) for one in group]


def advantages(responses, tokenizer):
    """One advantage per rollout, by OpenRLHF's own code with `dr_grpo`."""
    from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

    name = SimpleNamespace
    args = name(
        rollout=name(n_samples_per_prompt=SAMPLES, micro_batch_size=SAMPLES),
        train=name(dynamic_batch_enable=False),
        reward=name(clip_range=None, overlong_buffer_len=None, stop_properly_penalty_coef=None),
        algo=name(advantage=name(estimator="dr_grpo", gamma=1.0, lambd=1.0)),
    )
    make = SamplesGenerator._process_response_into_experience
    experiences = [make(None, response, max_len=512) for response in responses]
    maker = RemoteExperienceMaker(None, None, None, None, name(value=0.0), name(args=args), tokenizer)
    batches = maker.split_rollout_samples(experiences)
    for batch in batches:
        batch.kl = torch.zeros(batch.action_mask.shape)
    found = []
    for batch in maker.compute_advantages_and_returns(batches):
        for row, mask in zip(batch.advantages, batch.action_mask.bool(), strict=True):
            assert row[mask].unique().numel() == 1
            found.append(float(row[mask][0]))
    return found


def group_norm(outcomes):
    """(r - mean) / deviation, worked out here from the outcomes alone."""
    values = torch.tensor(outcomes, dtype=torch.float64)
    return ((values - values.mean()) / (values.std() + 1e-6)).tolist() if values.std() else [0.0] * len(outcomes)


def by_hand(name, group):
    """The rewards of a group from its outcomes and action ranges; None for online, whose J only its record knows."""
    outcomes, starts = [one["scores"] for one in group], [one["action_ranges"][0][0] for one in group]
    plain = group_norm(outcomes)
    if name == "one_episode":
        kinds = [len(one["action_ranges"]) > 1 or start > min(starts) for one, start in zip(group, starts, strict=True)]
        of = {kind: iter(group_norm([o for o, k in zip(outcomes, kinds, strict=True) if k == kind])) for kind in (0, 1)}
        return [next(of[kind]) for kind in kinds]
    if name == "paper" and len(set(starts)) == 2:  # all have the prefix, those forced to answer the stop text besides
        (head,) = {tuple(one["observation_tokens"][: min(starts)]) for one in group}
        assert head
        forced = [start > min(starts) for start in starts]
        j = sum(o for o, is_forced in zip(outcomes, forced, strict=True) if is_forced) / sum(forced)
        progress = [0.0 if is_forced else o - j for o, is_forced in zip(outcomes, forced, strict=True)]
        return [a + b for a, b in zip(plain, group_norm(progress), strict=True)]
    return None if name == "online" else plain


def check(name, responses, tokenizer) -> None:
    """Masks, log-probs, rewards and OpenRLHF's advantages of a variant."""
    found = advantages(responses, tokenizer)
    rewards = [one["reward"] for one in responses]
    assert max(abs(a - b) for a, b in zip(found, rewards, strict=True)) < 1e-5, "dr_grpo leaves rewards as they are"
    for start in range(0, len(responses), SAMPLES):
        group = responses[start : start + SAMPLES]
        assert abs(sum(one["reward"] for one in group)) < 1e-5
        if (expected := by_hand(name, group)) is not None:
            assert max(abs(one["reward"] - b) for one, b in zip(group, expected, strict=True)) < 1e-4, name
    for one in responses:
        sampled = {place for begin, end in one["action_ranges"] for place in range(begin, end)}
        assert all(value == 0.0 for place, value in enumerate(one["rollout_log_probs"]) if place not in sampled)
    outcome = sum(one["scores"] for one in responses) / len(responses)
    logs = responses[0]["extra_logs"]
    print(f"{name}: {len(responses)} rollouts, outcome {outcome:.2f}, episodes {logs['mrt/episodes_mean']:.2f}: PASS")


def main() -> None:
    site = ROOT / ".openrlhf/site"
    torch.set_num_threads(1)
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationMixin  # noqa: F401 - looks for deepspeed

    prepare(site)

    from data_prep.search_task import make_problems
    from recipes.quickstart.prepare import rows
    from recipes.study.fast.engine import TorchEngine
    from recipes.study.fast.study import PROBLEM_SEED, TRAIN

    path = ROOT / "recipes/study/warm_starts/pair/1"
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    problems = rows(make_problems(PROBLEM_SEED)[TRAIN][:PROMPTS], "train")
    variants = {
        "alpha 0": {"reward_model": "mrt", "mrt": {"alpha": 0.0}},
        "online": {"reward_model": "mrt", "mrt": {"alpha": 1.0}},
        "one_episode": {"reward_model": "mrt_prefix", "mrt": {"prefix_mode": "one_episode"}},
        "paper": {"reward_model": "mrt_prefix", "mrt": {"prefix_mode": "paper"}},
    }
    for name, variant in variants.items():
        executor = load_agent(variant)
        engine = TorchEngine(model, tokenizer, seed=1)
        check(name, asyncio.run(generate(executor, Actor(engine), tokenizer, problems)), tokenizer)


if __name__ == "__main__":
    main()
