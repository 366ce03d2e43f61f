"""How much of a context goes to the prompt, its response and a forced answer after it (pure)."""

import logging

logger = logging.getLogger(__name__)


def share_context(
    prompt_ids: list[int], *, max_tokens: int | None, max_length: int, answer_tokens: int
) -> tuple[list[int], int]:
    """The prompt, cut on its left where OpenRLHF cuts it, and the most tokens of its response.

    The engine cuts a request to what its context leaves, without a word: what a forced answer after a full response
    needs is kept free.

    Args:
        max_tokens: `--rollout.max_new_tokens`; None leaves a response what the prompt leaves of the context.
        max_length: of the context, `--data.max_len`.
        answer_tokens: of a forced answer with its stop text; 0 where none is asked for after a full response.

    Raises:
        ValueError: there is no room for a prompt.
    """
    least = 1 + answer_tokens
    kept = max_length - (least if max_tokens is None else max(max_tokens, least))
    if kept < 1:
        wanted = "" if max_tokens is None else f" with --rollout.max_new_tokens={max_tokens}"
        raise ValueError(
            f"--data.max_len={max_length}{wanted}; allowed: {max_length - kept + 1} or more, a prompt, a response and "
            f"{answer_tokens} tokens of a forced answer after it"
        )
    if len(prompt_ids) > kept:
        logger.warning("a prompt of %d tokens is cut on its left to %d, as OpenRLHF does", len(prompt_ids), kept)
        prompt_ids = prompt_ids[-kept:]
    room = max_length - len(prompt_ids) - answer_tokens
    if max_tokens is None or room >= max_tokens:
        return prompt_ids, room if max_tokens is None else max_tokens
    logger.warning(
        "--data.max_len=%d leaves a response to a prompt of %d tokens %d of --rollout.max_new_tokens=%d: a forced "
        "answer after it takes %d",
        *(max_length, len(prompt_ids), room, max_tokens, answer_tokens),
    )
    return prompt_ids, room
