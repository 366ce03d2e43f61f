"""Checks a run that asks for MRT before Ray starts; every error names the key, the value and what is allowed."""

import logging
import os
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from mrt_verl.parts import check_parts
from mrt_verl.provers import PROVERS, prover_class
from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)

SERVERS = ("vllm", "sglang")
"""Values of `rollout.name` whose parameters are known here; sglang's were read in verl's code, not run."""
LONG_RESPONSE = 2048
"""Tokens of a response beyond which scoring a prompt costs more than sampling (tests/benchmarks/scored_prompts.py)."""


def check_run(config: Any) -> None:
    """Check what MRTSettings cannot see alone.

    Raises:
        ValueError: the run could not train with MRT as asked.
    """
    settings = MRTSettings.from_config(config.mrt)
    check_parts(settings)
    rollout = config.actor_rollout_ref.rollout
    if config.algorithm.adv_estimator != "mrt":
        return  # somebody wants MRT's rollouts and metrics with another estimator
    if config.algorithm.use_kl_in_reward:
        raise ValueError(
            "algorithm.use_kl_in_reward=True; allowed: False, because a KL term on every token would blur the episode "
            "rewards. Use actor_rollout_ref.actor.use_kl_loss=True instead"
        )
    if rollout.n < 2:
        raise ValueError(
            f"actor_rollout_ref.rollout.n={rollout.n}; allowed: 2 or more, outcomes are normalised over a group"
        )
    check_rollout(settings, rollout)
    check_adapter(settings, config.actor_rollout_ref.model)
    check_tokenizer(settings, config.actor_rollout_ref.model)
    check_context(settings, config)
    warn_of_long_scores(settings, config.data.max_response_length)


def warn_of_long_scores(settings: MRTSettings, response_tokens: int) -> None:
    """vLLM's front end unpacks each token of a scored prompt, cached or not: after long traces sampling is cheaper."""
    if prover_class(settings).scores_reference and response_tokens > LONG_RESPONSE:
        logger.warning(
            "mrt.prover=%s with data.max_response_length=%d: each scored prompt keeps vLLM's front end busy for some "
            "10 microseconds a token. After long traces mrt.prover=ht mrt.branches=4 is cheaper",
            *(settings.prover, response_tokens),
        )


def check_rollout(settings: MRTSettings, rollout: Any) -> None:
    """The rollout server must give what the prover needs, and the agent loop must be ours."""
    prover = prover_class(settings)
    check_server("???" if OmegaConf.is_missing(rollout, "name") else rollout.name, settings)
    if prover.needs_log_probs and rollout.logprobs_mode != "processed_logprobs":
        raise ValueError(
            f"actor_rollout_ref.rollout.logprobs_mode={rollout.logprobs_mode} with mrt.prover={settings.prover}; "
            "allowed: processed_logprobs, the log-probs of the distribution that answers are drawn from"
        )
    if rollout.agent.default_agent_loop == "mrt_prefix":
        logger.warning(
            "actor_rollout_ref.rollout.agent.default_agent_loop=mrt_prefix: write mrt, mrt.variant=%s chooses the "
            "agent loop; the old name goes with the next version",
            settings.variant,
        )


def check_server(server: str, settings: MRTSettings) -> None:
    """Raises ValueError: the rollout server is unknown, or cannot give what the prover needs."""
    if server not in SERVERS:
        raise ValueError(f"actor_rollout_ref.rollout.name={server}; allowed: {', '.join(SERVERS)}")
    if server not in prover_class(settings).engines:
        allowed = ", ".join(name for name, prover in PROVERS.items() if server in prover.engines)
        raise ValueError(
            f"mrt.prover={settings.prover} with actor_rollout_ref.rollout.name={server}; allowed there: {allowed}"
        )


def check_adapter(settings: MRTSettings, model: Any) -> None:
    """vLLM loses an adapter's part of the head where it scores a prompt (its issue 51594), or fails there (CPU)."""
    rank = model.lora_rank or model.lora.get("rank", 0)
    if rank > 0 and not model.lora.get("merge", False) and prover_class(settings).scores_reference:
        allowed = ", ".join(name for name, prover in PROVERS.items() if not prover.scores_reference)
        raise ValueError(
            f"mrt.prover={settings.prover} with a LoRA adapter of rank {rank}; allowed: {allowed}, or "
            "actor_rollout_ref.model.lora.merge=True, because vLLM's scores of a prompt may lack the adapter"
        )


def check_tokenizer(settings: MRTSettings, model: Any) -> None:
    """The thinking tags must be tokens of their own, or the block's end could not be found on token ids."""
    tokenizer = load_tokenizer(model)
    if tokenizer is None:
        return
    for key in ("think_open", "think_close"):
        tag = getattr(settings, key)
        if tag is None:
            continue
        ids = tokenizer.encode(tag, add_special_tokens=False)
        if len(ids) != 1:
            raise ValueError(
                f"mrt.{key}={tag!r} is {len(ids)} tokens for the tokenizer of {model.path}; allowed: a tag that is one "
                "token, or mrt.think_open=null mrt.think_close=null for a model that thinks without tags"
            )


def check_context(settings: MRTSettings, config: Any) -> None:
    """A branch after a full trace must fit the engine's context, where the config limits it."""
    limit = config.actor_rollout_ref.rollout.max_model_len
    tokenizer = load_tokenizer(config.actor_rollout_ref.model)
    if limit is None or tokenizer is None:
        return
    stop_tokens = len(tokenizer.encode(settings.stop_text, add_special_tokens=False))
    parts = (config.data.max_prompt_length, config.data.max_response_length, stop_tokens, settings.branch_max_tokens)
    if limit < sum(parts):
        raise ValueError(
            f"actor_rollout_ref.rollout.max_model_len={limit}; allowed: {sum(parts)} or more (prompt "
            f"{parts[0]} + response {parts[1]} + mrt.stop_text {parts[2]} + mrt.branch_max_tokens {parts[3]}), or null "
            "for the model's own limit"
        )


def load_tokenizer(model: Any) -> Any | None:
    """The run's tokenizer if it lies on this machine; a remote one is checked by the workers that fetch it."""
    path = model.tokenizer_path or model.path
    if path is None or not Path(os.path.expanduser(path)).is_dir():
        return None
    from verl.utils import hf_tokenizer

    return hf_tokenizer(os.path.expanduser(path), trust_remote_code=model.trust_remote_code)
