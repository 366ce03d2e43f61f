"""Every package of the stack imports, verl sees the plugin, and the device computes."""

import importlib
from typing import Any

from tests.gpu.report import Options, Report

MODULES = (
    *("torch", "transformers", "tensordict", "ray", "transfer_queue", "vllm", "math_verify", "mrt_verl"),
    *("vllm.v1.engine.core", "verl.workers.engine_workers", "verl.workers.rollout.vllm_rollout.vllm_async_server"),
    "verl.trainer.main_ppo",
)


def run(report: Report, options: Options) -> None:
    importlib.import_module("verl")  # first: the plugin and its CPU platform are loaded by it
    for name in MODULES:
        report.attempt(f"import {name}", lambda name=name: importlib.import_module(name))
    report.attempt("plugin", lambda: _plugin(report))
    report.attempt("device", lambda: _device(report, options))


def _plugin(report: Report) -> None:
    from verl.plugin.platform import get_platform
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY

    names = [str(getattr(name, "value", name)) for name in ADV_ESTIMATOR_REGISTRY]
    report.check("the plugin is loaded", "mrt" in names)
    report.note(platform=get_platform().device_name)


def _device(report: Report, options: Options) -> None:
    import torch

    one: Any = torch.randn(2, 4, 77, 32, device=options.device, dtype=getattr(torch, options.dtype))
    attend = torch.nn.functional.scaled_dot_product_attention
    gap = (attend(one, one, one, is_causal=True) - attend(*[one.double()] * 3, is_causal=True)).abs().max().item()
    report.check("attention as in double precision", gap < 0.05, f"{gap:.1e}")
    if options.device == "cuda":
        memory = [round(number / 2**30, 1) for number in torch.cuda.mem_get_info()]
        report.note(card=torch.cuda.get_device_name(0), free_and_total_gib=memory)
