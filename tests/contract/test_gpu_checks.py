"""The checks of tests/gpu on an engine of this process: they hold for a right one and fail for a wrong one."""

import asyncio
from dataclasses import replace

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from recipes.study.fast.engine import TorchEngine
from tests.gpu import enumeration
from tests.gpu.models import WARM_START
from tests.gpu.report import Options, Report


@pytest.fixture(scope="module")
def engine():
    model = AutoModelForCausalLM.from_pretrained(WARM_START).eval()
    return TorchEngine(model, AutoTokenizer.from_pretrained(WARM_START), seed=0)


class Wrong:
    """An engine whose log-probs are those of another model."""

    def __init__(self, engine, factor):
        self.engine, self.factor = engine, factor

    async def generate(self, **request):
        output = await self.engine.generate(**request)
        scaled = None if output.log_probs is None else [self.factor * one for one in output.log_probs]
        return replace(output, log_probs=scaled)


def provers_checked(engine, directory, monkeypatch, repeats):
    monkeypatch.setattr(enumeration, "REPEATS", repeats)
    report = Report(directory / "report.json")
    asyncio.run(enumeration.check_provers(report, Options("cpu", directory, 60.0), engine, prefixes=1))
    return report


def test_every_prover_gives_what_enumeration_expects(engine, tmp_path, monkeypatch):
    report = provers_checked(engine, tmp_path, monkeypatch, 32)
    assert report.failed == []
    assert len([name for name in report.figures if "mean, expected" in name]) == len(enumeration.PROVERS)
    assert report.figures["prefix 0: J, answers, left"][2] < 0.02


def test_wrong_log_probs_are_noticed(engine, tmp_path, monkeypatch):
    failed = provers_checked(Wrong(engine, 3.0), tmp_path, monkeypatch, 32).failed
    assert any("ht" in one for one in failed) and not any(", sample" in one for one in failed)
