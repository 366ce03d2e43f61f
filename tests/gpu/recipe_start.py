"""A recipe's first two steps at its model's true shape: random weights, two prompts, the recipe's own settings."""

from recipes.tools import dry_run
from recipes.tools.model_shapes import SHAPES, Shape
from tests.gpu.models import TINY, random_model
from tests.gpu.report import Options, Report
from tests.gpu.training import note_step
from tests.gpu.whole_step import FORCED_ROOM, PROMPT_ROOM, train_recipe, words_of

PROMPTS, RESPONSE, TINY_RESPONSE = 2, 1024, 96
FAMILIES = {"qwen3_4b": "qwen3", "backtrack_llama_3b": "llama"}
"""transformers' name for the architecture of a recipe's model; qwen2 for the others."""


def run(report: Report, options: Options, *, recipe: str) -> None:
    shape = shape_of(recipe, tiny=options.tiny)
    model = random_model(
        *(options.out / "model", shape),
        context=response_of(options) + PROMPT_ROOM + FORCED_ROOM,
        device=options.device,
        dtype=options.dtype,
        family=family_of(recipe),
    )
    report.note(parameters=shape.parameters)
    done = train_recipe(report, options, recipe, start_words(options, model))
    for step in sorted(done.steps):
        note_step(report, step, done.steps[step])
    report.check("both steps", sorted(step for step in done.steps if step) == [1, 2], sorted(done.steps))


def shape_of(recipe: str, *, tiny: bool) -> Shape:
    """The true shape of the recipe's model, or a tiny one in its place."""
    return TINY if tiny else SHAPES[dry_run.compose(recipe).actor_rollout_ref.model.path]


def response_of(options: Options) -> int:
    return TINY_RESPONSE if options.tiny else RESPONSE


def family_of(recipe: str) -> str:
    return FAMILIES.get(recipe.partition("/")[0], "qwen2")


def start_words(options: Options, model: str) -> list[str]:
    """What one card changes; the batch is the smallest that a group of the recipe's own size makes."""
    words = words_of(options, model, PROMPTS, response_of(options))
    return [*words, *(["actor_rollout_ref.rollout.n=4"] if options.tiny else [])]
