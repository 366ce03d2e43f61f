"""What a rollout leaves behind in each process of ours: nothing, once caches are full."""

import gc
import itertools
import tracemalloc
from uuid import uuid4

import pytest

from mrt_verl.grading.comparison import exact_verdict, forget
from mrt_verl.grading.formulas.nodes import REMEMBERED
from tests.faults.memory import now
from tests.faults.memory_parts import GROUP, PARTS

pytestmark = pytest.mark.long

WINDOWS, VARIANTS = 3, 2
BLOCKS, KILOBYTES = 0.9, 0.5
"""Of a rollout, that allocators still take for themselves after such a warm-up: Python's small blocks, and all that is
larger; a text that is kept is one block, and a trace's is a kilobyte. Measured: 0.2 to 0.5 blocks and up to 0.15 KB;
0.02 and nothing after 16,000 rollouts (tests/faults/results/memory.md)."""


def left_by(part, *, warm_up=48, rounds=12):
    """(objects, small blocks, KB of larger ones) that a rollout leaves behind.

    Of some stretches the least: what is kept is kept in each of them, noise does not repeat itself.
    """
    for number in range(warm_up):
        part.round(number)
    gc.collect()
    gc.freeze()  # what is there by now need not be looked through again and again
    try:
        seen = [now()]
        for window in range(WINDOWS):
            for number in range(window * rounds, (window + 1) * rounds):
                part.round(number)
            seen.append(now())
    finally:
        gc.unfreeze()
    return tuple(
        min(after[name] - before[name] for before, after in itertools.pairwise(seen)) / (rounds * GROUP)
        for name in ("objects", "blocks", "malloc KB")
    )


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """parts(name) -> that process, made once"""
    made = {}

    def get(name):
        if name not in made:
            made[name] = PARTS[name](VARIANTS, tmp_path_factory.mktemp(name))
        return made[name]

    yield get
    for part in made.values():
        part.close()


@pytest.mark.parametrize("name", ["agent-loop", "prefix", "reward", "trainer"])
def test_a_rollout_leaves_nothing_behind(parts, name):
    objects, blocks, kilobytes = left_by(parts(name))
    assert objects < 0.1
    assert blocks < BLOCKS
    assert kilobytes < KILOBYTES


class Leaking:
    """A process that keeps one text a rollout."""

    def __init__(self, characters):
        self.kept, self.characters = [], characters

    def round(self, number):
        self.kept += [uuid4().hex.ljust(self.characters) for _ in range(GROUP)]


def test_one_text_a_rollout_is_found():
    objects, blocks, _ = left_by(Leaking(32))
    assert objects < 0.1
    assert 1 <= blocks < 1.5
    assert 1 < left_by(Leaking(1000))[2] < 1.5


def test_a_prompt_that_is_never_forgotten_is_found(parts, monkeypatch):
    """As where a rollout's end did not reach `PerPrompt`: forced answers of each prompt then stay."""
    from mrt_verl.hooks.agent_loop import MRTAgentLoop

    class NeverForgets(type(MRTAgentLoop._shared)):
        def of_prompt(self, uid, make):
            self._under_way[uid] += 1
            return super().of_prompt(uid, make)

    monkeypatch.setattr(MRTAgentLoop, "_shared", NeverForgets())
    objects, _, _ = left_by(parts("agent-loop"), warm_up=4, rounds=2)
    assert objects > 1


@pytest.fixture
def kept():
    """kept(pairs) -> bytes that each comparison leaves in memory"""

    def measure(pairs):
        forget()
        tracemalloc.start()
        try:
            for pair in pairs:
                exact_verdict(*pair)
            gc.collect()
            return tracemalloc.get_traced_memory()[0] / len(pairs)
        finally:
            tracemalloc.stop()

    yield measure
    forget()


def polynomial(first):
    """One of the 1,500 characters that are still read, the form that takes most memory."""
    return "+".join(f"{first + n}x^{{{n}}}" for n in range(120))[:1400].rpartition("+")[0]


def test_hostile_answers_fill_little_memory(kept):
    """A comparison makes two readings: of a memory of REMEMBERED, half as many comparisons are kept."""
    one = kept([(str(n), polynomial(n)) for n in range(1000, 1004)])
    assert one > 50_000
    assert one * REMEMBERED / 2 < 150 * 2**20


def test_answers_that_are_not_read_are_not_kept(kept):
    """A reference as long as a whole solution lets answers of any length through."""
    reference = "a proof " * 100
    assert kept([(reference, f"{n} " + "word " * 20_000) for n in range(8)]) < 2000
