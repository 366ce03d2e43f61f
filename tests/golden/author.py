"""Writes what a small reasoning model might: the text depends on the seed, the prompt and the parameters alone."""

import re
from collections.abc import Collection, Sequence

from tests.fakes import END, Request, draw

CLOSE = "</think>"
KINDS = ("closes", "runs", "silent", "stops", "empty", "bare", "fits")
"""How a trace goes: closes its thinking and answers; runs into the budget; answers without thinking; ends the sequence
inside its thinking; has no token at all; closes and answers without a box; ends the sequence with its last token."""
OPENINGS = ("Try 3 and 7: 3 + 7 = 10.", "Take 4 and 9: 4 + 9 = 13, no.")
BODIES = ("try 2 and 5: 2 + 5 = 7, no.", "take 3 and 7: 3 + 7 = 10.", "that is what I had.", "so 8 is too small.")
MARKERS = ("", "Wait, ", "Alternatively, ", "But wait, ", "Hold on, ")
FAILURE_SECONDS = 10_000.0
"""Longer than any branch may take."""


class Dice:
    """Draws in a row; the same ones for the same values."""

    def __init__(self, *values: object) -> None:
        self._values = values
        self._rolls = 0

    def roll(self) -> float:
        self._rolls += 1
        return draw(self._rolls, *self._values)

    def choose(self, options: Sequence[str]) -> str:
        return options[int(self.roll() * len(options))]


class Author:
    """`write`, `delay` and `cached` of a fakes.FakeServer."""

    def __init__(
        self,
        *,
        stop_text: str,
        think_open: str | None = "<think>",
        think_close: str | None = CLOSE,
        seed: int = 0,
        kinds: Sequence[str] = ("closes",),
        has_steps: bool = False,
        failures: float = 0.0,
        dies_at: Collection[int] = (),
    ) -> None:
        """Keep the model's ways.

        Args:
            kinds: of a prompt's traces, in rotation.
            has_steps: whether paragraphs are numbered steps, and sentences that go back to one of them.
            failures: share of forced and scored answers that fail: by an error, by a time-out or without a token.
            dies_at: which of a prompt's traces raise.
        """
        self.stop_text = stop_text
        self.think_open = think_open
        self.think_close = think_close
        self.seed = seed
        self.kinds = kinds
        self.has_steps = has_steps
        self.failures = failures
        self.dies_at = dies_at

    def write(self, request: Request) -> str:
        """The text that follows a prompt."""
        dice = Dice(self.seed, "text", request.key, request.nth)
        if self._is_branch(request):
            fails = self._failure(request)
            if fails == "error":
                raise RuntimeError("engine trouble")
            if fails == "empty":
                return ""
            chance = Dice(self.seed, "chance", request.prompt_ids).roll()
            return self._forced(dice, chance) if not self._is_score(request) else " "
        said = request.text.rpartition("assistant\n")[2].removeprefix((self.think_open or "") + "\n")
        if said.strip():
            kind = "bare" if dice.roll() < 0.1 else dice.choose(("closes", "closes", "closes", "stops", "runs"))
        else:
            kind = self.kinds[request.nth % len(self.kinds)]
            if request.nth in self.dies_at:
                raise RuntimeError("engine trouble")
        if kind == "fits":
            return "no" + " no" * (request.params["max_tokens"] - 2) + END
        return self._trace(request.text, said, kind, dice)

    def delay(self, request: Request) -> float:
        """Seconds until then: traces take longer than answers, and a few of these for ever."""
        roll = Dice(self.seed, "delay", request.key, request.nth).roll()
        if not self._is_branch(request):
            return 0.5 + roll
        return FAILURE_SECONDS if self._failure(request) == "timeout" else 0.05 + 0.1 * roll

    def cached(self, request: Request) -> int:
        """Whole blocks of 4 tokens: of some prompts all, of others a part."""
        share = min(1.0, 0.5 + Dice(self.seed, "cached", request.key, request.nth).roll())
        return int(share * (len(request.prompt_ids) - 1)) // 4 * 4

    def _is_branch(self, request: Request) -> bool:
        # a stop text loses line breaks that stand before it already, and its close where the policy closed its thinking
        tail = self.stop_text.rpartition(self.think_close)[2] if self.think_close else self.stop_text
        return request.text.endswith(tail.lstrip("\n")) or self._is_score(request)

    def _is_score(self, request: Request) -> bool:
        return "detokenize" in request.params

    def _failure(self, request: Request) -> str | None:
        dice = Dice(self.seed, "failure", request.key, request.nth)
        return dice.choose(("error", "timeout", "empty")) if dice.roll() < self.failures else None

    def _forced(self, dice: Dice, chance: float) -> str:
        """A forced answer; "10" is right."""
        answer = "10" if dice.roll() < chance else dice.choose(("7", "12", "13"))
        if not self.stop_text.endswith("{"):
            return f"I had {answer} before.\n\nSo the answer is \\boxed{{{answer}}}.{END}"
        if dice.roll() < 0.1:
            return answer + " no" * 60
        return answer + dice.choose(("}", "}.", " }", "}\n")) + END

    def _trace(self, text: str, said: str, kind: str, dice: Dice) -> str:
        if kind == "empty":
            return ""
        if self.think_close and said.rstrip().endswith(self.think_close):
            return self._answer(kind, dice)
        thinking, close = "", self.think_close or ""
        if self.think_open and self.think_open not in text and kind != "silent":
            thinking = self.think_open + "\n"
        if kind == "silent":
            return (close if self.think_open and self.think_open in text else "") + self._answer("closes", dice)
        count = 40 if kind == "runs" else 1 + int(4 * dice.roll())
        thinking += self._paragraphs(said, count, dice)
        if kind == "runs":
            return thinking
        thinking = thinking.rstrip("\n") + dice.choose(("\n\n", "\n", ""))
        return thinking + (END if kind == "stops" else close + self._answer(kind, dice))

    def _paragraphs(self, said: str, count: int, dice: Dice) -> str:
        """`count` paragraphs that go on where `said` ends."""
        step = int((re.findall(r"(?i)step (\d+)", said) or ["0"])[-1])
        texts = []
        if said.rstrip(" ") and not said.endswith("\n"):  # inside a paragraph
            texts.append((", " if said[-1:].isalnum() else " ") + dice.choose(BODIES))
        while len(texts) < count:
            step += 1
            if self.has_steps:
                if step > 2 and dice.roll() < 0.2:
                    step -= 2
                    texts.append(f"Wait, let me go back to step {step}.")
                texts.append(f"Step {step}: {dice.choose(BODIES)}")
            elif not said.strip() and not texts:
                texts.append(dice.choose(OPENINGS))
            else:
                body = dice.choose(MARKERS) + dice.choose(BODIES)
                texts.append(body[0].upper() + body[1:])
        return "\n\n".join(texts) + "\n\n"

    def _answer(self, kind: str, dice: Dice) -> str:
        answer = dice.choose(("10", "10", "10", "7", "12"))
        if kind == "bare":
            return f"\n\nThat is not clear.{END}"
        return f"\n\nThe final answer is \\boxed{{{answer}}}.{END}"
