"""Does anything of ours keep memory: one process of a run, driven without Ray, over thousands of rollouts.

    python -m tests.faults.memory agent-loop [--rollouts 20000] [--variants 64] [--traced]

Each part does what that process of a run does with a rollout, through verl's own classes: `agent-loop` (with a fake
server; `prefix` is the other variant, `single-turn` verl's own agent loop), `reward`, `trainer`, and `balancer`, which
is verl's. Prompts, request ids and uids are always new; what is written repeats after --variants prompts, so that
caches of texts fill up at once (0: it never repeats, and they fill up to their bounds). Prints resident memory before
and after glibc was asked to give back what is free, what is held (objects that the collector knows, Python's blocks of
up to 512 bytes, bytes of all larger ones and of libraries) and, with --traced, bytes by line of code; their slopes per
1,000 rollouts over the second half; and the lines that took most.
"""

import argparse
import ctypes
import gc
import itertools
import os
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tests.faults.memory_parts import GROUP, PARTS, Part
from tests.faults.soak import measure, slope

QUANTITIES = ("resident MB", "resident MB, trimmed", "objects", "blocks", "malloc KB", "traced KB")
SAMPLES = 20


class _Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "top",
        )
    ]


def now() -> dict[str, float]:
    """QUANTITIES of this process, once all garbage is collected."""
    gc.collect()
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _Mallinfo
    resident = measure(os.getpid())[0]
    libc.malloc_trim(0)
    info = libc.mallinfo2()
    values = (
        *(resident, measure(os.getpid())[0], len(gc.get_objects()) + gc.get_freeze_count()),
        sys.getallocatedblocks(),
        *((info.uordblks + info.hblkhd) / 1024, tracemalloc.get_traced_memory()[0] / 1024),
    )
    return dict(zip(QUANTITIES, values, strict=True))


def watch(part: Part, rounds: int, *, samples: int = SAMPLES) -> tuple[list[int], list[dict[str, float]]]:
    """(rollouts so far, QUANTITIES then), evenly spaced."""
    counts, seen = [], []
    ends = sorted({rounds * number // samples for number in range(samples + 1)})
    for begin, end in itertools.pairwise(ends):
        for number in range(begin, end):
            part.round(number)
        counts.append(end * GROUP)
        seen.append(now())
    return counts, seen


def growth(counts: Sequence[int], seen: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float] | None]:
    """By quantity (slope per rollout, half of its 95 % interval) over the second half."""
    half = len(counts) // 2
    return {
        name: slope([0] * (len(counts) - half), counts[half:], [one[name] for one in seen[half:]])
        for name in QUANTITIES
    }


def table(counts: Sequence[int], seen: Sequence[Mapping[str, float]]) -> list[str]:
    """Markdown."""
    lines = [f"| rollouts | {' | '.join(QUANTITIES)} |", "|---|" + "---|" * len(QUANTITIES)]
    for count, one in zip(counts, seen, strict=True):
        lines.append(f"| {count} | {' | '.join(f'{one[name]:.1f}' for name in QUANTITIES)} |")
    cells = [
        "" if found is None else f"{1000 * found[0]:+.3f} ± {1000 * found[1]:.3f}"
        for found in growth(counts, seen).values()
    ]
    return [*lines, f"| per 1,000 | {' | '.join(cells)} |"]


def taken(make: Callable[[], Part], rounds: int) -> list[str]:
    """`table`, and the lines of code that hold more than at half time."""
    part = make()
    counts, seen = watch(part, rounds // 2, samples=SAMPLES // 2)
    before = tracemalloc.take_snapshot()
    more, later = watch(part, rounds // 2, samples=SAMPLES // 2)
    gc.collect()
    differences = tracemalloc.take_snapshot().compare_to(before, "lineno")
    lines = table([*counts, *(counts[-1] + count for count in more)], [*seen, *later])
    return [*lines, "", *(str(one) for one in differences[:12] if one.size_diff > 0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=sorted(PARTS))
    parser.add_argument("--rollouts", type=int, default=20_000, help=f"a multiple of {2 * GROUP}")
    parser.add_argument("--variants", type=int, default=64)
    parser.add_argument("--traced", action="store_true", help="also what Python holds, and where; three times as slow")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        part = PARTS[options.part](options.variants, Path(scratch))
        if options.traced:
            tracemalloc.start()
            print("\n".join(taken(lambda: part, options.rollouts // GROUP)))
        else:
            print("\n".join(table(*watch(part, options.rollouts // GROUP))))
        part.close()


if __name__ == "__main__":
    main()
