"""P9: a whole step of the R1-1.5B recipe on random weights of its shape, against what its dry run says of one GPU.

The recipe's own settings, on one GPU instead of eight: 16 prompts x 8 and the longest responses that a lease allows.
Random weights write on to the end of the budget, so the dry run is asked for full traces.
"""

from typing import Any

from recipes.tools import dry_run
from recipes.tools.dry_run_memory import memory_lines
from tests.gpu.models import r1_shape, random_model
from tests.gpu.report import Options, Report
from tests.gpu.training import KEPT
from tests.gpu.verl_run import Training, of_device, train, write_data

RECIPE = "r1_distill_qwen_1.5b/mrt"
PROMPTS, RESPONSE, PROMPT_ROOM = 16, 4096, 256
FORCED_ROOM = 128
"""Tokens of the context for a stop text and its answer after a full trace."""
WITHIN = 1.5
"""A prediction is right if what was measured is within this factor of it."""
PARTS = {
    "gen": "timing_s/gen",
    "old log-probs": "timing_s/old_log_prob",
    "update": "timing_s/update_actor",
    "weights": "timing_s/update_weights",
    "step": "timing_s/step",
}


def run(report: Report, options: Options) -> None:
    prompts, response = (2, 96) if options.tiny else (PROMPTS, RESPONSE)
    shape = r1_shape(tiny=options.tiny)
    model = random_model(
        *(options.out / "model", shape),
        context=response + PROMPT_ROOM + FORCED_ROOM,
        device=options.device,
        dtype=options.dtype,
    )
    words = words_of(options, model, prompts, response)
    config = dry_run.compose(RECIPE, [word for word in words if not word.startswith(("--", "hydra"))])
    predicted = predict(config, shape)
    report.note(tokens_of_a_step=prompts * config.actor_rollout_ref.rollout.n * response, predicted_s=predicted)
    report.note(dry_run_memory=list(memory_lines(config, shape, 80)))
    done = train_recipe(report, options, RECIPE, words)
    if 1 in done.steps:
        _compare(report, options, done.steps[max(done.steps)], predicted)


def train_recipe(report: Report, options: Options, recipe: str, words: list[str]) -> Training:
    """The recipe with these overrides; its last lines are printed where it failed."""
    searched = ["hydra.searchpath=[file://.]", f"+recipes=[{recipe}]"]
    done = train(options, "run", [*searched, *words], limit=options.limit - 10)
    report.check("exit code 0", done.code == 0, f"{done.code} after {done.seconds:.0f} s")
    if done.code:
        print(done.tail(), flush=True)
    return done


def words_of(options: Options, model: str, prompts: int, response: int) -> list[str]:
    """What one card of a lease changes in the recipe; the first step warms up, the second is measured."""
    files = write_data(options.out)
    words = [*of_device(options), f"actor_rollout_ref.model.path={model}"]
    words += [f"data.train_files={files['train']}", f"data.val_files={files['test']}"]
    words += [f"data.train_batch_size={prompts}", f"actor_rollout_ref.actor.ppo_mini_batch_size={prompts}"]
    words += [f"data.max_response_length={response}", f"data.max_prompt_length={PROMPT_ROOM}"]
    words += [f"mrt.episodes=tokens:{response // 6 + 1}", "mrt.max_episodes=6", "mrt.branch_max_tokens=12"]
    words += ["trainer.total_training_steps=2", "trainer.val_before_train=false", "trainer.test_freq=-1"]
    words += ["trainer.save_freq=-1", "trainer.resume_mode=disable"]
    words += [f"trainer.default_local_dir={options.out}/checkpoints"]
    if options.tiny:
        words += ["actor_rollout_ref.rollout.n=2", "actor_rollout_ref.actor.ppo_max_token_len_per_gpu=2048"]
        words += ["actor_rollout_ref.rollout.log_prob_max_token_len_per_gpu=2048"]
    return words


def predict(config: Any, shape: Any) -> dict[str, float]:
    """Seconds by the dry run's own assumptions, for traces that fill their budget."""
    options = dry_run.parse([RECIPE, "--expected", "1.0"])
    fill, tail, update = dry_run.step_seconds(config, shape, options)
    generation = max(fill, tail)
    parts = {"gen": generation, "update": update, "step": generation + update + options.overhead}
    return {name: round(seconds, 1) for name, seconds in parts.items()}


def _compare(report: Report, options: Options, data: dict[str, Any], predicted: dict[str, float]) -> None:
    """Parts of the measured step; on a GPU each must be within WITHIN of its prediction."""
    measured = {name: round(data[key], 2) for name, key in PARTS.items() if key in data}
    report.note(measured_s=measured, step={name: data[name] for name in KEPT if name in data})
    measured["update"] = measured.get("update", 0.0) + measured.get("old log-probs", 0.0)  # the dry run's has both
    for name, seconds in predicted.items():
        ratio = measured.get(name, 0.0) / seconds if seconds else float("inf")
        report.note(**{f"{name}: measured / predicted": round(ratio, 3)})
        if options.device == "cuda":
            report.check(f"{name} as predicted", 1 / WITHIN <= ratio <= WITHIN, f"{ratio:.2f}")
