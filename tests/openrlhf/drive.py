"""OpenRLHF's own path from its command line to its loss, on a CPU, with MRT's agent file (run.sh).

Its parser, data set, Ray actor with a vLLM engine, sample generator, experience maker, actor module and policy loss are
its own; of what they import flash-attn alone is empty. Its trainer process asks for CUDA before it trains.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))  # by_hand, own_parser
MODEL = ROOT / "recipes/study/warm_starts/pair/1"
SAMPLES, PROMPTS, ALPHA = 8, 4, 0.5
VARIANTS: dict[str, dict[str, Any]] = {
    "online": {"reward_model": "mrt", "mrt": {"prover": "ht"}},
    "alpha 0": {"reward_model": "mrt", "mrt": {"alpha": 0.0, "prover": "sample"}},
    "one_episode": {"reward_model": "mrt_prefix", "mrt": {"prefix_mode": "one_episode"}},
    "paper": {"reward_model": "mrt_prefix", "mrt": {"prefix_mode": "paper"}},
}


class Model:
    """A RayActorGroup of one: OpenRLHF's Actor in this process."""

    def __init__(self) -> None:
        from openrlhf.models import Actor

        self.actor = Actor(str(MODEL), attn_implementation="eager", param_dtype="bf16").eval()

    def async_run_method_batch(self, method_name: str, **batches: Any) -> list[Any]:
        import ray

        assert method_name == "forward"
        images = batches.pop("mm_train_inputs_list", [])
        assert not any(one for some in images for one in some)
        assert list(batches) == ["sequences", "action_mask", "attention_mask"]
        return [ray.put([self.actor(*batch) for batch in zip(*batches.values(), strict=True)])]


def words(data: Path, agent: str) -> list[str]:
    """OpenRLHF's command line of this run."""
    return f"""
        --train.agent_func_path {agent} --actor.model_name_or_path {MODEL} --ds.attn_implementation eager
        --data.prompt_dataset {data} --data.input_key prompt --data.label_key reward_model --data.apply_chat_template
        --data.max_len 512 --rollout.max_new_tokens 160
        --rollout.n_samples_per_prompt {SAMPLES} --rollout.batch_size {PROMPTS} --rollout.micro_batch_size {SAMPLES}
        --train.batch_size {SAMPLES * PROMPTS} --train.micro_batch_size {SAMPLES}
        --eval.dataset {data} --eval.n_samples_per_prompt 2
        --algo.advantage.estimator dr_grpo --algo.advantage.is_correction_level token --algo.kl.init_coef 0
        --actor.num_nodes 1 --actor.num_gpus_per_node 1 --vllm.num_engines 1 --vllm.enable_prefix_caching
        --vllm.enforce_eager --vllm.gpu_memory_utilization 0.2
    """.split()


def write_config(path: Path, variant: dict[str, Any], traces: Path) -> None:
    from recipes.study.fast.study import base_settings

    base = base_settings()
    kept = ("think_open", "think_close", "stop_text", "branch_max_tokens", "min_steps", "min_episode_tokens", "markers")
    mrt = {key: getattr(base, key) for key in kept}
    mrt = {key: list(value) if isinstance(value, tuple) else value for key, value in mrt.items()}
    own = {"alpha": ALPHA, "prover": "sample", "trace_dir": str(traces), "traces_per_step": SAMPLES * PROMPTS}
    host = {"n_samples_per_prompt": SAMPLES, "report_rollouts": SAMPLES * PROMPTS}
    node = {**variant, "mrt": {**mrt, **own, **variant["mrt"]}, "openrlhf": host}
    path.write_text(yaml.safe_dump(node))


def start_ray(*, is_real: bool) -> Any:
    """A cluster of this machine's, and the place of its engines; or Ray's part played in this process."""
    import one_process
    import ray
    from ray.util.placement_group import placement_group

    if not is_real:
        one_process.start()
        return "here"
    ray.init(num_cpus=2, num_gpus=1, include_dashboard=False)
    place = placement_group([{"GPU": 1, "CPU": 1}])
    ray.get(place.ready())
    return place


def start_engine(args: Any, place: Any) -> list[Any]:
    """As OpenRLHF's `train`; the engines of all variants are started in one place, one after the other."""
    from openrlhf.trainer.ray import create_vllm_engines

    return create_vllm_engines(
        args.vllm.num_engines,
        args.vllm.tensor_parallel_size,
        args.actor.model_name_or_path,
        args.train.seed,
        args.train.full_determinism_enable,
        args.vllm.enable_prefix_caching,
        args.vllm.enforce_eager,
        args.data.max_len,
        place,
        args.vllm.gpu_memory_utilization,
        args.vllm.enable_sleep,
        "processed_logprobs" if args.algo.advantage.is_correction_level != "off" else None,
        agent_func_path=args.train.agent_func_path,
        remote_rm_url=args.reward.remote_url,
    )


def run_variant(name: str, args: Any, model: Model, place: Any, traces: Path) -> str:
    """A line of what was seen; AssertionError where it is not what was worked out."""
    import ray
    from openrlhf.trainer.ppo_trainer import compute_eval_metrics, prepare_datasets
    from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker
    from openrlhf.trainer.ppo_utils.kl_controller import FixedKLController
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator
    from openrlhf.utils import get_strategy, get_tokenizer

    strategy = get_strategy(args)
    tokenizer = get_tokenizer(args.actor.model_name_or_path, None, "left", strategy)
    training, evaluation, _ = prepare_datasets(strategy, tokenizer)
    engines = start_engine(args, place)
    generator = SamplesGenerator(strategy, training, evaluation, tokenizer, engines)
    how = {"do_sample": True, "max_len": args.data.max_len, "max_new_tokens": args.rollout.max_new_tokens}
    how |= {"temperature": args.rollout.temperature, "top_p": args.rollout.top_p}
    samples, *_ = generator.generate_samples(**how)
    outcomes = [float(one.scores[0]) for one in samples]
    maker = RemoteExperienceMaker(model, None, None, None, FixedKLController(0.0), strategy, tokenizer)
    experiences = maker.make_experience_batch(samples)
    check_rewards(name, experiences, outcomes, traces)
    gap = check_log_probs(experiences)
    loss = check_loss(model, experiences, args)
    of_evaluation = {"temperature": args.eval.temperature, "n_samples_per_prompt": args.eval.n_samples_per_prompt}
    evaluated = generator.generate_eval_samples(**how | of_evaluation)
    assert len(evaluated) == PROMPTS * args.eval.n_samples_per_prompt
    assert all(one.rewards.tolist() == one.scores.tolist() for one in evaluated)
    metrics = compute_eval_metrics(evaluation, evaluated, args.eval.n_samples_per_prompt)
    ray.kill(engines[0])
    return (
        f"{len(samples)} rollouts, outcome {sum(outcomes) / len(outcomes):.2f}, log-probs within {gap:.3f} of the "
        f"engine's, loss {loss:+.3f}, evaluation pass@1 {metrics['eval_default_pass1']:.2f}"
    )


def runs(mask: torch.Tensor) -> list[int]:
    """First positions of the runs of a row's sampled tokens."""
    edges = torch.diff(mask.long(), prepend=torch.zeros(1, dtype=torch.long))
    return (edges == 1).nonzero()[:, 0].tolist()


def check_rewards(name: str, experiences: list[Any], outcomes: list[float], traces: Path) -> None:
    """OpenRLHF's advantages are our rewards, and those are what was worked out by hand."""
    import by_hand

    rows = [json.loads(line) for file in traces.rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert len(rows) == SAMPLES * PROMPTS and sorted(row["outcome"] for row in rows) == sorted(outcomes)
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["uid"], []).append(row)
    expected = sorted(reward for group in groups.values() for reward in by_hand.online(group, ALPHA, 0.05))
    found = []
    for number, batch in enumerate(experiences):
        own = outcomes[number * SAMPLES : (number + 1) * SAMPLES]
        masks = [mask.bool() for mask in batch.action_mask]
        for reward, advantages, mask in zip(batch.rewards, batch.advantages, masks, strict=True):
            assert (advantages[mask] - reward).abs().max() < 1e-4, "dr_grpo leaves rewards as they are"
        starts, counts = [runs(mask)[0] for mask in masks], [len(runs(mask)) for mask in masks]
        if (hand := worked_out(name, own, starts, counts)) is not None:
            assert close(batch.rewards.tolist(), hand), (batch.rewards.tolist(), hand)
        found += batch.rewards.tolist()
    if name == "online":
        assert close(sorted(found), expected), (sorted(found), expected)
        assert any(row["episodes"] for row in rows)


def worked_out(name: str, outcomes: list[float], starts: list[int], counts: list[int]) -> list[float] | None:
    """The rewards of a prompt's rollouts; None for online, whose J its trace file tells."""
    import by_hand

    if name == "one_episode":
        return by_hand.one_episode(outcomes, starts, counts)
    if name == "paper":
        return by_hand.paper(outcomes, starts, ALPHA)
    return by_hand.group_norm(outcomes) if name == "alpha 0" else None


def close(found: list[float], expected: list[float]) -> bool:
    return max(abs(a - b) for a, b in zip(found, expected, strict=True)) < 1e-3


def check_log_probs(experiences: list[Any]) -> float:
    """The largest of the rollouts' mean differences between the engine's log-probs and those of OpenRLHF's Actor."""
    gaps = []
    for batch in experiences:
        for ours, theirs, mask in zip(batch.rollout_log_probs, batch.action_log_probs, batch.action_mask, strict=True):
            gaps.append(float((ours - theirs)[mask.bool()].abs().mean()))
            assert not ours[~mask.bool()].any()
    assert max(gaps) < 0.1, gaps  # both compute in bf16
    return max(gaps)


def check_loss(model: Model, experiences: list[Any], args: Any) -> float:
    """OpenRLHF's PolicyLoss of the first prompt's rollouts, and that its gradient raises what was paid."""
    from openrlhf.models import PolicyLoss

    level = args.algo.advantage.is_correction_level
    batch = max(experiences, key=lambda one: float(one.rewards.abs().sum()))
    log_probs = model.actor(batch.sequences, batch.action_mask, batch.attention_mask)
    loss, *_ = PolicyLoss(is_correction_level=level)(
        log_probs, log_probs.detach(), batch.advantages, batch.action_mask, batch.rollout_log_probs
    )
    model.actor.zero_grad()
    loss.backward()
    norm = torch.nn.utils.get_total_norm([one.grad for one in model.actor.parameters() if one.grad is not None])
    assert torch.isfinite(loss) and (norm > 0) == bool(batch.rewards.any())
    return float(loss)


def training_refusal(args: Any) -> str:
    """What OpenRLHF's trainer process says on this machine."""
    from openrlhf.utils import get_strategy

    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29511",
        "WORLD_SIZE": "1",
        "RANK": "0",
        "LOCAL_RANK": "0",
    }
    try:
        get_strategy(args).setup_distributed()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return "its set-up went through"


def main() -> None:
    import pandas as pd
    import ray
    from own_parser import parse

    from data_prep.search_task import make_problems
    from mrt_verl.openrlhf.__main__ import AGENT
    from mrt_verl.openrlhf.__main__ import check as check_words
    from recipes.quickstart.prepare import rows
    from recipes.study.fast.tasks import PROBLEM_SEED, TRAIN

    torch.set_num_threads(1)
    chosen = [name for name in sys.argv[1:] if name in VARIANTS] or list(VARIANTS)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        data, config = folder / "train.parquet", folder / "mrt.yaml"
        pd.DataFrame(rows(make_problems(PROBLEM_SEED)[TRAIN][:PROMPTS], "train")).to_parquet(data)
        own = words(data, str(AGENT))
        args = parse(own)
        print("OpenRLHF's command line: PASS", flush=True)
        os.environ["MRT_CONFIG"] = str(config)
        place = start_ray(is_real="--one-process" not in sys.argv)
        model = Model()
        for name in chosen:
            started, traces = time.perf_counter(), folder / name.replace(" ", "_")
            write_config(config, VARIANTS[name], traces)
            assert not check_words(str(config), own)
            line = run_variant(name, args, model, place, traces)
            print(f"{name}: {line}: PASS ({time.perf_counter() - started:.0f} s)", flush=True)
        if ray.is_initialized():
            ray.shutdown()
        print(f"its trainer: NOT RUN, {training_refusal(args)}")


if __name__ == "__main__":
    main()
