"""The sets that graders are compared on: gradings whose verdict is known, by set."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spelling import generate


@dataclass(frozen=True)
class Case:
    """One grading: a response's text, a reference, and whether it is right."""

    group: str
    """A family or kind within the set."""
    reference: str
    text: str
    is_right: bool
    finished: bool = True
    stop_text: str = ""
    is_bare: bool = False
    """The text is an answer without a box around it, as another grader's tests have it."""

    @property
    def response(self) -> str:
        """The text with its answer in a box."""
        return rf"\boxed{{{self.text}}}" if self.is_bare else self.text


def boxed(group: str, reference: str, answer: str, is_right: bool) -> Case:
    """The case of a bare answer: it stands in a box."""
    return Case(group, reference, rf"\boxed{{{answer}}}", is_right)


def generated(seed: int, values: int) -> list[Case]:
    """Spellings of known values (spelling.py)."""
    return [boxed(one.family, one.reference, one.answer, one.is_right) for one in generate(seed, values)]


def public(path: Path) -> list[Case]:
    """The `grading/*` and `extraction/*` cases of a JSONL file with id, kind, input, expected."""
    cases = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        given, kind = row["input"], row["kind"]
        if not kind.startswith(("grading/", "extraction/")) or not {"text", "answer"} & given.keys():
            continue
        text = given.get("text", rf"\boxed{{{given.get('answer')}}}")
        stop_text = r"The final answer is \boxed{" if given.get("stop_text_ends_in_open_box") else ""
        is_right = row["expected"] == "right"
        cases.append(Case(kind, given["reference"], text, is_right, given.get("finished", True), stop_text))
    return cases


def champ() -> list[Case]:
    """CHAMP's answers that data_prep keeps: in LaTeX, as the package writes them, against the next problem's."""
    import champ_dataset

    from data_prep.answers import AnswerChecker
    from data_prep.sources.champ import plain_answer

    written = [problem.answer for problem in champ_dataset.load("v0").problems.values()]
    references = [plain_answer(answer) for answer in written]
    with AnswerChecker() as checker:
        reasons = checker.check(references)
    pairs = [
        pair for pair, reason in zip(zip(references, written, strict=True), reasons, strict=True) if reason is None
    ]
    cases = []
    for number, (reference, answer) in enumerate(pairs):
        cases.append(boxed("itself", reference, reference, True))
        if answer == reference or _ASIDE.search(answer) is None:
            cases.append(boxed("as the package writes it", reference, answer, True))
        other = pairs[number - 1][0]
        if other != reference and _is_plain(other) and _is_plain(reference):
            cases.append(boxed("another problem's", reference, other, False))
    return cases


_ASIDE = re.compile(r"[a-z]{4}|i\.e\.")
_PLAIN = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def _is_plain(answer: str) -> bool:
    """Numbers alone: of two other texts nobody knows without a grader that they differ."""
    return _PLAIN.fullmatch(answer) is not None


TASKS = ("basic_arithmetic", "chain_sum", "decimal_chain_sum", "fraction_simplification", "gcd", "lcm", "products",
         "polynomial_multiplication", "simple_equations", "simple_integration", "complex_arithmetic", "count_primes",
         "power_function", "prime_factorization", "base_conversion", "number_sequence", "time_intervals", "dice",
         "simple_geometry", "leg_counting", "gsm_symbolic", "calendar_arithmetic")  # fmt: skip
"""Tasks of reasoning-gym whose answers are mathematics or a word."""


def reasoning_gym(seed: int, size: int) -> list[Case]:
    """Answers of reasoning-gym: as they are, spelled otherwise, and with a slip that their value does not survive."""
    from reasoning_gym.factory import create_dataset

    rng, cases = random.Random(seed), []
    for task in TASKS:
        data = create_dataset(task, size=size, seed=seed)
        answers = list(dict.fromkeys(str(data[number]["answer"]) for number in range(size)))
        for answer in answers:
            cases.append(boxed(task, answer, answer, True))
            cases += [boxed(task, answer, way, True) for way in rng.sample(list(_respelled(answer)), 2)]
            cases += [boxed(task, answer, way, False) for way in list(_slipped(answer, rng))[:2]]
    return cases


def _respelled(answer: str) -> Iterator[str]:
    """The same answer in other clothes."""
    yield f"${answer}$"
    yield f" {answer} "
    yield f"{answer}."
    if _PLAIN.fullmatch(answer):
        yield rf"\mathbf{{{answer}}}"
        yield answer + ("0" if "." in answer else ".0")
        yield answer.replace("-", "\u2212")
    if fraction := re.fullmatch(r"(?:\$)?(?:\\frac\{(\d+)\}\{(\d+)\}|(\d+)/(\d+))(?:\$)?", answer):
        top, bottom = (one for one in fraction.groups() if one)
        yield rf"\dfrac{{{top}}}{{{bottom}}}"
        yield f"{top}/{bottom}"
    if re.fullmatch(r"[A-Za-z]{2,}", answer):
        yield rf"\text{{{answer}}}"
    if "**" in answer:
        yield re.sub(r"\*\*(\d+)", r"^{\1}", answer)
        yield re.sub(r"\*\*(\d+)", r"^{\1}", answer).replace("*", " ")


def _slipped(answer: str, rng: random.Random) -> Iterator[str]:
    """Another number in place of one; a number more."""
    numbers = list(re.finditer(r"[0-9]+", answer))
    if not numbers:
        return
    one = rng.choice(numbers)
    if not re.search(r"[/(=]|frac|\bx\b", answer) and (number := int(one.group())):
        yield answer[: one.start()] + str(number + rng.randrange(1, 9)).zfill(len(one.group())) + answer[one.end() :]
    if _PLAIN.fullmatch(answer) and float(answer):
        yield answer[1:] if answer.startswith("-") else f"-{answer}"
        yield f"{answer}, {rng.randrange(100)}"
