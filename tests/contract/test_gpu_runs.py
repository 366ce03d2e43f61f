"""What the stages of tests/gpu start, without starting it: every training composes and passes the start-up check."""

import asyncio
import time
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from mrt_verl.hooks.checks import find_problems
from mrt_verl.trace_rows import trace_row
from recipes.study.fast.engine import TorchEngine
from recipes.tools import dry_run
from tests.builders import graded_record
from tests.gpu import learning, recipe_start, rollout_price, training, whole_step
from tests.gpu.models import HEAD, WARM_START, r1_shape, random_model
from tests.gpu.report import Options, Report
from tests.gpu.stages import STAGES
from tests.gpu.verl_run import Training

TRAININGS = [stage for stage in STAGES if stage.module == "training"]
devices = pytest.mark.parametrize("device", ["cuda", "cpu"])


@pytest.fixture
def options(device, tmp_path, monkeypatch):
    if device == "cpu":
        monkeypatch.setenv("VERL_PLATFORM", "cpu")
    else:
        monkeypatch.delenv("VERL_PLATFORM", raising=False)
    return Options(device, tmp_path, 600.0)


def composed(words):
    """As main_ppo composes them; `--config-dir recipes` is a search path here."""
    own = [word for word in words if word not in ("--config-dir", "recipes")]
    return dry_run.compose_words(["hydra.searchpath=[file://recipes]", *own])


@pytest.fixture(scope="module")
def roomy(tmp_path_factory):
    """A model with the context of the step's."""
    context = whole_step.RESPONSE + whole_step.PROMPT_ROOM + whole_step.FORCED_ROOM
    path = tmp_path_factory.mktemp("model") / "model"
    return random_model(path, r1_shape(tiny=True), context=context, device="cpu", dtype="float32")


@devices
@pytest.mark.parametrize("stage", TRAININGS, ids=[stage.name for stage in TRAININGS])
def test_a_training_passes_the_start_up_check(options, device, stage):
    words = training.words_of(options, stage.arguments["variant"], stage.arguments.get("strategy", ""))
    config = composed(words)
    assert find_problems(config, of_machine=False) == []
    if device == "cuda":
        assert config.actor_rollout_ref.actor.strategy == stage.arguments.get("strategy", "fsdp")
        assert config.actor_rollout_ref.rollout.get("enable_sleep_mode", True)


@devices
def test_the_whole_step_composes_and_is_predicted(options, roomy):
    words = whole_step.words_of(options, roomy, whole_step.PROMPTS, whole_step.RESPONSE)
    config = dry_run.compose(whole_step.RECIPE, words)
    assert find_problems(config, of_machine=False) == []
    predicted = whole_step.predict(config, r1_shape(tiny=False))
    assert set(predicted) <= set(whole_step.PARTS) and all(seconds > 0 for seconds in predicted.values())


STARTS = [stage for stage in STAGES if stage.module == "recipe_start"]


@devices
@pytest.mark.parametrize("stage", STARTS, ids=[stage.name for stage in STARTS])
def test_a_recipe_starts_at_its_true_shape(options, roomy, device, stage):
    recipe = stage.arguments["recipe"]
    config = dry_run.compose(recipe, recipe_start.start_words(options, roomy))
    assert find_problems(config, of_machine=False) == []
    recipes_own = dry_run.compose(recipe)
    assert config.mrt.variant == recipes_own.mrt.variant
    assert config.actor_rollout_ref.model.lora_rank == recipes_own.actor_rollout_ref.model.lora_rank
    if device == "cuda":
        assert config.actor_rollout_ref.rollout.n == recipes_own.actor_rollout_ref.rollout.n


@pytest.mark.parametrize("stage", STARTS, ids=[stage.name for stage in STARTS])
def test_a_recipes_model_has_its_familys_architecture(tmp_path, stage):
    family = recipe_start.family_of(stage.arguments["recipe"])
    shape = recipe_start.shape_of(stage.arguments["recipe"], tiny=True)
    path = random_model(tmp_path / "model", shape, context=64, device="cpu", dtype="float32", family=family)
    model = AutoModelForCausalLM.from_pretrained(path)
    assert model.config.model_type == family and model.config.head_dim == 32
    true = recipe_start.shape_of(stage.arguments["recipe"], tiny=False)
    assert true.query_width % HEAD == true.kv_width % HEAD == 0


@devices
@pytest.mark.parametrize("arm", learning.ARMS)
def test_an_arm_of_learning_composes(options, roomy, arm):
    config = composed(learning.words_of(options, arm, Path(roomy)))
    if arm != "grpo":
        assert find_problems(config, of_machine=False) == []
    assert config.algorithm.adv_estimator == ("grpo" if arm == "grpo" else "mrt")


def test_a_model_of_random_weights(roomy):
    model = AutoModelForCausalLM.from_pretrained(roomy)
    assert model.num_parameters() == pytest.approx(r1_shape(tiny=True).parameters, rel=0.02)
    assert AutoTokenizer.from_pretrained(roomy).eos_token_id == model.config.eos_token_id


@pytest.mark.parametrize("device", ["cpu"])
def test_the_price_of_a_rollout_is_measured(options):
    """On an engine of this process: the figures mean nothing, that there are six boundaries a trace does."""
    model = AutoModelForCausalLM.from_pretrained(WARM_START).eval()
    tokenizer = AutoTokenizer.from_pretrained(WARM_START)
    engine, report = TorchEngine(model, tokenizer, seed=0), Report(options.out / "report.json")
    asyncio.run(rollout_price._measure(report, options, engine, tokenizer, 96, 1, time.perf_counter()))
    assert report.failed == []
    for name in rollout_price.VARIANTS:
        assert report.figures[f"{name}: episodes"] == 6 and report.figures[f"{name}: wall clock / plain"] > 0


@pytest.mark.parametrize(
    ("variant", "changes", "failed"),
    [
        ("online", {}, []),
        ("online", {"forced": [[("7", True, None)], []]}, ["boundaries were branched 0 of 1 rollouts"]),
        ("online", {"outcome": None}, ["every rollout is graded 0 of 1"]),
        ("prefix", {"kind": "one_episode", "prefix_tokens": 4}, []),
        ("prefix", {}, ["rollouts continue a prefix"]),
        ("backtrack", {"inserted_tokens": 6}, []),
        ("backtrack", {}, ["text was inserted"]),
    ],
)
def test_what_a_training_left_is_judged(tmp_path, variant, changes, failed):
    """By the trace file's own rows: a field of another name is found here, not on the GPU."""
    metrics = {"mrt/branch_failures": 0.0, "mrt/prefix_cache_hit": 0.9}
    rows = [trace_row(graded_record(**changes), step=1)]
    report = Report(tmp_path / "report.json")
    training._counted(report, Training(0, 1.0, {1: metrics}, {1: rows}, tmp_path / "log"), variant)
    assert report.failed == failed
