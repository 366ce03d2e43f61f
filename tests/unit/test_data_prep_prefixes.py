"""Which boundary of which trace becomes a problem's prefix, and its exact text."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_prep import prefixes
from data_prep.__main__ import main
from data_prep.prefixes import add_columns, choose_prefixes
from data_prep.traces import prefix_text, read_run
from mrt_verl.evaluation.records import TraceRecord
from tests.data_prep_traces import trace, write_run

EPISODES = [("Try 1.\n\n", 0.25, "wrong"), ("Wait, 2.\n\n", 0.5, "right"), ("Wait, 3.\n", 1.0, "right")]


def record(*episodes, **changes):
    return TraceRecord.from_dict(trace(list(episodes or EPISODES), **changes))


@pytest.mark.parametrize(
    ("through", "expected"),
    [(0, "Try 1.\n\n"), (1, "Try 1.\n\nWait, 2.\n\n"), (2, "Try 1.\n\nWait, 2.\n\nWait, 3.\n")],
)
def test_text_up_to_a_boundary(through, expected):
    assert prefix_text(record(), through, "<think>") == expected


def test_the_opening_tag_only_where_the_model_wrote_it():
    assert prefix_text(record(("\nTry 1.\n\n", 0.5, "wrong"), opening=1), 0, "<think>") == "<think>\nTry 1.\n\n"
    assert prefix_text(record(("\nTry 1.\n\n", 0.5, "wrong"), opening=0), 0, "<think>") == "\nTry 1.\n\n"


def test_a_tag_that_is_no_special_token_is_not_doubled():
    made = record(("\nTry 1.\n\n", 0.5, "wrong"), opening=1)
    made.response = "<think>" + made.response
    assert prefix_text(made, 0, "<think>") == "<think>\nTry 1.\n\n"


def test_spaces_that_decoding_in_pieces_loses():
    """A tokenizer of the SentencePiece kind drops the space at the start of every piece it decodes."""
    made = record(("One.", 0.5, "wrong"), ("Wait.", 0.5, "wrong"))
    made.response = "One. Wait."
    assert prefix_text(made, 1, None) == "One. Wait."


def test_a_boundary_inside_a_character_is_not_used():
    made = record(("Try é\ufffd", 0.5, "wrong"), ("\ufffdx.", 0.5, "wrong"))
    assert prefix_text(made, 0, None) is None
    assert prefix_text(made, 1, None) is None


def test_bytes_that_are_no_characters_are_no_prefix():
    """Encoded again they would be other tokens than the model wrote."""
    made = record(("Try \ufffd 1.", 0.5, "wrong"), ("Wait, 2.", 0.5, "wrong"))
    assert prefix_text(made, 0, None) is None
    assert prefix_text(made, 1, None) is None


def run(tmp_path, lines):
    return read_run(write_run(tmp_path / "run", lines))


def test_boundaries_that_another_episode_follows(tmp_path):
    unknown = [("Try 1.\n\n", None, "error"), ("Wait.\n", 0.5, "wrong")]
    lines = [
        trace(EPISODES, problem=0),
        trace(EPISODES[:1], problem=1),  # one episode: nothing follows
        trace(unknown, problem=2),
        trace(EPISODES[:1], problem=3, number=0),
        trace(EPISODES[:2], problem=3, number=1),
    ]
    seen = set()
    for seed in range(20):
        chosen = choose_prefixes(run(tmp_path / str(seed), lines), seed)
        assert set(chosen) == {0, 3}
        assert chosen[3] == {"prefix": "Try 1.\n\n", "prefix_j": 0.25, "prefix_episode": 0}
        seen.add(chosen[0]["prefix_episode"])
    assert seen == {0, 1}


def test_the_choice_depends_on_the_problem_and_the_seed_alone(tmp_path):
    lines = [trace(EPISODES, problem=problem) for problem in range(20)]
    all_of_them = choose_prefixes(run(tmp_path / "a", lines), 1)
    assert choose_prefixes(run(tmp_path / "b", lines[::-1]), 1) == all_of_them
    assert choose_prefixes(run(tmp_path / "c", lines[:7]), 1) == {n: all_of_them[n] for n in range(7)}
    assert choose_prefixes(run(tmp_path / "d", lines), 2) != all_of_them


def test_a_model_that_never_thinks_gives_no_prefixes(tmp_path, monkeypatch, capsys):
    """A file without any would train plain rollouts."""
    data = tmp_path / "data.parquet"
    pq.write_table(pa.table({"prompt": [[{"role": "user", "content": "Q"}]]}), data)
    write_run(tmp_path / "out" / prefixes.NAME, [trace([])])
    monkeypatch.setattr(prefixes, "_sample", lambda options: None)
    command = ["prefixes", "--model", "mute", "--data", str(data), "--out", str(tmp_path / "out")]
    assert main(command) != 0
    assert "mute: no trace contains any thinking" in capsys.readouterr().err
    assert not (tmp_path / "out/train.parquet").exists()


def test_columns():
    table = add_columns(pa.table({"n": [7, 8]}), {1: {"prefix": "a", "prefix_j": 0.5, "prefix_episode": 2}})
    assert table.to_pylist() == [
        {"n": 7, "prefix": None, "prefix_j": None, "prefix_episode": None},
        {"n": 8, "prefix": "a", "prefix_j": 0.5, "prefix_episode": 2},
    ]
