"""Laws of choosing, comparing and writing."""

import tempfile
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.contamination import Contamination, tokens
from data_prep.duplicates import normalised
from data_prep.problems import Problem
from data_prep.sampling import Selection, Smallest, rank
from data_prep.schema import make_row, write_parquet

texts = st.text(min_size=1, max_size=40).filter(lambda text: text.strip())
problems = st.lists(st.sampled_from("abcd"), min_size=1, max_size=12).map(" ".join)


@given(st.lists(st.tuples(st.sampled_from("ab12+-=()^"), st.sampled_from(["", " ", "\n", "$", "{", "}", "\\, "]))))
def test_layout_does_not_matter_and_all_else_does(pairs):
    assert normalised("".join(letter + layout for letter, layout in pairs)) == "".join(letter for letter, _ in pairs)


@given(st.lists(texts, unique=True, max_size=20), st.integers(0, 8), st.integers(0, 3), st.randoms())
def test_a_choice_does_not_depend_on_the_order(items, count, seed, random):
    def choose(ordered):
        smallest = Smallest(count)
        fallen = [smallest.push(rank(item, seed, "sample"), item) for item in ordered]
        return smallest.by_rank(), sorted(item for item in fallen if item is not None)

    shuffled = random.sample(items, len(items))
    assert choose(items) == choose(shuffled)
    kept, fallen = choose(items)
    assert sorted([*kept, *fallen]) == sorted(items)
    assert len(kept) == min(count, len(items))


@given(
    st.dictionaries(st.text("abcdefgh", min_size=1), st.booleans(), max_size=25),
    st.integers(0, 3),
    st.integers(0, 6),
    st.integers(0, 4),
    st.integers(1, 7),
)
def test_checking_only_what_may_be_chosen_changes_no_choice(usable, skip, limit, held_out, batch):
    """The answers of problems that cannot be chosen any more are not checked; the choice is as if all had been."""
    everything = [Problem(text, "", row) for row, text in enumerate(usable)]
    selection = Selection(7, skip=skip, limit=limit, held_out=held_out)
    for start in range(0, len(everything), batch):
        for problem in [one for one in everything[start : start + batch] if selection.may_take(one)]:
            if usable[problem.question]:
                assert selection.push(problem) is None
    good = [one for one in everything if usable[one.question]]
    held = sorted(good, key=lambda one: rank(one.question, 7, "test"))[:held_out]
    others = sorted((one for one in good if one not in held), key=lambda one: rank(one.question, 7, "sample"))
    assert selection.held_out() == held
    assert selection.chosen() == others[skip : skip + limit]


@given(st.lists(problems, min_size=1, max_size=6), st.lists(problems, min_size=1, max_size=6), st.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_overlap_equals_its_definition(exam, asked, ngram):
    def grams(text):
        words = tokens(text)
        if len(words) < ngram:
            return {(len(words), *words)}
        return {tuple(words[start : start + ngram]) for start in range(len(words) - ngram + 1)}

    def is_contaminated(text):
        mine = grams(text)
        return any(len(mine & grams(other)) >= 0.5 * min(len(mine), len(grams(other))) for other in exam)

    found = Contamination({"exam": exam}, ngram=ngram, overlap=0.5).find(asked)
    assert [one is not None for one in found] == [is_contaminated(text) for text in asked]


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_rows_survive_the_file(pairs):
    rows = [
        make_row(data_source="s", question=question, answer=answer, ability="a", split="train", index=index)
        for index, (question, answer) in enumerate(pairs)
    ]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "train.parquet"
        write_parquet(rows, path)
        assert pq.read_table(path).to_pylist() == rows
