"""One source, split by split: rows → problems → what is kept → verl's parquet, and the manifest of all that."""

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_prep.answers import AnswerChecker
from data_prep.contamination import Contamination
from data_prep.duplicates import SeenProblems
from data_prep.evaluation_sets import load_contamination
from data_prep.problems import DataError, Dropped, Problem, Source
from data_prep.sampling import Selection
from data_prep.schema import SchemaOfFirst, make_row
from data_prep.writing import ParquetSink, plain, sha256, write_manifest

_BATCH = 5_000


class Preparation:
    """One run of `python -m data_prep SOURCE`."""

    def __init__(self, source: Source, options: argparse.Namespace) -> None:
        self.source, self.options = source, options
        self.dropped: dict[str, Counter[str]] = {}
        self.doubtful: dict[str, Counter[str]] = {}
        """Of rows that are kept all the same, why their answers cannot be graded: benchmarks stay whole."""
        self.counts: dict[str, dict[str, int]] = {}
        self.origins: dict[str, Any] = {}
        self._seen = SeenProblems()
        self._sinks: dict[str, ParquetSink] = {}
        self._contamination: Contamination | None = None

    def run(self) -> dict[str, Any]:
        """Write the parquet files and the manifest; returns the manifest.

        Raises:
            DataError: the input cannot be used, or nothing of it is left.
        """
        self._refuse_to_mix()
        self.source.check_reach(self.options)
        self._contamination, against = load_contamination(self.source, self.options)
        try:
            with AnswerChecker(workers=self.options.workers) as checker:
                # what is in test is not taken into train
                for split in sorted(self._splits()):
                    self._prepare(split, checker)
            for sink in self._sinks.values():
                sink.finish()
            # an earlier run's manifest would describe other files than those that now come
            (self.options.out / "manifest.json").unlink(missing_ok=True)
            self._remove_earlier()
            for sink in self._sinks.values():
                sink.commit()
        except BaseException:
            for sink in self._sinks.values():
                sink.abandon()
            raise
        manifest = self._manifest(against)
        write_manifest(self.options.out, manifest)
        return manifest

    def _refuse_to_mix(self) -> None:
        """A run of one split beside an earlier run's other split: nobody has looked whether they share problems."""
        if not getattr(self.options, "split", None):
            return
        other = "test" if self.options.split == "train" else "train"
        if (path := self.options.out / f"{other}.parquet").exists():
            raise DataError(
                f"--split {self.options.split}: {path} is of another run and may hold the same problems; "
                "allowed: another --out, or a run without --split, which keeps the two apart"
            )

    def _remove_earlier(self) -> None:
        """An earlier run's split that this one does not write would stand beside this one's, with problems of it."""
        for name in ("train", "test"):
            path = self.options.out / f"{name}.parquet"
            if name not in self._sinks and path.exists():
                path.unlink()
                print(f"removed {path} of an earlier run", file=sys.stderr)

    def _splits(self) -> tuple[str, ...]:
        if getattr(self.options, "split", None):
            return (self.options.split,)
        path: Path | None = getattr(self.options, "from_path", None)
        return self.source.splits[:1] if path is not None and not path.is_dir() else self.source.splits

    def _prepare(self, split: str, checker: AnswerChecker) -> None:
        loaded = self.source.read(split, self.options)
        self.origins[split] = loaded.origin
        self.counts[split] = {"read": 0, "kept": 0}
        self.dropped[split] = Counter()
        # no bar where there is no terminal to draw it on
        items = iter(tqdm(loaded.items, total=loaded.total, desc=split, unit=" rows", leave=False, disable=None))
        options = self.options
        held_out = options.test_size if split == "train" else 0
        if loaded.total is not None and held_out >= loaded.total > 0:
            raise DataError(f"--test-size {held_out}: {self.source.name} has {loaded.total} rows; allowed: fewer")
        selection = Selection(options.seed, skip=options.skip, limit=options.limit, held_out=held_out)
        for problem in self._kept(items, split, checker, selection):
            done = selection.push(problem)
            if done is not None:
                self._write(split, done)
        for problem in selection.held_out():
            self._write("test", problem)
        for problem in selection.chosen():
            self._write(split, problem)
        if selection.not_sampled:
            self.dropped[split]["not sampled"] = selection.not_sampled
        if split not in self._sinks:
            raise DataError(self._nothing_left(split))

    def _nothing_left(self, split: str) -> str:
        if not self.counts[split]["read"]:
            return f"{self.source.name} {split}: there are no rows"
        reasons = [f"{count} {reason}" for reason, count in self.dropped[split].most_common()]
        if split == "train" and "test" in self._sinks and self.options.test_size:
            held_out = self._sinks["test"].rows
            reasons.insert(0, f"--test-size {self.options.test_size} holds out all {held_out} that are usable")
        return f"{self.source.name} {split}: no row is left of {self.counts[split]['read']}: {', '.join(reasons)}"

    def _kept(
        self, items: Iterator[Problem | Dropped], split: str, checker: AnswerChecker, selection: Selection
    ) -> Iterator[Problem]:
        """What is usable, new, not in an evaluation set, and has an answer that can be checked.

        Checking answers costs most: those of problems that cannot be chosen any more are not checked. A copy is a
        repetition only of a problem whose own answer can be graded.
        """
        while batch := list(itertools.islice(items, _BATCH)):
            self.counts[split]["read"] += len(batch)
            problems = []
            for item in batch:
                if isinstance(item, Dropped):
                    self._drop(split, item)
                elif not self._is_repeated(item, split):
                    problems.append(item)
            problems = self._choosable(self._clean(problems, split), split, selection)
            reasons = checker.check([one.answer for one in problems]) if self._checks() else [None] * len(problems)
            for problem, reason in zip(problems, reasons, strict=True):
                if self._is_repeated(problem, split):
                    continue
                if reason and self._keeps_all():
                    self.doubtful.setdefault(split, Counter())[reason] += 1
                if reason is None or self._keeps_all():
                    self._seen.add(problem.identity, problem.answer, split)
                    yield problem
                else:
                    self._drop(split, Dropped(problem.row, "answer", reason, problem.answer[:120]))

    def _choosable(self, problems: list[Problem], split: str, selection: Selection) -> list[Problem]:
        """Those that can still be chosen; of the others each problem is counted once."""
        choosable = []
        for problem in problems:
            if self._is_repeated(problem, split):
                continue
            if selection.may_take(problem):
                choosable.append(problem)
            else:
                self._seen.add(problem.identity, problem.answer, split)
        return choosable

    def _is_repeated(self, problem: Problem, split: str) -> bool:
        reason = self._seen.find(problem.identity, problem.answer, split)
        if reason:
            self._drop(split, Dropped(problem.row, "question", reason, problem.question[:120]))
        return reason is not None

    def _checks(self) -> bool:
        return self.source.check_answers or self.source.is_evaluation

    def _keeps_all(self) -> bool:
        return not self.source.check_answers or self.options.answers == "any"

    def _clean(self, problems: list[Problem], split: str) -> list[Problem]:
        if self._contamination is None or split != "train":
            return problems
        found = self._contamination.find([problem.question for problem in problems])
        for problem, name in zip(problems, found, strict=True):
            if name is not None:
                self._drop(split, Dropped(problem.row, "question", f"contaminates {name}", problem.question[:120]))
        return [problem for problem, name in zip(problems, found, strict=True) if name is None]

    def _drop(self, split: str, dropped: Dropped) -> None:
        # the column is part of the reason: "null" alone would not say what was null
        self.dropped[split][f"{dropped.column}: {dropped.reason}"] += 1
        if self.options.show_dropped:
            tqdm.write(f"dropped from {split}: {dropped}", file=sys.stdout)

    def _write(self, split: str, problem: Problem) -> None:
        if split not in self._sinks:
            self._sinks[split] = ParquetSink(self.options.out / f"{split}.parquet", SchemaOfFirst())
        sink, instruction = self._sinks[split], self.options.instruction
        row = make_row(
            data_source=getattr(self.options, "data_source", None) or self.source.data_source,
            question=f"{problem.question}\n\n{instruction}" if instruction else problem.question,
            answer=problem.answer,
            ability=self.source.ability,
            split=split,
            index=sink.rows,
            extra={"source_row": problem.row, **problem.extra},
            images=problem.images,
        )
        sink.add(row)

    def _manifest(self, against: dict[str, Any] | None) -> dict[str, Any]:
        for split, sink in self._sinks.items():
            self.counts.setdefault(split, {"read": 0, "kept": 0})["kept"] = sink.rows
        return {
            "source": self.source.name,
            "origin": self.origins,
            "options": plain(vars(self.options)),
            "counts": self.counts,
            "dropped": {split: dict(counter.most_common()) for split, counter in self.dropped.items()},
            "doubtful": {split: dict(counter.most_common()) for split, counter in self.doubtful.items()},
            "decontaminated_against": against,
            "files": {
                sink.path.name: {"rows": sink.rows, "sha256": sha256(sink.path)} for sink in self._sinks.values()
            },
        }
