r"""Where a forced answer ends in its tokens.

On real vocabularies some 200 tokens close a box (`}`, `}.`, `}$`, `}}`, `}\n\n`, …), and text goes on after it. An
answer ends at the token that closes its box, else at the one with a stop string or at the end of the sequence; its
*stem* is the tokens before that one. Answers with one stem are one answer, however they close.
"""

from collections.abc import Sequence
from typing import Any

from mrt_verl.grading.text.boxes import answer_end
from mrt_verl.settings import MRTSettings


def read_answer(
    tokenizer: Any, ids: Sequence[int], settings: MRTSettings, *, ended_by_itself: bool
) -> tuple[str, int, bool]:
    """(text up to its end, tokens of the stem, whether it ended) of a forced answer.

    Args:
        ids: what was generated after the stop text.
        ended_by_itself: whether the generation did, not by its token limit.
    """

    def text_of(count: int) -> str:
        return str(tokenizer.decode(list(ids[:count]), skip_special_tokens=True))

    def end_in(text: str) -> int | None:
        return answer_end(settings.stop_text, text, settings.branch_stop)

    text = text_of(len(ids))
    end = end_in(text)
    if end is None:
        # the end of the sequence, whatever token this engine takes for it
        return text, len(ids) - int(ended_by_itself), ended_by_itself
    low, high = 0, len(ids)  # the first `low` tokens do not end the answer, the first `high` do
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if end_in(text_of(middle)) is None else (low, middle)
    return text[:end], low, True
