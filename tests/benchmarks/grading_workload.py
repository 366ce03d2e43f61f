"""What the grading benchmark and the grading tests grade: an MRT step, pairs from real answers, pathological ones."""

import itertools
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

STOP_TEXT = "\n\nMy time to think is over, so I give my answer now.\n</think>\n\nThe final answer is \\boxed{"

LATEX: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (r"\frac{3}{4}", (r"\dfrac{3}{4}", "0.75", "3/4", r"\frac34"), (r"\frac{4}{3}", "0.74", "3", r"\frac{3}{5}")),
    (
        r"2\sqrt{3}",
        (r"\sqrt{12}", r"2 \sqrt{3}", r"\sqrt{4}\sqrt{3}"),
        (r"3\sqrt{2}", r"\sqrt{3}", "3.4", r"2\sqrt{5}"),
    ),
    (r"x^2-1", (r"(x-1)(x+1)", r"-1+x^2", r"x^{2} - 1"), (r"x^2+1", r"(x-1)^2", "x", r"x^3-1")),
    (r"[1,3)", (r"\left[1,3\right)", "[1, 3)"), ("(1,3)", "[1,3]", "[1,4)", "1,3")),
    (r"\{1,2,5\}", (r"\{5,2,1\}", "1, 2, 5", r"\left\{1,2,5\right\}"), (r"\{1,2\}", r"\{1,2,6\}", "8")),
    (r"\frac{\pi}{6}", (r"\pi/6", r"\dfrac{\pi}{6}", r"\frac{1}{6}\pi"), (r"\frac{\pi}{3}", "30", r"\pi", "0.5")),
    ("x=5", ("5", "x = 5"), ("x=4", "y=5", "x=-5")),
    (r"50\%", (r"50\%", "50%"), (r"5\%", "500", r"60\%")),
    ("12 cm", ("12", r"12\text{ cm}", r"12\,\text{cm}"), ("13", "12.5 cm", "120")),
    (r"\frac{1+\sqrt{5}}{2}", (r"\frac{\sqrt{5}+1}{2}", r"0.5+\frac{\sqrt5}{2}"), (r"\frac{1-\sqrt{5}}{2}", "1.6")),
    ("(2,-3)", (r"\left(2,-3\right)", "(2, -3)"), ("(-3,2)", "(2,3)", "(2,-4)")),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",), ("10", "1,2,3,4")),
    ("2^{10}", ("1024", "4^5", "1,024"), ("1023", "20", "2^{11}")),
    ("n(n+1)/2", (r"\frac{n(n+1)}{2}", r"\frac{n^2+n}{2}"), ("n(n-1)/2", "n^2", r"\frac{n^2}{2}")),
    ("-7", ("-7", "-7.0"), ("7", "-8", "0", "-70")),
    ("B", ("(B)", r"\text{B}", "B"), ("A", "C", "(D)")),
    ("1,250", ("1250", "1,250", "1250.0"), ("125", "1,520", "1200")),
    ("0.25", (r"\frac{1}{4}", "0.25", "1/4"), ("0.5", "0.2", "4")),
    ("42", ("42", r"\frac{84}{2}", r"6\cdot 7"), ("41", "24", "84", "4.2")),
    ("108", ("108", r"108^\circ"), ("72", "118", "36", "54")),
)
"""(reference, right spellings, wrong answers): mathematics as in MATH, one in four with a plain number as reference."""


@dataclass(frozen=True)
class Trace:
    """One rollout's answers: its own response, and the forced ones after `STOP_TEXT`."""

    reference: str
    response: str
    forced: list[str]

    @property
    def texts(self) -> list[str]:
        """What a grader sees that knows nothing of stop texts."""
        return [self.response, *(STOP_TEXT + answer for answer in self.forced)]


def step(seed: int, traces: int = 256, answers: int = 25, group: int = 8) -> list[Trace]:
    """The answers of one MRT step: per trace one response and `answers - 1` forced ones.

    Half of the prompts ask for pairs of numbers like the quickstart (others for every seed), half are `LATEX`. Rollouts
    of a group answer the same problem; 5 % of the answers are expressions that hardly anybody else wrote.
    """
    rng = random.Random(seed)
    drawn = []
    for prompt in range(traces // group):
        if prompt % 2:
            reference, right, wrong = LATEX[(prompt // 2 * 3) % len(LATEX)]
            ways, rare = [*right, reference, *wrong], _rare_formula
        else:
            numbers = sorted(rng.sample(range(1, 21), 7))
            pairs_of_numbers = [f"{one}, {two}" for one, two in itertools.combinations(numbers, 2)]
            reference, rare = rng.choice(pairs_of_numbers), _rare_numbers
            ways = [reference] * 10 + pairs_of_numbers
        for _ in range(group):
            written = [_written(rng, ways, rare) for _ in range(answers)]
            drawn.append(Trace(reference, _response(rng, ways, written[0]), written[1:]))
    return drawn


def _response(rng: random.Random, ways: list[str], answer: str) -> str:
    thinking = "\n\n".join(f"Wait, try another way: ${rng.choice(ways)}$, or is it?" for _ in range(20))
    return f"<think>\n{thinking}\n</think>\n\nSo ${rng.choice(ways)}$ fits, and the answer is \\boxed{{{answer}"


def _written(rng: random.Random, ways: list[str], rare: Callable[[random.Random], str]) -> str:
    answer = rare(rng) if rng.random() < 0.05 else rng.choice(ways)
    return answer + rng.choice(["}", "}.", "}\n", "}$."])


def _rare_numbers(rng: random.Random) -> str:
    one, two, three = (rng.randrange(1, 21) for _ in range(3))
    return rng.choice([f"{one}", f"{one}, {two}", f"{one}, {two}, {three}"])


def _rare_formula(rng: random.Random) -> str:
    one, two = rng.randrange(1, 1000), rng.randrange(2, 99)
    return rng.choice([rf"\frac{{{one}}}{{{two}}}", f"{one}x-{two}", f"{one}", f"{one}.{two}", rf"{one}\sqrt{{{two}}}"])


def pairs() -> list[tuple[str, str]]:
    """More than 5,000 different (reference, answer) pairs: reasoning-gym, CHAMP and mutated LaTeX."""
    rng = random.Random(0)
    sources = [*_reasoning_gym(), _champ(), _latex(rng)]
    drawn: dict[tuple[str, str], None] = {}
    for answers in sources:
        for number, answer in enumerate(answers):
            drawn[answer, answer] = None
            drawn[answer, answers[number - 1]] = None
            drawn[answer, _mutated(rng, answer)] = None
    return list(drawn)


FAMILIES = (
    "ab", "advanced_geometry", "aiw", "base_conversion", "basic_arithmetic", "binary_alternation",
    "bitwise_arithmetic", "calendar_arithmetic", "chain_sum", "coin_flip", "color_cube_rotation",
    "complex_arithmetic", "count_bits", "count_primes", "decimal_arithmetic", "decimal_chain_sum", "dice",
    "fraction_simplification", "gcd", "gsm_symbolic", "largest_island", "lcm", "leg_counting", "letter_counting",
    "needle_haystack", "number_format", "number_sequence", "polynomial_equations", "polynomial_multiplication",
    "power_function", "prime_factorization", "products", "simple_equations", "simple_geometry", "simple_integration",
    "spell_backward", "string_splitting", "time_intervals",
)  # fmt: skip
"""Of reasoning-gym: those with short answers, numbers, formulas and words, that are made quickly."""


def _reasoning_gym() -> Iterator[list[str]]:
    from reasoning_gym.factory import create_dataset

    for name in FAMILIES:
        data = create_dataset(name, size=44, seed=1)
        answers = [str(data[index]["answer"]) for index in range(44)]
        worded = [answer for answer in answers if not re.search("[0-9]", answer)]
        yield [answer for answer in answers if answer not in worded and len(answer) <= 30] + worded[:5]


def _champ() -> list[str]:
    import champ_dataset

    problems = champ_dataset.load("v0").problems
    return [str(problem.answer) for problem in getattr(problems, "values", lambda: problems)()]


def _latex(rng: random.Random) -> list[str]:
    fixed = [text for reference, right, wrong in LATEX for text in (reference, *right, *wrong)]
    forms = (
        r"\frac{%d}{%d}", r"%d\sqrt{%d}", "%d.%d", r"\{%d,%d\}", "(%d,%d)", "[%d,%d]", "%d,%d", r"%dx+%d", "%d^{%d}",
        r"\left(%d,%d\right]", "x=%d,y=%d", r"%d\pi-%d", r"%d\%% %d", r"%d\text{ cm}^%d", "%d/%d", "-%d-%d", r"%d+%di",
        r"\dfrac{%d}{%d}", r"x^2-%dx+%d", r"%d < x < %d", r"\sin(%d)+%d", r"\binom{%d}{%d}", "%d%% or %d%%", "%d:%d",
    )  # fmt: skip
    made = [rng.choice(forms) % (rng.randrange(1, 13), rng.randrange(1, 9)) for _ in range(550)]
    return fixed + made


def _mutated(rng: random.Random, answer: str) -> str:
    """Another spelling or a slip: some mutants are equal to the answer, most are not."""
    mutations: tuple[Callable[[str], str], ...] = (
        lambda text: text.replace(r"\frac", r"\dfrac"),
        lambda text: text.replace(",", ", ").replace("+", " + "),
        lambda text: re.sub(r"\d", lambda digit: str((int(digit.group()) + 1) % 10), text, count=1),
        lambda text: text + ".0",
        lambda text: text[::-1],
        lambda text: text[1:] or "0",
        lambda text: r"\text{" + text + "}",
        lambda text: "-" + text,
        lambda text: text.upper(),
        lambda text: f"({text})",
        lambda text: text + " cm",
    )
    return rng.choice(mutations)(answer)


def pathological() -> list[str]:
    """200 answers that hang, crash or confuse graders; about one in eight never ends in math-verify."""
    nested = [
        opened * depth + "1" + closed * depth
        for opened, closed in (("{", "}"), ("(", ")"), (r"\frac{1}{", "}"), (r"\sqrt{", "}"), (r"\left(", r"\right)"))
        for depth in (5, 3_000)
    ]
    towers = ["9^{9^{9^{9}}}", "10^{10^{10}}", "2^{2^{2^{2^{2^{2}}}}}", "9^{9^{9}}-9^{9^{9}}+42", "10^{-10^{10}}"]
    huge = ["100000000!", "((20!)!)!", r"\binom{10^9}{5\cdot 10^8}", r"\sum_{n=1}^{100000} n!", "(x+y+z)^{300}"]
    huge += [
        r"\sum_{k=1}^{10^{10}} \frac{1}{k}",
        r"\prod_{i=1}^{10^8} i",
        r"\int_0^1 x^{x^{x}} dx",
        "e^{e^{e^{e^{e}}}}",
    ]
    long = ["1" * 10**6, "x" * 10**6, "1+" * 20_000 + "1", r"\alpha" * 10**5, "1," * 5_000 + "1", "-" * 10**6 + "1"]
    unbalanced = ["}" * n + "{" * m + "42" for n, m in itertools.product(range(6), repeat=2) if (n, m) != (0, 0)]
    control = [chr(code) for code in (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0x90))]
    invisible = ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\ud800", "\udbff", "\udc00", "\udfff"]
    marked = [f"4{character}3" for character in control + invisible] + [f"{character}" for character in invisible]
    words = ["nan", "zoo", "oo", "1/0", "0/0", r"\infty-\infty", "None", "__import__('os')", "%s%n", "'; --", "\\", "$"]
    found = [*nested, *towers, *huge, *long, *unbalanced, *marked, *words]
    return found + [rf"\frac{{{n}}}{{0}}" for n in range(200 - len(found))]
