"""mrt/* training metrics: verl logs the dict that a custom sampler returns beside the batch, the one hook for it."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import transfer_queue as tq
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

import mrt_verl.advantage  # noqa: F401 - the trainer process needs the estimator, whatever it imports first
from mrt_verl.grading.accounts import WARN_SHARE
from mrt_verl.grading.grades import GraderStats
from mrt_verl.progress import normalised_regret
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.settings import SCORING_PROVERS

logger = logging.getLogger(__name__)

LEAST_PROBABILITY, LEAST_RIGHT = 0.02, 8
"""Mean probability of the reference below which its spelling is doubted, and right rollouts of a step that it takes."""


def build_replay_buffer(**kwargs: Any) -> ReplayBuffer:
    """verl's replay buffer of the trainer mode, which also returns mrt/* metrics; named by `custom_sampler.name`."""
    base = ReplayBuffer if kwargs["trainer_mode"] == "sync" else ReplayBufferAsync
    settings = kwargs["sampler_kwargs"]
    kwargs.setdefault("poll_interval", settings["poll_interval"])
    if settings["filter_groups"]["enable"]:  # verl does not hand DAPO's group filter on to custom samplers
        kwargs.update(
            filter_groups_metric=settings["filter_groups"]["metric"],
            train_batch_size=settings["train_batch_size"],
            gen_batch_size=1,
            max_inflight_gen_batches=settings["filter_groups"]["max_inflight_gen_batches"],
        )

    meter = GradingMeter()

    class MRTReplayBuffer(base):  # type: ignore[misc, valid-type]
        def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict[str, float]]:
            batch, metrics = super().sample(global_steps, partition_id, batch_size)
            if partition_id == "train":
                records = read_records(batch)
                budget = self.sampler_kwargs["response_length"]
                settings = self.sampler_kwargs["mrt"]
                metrics = {**metrics, **compute_metrics(records, budget=budget), **meter.step(records)}
                metrics |= check_spelling(records, settings, global_steps)
                warn_of_timeouts(records, global_steps)
                log_traces(records, settings, global_steps)
            return batch, metrics

    return MRTReplayBuffer(**kwargs)


def read_records(batch: Any) -> list[RolloutRecord]:
    """The records of a batch's rollouts; rows that carry none (padding, other agent loops) are left out."""
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["extra_fields"])
    infos = (fields.get("reward_extra_info") or {} for fields in data.pop("extra_fields").tolist())
    return [RolloutRecord.from_json(info["mrt"]) for info in infos if info.get("mrt")]


class GradingMeter:
    """How fast answers were graded since the last step, validation included, over all reward workers."""

    def __init__(self) -> None:
        self._last: dict[str, GraderStats] = {}

    def step(self, records: Sequence[RolloutRecord]) -> dict[str, float]:
        """Gradings per second while any was under way, the share answered by an equal one, and killed workers."""
        latest: dict[str, GraderStats] = {}
        for record in records:
            if record.grader:
                stats = GraderStats(**{key: value for key, value in record.grader.items() if key != "worker"})
                worker = record.grader["worker"]
                if worker not in latest or stats.graded > latest[worker].graded:
                    latest[worker] = stats
        steps = [stats - self._last.get(worker, GraderStats()) for worker, stats in latest.items()]
        self._last.update(latest)
        graded = sum(step.graded for step in steps)
        if not graded:
            return {}
        return {
            "mrt/gradings_per_second": sum(step.graded / step.seconds for step in steps if step.seconds),
            "mrt/grade_cache_hits": sum(step.cache_hits for step in steps) / graded,
            "mrt/grade_restarts": float(sum(step.restarts for step in steps)),
        }


def warn_of_timeouts(records: Sequence[RolloutRecord], step: int) -> None:
    """One warning with one example if more than 1 % of a step's gradings timed out."""
    timeouts, answers = _count(records, "grade_timeouts"), _count(records, "answers")
    if timeouts > WARN_SHARE * answers:
        example = next(record.timeout_example for record in records if record.timeout_example is not None)
        logger.warning(
            "step %d: %d of %d gradings timed out (%.1f %%) and are left out of J; one of them ends in %r",
            *(step, timeouts, answers, 100 * timeouts / answers, example),
        )


def check_spelling(records: Sequence[RolloutRecord], settings: Any, step: int) -> dict[str, float]:
    """`mrt/reference_probability`: of the scored reference at the end of the thinking of rollouts that answer right.

    Near 0 there, the policy spells its answers in another way than `mrt.reference_text` does, and J misses them:
    warned of. {} for provers that score no reference, and without such rollouts.
    """
    if settings["prover"] not in SCORING_PROVERS:
        return {}
    right = [record for record in records if record.outcome == 1.0 and record.forced and record.forced[-1]]
    if not right:
        return {}
    probability = _mean(record.forced[-1][0][2] or 0.0 for record in right)
    if probability < LEAST_PROBABILITY and len(right) >= LEAST_RIGHT:
        logger.warning(
            "step %d: %d rollouts end in a right answer, but at the end of their thinking mrt.reference_text=%r has a "
            "mean probability of %.4f: the policy spells its answers otherwise. Look at forced answers in "
            "mrt.trace_dir and fit mrt.reference_text, or take mrt.prover=ht, which needs none",
            *(step, len(right), settings["reference_text"], probability),
        )
    return {"mrt/reference_probability": probability}


def compute_metrics(records: Sequence[RolloutRecord], *, budget: int) -> dict[str, float]:
    """Metrics of one step, means over rollouts unless said otherwise; {} without rollouts.

    Args:
        records: graded rollouts of the step.
        budget: tokens a response may have (C of the normalised regret).
    """
    if not records:
        return {}
    progress = [value for record in records for _, _, value in record.progress]
    known = [[j for j in record.js if j is not None] for record in records]
    before = [record.j_before for record in records if record.j_before is not None]
    branched = [record for record in records if record.kind in ("trace", "continued")]
    sampled = sum(record.response_tokens - record.prefix_tokens - record.inserted_tokens for record in records)
    paid = _count(records, "branch_tokens") + _count(records, "shared_tokens")
    return {
        "mrt/outcome": _mean(record.outcome for record in records),
        "mrt/progress_mean": _mean(progress),
        "mrt/progress_std": float(np.std(progress)) if progress else 0.0,
        "mrt/episodes_mean": _mean(len(record.episodes) for record in records),
        "mrt/j_before": _mean(before),
        "mrt/j_first": _mean(js[0] for js in known if js),
        "mrt/j_last": _mean(js[-1] for js in known if js),
        "mrt/regret": _mean(rollout_regret(record, budget) for record in branched),
        "mrt/think_tokens_mean": _mean(record.think_tokens for record in records),
        "mrt/branch_tokens_ratio": paid / sampled if sampled else 0.0,
        "mrt/prefix_cache_hit": _ratio(records, "branch_cached_tokens", "branch_prompt_tokens"),
        "mrt/branch_seconds_mean": _mean(record.branch_seconds for record in records),
        "mrt/branch_failures": _count(records, "branch_failures"),
        "mrt/grade_seconds_mean": _mean(record.grade_seconds for record in records),
        "mrt/grade_timeouts": _count(records, "grade_timeouts"),
        "mrt/grade_errors": _count(records, "grade_errors"),
        "mrt/no_answer_share": _ratio(records, "no_answers", "answers"),
        "mrt/inserted_mean": _mean(record.inserted_tokens for record in records),
        "mrt/fallback_share": _mean(record.kind == "fallback" for record in records),
        "mrt/prefix_tokens_mean": _mean(record.prefix_tokens for record in records if record.kind == "continued"),
        "mrt/markers_mean": _mean(record.markers for record in records),
    }


def rollout_regret(record: RolloutRecord, budget: int) -> float:
    """Normalised regret of one rollout at `budget` tokens, by mrt.md's definition (1 where J is not known).

    A forced answer costs the tokens of its prefix and, on average, this rollout's mean branch length. The curve of a
    rollout that thought on from a shared prefix starts with that prefix and its J.
    """
    branches = sum(len(answers) for answers in record.forced) + len(record.forced_before)
    answer_tokens = record.branch_tokens / branches if branches else 0.0
    points = [(end, j) for (_, _, end), j in zip(record.episodes, record.js, strict=False) if j is not None]
    if record.prefix_tokens and record.j_before is not None:
        points.insert(0, (record.prefix_tokens, record.j_before))
    return normalised_regret([end + answer_tokens for end, _ in points], [j for _, j in points], budget)


def log_traces(records: Sequence[RolloutRecord], settings: Any, step: int) -> None:
    """Write the first `traces_per_step` rollouts of a step to `trace_dir`/<step>.jsonl, if that is set."""
    if settings["trace_dir"] is None:
        return
    directory = Path(settings["trace_dir"])
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{step}.jsonl").open("w", encoding="utf-8") as file:
        for record in records[: settings["traces_per_step"]]:
            file.write(json.dumps({"step": step, **record.to_dict()}, ensure_ascii=False) + "\n")


def _mean(values: Any) -> float:
    values = list(values)
    return float(np.mean(values)) if values else 0.0


def _count(records: Sequence[RolloutRecord], name: str) -> float:
    return float(sum(getattr(record, name) for record in records))


def _ratio(records: Sequence[RolloutRecord], part: str, whole: str) -> float:
    total = _count(records, whole)
    return _count(records, part) / total if total else 0.0
