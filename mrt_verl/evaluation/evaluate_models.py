"""`evaluate(EvaluationConfig)`: samples every model in turn; what is there already is kept."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.checkpoints import find_actor, identify, merge_checkpoint
from mrt_verl.evaluation.config import EvaluationConfig
from mrt_verl.evaluation.engines import ClosableEngine, EndpointEngine, VLLMEngine
from mrt_verl.evaluation.model_files import check_weights, load_tokenizer
from mrt_verl.evaluation.problems import Problem, read_problems
from mrt_verl.evaluation.run import sample_missing
from mrt_verl.evaluation.sampling import RecordSampler
from mrt_verl.evaluation.settings import describe_run
from mrt_verl.evaluation.store import Store
from mrt_verl.evaluation.traces import NO_THINKING
from mrt_verl.grading import Grader
from mrt_verl.grading.outcomes import FileFunction, unscored
from mrt_verl.parts import tag_problems
from mrt_verl.settings import MRTSettings


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """Where the runs of an evaluation are."""

    directories: dict[str, Path]
    """Per model its run: run.json and traces.jsonl; `report` and `compare` take them."""
    sampled: dict[str, int]
    """Per model the traces that were sampled now; 0 where all were there already."""


def evaluate(config: EvaluationConfig) -> EvaluationResult:
    """Sample traces of every model with forced answers at every boundary; a run that was stopped goes on.

    Raises:
        ValueError: a setting cannot work, the data is unusable, or `out` holds a run with other settings.
        RuntimeError: a trace could not be sampled; names it. What was finished is kept.
    """
    problems = read_problems(config.data, config.problems)
    check_scorer(problems, config)
    sampled = {name: asyncio.run(_sample_model(name, problems, config)) for name in config.models}
    return EvaluationResult({name: config.out / name for name in config.models}, sampled)


async def _sample_model(name: str, problems: Sequence[Problem], config: EvaluationConfig) -> int:
    """Sample what one model lacks; a complete run starts no engine."""
    with Store(config.out / name, describe_run(name, len(problems), config)) as store:
        if len(store.records) == len(problems) * config.traces:
            print(f"{name}: all {len(store.records)} traces are in {store.path} already")
            return 0
        engine, tokenizer = open_engine(name, of_this_run(config, len(store.records)))
        with Grader(deadline_s=config.settings.grade_timeout_s, thinking=None) as grader:
            try:
                function = FileFunction.from_node(config.reward_function)
                settings = request_settings(config)
                sampler = RecordSampler(engine, tokenizer, settings, config.plan, grader, function)
                check_context(engine, sampler, problems)
                count = await sample_missing(
                    problems, config.traces, sampler, store, concurrency=config.concurrency, label=name
                )
                check_gradings(name, grader, config.settings.max_error_share, store.path)
                if not any(record.episodes for record in store.records.values()):
                    print(f"{name}: {NO_THINKING}", flush=True)
                return count
            finally:
                await engine.close()


def of_this_run(config: EvaluationConfig, stored: int) -> EvaluationConfig:
    """The config with the seed of the engine: one that goes on must not draw again what it drew before.

    Args:
        stored: traces that are there already.
    """
    if not stored:
        return config
    digest = blake2b(f"{config.seed}:{stored}".encode(), digest_size=4).digest()
    return replace(config, seed=int.from_bytes(digest, "big") >> 1)


def request_settings(config: EvaluationConfig) -> MRTSettings:
    """The settings, with a seed of each request's own where the engine is an endpoint, which has none of ours."""
    if config.base_url is None or config.settings.seed is not None:
        return config.settings
    return replace(config.settings, seed=config.seed)


def check_gradings(name: str, grader: Grader, max_share: float, path: Path) -> None:
    """A model whose answers could not be graded has no accuracy of 0.

    Raises:
        RuntimeError: more than `mrt.max_error_share` of the gradings failed; holds the first error's text.
    """
    stats = grader.stats()
    if stats.errors > max_share * stats.graded:
        raise RuntimeError(
            f"{name}: grading failed for {stats.errors} of {stats.graded} answers: {grader.first_error}. What was "
            f"sampled is in {path}, ungraded; remove it before you run again"
        )


def open_engine(name: str, config: EvaluationConfig) -> tuple[ClosableEngine, Any]:
    """The engine of one model and its tokenizer; a verl checkpoint is merged first.

    Raises:
        ValueError: there is no such model, it is not whole, or a thinking tag is not one token.
    """
    model = config.models[name]
    actor = None if config.base_url else find_actor(Path(model))
    if actor is not None:
        print(f"{name}: merging {actor}", flush=True)
        # named by what it holds: the same path may hold a later step next time
        merged = config.out / "merged" / f"{name}-{identify(model)['fingerprint']}"
        model = str(merge_checkpoint(actor, merged))
    tokenizer = load_tokenizer(config.tokenizer or model)
    problems = list(tag_problems(config.settings, tokenizer, model))
    if problems:
        raise ValueError("; ".join(problems))
    if config.base_url:
        return EndpointEngine(config.base_url, model, tokenizer), tokenizer
    check_weights(model)
    print(f"{name}: starting vLLM", flush=True)
    return VLLMEngine(model, seed=config.seed, **config.engine), tokenizer


def check_scorer(problems: Sequence[Problem], config: EvaluationConfig) -> None:
    """Raises ValueError: verl's own outcome is to grade problems of a data source that it has no scorer for."""
    if config.settings.outcome != "compute_score" or config.reward_function is not None:
        return
    if unknown := unscored(problem.data_source for problem in problems):
        raise ValueError(
            f"{config.data}: verl has no scorer for data_source={', '.join(unknown)}; allowed with "
            "mrt.outcome=compute_score: a source that verl scores, or a reward.custom_reward_function"
        )


def check_context(engine: Any, sampler: RecordSampler, problems: Sequence[Problem]) -> None:
    """A forced answer after the longest trace must fit the engine's context, where the engine tells it.

    Raises:
        ValueError: it does not; names the parts.
    """
    plan, limit = sampler.plan, getattr(engine, "max_model_len", None)
    if limit is None or plan.window is not None:
        return
    prompt = max(len(sampler.encode(problem)) for problem in problems)
    answer = len(sampler.rollout.prover.stop_ids) + sampler.settings.branch_max_tokens
    longest_marker = max(len(sampler.tokenizer.encode("\n\n" + marker)) for marker in sampler.settings.markers)
    insertions = plan.insertions * (plan.insertion_tokens + longest_marker)
    needed = prompt + plan.response_tokens + insertions + answer
    if limit < needed:
        raise ValueError(
            f"the engine's context is {limit} tokens; allowed: {needed} or more (prompt {prompt} + largest budget "
            f"{plan.response_tokens} + insertions {insertions} + stop text and forced answer {answer}); lower these or "
            "raise it with --engine max_model_len=…"
        )
