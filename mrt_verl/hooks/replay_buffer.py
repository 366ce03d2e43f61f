"""verl's replay buffer, whose sampler also returns mrt/* metrics: the one hook whose dict verl logs while training.

TransferQueue is named here alone, since a later verl may do without it.
"""

import time
from typing import Any

import transfer_queue as tq
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

import mrt_verl.hooks.advantage  # noqa: F401 - the trainer process needs the estimator, whatever it imports first
from mrt_verl.hooks.stall import StallWatch, raise_if_dead, state_of, waiting_of
from mrt_verl.metric_table import METRICS
from mrt_verl.rollout_record import RECORD, RolloutRecord
from mrt_verl.settings import MRTSettings
from mrt_verl.step_report import StepReport


def build_replay_buffer(**kwargs: Any) -> ReplayBuffer:
    """verl's replay buffer of the trainer mode, which also returns mrt/* metrics; named by `custom_sampler.name`."""
    base = ReplayBuffer if kwargs["trainer_mode"] == "sync" else ReplayBufferAsync
    of_run = kwargs["sampler_kwargs"]  # conf/reward_model/mrt.yaml fills it
    settings = MRTSettings.from_config(of_run["mrt"])
    report = StepReport(settings, response_tokens=of_run["response_length"])
    stall, rollouts = StallWatch(settings.stall_timeout_s), of_run["rollouts"]

    class MRTReplayBuffer(base):  # type: ignore[misc, valid-type]
        _step = 0

        def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict[str, float]]:
            self._step = global_steps
            stall.begin()
            try:
                batch, metrics = super().sample(global_steps, partition_id, batch_size)
            except RuntimeError:
                raise_if_dead(f"step {global_steps}: no rollout came")
                raise
            if partition_id == "train":
                asked = batch_size * rollouts
                if len(batch.keys) < asked:
                    raise_if_dead(f"step {global_steps}: {len(batch.keys)} of {asked} rollouts came")
                ours = report.step(read_records(batch), global_steps, asked=asked)
                metrics |= as_part_of_a_step(ours, of_run["train_batch_size"] // batch_size)
            return batch, metrics

        def _wait_for_next_poll(self, partition_id: str, last_debug_time: float) -> float:
            started = time.monotonic()
            last_debug_time = super()._wait_for_next_poll(partition_id, last_debug_time)
            waiting = waiting_of(self, partition_id, self._step)
            stall.polled(time.monotonic() - started, state_of(self, partition_id), waiting)
            return last_debug_time

    return MRTReplayBuffer(**{"poll_interval": of_run["poll_interval"], **kwargs, **_not_handed_on(of_run)})


def _not_handed_on(of_run: Any) -> dict[str, Any]:
    """Arguments that verl gives to samplers of its own alone: DAPO's group filter and the refill of failed groups."""
    kwargs: dict[str, Any] = {}
    is_filtered, is_refilled = of_run["filter_groups"]["enable"], of_run["sync_refill_failed_groups"]
    if is_filtered or is_refilled:
        kwargs.update(train_batch_size=of_run["train_batch_size"], gen_batch_size=1)
        kwargs.update(sync_refill_failed_groups=bool(is_refilled))
    if is_filtered:
        kwargs.update(
            filter_groups_metric=of_run["filter_groups"]["metric"],
            max_inflight_gen_batches=of_run["filter_groups"]["max_inflight_gen_batches"],
        )
    return kwargs


def as_part_of_a_step(metrics: dict[str, float], batches: int) -> dict[str, float]:
    """Of one of the step's batches: verl logs their mean, which of these is the step's count."""
    counts = {name for name in metrics if METRICS[name].range.startswith("count")}
    return {name: value * batches if name in counts else value for name, value in metrics.items()}


def read_records(batch: Any) -> list[RolloutRecord]:
    """The records of a batch's rollouts; rows that carry none (padding, other agent loops) are left out."""
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["extra_fields"])
    infos = (fields.get("reward_extra_info") or {} for fields in data.pop("extra_fields").tolist())
    return [RolloutRecord.from_json(info[RECORD]) for info in infos if info.get(RECORD)]
