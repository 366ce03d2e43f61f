"""The meta-prover against a server that misbehaves."""

import asyncio
import math

import pytest

from mrt_verl.provers import ForcedAnswer, load_prover
from tests.builders import default_settings
from tests.fakes import FakeServer, Output, play, run_at_once, toy_tokenizer

STOP = "stop\\boxed{"
PIECES = (*"0123456", "stop", "\\boxed{", "}")
TOKENIZER = toy_tokenizer(PIECES, adds_start=True)
BRACE, EOS = PIECES.index("}"), TOKENIZER.eos_token_id
OWN = {"prover": "sample", "stop_text": STOP, "branch_max_tokens": 3, "branch_stop": ["\n"], "branch_timeout_s": 0.05}
SETTINGS = default_settings(**OWN)


def serve(*script, **how):
    """A server that plays a script; two tokens of every prompt are cached unless an Output says otherwise."""
    return FakeServer(TOKENIZER, play(*script), cached=lambda _: 2, **how)


def branch(server, count, params=None, settings=SETTINGS):
    prover = load_prover(server, TOKENIZER, settings)
    return run_at_once(
        prover.branch([1, 2, 3], count=count, sampling_params=params or {"temperature": 0.9}, request_id="r")
    )


def test_token_ids_are_concatenated_and_params_are_the_traces():
    server, params = serve([4], [5]), {"temperature": 0.9, "top_p": 1.0, "logprobs": True}
    branches = branch(server, 2, params)
    assert [(request.request_id, request.prompt_ids) for request in server.requests] == [("r", (1, 2, 3, 7, 8))] * 2
    expected = {"temperature": 0.9, "top_p": 1.0, "logprobs": False, "max_tokens": 3, "stop": ["\n"]}
    assert [request.params for request in server.requests] == [expected] * 2
    assert params == {"temperature": 0.9, "top_p": 1.0, "logprobs": True}  # shared by all rollouts of the prompt
    assert (branches.tokens, branches.prompt_tokens, branches.cached_tokens, branches.failures) == (2, 10, 4, 0)


def test_own_temperature():
    server = serve([4])
    branch(server, 1, settings=default_settings(**OWN, branch_temperature=0.5))
    assert server.requests[0].params["temperature"] == 0.5


def test_an_answer_cut_by_the_token_limit_is_not_finished():
    branches = branch(serve([4, 5, 6], [4, 5, EOS], [4]), 3)
    assert branches.answers == (
        ForcedAnswer("456", False, None),
        ForcedAnswer("45", True, None),
        ForcedAnswer("4", True, None),
    )


def test_an_answer_cut_by_the_context_is_not_finished():
    """A server cuts `max_tokens` to what its context leaves; 12 on the way to 1234 is no answer."""
    prover = load_prover(serve([1, 2], [1, EOS]), TOKENIZER, SETTINGS, context_tokens=7)  # a prompt of 5, 2 are left
    how = {"count": 2, "sampling_params": {"temperature": 1.0}, "request_id": "r"}
    branches = run_at_once(prover.branch([1, 2, 3], **how))
    assert branches.answers == (ForcedAnswer("12", False, None), ForcedAnswer("1", True, None))


def test_a_stop_string_is_no_part_of_the_answer():
    """An engine returns the tokens that hold it, and what else stands in them."""
    settings = default_settings(**{**OWN, "branch_stop": ["</answer>", "\n"], "branch_max_tokens": 30})
    branches = branch(serve("42</answer>", "42</answer> and\nmore", "4\n2", "42"), 4, settings=settings)
    assert [answer.text for answer in branches.answers] == ["42", "42", "4", "42"]
    assert all(answer.finished for answer in branches.answers)


@pytest.mark.parametrize(
    ("script", "seconds"),
    [(([4], RuntimeError("engine died"), [5]), 0.0), (([4], [5], [6]), 1.0), (([4], [], [5]), 0.0)],
    ids=["raises", "hangs", "returns nothing"],
)
def test_a_branch_that_fails_is_counted_and_left_out(script, seconds):
    branches = branch(serve(*script, delay=lambda request: seconds if request.nth == 1 else 0.0), 3)
    assert [answer.text for answer in branches.answers] == ["4", "5"]
    assert branches.failures == 1
    assert branches.prompt_tokens == 10


def test_all_branches_fail():
    branches = branch(serve(*[ValueError("prompt too long")] * 4), 4)
    assert branches.answers == ()
    assert (branches.failures, branches.tokens, branches.prompt_tokens) == (4, 0, 0)


def test_horvitz_thompson_weights_of_distinct_answers():
    """Two draws of an answer whose tokens but the last have probability 1/4, and one of another of 1/2, G = 3."""
    half = math.log(0.5)
    server = serve(
        Output([4, 2, EOS], [half, half, -1.0]),
        Output([4, 2, BRACE, 5], [half, half, -2.0, -3.0]),
        Output([5, BRACE], [half, -0.1]),
    )
    branches = branch(server, 3, settings=default_settings(**{**OWN, "prover": "ht", "branch_max_tokens": 5}))
    assert [answer.text for answer in branches.answers] == ["42", "42}", "5}"]
    assert [sample.stem_tokens for sample in branches.samples] == [2, 2, 1]
    quarter = 0.25 / (1 - 0.75**3)
    weights = [answer.weight for answer in branches.answers]
    assert weights == pytest.approx([quarter / 2, quarter / 2, 0.5 / (1 - 0.5**3)])
    assert all(request.params["logprobs"] is True for request in server.requests)
    assert branches.samples[1][:2] == ((4, 2, BRACE, 5), (half, half, -2.0, -3.0))


def test_horvitz_thompson_without_a_draw_is_the_plain_mean():
    """At temperature 0 all answers are one, of probability 1; the engine's log-probs are those at temperature 1."""
    half = Output([4, EOS], [math.log(0.5), 0.0])
    branches = branch(serve(half, half), 2, {"temperature": 0.0}, default_settings(**{**OWN, "prover": "ht"}))
    assert [answer.weight for answer in branches.answers] == [None, None]
    own = default_settings(**{**OWN, "prover": "ht", "branch_temperature": 1.0})
    branches = branch(serve(half, half), 2, {"temperature": 0.0}, own)
    assert [answer.weight for answer in branches.answers] == pytest.approx([0.25 / (1 - 0.5**2)] * 2)


@pytest.mark.parametrize(
    "log_probs",
    [None, [], [-0.5], [-0.5, math.nan], [-math.inf, -0.5]],
    ids=["none", "empty", "short", "nan", "infinite"],
)
def test_an_answer_without_log_probs_cannot_be_weighted(log_probs):
    """A weight that is no number would make J none, and with it the advantages of the whole group."""
    server = serve(Output([4, 2], log_probs), Output([5], [-0.5]))
    branches = branch(server, 2, settings=default_settings(**{**OWN, "prover": "ht"}))
    assert ([answer.text for answer in branches.answers], branches.failures) == (["5"], 1)


def scored(values, cached=2, share=0.0):
    """An engine's output for a scored prompt: verl's list of one row per token from the second on, and a filler.

    The token it generates is the likeliest that closes a box, `share` its log-prob among those.
    """
    rows = [*([value] for value in values), [0.0]]
    return Output([BRACE], [share], extra_fields={"num_cached_tokens": cached, "prompt_logprobs": rows})


def free(log_prob, token=BRACE):
    """The likeliest token of all."""
    return Output([token], [log_prob], extra_fields={"num_cached_tokens": 2})


def score(server, references, prover="likelihood"):
    branching = load_prover(server, TOKENIZER, default_settings(**{**OWN, "prover": prover})).branch(
        [1, 2, 3], count=2, sampling_params={"temperature": 0.9}, request_id="r", references=references
    )
    return asyncio.run(branching)


ROWS = (-9, -9, -9, -9, -0.1, -0.2)
"""Of the tokens 1 2 3 7 8 | 4 2: what stands before the bar is not the answer's."""


def test_likelihood_scores_exactly_the_answers_tokens():
    server = serve(scored(ROWS), free(-0.3))
    branches = score(server, ["42"])
    (answer,) = branches.answers
    assert (answer.text, answer.finished, answer.weight) == ("42}", True, pytest.approx(math.exp(-0.6)))
    restricted, unrestricted = server.requests
    assert (restricted.request_id, restricted.prompt_ids) == ("r", (1, 2, 3, 7, 8, 4, 2))
    params = restricted.params
    assert (params["max_tokens"], params["prompt_logprobs"], params["skip_reading_prefix_cache"]) == (1, 0, False)
    assert params["allowed_token_ids"] == [BRACE] and "allowed_token_ids" not in unrestricted.params
    assert unrestricted.prompt_ids == restricted.prompt_ids
    assert (branches.tokens, branches.prompt_tokens, branches.cached_tokens, branches.failures) == (2, 14, 4, 0)


def test_all_tokens_that_close_the_box_count():
    """The likeliest closing token has 0.2 of all mass and 0.4 of theirs: together they have 0.5."""
    server = serve(scored(ROWS, share=math.log(0.4)), free(math.log(0.2)))
    assert score(server, ["42"]).answers[0].weight == pytest.approx(math.exp(-0.3) * 0.5)


def test_where_the_likeliest_token_closes_nothing_the_closing_one_is_scored():
    last = scored([*ROWS, math.log(0.1)], cached=6)  # the row of `}` is computed, whatever the cache holds before it
    server = serve(scored(ROWS, share=math.log(0.5)), free(math.log(0.6), token=5), last)
    branches = score(server, ["42"])
    assert branches.answers[0].weight == pytest.approx(math.exp(-0.3) * 0.2)
    assert server.requests[-1].prompt_ids == (1, 2, 3, 7, 8, 4, 2, BRACE)
    assert (branches.tokens, branches.prompt_tokens) == (3, 7 + 7 + 8)


def test_an_improbable_answer_is_not_asked_for_its_close():
    server = serve(scored([-9, -9, -9, -9, -5, -5]))
    assert score(server, ["42"]).answers[0].weight == pytest.approx(math.exp(-10))
    assert len(server.requests) == 1


def test_likelihood_scores_again_where_the_cache_reached_into_the_answer():
    server = serve(scored([0.0] * 6, cached=5), scored(ROWS, cached=0), free(-0.3))
    assert score(server, ["42"]).answers[0].weight == pytest.approx(math.exp(-0.6))
    skipped = [request.params.get("skip_reading_prefix_cache") for request in server.requests]
    assert skipped == [False, True, None]
    # a cache that ends before the last token of the stop text left the answer's rows alone
    server = serve(scored(ROWS, cached=4), free(-0.3))
    assert score(server, ["42"]).answers[0].weight == pytest.approx(math.exp(-0.6))


def test_likelihood_counts_rows_from_the_end():
    """vLLM's Model Runner V2 returns the rows of uncached tokens only."""
    server = serve(scored([-9, -0.1, -0.2], cached=3), free(-0.3))
    assert score(server, ["42"]).answers[0].weight == pytest.approx(math.exp(-0.6))
    # the cache reached into the answer: one row of two
    server = serve(scored([-0.2], cached=5), scored(ROWS, cached=0), free(-0.3))
    assert score(server, ["42"]).answers[0].weight == pytest.approx(math.exp(-0.6))


@pytest.mark.parametrize(
    "fields",
    [{}, {"prompt_logprobs": None}, {"prompt_logprobs": [[-0.2], [0.0]]}, {"prompt_logprobs": [[None]] * 8}],
    ids=["dropped", "null", "too few rows", "empty rows"],
)
def test_a_score_that_is_missing_is_a_failed_branch_never_a_probability(fields, caplog):
    branches = score(serve(Output([0], [0.0], extra_fields={"num_cached_tokens": 2, **fields})), ["42"])
    assert (branches.answers, branches.failures) == ((), 1)
    assert "of 2 log-probs and is left out of its J" in caplog.text


@pytest.mark.parametrize(
    "last", [Output([BRACE]), RuntimeError("engine died")], ids=["without its log-prob", "engine died"]
)
def test_a_close_that_is_missing_is_a_failed_branch(last):
    branches = score(serve(scored(ROWS), last), ["42"])
    assert (branches.answers, branches.failures) == ((), 1)


def test_likelihood_of_several_references():
    server = serve(scored([0, 0, 0, 0, -1]), scored([0, 0, 0, 0, -2]), free(-1), free(-1))
    branches = score(server, ["a", "b", "a"])
    assert [answer.weight for answer in branches.answers] == pytest.approx([math.exp(-2), math.exp(-3)])


def test_a_spelling_that_could_not_be_scored_leaves_j_unknown():
    """J is the sum of all: without one of them it would fall where a request failed, and rise again after it."""
    server = serve(scored([0, 0, 0, 0, -1]), RuntimeError("engine died"), free(-1))
    branches = score(server, ["a", "b", "a"])
    assert (branches.answers, branches.failures) == ((), 1)


def test_several_spellings_of_one_reference():
    own = {**OWN, "prover": "likelihood", "reference_text": ("{reference}}", "{reference}0}")}
    server = serve(scored(ROWS), scored([*ROWS, -0.4]), free(0.0), free(0.0))
    prover = load_prover(server, TOKENIZER, default_settings(**own))
    how = {"count": 1, "sampling_params": {}, "request_id": "r", "references": ["42"]}
    branches = asyncio.run(prover.branch([1, 2, 3], **how))
    assert [answer.text for answer in branches.answers] == ["42}", "420}"]
    assert [answer.weight for answer in branches.answers] == pytest.approx([math.exp(-0.3), math.exp(-0.7)])


def test_anchored_adds_the_other_answers_to_what_is_known_exactly():
    """The reference scores 0.3; the two draws have stems of probability 1/4 and 1/2."""
    draws = Output([5, BRACE], [math.log(0.25), -1.0]), Output([6, BRACE], [math.log(0.5), 0.0])
    server = serve(*draws, scored([-9, -9, -9, -9, math.log(0.3), 0.0]), free(0.0))
    branches = score(server, ["42"], prover="anchored")
    assert [answer.weight for answer in branches.answers] == pytest.approx(
        [0.3, 0.25 / (1 - 0.75**2), 0.5 / (1 - 0.5**2)]
    )
    # what scored prompts are scored at
    assert [request.params["temperature"] for request in server.requests[:2]] == [1.0, 1.0]
    assert (branches.tokens, branches.failures) == (2 + 2 + 2, 0)


def test_anchored_scores_no_token_that_was_drawn():
    """The reference's tokens stand in the draw that begins with them; what closes it is asked for all the same."""
    draws = Output([4, 2, BRACE, EOS], [math.log(0.6), 0.0, -1.0, -5.0]), Output([5, BRACE], [math.log(0.25), -1.0])
    server = serve(*draws, Output([BRACE], [math.log(0.9)]), free(math.log(0.45)))
    branches = score(server, ["42"], prover="anchored")
    assert [answer.weight for answer in branches.answers] == pytest.approx([0.3, 0.0, 0.25 / (1 - 0.75**2)])
    assert not any("prompt_logprobs" in request.params for request in server.requests)


def test_anchored_takes_the_tokens_it_drew_from_the_draw():
    """The draw begins like the reference: its first token's probability is known, so the cache may reach over it."""
    draws = Output([4, 3, BRACE], [math.log(0.5), -1.0, 0.0]), Output([5, BRACE], [math.log(0.25), 0.0])
    rows = [-9, -9, -9, -9, -9, math.log(0.6)]  # the first token's row is what a cached position leaves there
    server = serve(*draws, scored(rows, cached=5), free(0.0))
    branches = score(server, ["42"], prover="anchored")
    assert branches.answers[0].weight == pytest.approx(0.5 * 0.6)
    assert len(server.requests) == 4
    # one token further and the second token's row is lost as well: all is computed anew, and paid for
    again = scored([-9, -9, -9, -9, math.log(0.4), math.log(0.6)], cached=0)
    server = serve(*draws, scored(rows, cached=6), again, free(0.0))
    branches = score(server, ["42"], prover="anchored")
    assert branches.answers[0].weight == pytest.approx(0.5 * 0.6)
    skipped = [request.params.get("skip_reading_prefix_cache") for request in server.requests]
    assert skipped == [None, None, False, True, None]
    assert (branches.tokens, branches.prompt_tokens) == (3 + 2 + 3, 5 + 5 + 3 * 7)


FAILED = RuntimeError("engine died")
DRAWS = Output([4, 2, BRACE], [math.log(0.5), 0.0, -1.0]), Output([5, BRACE], [math.log(0.25), -1.0])


@pytest.mark.parametrize(
    ("script", "failures"),
    [((*DRAWS, FAILED), 1), ((FAILED, FAILED, scored(ROWS), free(0.0)), 2)],
    ids=["no score", "no draw"],
)
def test_anchored_without_one_of_its_parts_has_no_j(script, failures):
    """Of the first J would be 0 if the policy answered nothing but the reference, of the second too small."""
    branches = score(serve(*script), ["42"], prover="anchored")
    assert (branches.answers, branches.failures) == ((), failures)


EMPTY = (*"0123456", "stop", "\\boxed", "{", "}", "{}", "{}.")
EMPTY_TOKENIZER = toy_tokenizer(EMPTY)
OPENS, CLOSES, NOTHING = EMPTY.index("{"), EMPTY.index("}"), EMPTY.index("{}")
BIAS = {NOTHING: -100.0, EMPTY.index("{}."): -100.0}


def in_empty_boxes(server, prover, references=()):
    settings = default_settings(prover=prover, stop_text="stop\\boxed", branch_max_tokens=5)
    branching = load_prover(server, EMPTY_TOKENIZER, settings).branch(
        [1, 2, 3], count=1, sampling_params={"temperature": 1.0}, request_id="r", references=references
    )
    return run_at_once(branching)


def test_an_empty_box_is_no_answer_that_can_be_drawn():
    server = FakeServer(EMPTY_TOKENIZER, play([OPENS, 4, CLOSES]))
    in_empty_boxes(server, "sample")
    assert server.requests[0].params["logit_bias"] == BIAS
    branch(opened := serve([4]), 1)  # a stop text that has opened its box already
    assert "logit_bias" not in opened.requests[0].params


@pytest.mark.parametrize(
    ("others", "share"),
    [
        # the likeliest token is one that may be drawn: 0.3 of all, 0.6 of those that may
        ([Output([OPENS], [math.log(0.3)]), Output([OPENS], [math.log(0.6)])], 0.5),
        # it is an empty box: 0.7 of all, 0.875 of the empty ones, which have 0.8 together
        (
            [
                Output([NOTHING], [math.log(0.7)]),
                Output([OPENS], [math.log(0.9)]),
                Output([NOTHING], [math.log(0.875)]),
            ],
            0.2,
        ),
    ],
    ids=["full", "empty"],
)
def test_a_scored_reference_is_one_of_the_answers_that_can_be_drawn(others, share):
    """P("{4" and its close) = 0.1 among all tokens, 0.1 / share among those that leave no box empty."""
    rows = [[-9.0]] * 4 + [[math.log(0.5)], [math.log(0.2)], [0.0]]
    scored_rows = Output([CLOSES], [0.0], extra_fields={"num_cached_tokens": 2, "prompt_logprobs": rows})
    rest = iter(others)

    def write(request):
        if "prompt_logprobs" in request.params:
            return scored_rows
        if len(request.prompt_ids) == 7:  # after the reference: what closes it
            return Output([CLOSES], [0.0])
        return next(rest)

    branches = in_empty_boxes(FakeServer(EMPTY_TOKENIZER, write), "likelihood", ["4"])
    assert branches.answers[0].weight == pytest.approx(0.1 / share)
    assert branches.tokens == 2 + len(others)
