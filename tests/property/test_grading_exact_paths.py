"""What the exact paths decide, math-verify decides the same: it is asked here, in a worker, for every example."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mrt_verl.grading.comparison import exact_verdict
from mrt_verl.grading.grades import Verdict
from mrt_verl.grading.pool import Pool

integers = st.integers(-2000, 2000)
plain = (
    integers.map(str)
    | st.integers(-(10**11), 10**11).map(lambda value: f"{value:,}" if abs(value) > 999 else f"{value:03d}")
    | st.decimals(-100, 100, places=2).map(lambda value: f"{value:f}")
    | st.decimals(-100, 100, places=6).map(lambda value: f"{value:f}".rstrip("0") + "0")
)
spellings: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    lambda text: text.replace(",", ""),
    lambda text: text + "0" if "." in text else text + ".0",
    lambda text: text[:-1] + "7",
)
respelled = st.tuples(plain, st.sampled_from(spellings)).map(lambda drawn: (drawn[0], drawn[1](drawn[0])))
lists = st.tuples(st.lists(integers, min_size=2, max_size=4), st.sampled_from([", ", ","]), st.booleans()).map(
    lambda drawn: (drawn[1].join(map(str, drawn[0])), ", ".join(map(str, reversed(drawn[0]))) + ", 3" * drawn[2])
)
tokens = [
    r"\frac",
    r"\sqrt",
    "{",
    "}",
    "1",
    "20",
    "x",
    "(",
    ")",
    ",",
    "+",
    "-",
    "^",
    " ",
    r"\text{cm}",
    "=",
    "%",
    "or",
    ".",
]
same = st.lists(st.sampled_from(tokens), min_size=1, max_size=7).map(lambda parts: ("".join(parts), "".join(parts)))


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(packed=None, workers=1, deadline_s=20.0, memory_mb=2048, on_restart=lambda: None)
    yield pool
    pool.close()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(pair=respelled | lists | same)
def test_math_verify_agrees(pool: Pool, pair: tuple[str, str]) -> None:
    exact = exact_verdict(*pair)
    if exact is not None:
        assert pool.submit([pair]).result().verdict is (Verdict.RIGHT if exact else Verdict.WRONG)
