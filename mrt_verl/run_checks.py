"""Checks a run that asks for MRT before Ray starts; every error names the key, the value and what is allowed."""

import logging
import os
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from mrt_verl.insertions import load_policy
from mrt_verl.sampling_params import check_server
from mrt_verl.settings import SCORING_PROVERS, MRTSettings

logger = logging.getLogger(__name__)

LONG_RESPONSE = 2048
"""Tokens of a response beyond which scoring a prompt costs more than sampling (tests/benchmarks/scored_prompts.py)."""


def check_run(config: Any) -> None:
    """Check what MRTSettings cannot see alone.

    Raises:
        ValueError: the run could not train with MRT as asked.
    """
    settings = MRTSettings.from_config(config.mrt)
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
    """vLLM's front end unpacks each token of a scored prompt, cached or not: behind long traces sampling is cheaper."""
    if settings.prover in SCORING_PROVERS and response_tokens > LONG_RESPONSE:
        logger.warning(
            "mrt.prover=%s with data.max_response_length=%d: each scored prompt keeps vLLM's front end busy for some "
            "10 microseconds a token. Behind long traces mrt.prover=ht mrt.branches=4 is cheaper",
            *(settings.prover, response_tokens),
        )


def check_rollout(settings: MRTSettings, rollout: Any) -> None:
    """The rollout server must give what the prover needs, and the agent loop must be the variant's."""
    check_server("???" if OmegaConf.is_missing(rollout, "name") else rollout.name, settings.prover)
    if settings.prover in ("ht", "anchored") and rollout.logprobs_mode != "processed_logprobs":
        raise ValueError(
            f"actor_rollout_ref.rollout.logprobs_mode={rollout.logprobs_mode} with mrt.prover={settings.prover}; "
            "allowed: processed_logprobs, the log-probs of the distribution that answers are drawn from"
        )
    loop = {"online": "mrt", "prefix": "mrt_prefix"}[settings.variant]
    if rollout.agent.default_agent_loop in ("mrt", "mrt_prefix") and rollout.agent.default_agent_loop != loop:
        raise ValueError(
            f"mrt.variant={settings.variant} with actor_rollout_ref.rollout.agent.default_agent_loop="
            f"{rollout.agent.default_agent_loop}; allowed: reward_model=mrt or reward_model=mrt_prefix, which set both"
        )
    load_policy(settings)


def check_adapter(settings: MRTSettings, model: Any) -> None:
    """vLLM loses an adapter's part of the head where it scores a prompt (its issue 51594), or fails there (CPU)."""
    rank = model.lora_rank or model.lora.get("rank", 0)
    if rank > 0 and not model.lora.get("merge", False) and settings.prover in SCORING_PROVERS:
        raise ValueError(
            f"mrt.prover={settings.prover} with a LoRA adapter of rank {rank}; allowed: sample, ht, or "
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
    """A branch behind a full trace must fit the engine's context, where the config limits it."""
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
