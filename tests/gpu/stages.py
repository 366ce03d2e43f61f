"""The stages in the order they run: from cheap to expensive, and what is worth most before the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Device = Literal["cuda", "cpu"]


@dataclass(frozen=True)
class Stage:
    """One process with a limit of its own; `python -m tests.gpu.stage NAME` runs it."""

    name: str
    module: str
    """In tests.gpu; its `run(report, options, **arguments)` does the work."""
    shows: str
    """What passing means, for the table."""
    limit: int
    """Seconds on a GPU; guesses until the first run on one."""
    cpu_limit: int | None
    """Seconds of its tiny form on two CPU cores; None where a CPU cannot run it."""
    arguments: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def limit_on(self, device: Device) -> int | None:
        return self.limit if device == "cuda" else self.cpu_limit


RUNNER = "VLLM_USE_V2_MODEL_RUNNER"

STAGES: tuple[Stage, ...] = (
    Stage("packages", "packages", "every package imports, the plugin is loaded", 90, 300),
    Stage(
        *("engine_v1", "engine", "sampled and scored log-probs are transformers'; batch as one by one", 90, 600),
        environment={RUNNER: "0"},
    ),
    Stage(
        *("engine_v2", "engine", "the same with Model Runner V2, which no CPU has", 90, None),
        environment={RUNNER: "1"},
    ),
    Stage("provers", "enumeration", "every prover's J against J by enumeration of all answers", 90, 900),
    Stage(
        *("train_online", "training", "3 steps of stock verl, its own strategy; log-probs agree after syncs", 150, 900),
        arguments={"variant": "online"},
    ),
    Stage(
        *("price_4k", "rollout_price", "P1: rollout with each prover / plain, R1-1.5B's shape, 4k", 150, 900),
        arguments={"tokens": "4096"},
    ),
    Stage("step", "whole_step", "P9: one step of the R1-1.5B recipe against its dry run", 180, 900),
    Stage(
        *("price_small_cache", "rollout_price", "P1 with a KV cache for a quarter of the traces", 120, 900),
        arguments={"tokens": "4096", "cache": "quarter"},
    ),
    Stage(
        *("price_8k", "rollout_price", "P1 once at 8k, plain, seen and ht", 100, 900),
        arguments={"tokens": "8192"},
    ),
    Stage(
        *("train_prefix", "training", "3 steps of the prefix variant, FSDP2", 120, 900),
        arguments={"variant": "prefix", "strategy": "fsdp2"},
    ),
    Stage(
        *("train_backtrack", "training", "3 steps with inserted text, FSDP2", 120, 900),
        arguments={"variant": "backtrack", "strategy": "fsdp2"},
    ),
    Stage(
        *("train_fsdp2", "training", "3 steps online, FSDP2", 120, None),
        arguments={"variant": "online", "strategy": "fsdp2"},
    ),
    Stage(
        *("train_lora", "training", "3 steps of an adapter, log-probs agree", 120, None),
        arguments={"variant": "lora", "strategy": "fsdp2"},
    ),
    Stage(
        *("train_resume", "training", "one step, then a second process goes on from its checkpoint", 180, 1200),
        arguments={"variant": "resume", "strategy": "fsdp2"},
    ),
    Stage(
        *("start_qwen3_4b", "recipe_start", "the LoRA recipe starts at Qwen3-4B's shape: two steps", 180, None),
        arguments={"recipe": "qwen3_4b/mrt_lora"},
    ),
    Stage(
        *("start_llama_3b", "recipe_start", "the backtracking recipe starts at Llama-3.2-3B's shape", 180, 900),
        arguments={"recipe": "backtrack_llama_3b/mrt"},
    ),
    Stage(
        *("start_prefix_1.5b", "recipe_start", "the paper's prefix recipe starts at R1-1.5B's shape", 150, 900),
        arguments={"recipe": "r1_distill_qwen_1.5b/mrt_prefix"},
    ),
    Stage("learning", "learning", "GRPO and MRT on a pair-sum model of 30 M parameters", 240, 1500),
)


def choose(names: Sequence[str]) -> tuple[Stage, ...]:
    """The stages of these names, in their own order; all of them without names.

    Raises:
        ValueError: there is no stage of a name.
    """
    known = [stage.name for stage in STAGES]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no stage {', '.join(unknown)}; allowed: {', '.join(known)}")
    return tuple(stage for stage in STAGES if not names or stage.name in names)
