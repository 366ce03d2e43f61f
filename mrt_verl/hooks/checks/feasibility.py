"""Whether the run's parts can work together: rollout server, group, adapter, tokenizer, context."""

import logging
from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf

from mrt_verl.hooks.checks.local import context_tokens, expand, load_tokenizer, lora_rank, own_max_model_len
from mrt_verl.parts import stop_problems, text_problems
from mrt_verl.provers import PROVERS, prover_class
from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)

SERVERS = ("vllm", "sglang")
"""Values of `rollout.name` whose parameters are known here; sglang's were read in verl's code, not run."""
LONG_RESPONSE = 2048
"""Tokens of a response beyond which scoring a prompt costs more than sampling (tests/benchmarks/scored_prompts.py)."""


def check_sizes(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A group to normalise over, and room for a response."""
    n, response = config.actor_rollout_ref.rollout.n, config.data.max_response_length
    if n < 2:
        yield f"actor_rollout_ref.rollout.n={n}; allowed: 2 or more, outcomes are normalised over a group"
    if response < 1:
        yield f"data.max_response_length={response}; allowed: 1 or more"


def check_server(settings: MRTSettings, config: Any) -> Iterator[str]:
    """The rollout server must be known, and give what the prover needs."""
    rollout, prover = config.actor_rollout_ref.rollout, prover_class(settings)
    server = "???" if OmegaConf.is_missing(rollout, "name") else rollout.name
    if server not in SERVERS:
        yield f"actor_rollout_ref.rollout.name={server}; allowed: {', '.join(SERVERS)}"
    elif server not in prover.engines:
        allowed = ", ".join(name for name, other in PROVERS.items() if server in other.engines)
        yield f"mrt.prover={settings.prover} with actor_rollout_ref.rollout.name={server}; allowed there: {allowed}"
    if server == "sglang" and settings.seed is not None:
        yield f"mrt.seed={settings.seed} with actor_rollout_ref.rollout.name=sglang; allowed there: null"
    if prover.needs_log_probs and rollout.logprobs_mode != "processed_logprobs":
        yield (
            f"actor_rollout_ref.rollout.logprobs_mode={rollout.logprobs_mode} with mrt.prover={settings.prover}; "
            "allowed: processed_logprobs, the log-probs of the distribution that answers are drawn from"
        )
    length = config.data.max_response_length
    if prover.scores_reference and length > LONG_RESPONSE:
        logger.warning(
            "mrt.prover=%s with data.max_response_length=%d: each scored prompt keeps vLLM's front end busy for some "
            "10 microseconds a token. After long traces mrt.prover=ht mrt.branches=4 is cheaper",
            *(settings.prover, length),
        )


def check_adapter(settings: MRTSettings, config: Any) -> Iterator[str]:
    """vLLM loses an adapter's part of the head where it scores a prompt (its issue 51594), or fails there (CPU)."""
    model = config.actor_rollout_ref.model
    rank = lora_rank(model)
    if rank > 0 and not model.lora.get("merge", False) and prover_class(settings).scores_reference:
        allowed = ", ".join(name for name, prover in PROVERS.items() if not prover.scores_reference)
        yield (
            f"mrt.prover={settings.prover} with a LoRA adapter of rank {rank}; allowed: {allowed}, or "
            "actor_rollout_ref.model.lora.merge=True, because vLLM's scores of a prompt may lack the adapter"
        )


def check_texts(settings: MRTSettings, config: Any) -> Iterator[str]:
    """The thinking tags must be tokens of their own, or the block's end could not be found on token ids."""
    yield from stop_problems(settings)
    model = config.actor_rollout_ref.model
    tokenizer = load_tokenizer(model)
    if tokenizer is not None:
        yield from text_problems(settings, tokenizer, model.path)
        yield from _template_problems(tokenizer, model)


def _template_problems(tokenizer: Any, model: Any) -> Iterator[str]:
    """A base model's tokenizer has no chat template; a processor's may be in a file of its own."""
    has_own = (expand(model.path) / "chat_template.json").is_file()
    if getattr(tokenizer, "chat_template", None) is None and not model.get("custom_chat_template") and not has_own:
        yield (
            f"the tokenizer of {model.path} has no chat template; allowed: a model with one, such as the instruct "
            "form of a base model, or actor_rollout_ref.model.custom_chat_template"
        )


def check_context(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A branch after a full trace must fit the engine's context: `max_model_len`, or the model's own limit."""
    rollout, model = config.actor_rollout_ref.rollout, config.actor_rollout_ref.model
    tokenizer = load_tokenizer(model)
    limit, source = context_tokens(config), "actor_rollout_ref.rollout.max_model_len"
    if limit is not None and limit == own_max_model_len(config) != rollout.max_model_len:
        source = f"actor_rollout_ref.rollout.engine_kwargs.{rollout.name}.max_model_len"
    elif rollout.max_model_len is None:
        source = "the model's max_position_embeddings"
    if limit is None or tokenizer is None:
        return
    stop_tokens = len(tokenizer.encode(settings.stop_text, add_special_tokens=False))
    parts = (config.data.max_prompt_length, config.data.max_response_length, stop_tokens, settings.branch_max_tokens)
    if limit < sum(parts):
        yield (
            f"{source}={limit}; allowed: {sum(parts)} or more (prompt {parts[0]} + response {parts[1]} + mrt.stop_text "
            f"{parts[2]} + mrt.branch_max_tokens {parts[3]}); lower data.max_response_length by {sum(parts) - limit}"
        )


CHECKS = (check_sizes, check_server, check_adapter, check_texts, check_context)
