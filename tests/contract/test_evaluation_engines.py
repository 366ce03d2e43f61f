"""The engine of this process: where it may start."""

from types import SimpleNamespace

import pytest
import vllm.platforms

from mrt_verl.evaluation.engines import VLLMEngine, require_accelerator


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


@pytest.mark.parametrize("name", ["cuda", "rocm", "xpu"])
def test_any_accelerator_of_vllm_is_taken(monkeypatch, name):
    platform(monkeypatch, name)
    require_accelerator()
