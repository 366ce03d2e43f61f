"""How often graders are wrong, as a Markdown table: `python tests/benchmarks/grading.py --cases FILE --peers FOLDER`.

False right: of the wrong answers, the share called right. False wrong: of the right ones, the share not called right;
an exception or a timeout is not right. `--list FILE` writes every misjudged case of ours.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from grading_peers import peers
from grading_responses import responses
from grading_scorers import SCORERS
from grading_sets import Case, champ, generated, public, reasoning_gym


def collect(options: argparse.Namespace) -> dict[str, list[Case]]:
    """The sets by name, in the table's order."""
    sets: dict[str, list[Case]] = {}
    if options.cases:
        sets["public cases"] = public(options.cases)
    sets["generated spellings"] = generated(options.seed, options.values)
    sets["generated responses"] = responses(options.seed, max(1, options.values // 4))
    sets["champ"] = champ()
    sets["reasoning-gym"] = reasoning_gym(options.seed, options.size)
    return {**sets, **peers(options.peers)} if options.peers else sets


def count(cases: Sequence[Case], verdicts: Sequence[bool | None]) -> Counter[str]:
    """Cases by "right"/"wrong" and, of these, those misjudged."""
    counts: Counter[str] = Counter()
    for case, verdict in zip(cases, verdicts, strict=True):
        counts["right" if case.is_right else "wrong"] += 1
        if bool(verdict) != case.is_right:
            counts["false wrong" if case.is_right else "false right"] += 1
    return counts


def table(counts: Mapping[str, Mapping[str, Counter[str]]], scorers: Sequence[str]) -> str:
    """Rows are sets, columns scorers; a cell holds false right / false wrong in percent."""
    lines = [f"| set | wrong + right answers | {' | '.join(scorers)} |", "|---" * (len(scorers) + 2) + "|"]
    for name, by_scorer in counts.items():
        sizes = by_scorer[scorers[0]]
        cells = [
            f"{_share(one, 'false right', 'wrong')} / {_share(one, 'false wrong', 'right')}"
            for one in by_scorer.values()
        ]
        lines.append(f"| {name} | {sizes['wrong']} + {sizes['right']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _share(counts: Counter[str], part: str, whole: str) -> str:
    return f"{100 * counts[part] / counts[whole]:.1f}" if counts[whole] else "-"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--cases", type=Path, help="public cases, JSONL")
    add("--peers", type=Path, help="a folder with other graders' own test suites, see grading_peers.py")
    add("--seed", type=int, default=0, help="of the generated sets (default: %(default)s)")
    add("--values", type=int, default=20, help="generated values per family (default: %(default)s)")
    add("--size", type=int, default=20, help="problems per task of reasoning-gym (default: %(default)s)")
    add("--scorers", nargs="+", choices=SCORERS, default=list(SCORERS), help="which to compare (default: all)")
    add("--list", type=Path, metavar="FILE", help="write our misjudged cases as JSON lines")
    return parser.parse_args()


def main() -> None:
    """Grade every set with every scorer and print the table."""
    options = _options()
    sets = collect(options)
    counts: dict[str, dict[str, Counter[str]]] = {name: {} for name in sets}
    listed = []
    for name, cases in sets.items():
        for scorer in options.scorers:
            verdicts = SCORERS[scorer](cases)
            counts[name][scorer] = count(cases, verdicts)
            if scorer == "ours":
                listed += [
                    {"set": name, **vars(case), "got": verdict}
                    for case, verdict in zip(cases, verdicts, strict=True)
                    if bool(verdict) != case.is_right
                ]
            print(f"{name}: {scorer}: {dict(counts[name][scorer])}", file=sys.stderr)
    if options.list:
        options.list.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in listed), encoding="utf-8")
    print(table(counts, options.scorers))


if __name__ == "__main__":
    main()
