"""Three steps of verl's stock trainer in each variant: log-probs agree after every sync of weights, J is counted."""

import math
from typing import Any

from tests.gpu.models import WARM_START
from tests.gpu.report import Options, Report
from tests.gpu.verl_run import SMALL_ON_A_GPU, Training, of_device, train, write_data

VARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "online": ("mrt", ()),
    "prefix": ("mrt_prefix", ()),
    "backtrack": (
        "mrt_backtrack",
        (
            "mrt.step_pattern='.*?(\\d+)'",
            "mrt.backtrack_text='Wait, let me go back to step {step}.'",
            "mrt.insert_max=1",
            "mrt.insert_min_left=20",
        ),
    ),
    "lora": (
        "mrt",
        (
            "actor_rollout_ref.model.lora_rank=16",
            "actor_rollout_ref.model.lora_alpha=32",
            "actor_rollout_ref.rollout.load_format=safetensors",
        ),
    ),
    "resume": ("mrt", ("trainer.save_freq=1",)),
}
AGREE = {"cpu": 1e-4, "cuda": 0.02}
"""Mean gap of a token's probability between vLLM and the trainer: float32 on a CPU, bfloat16 on a GPU."""
KEPT = (
    *("mrt/outcome", "mrt/progress_mean", "mrt/episodes_mean", "mrt/prefix_cache_hit", "mrt/branch_failures"),
    *("training/rollout_probs_diff_mean", "training/rollout_probs_diff_max", "actor/grad_norm"),
    *("timing_s/gen", "timing_s/update_actor", "timing_s/update_weights", "timing_s/step"),
    "perf/max_memory_allocated_gb",
)


def run(report: Report, options: Options, *, variant: str, strategy: str = "") -> None:
    """One variant; with `strategy` that of FSDP instead of verl's own default (on a CPU always fsdp2)."""
    words = words_of(options, variant, strategy)
    if variant == "resume":
        _resume(report, options, words)
        return
    steps = 2 if options.tiny else 3
    done = train(options, variant, [*words, f"trainer.total_training_steps={steps}"], limit=options.limit - 10)
    if _ended_well(report, done):
        _agrees(report, options, done, list(range(1, steps + 1)))
        _counted(report, done, variant)


def words_of(options: Options, variant: str, strategy: str) -> list[str]:
    """The overrides of a run, without its number of steps."""
    word, own = VARIANTS[variant]
    files, out = write_data(options.out), options.out / variant
    # a prompt whose first trace is one episode has no prefix: sixteen, so that a step without any does not happen
    prompts = 16 if variant == "prefix" else 4
    words = ["--config-dir", "recipes", f"reward_model={word}", *of_device(options), "+quickstart=train"]
    words += [f"data.train_files={files['train']}", f"data.val_files={files['test']}"]
    words += [f"actor_rollout_ref.model.path={WARM_START}", f"data.train_batch_size={prompts}"]
    words += [f"actor_rollout_ref.actor.ppo_mini_batch_size={prompts}", "actor_rollout_ref.rollout.n=4"]
    words += ["trainer.val_before_train=false", "trainer.test_freq=-1", "mrt.traces_per_step=100"]
    words += [f"mrt.trace_dir={out}/traces", f"trainer.default_local_dir={out}/checkpoints"]
    if variant != "resume":
        words += ["trainer.save_freq=-1"]
    if options.device == "cuda":
        words += SMALL_ON_A_GPU
        if strategy:
            words += [f"actor_rollout_ref.{role}.strategy={strategy}" for role in ("actor", "ref")]
    return [*words, *own]


def _ended_well(report: Report, done: Training) -> bool:
    report.check("exit code 0", done.code == 0, f"{done.code} after {done.seconds:.0f} s")
    if done.code:
        print(done.tail(), flush=True)
    for step, data in sorted(done.steps.items()):
        note_step(report, step, data)
    return done.code == 0


def note_step(report: Report, step: int, data: dict[str, Any]) -> None:
    """What is kept of a step's metrics."""
    report.note(**{f"step {step}": {name: _short(data[name]) for name in KEPT if name in data}})


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _agrees(report: Report, options: Options, done: Training, steps: list[int]) -> None:
    """Each step rolls out with weights that went through the sync: had they not, its probabilities would be others."""
    report.check("all steps", sorted(step for step in done.steps if step) == steps, sorted(done.steps))
    gaps = done.values("training/rollout_probs_diff_mean")
    report.check("rollout and trainer agree", bool(gaps) and max(gaps) < AGREE[options.device], gaps)
    norms = done.values("actor/grad_norm")
    report.check("the weights were changed between", any(norm > 0 for norm in norms[:-1]), norms)


def _counted(report: Report, done: Training, variant: str) -> None:
    failures = done.values("mrt/branch_failures")
    report.check("no branch failed", not any(failures), failures)
    rows = [trace for traces in done.traces.values() for trace in traces]
    if variant == "prefix":
        report.check("rollouts continue a prefix", any(row["prefix_tokens"] for row in rows))
    elif variant == "backtrack":
        report.check("text was inserted", any(row["inserted_tokens"] for row in rows))
    else:
        branched = [row for row in rows if row["episodes"] and all(one["forced"] for one in row["episodes"])]
        report.check("boundaries were branched", bool(branched), f"{len(branched)} of {len(rows)} rollouts")
        hits = done.values("mrt/prefix_cache_hit")
        report.check("branches read the cache", bool(hits) and min(hits) > 0.3, hits)
    graded = [row["outcome"] for row in rows if row["outcome"] is not None]
    report.check("every rollout is graded", len(graded) == len(rows) > 0, f"{len(graded)} of {len(rows)}")
    report.check("finite outcomes", all(map(math.isfinite, graded)))


def _resume(report: Report, options: Options, words: list[str]) -> None:
    """One step, its checkpoint, and a second process that does step 2 alone."""
    half = options.limit / 2 - 5
    first = train(options, "resume", [*words, "trainer.total_training_steps=1"], limit=half)
    if not _ended_well(report, first):
        return
    again = [*words, "trainer.total_training_steps=2", "trainer.resume_mode=auto"]
    second = train(options, "resume", again, limit=half)
    if _ended_well(report, second):
        report.check("goes on at step 2", sorted(step for step in second.steps if step) == [2], sorted(second.steps))
        gaps = second.values("training/rollout_probs_diff_mean")
        report.check("its log-probs agree", bool(gaps) and max(gaps) < AGREE[options.device], gaps)
