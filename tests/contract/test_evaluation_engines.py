"""The engine of this process: where it may start."""

from types import SimpleNamespace

import pandas as pd
import pytest
import vllm.platforms

from mrt_verl.evaluation import EvaluationConfig, evaluate
from mrt_verl.evaluation.engines import VLLMEngine, require_accelerator
from mrt_verl.evaluation.settings import read_settings
from mrt_verl.grading.outcomes import unscored


def platform(monkeypatch, name):
    found = SimpleNamespace(is_cpu=lambda: name == "cpu", is_unspecified=lambda: name is None)
    monkeypatch.setattr(vllm.platforms, "current_platform", found)


@pytest.mark.parametrize("name", ["cpu", None])
@pytest.mark.parametrize("asked", [None, "", "nvidia"])
def test_without_a_gpu_it_is_refused_before_it_starts(monkeypatch, name, asked):
    """A page of vLLM's errors after half a minute otherwise."""
    platform(monkeypatch, name)
    monkeypatch.delenv("VERL_PLATFORM", raising=False)
    if asked is not None:
        monkeypatch.setenv("VERL_PLATFORM", asked)
    with pytest.raises(ValueError, match=r"VERL_PLATFORM is not cpu; allowed: .* VERL_PLATFORM=cpu before it$"):
        VLLMEngine("no/model")


def test_a_source_that_verl_does_not_score_is_told_before_the_engine_starts(tmp_path):
    """Every grading would have failed, after all traces were sampled."""
    assert unscored(["own", "openai/gsm8k", "own"]) == ["own"]
    row = {
        "prompt": [{"role": "user", "content": "1 + 1?"}],
        "reward_model": {"ground_truth": "2"},
        "data_source": "own",
    }
    pd.DataFrame([row]).to_parquet(tmp_path / "data.parquet")
    config = EvaluationConfig(
        models={"m": "no/model"},
        data=tmp_path / "data.parquet",
        budgets=[8],
        out=tmp_path / "out",
        settings=read_settings([], ["mrt.outcome=compute_score"]),
    )
    with pytest.raises(ValueError, match=r"verl has no scorer for data_source=own; allowed with mrt\.outcome="):
        evaluate(config)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["cuda", "rocm", "xpu"])
def test_any_accelerator_of_vllm_is_taken(monkeypatch, name):
    platform(monkeypatch, name)
    require_accelerator()
