"""Prefix mode one_episode inside verl's own classes, on a fake server."""

import pytest

from tests import rollouts
from tests.rollouts import ANSWER, ATTEMPT, FORCED, STEPS, STOP, WAIT, record, split

AGAIN = "Wait, let me try 1 and 2. 1 + 2 = 3, no.\n\n"
TRACE = ATTEMPT + WAIT + ANSWER


@pytest.fixture
def rollout(compose, tokenizer):
    """rollout(after, …) -> (outputs of the group's sessions, server): plain traces are TRACE, `after` goes on."""
    from mrt_verl.hooks.prefix_loop import MRTPrefixAgentLoop

    def run(after, *overrides, sessions=4, forced=lambda _: FORCED, trace=TRACE):
        own = ("reward_model=mrt_prefix", f"actor_rollout_ref.rollout.n={sessions}")
        config = compose(*own, *rollouts.OVERRIDES, *overrides)
        is_start = ("<think>\n",)

        def write(request):
            if request.text.endswith("Wait"):  # of the episode after
                return ", is that so?"
            return trace if request.text.endswith(is_start) and not request.params.get("stop") else after

        return rollouts.roll_out(
            MRTPrefixAgentLoop, config, tokenizer, rollouts.author(write, forced), sessions=sessions
        )

    return run


def pieces(output, tokenizer):
    """[(mask, text)] of runs of equal mask."""
    found = []
    for token, mask in zip(output.response_ids, output.response_mask, strict=True):
        if not found or found[-1][0] != mask:
            found.append((mask, []))
        found[-1][1].append(token)
    return [(mask, tokenizer.decode(ids)) for mask, ids in found]


def kinds(outputs):
    return [record(output)["kind"] for output in outputs]


def test_plain_traces_and_one_episode_from_the_first_of_them(rollout, tokenizer):
    outputs, server = rollout(AGAIN + WAIT)
    assert kinds(outputs) == ["trace", "trace", "one_episode", "one_episode"]
    assert all(STEPS.items() <= output.extra_fields.items() for output in outputs)
    for output in outputs[:2]:
        assert pieces(output, tokenizer) == [(1, TRACE)]
        assert record(output)["forced"] == [] and record(output)["branch_tokens"] == 0
    for output in outputs[2:]:
        cut, episode, end = (record(output)[key] for key in ("prefix_tokens", "episodes", "answer_start"))
        prefix = tokenizer.decode(output.response_ids[:cut])
        assert prefix in ("", ATTEMPT)  # before the first episode, or after it; not after the last
        written = [(0, prefix)] if prefix else []
        assert pieces(output, tokenizer) == [*written, (1, AGAIN), (0, STOP), (1, FORCED)]
        assert episode == [(cut, cut, end)] and end == cut + len(tokenizer.encode(AGAIN))
        # the marker that opened the next episode, and what shows that its word ends there, are paid for and taken off
        assert record(output)["shared_tokens"] == len(tokenizer.encode("Wait,"))
    traces, forced = split(server)
    assert (len(traces), len(forced)) == (6, 2)
    assert all("\n\nWait" in request.params["stop"] for request in traces[2:])


def test_an_episode_that_closes_its_thinking_is_forced_to_answer_there(rollout, tokenizer):
    outputs, _ = rollout(AGAIN + ANSWER)
    for output in outputs[2:]:
        assert pieces(output, tokenizer)[-3:] == [(1, AGAIN), (0, STOP), (1, FORCED)]


def test_an_episode_without_end_stops_where_an_answer_still_fits(rollout):
    outputs, _ = rollout("so " * 300)
    for output in outputs[2:]:
        assert len(output.response_ids) <= 120
        assert record(output)["answer_start"] > 60


@pytest.mark.parametrize(("sessions", "share", "plain"), [(8, 0.25, 2), (8, 0.5, 4), (8, 0.9, 6), (4, 0.01, 2)])
def test_plain_share(rollout, sessions, share, plain):
    outputs, _ = rollout(AGAIN + WAIT, f"mrt.plain_share={share}", sessions=sessions)
    assert kinds(outputs) == ["trace"] * plain + ["one_episode"] * (sessions - plain)


def test_all_start_from_the_same_prefix(rollout):
    outputs, _ = rollout(AGAIN + WAIT, sessions=8, trace=ATTEMPT + AGAIN * 2 + WAIT + ANSWER)
    assert len({record(output)["prefix_tokens"] for output in outputs[2:]}) == 1


def test_a_forced_answer_that_fails_loses_its_rollout_alone(rollout):
    def forced(request):
        raise RuntimeError("engine trouble")

    outputs, _ = rollout(AGAIN + WAIT, forced=forced)
    assert kinds(outputs) == ["trace", "trace", "lost", "lost"]


def test_budget_of_one_episode_by_tokens(rollout, tokenizer):
    """`tokens:N`: the episode is N tokens, in a request without stop texts, and one more tells that it is over."""
    outputs, server = rollout("so " * 40, "mrt.episodes=tokens:8")
    for output in outputs[2:]:
        (first, _, end), cut = record(output)["episodes"][0], record(output)["prefix_tokens"]
        assert (first, end - first) == (cut, 8)
        assert record(output)["shared_tokens"] == 1
    assert sorted(request.params["max_tokens"] for request in split(server)[0][2:]) == [1, 1, 8, 8]
