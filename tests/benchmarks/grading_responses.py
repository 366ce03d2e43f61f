"""Whole responses around known answers: where the final answer stands, and what must not be taken for it."""

import random
from fractions import Fraction

from grading_sets import Case

PLACES = (
    r"We find \boxed{{{}}}.",
    r"So the answer is $\boxed{{{}}}$.",
    r"\[\boxed{{{}}}\]",
    "**Final Answer:** {}",
    "**Final Answer**\n\n{}",
    "Therefore, the answer is {}.",
    "The final answer is: **{}**",
    "The answer is ${}$.",
    "Answer: {}",
    "After all steps:\n#### {}",
    "<answer>{}</answer>",
    "<answer> {} </answer>",
    r"It is \fbox{{{}}}",
    r"<think>Maybe \boxed{{999983}}?</think> It is \boxed{{{}}}.",
    "<think>The answer is 999983.</think>\n\nThe answer is {}.",
    r"First \boxed{{999983}}. No, that is wrong." + "\n\n" + r"It is \boxed{{{}}}.",
    r"Thus $x = \boxed{{{}}}$, as was to be shown.",
    "The answer is 999983. Wait, that is wrong: the answer is {}.",
)
"""The answer stands at `{}`; 999983 is no answer of any problem here."""
NO_ANSWERS = (
    r"<think>It is \boxed{{{}}}</think> I cannot tell.",
    "The numbers {} and 999983 occur.",
    r"<think>It is \boxed{{{}}}. Wait",
    "I give up.",
    r"It is \boxed{{}}, not {}",
)
"""The answer that stands at `{}` is not given as the final one."""


def responses(seed: int, values: int) -> list[Case]:
    """Per place right and wrong answers, numbers throughout: spellings are another set's business."""
    rng = random.Random(seed)
    cases = []
    for place in PLACES:
        for _ in range(values):
            reference, other = _two_numbers(rng)
            cases.append(Case("place of the answer", reference, place.format(reference), True))
            cases.append(Case("place of the answer", reference, place.format(other), False))
    for place in NO_ANSWERS:
        for _ in range(values):
            reference, _ = _two_numbers(rng)
            cases.append(Case("no answer", reference, place.format(reference), False))
    for _ in range(values):
        reference, other = _two_numbers(rng)
        cut = rf"So it is \boxed{{{reference}"
        cases.append(Case("cut off", reference, cut, False, finished=False))
        cases.append(Case("forced answer", reference, reference + "}. Done, as \\boxed{7}", True, stop_text=STOP))
        cases.append(Case("forced answer", reference, other + "} or " + reference, False, stop_text=STOP))
        cases.append(Case("several boxes", f"{reference}, {other}", _two_boxes(reference, other, rng), True))
        cases.append(Case("several boxes", f"{reference}, {other}", _two_boxes(reference, "999983", rng), False))
        cases.append(Case("several boxes", reference, _two_boxes(other, reference, rng), False))
    return list(dict.fromkeys(cases))


STOP = "\n</think>\n\nThe final answer is \\boxed{"


def _two_boxes(one: str, other: str, rng: random.Random) -> str:
    frames = (
        r"$x=\boxed{{{}}}$ and $y=\boxed{{{}}}$",
        r"\boxed{{{}}}, \boxed{{{}}}",
        r"\boxed{{{}}} and \boxed{{{}}}.",
    )
    frame = rng.choice(frames)
    return frame.format(one, other)


def _two_numbers(rng: random.Random) -> tuple[str, str]:
    drawn = [Fraction(rng.randrange(2, 5000)), Fraction(-rng.randrange(2, 90)), Fraction(rng.randrange(1, 40), 41)]
    one = rng.choice(drawn)
    return str(one), str(rng.choice([one + 1, -one, one + 100]))
