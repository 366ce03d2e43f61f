"""What an inspection proposes is what a training run takes: composed as there, and checked as at its start."""

import argparse
import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from mrt_verl.evaluation.settings import read_settings
from mrt_verl.inspect.advice import Proposal, propose
from mrt_verl.inspect.allowed import check_stop_text, chosen, default_prover, refusal
from mrt_verl.inspect.asked import read_asked
from mrt_verl.inspect.forced import ForcedAnswers
from mrt_verl.inspect.inspection import only_allowed
from mrt_verl.inspect.references import score_references
from mrt_verl.inspect.stop_texts import Tried, candidates
from mrt_verl.inspect.words import merge_words, pasted_words, quoted
from mrt_verl.parts import check_parts, stop_problems
from mrt_verl.settings import MRTSettings
from tests.inspections import finding

SHORT = MRTSettings().stop_text
BARE = "\n</think>\n\n\\boxed"


def tried(name, text, readable, right=0.6):
    return Tried(name, text, 48, readable, 1.0, 6.0, right, 24, 0.9)


def asked(*words, files=()):
    """What the command line asks for: its prover, and the settings an inspection samples by."""
    options = argparse.Namespace(settings=list(files), overrides=list(words))
    prover, sampling = read_asked(options)
    return options, prover, read_settings(options.settings, sampling.overrides)


def pasted(options, found):
    proposals = only_allowed(options, propose(found))
    return pasted_words(options.overrides, [one.override for one in proposals if one.override])


def as_training(words):
    """The settings of a training run with these words; whatever refuses them raises."""
    assert sum(word.startswith("reward_model=") for word in words) == 1
    with initialize_config_module("mrt_verl.conf", version_base=None):
        choices = [f"+{word}" if word.startswith("reward_model=") else word for word in words]
        node = OmegaConf.to_container(compose(overrides=choices).mrt, resolve=True)
    settings = MRTSettings.from_config(node)
    check_parts(settings)
    assert not list(stop_problems(settings))
    return settings


@pytest.mark.parametrize(
    ("words", "prover"),
    [
        ([], "seen"),
        (["mrt_stop=explain"], "ht"),
        (["mrt_family=qwen3", "mrt_stop=explain"], "ht"),
        (["reward_model=mrt_prefix"], "sample"),
        (["reward_model=mrt_prefix", "mrt_stop=explain"], "sample"),
        (["reward_model=mrt_backtrack"], "seen"),
        (["mrt_stop=explain", "mrt.prover=ht"], "ht"),
        (["mrt.prover=anchored"], "anchored"),
        (['mrt.stop_text="</think>\n\nAnswer: "'], "ht"),
        (["mrt.branch_token_budget=40"], "seen"),
    ],
)
def test_the_prover_is_one_that_training_takes(words, prover):
    options, named, settings = asked(*words)
    scored = {"{{reference}}": 0.5}
    for found in (finding(settings, prover=named), finding(settings, prover=named, scored=scored, response_tokens=4e3)):
        assert as_training(pasted(options, found)).prover == prover
    as_training(pasted(options, finding(settings, prover=named, scored=scored)))  # pooled, where that is allowed


@pytest.mark.parametrize("scored", [{}, {"{{reference}}": 0.5}, {" {reference}.": 0.5}])
@pytest.mark.parametrize(
    ("text", "prover"),
    [
        ("\n</think>\n\nAnswer: ", "ht"),
        (BARE, "seen"),
        ("\n\nFinal answer: \\boxed", "seen"),
        ("</think> ${x}", "seen"),
    ],
)
def test_a_stop_text_that_wins_has_a_prover_or_does_not_win(text, prover, scored):
    options, _, settings = asked()
    found = finding(settings, tried=(tried("as set", SHORT, 0.3), tried("given, number 1", text, 1.0)), scored=scored)
    settings = as_training(pasted(options, found))
    assert settings.stop_text == (text if "</think>" in text and "${" not in text else SHORT)
    assert settings.prover in (prover, "pooled") if scored else settings.prover == prover


def test_a_prover_that_was_asked_for_needs_its_stop_text():
    options, prover, settings = asked("mrt.prover=pooled")
    boxless, boxed = tried("a", "\n</think>\n\nAnswer: ", 1.0), tried("b", BARE, 0.95)
    found = finding(settings, prover=prover, tried=(tried("as set", SHORT, 0.3), boxless, boxed))
    assert chosen(found) is boxed and as_training(pasted(options, found)).stop_text == BARE
    assert chosen(replace(found, prover=None)) is boxless
    assert chosen(replace(found, tried=())) is None


@pytest.mark.parametrize("prover", ["sample", "ht", "seen"])
def test_a_prover_of_a_file_was_asked_for(tmp_path, prover):
    """Also where it is an evaluation's default."""
    file = tmp_path / "recipe.yaml"
    file.write_text(f"mrt:\n  prover: {prover}\n")
    options, named, settings = asked(files=[file])
    assert named == prover and settings.prover == "sample" and settings.branches == 4
    assert pasted(options, finding(settings, prover=named)) == ["reward_model=mrt"]
    file.write_text("mrt:\n  alpha: 0.5\n")
    assert asked(files=[file])[1] is None


def test_what_training_refuses_beside_what_was_given_is_a_note():
    """64 tokens of an answer do not fit 40 of a boundary."""
    options, _, settings = asked("mrt.branch_token_budget=40")
    cut = finding(settings, forced=ForcedAnswers(100, 1.0, 0.5, {}, ()))
    longer, prover = only_allowed(options, propose(cut))
    assert longer.override is None and prover.override == "mrt.prover=seen"
    assert "mrt.branch_max_tokens=64 would fit" in longer.reason and "mrt.branch_token_budget=40" in longer.reason
    assert as_training(pasted(options, cut)).branch_max_tokens == 32


def test_what_is_asked_is_refused_before_anything_is_sampled():
    for words, message in (
        (["mrt.stop_text='I stop. \\boxed'"], r"mrt\.stop_text='I stop.* with mrt\.think_close='</think>'; allowed"),
        (["mrt.think_open='<t>'", "mrt.think_close='</t>'"], r"mrt\.think_close='</t>'; allowed: a stop text that"),
        (["mrt.branch_token_budget=9"], r"mrt\.branch_token_budget=9; allowed: 32 or more"),
        (["mrt.prover=seen", "mrt_stop=explain"], r"mrt\.prover='seen' with mrt\.stop_text"),
    ):
        with pytest.raises(ValueError, match=message):
            asked(*words)


def test_a_stop_text_to_try_is_one_that_training_takes():
    settings = read_settings([], [])
    check_stop_text(settings, "\n</think>\n\nAnswer: ")
    for text, message in (
        ("\n\nFinal answer: \\boxed", r"--stop-text: mrt\.stop_text=.*; allowed: a stop text that closes the thinking"),
        ("</think> ${x} \\boxed", r"--stop-text: mrt\.stop_text=.*; allowed: a text without \$\{"),
        ("", r"mrt\.stop_text=''; allowed: a text"),
    ):
        with pytest.raises(ValueError, match=message) as refused:
            check_stop_text(settings, text)
        assert "\n" not in str(refused.value)


def test_no_candidate_leaves_the_thinking_open():
    """The family's texts close another tag than the one that was given."""
    words = ["mrt.think_open='<t>'", "mrt.think_close='</t>'", 'mrt.stop_text="So.\n</t>\n\n\\boxed"']
    settings = asked(*words)[2]
    assert candidates(settings, [], ["X \\boxed"])[0].name == "as set"
    assert all("</t>" in one.text for one in candidates(settings, [], ["X \\boxed"]))


def test_a_family_replaces_given_tags_and_their_stop_text():
    tags = ["mrt.think_open='<t>'", "mrt.think_close='</t>'"]
    given = [*tags, 'mrt.stop_text="</t> Answer:"', 'mrt.reference_text=" {reference}."', "mrt.alpha=0.5"]
    options, _, settings = asked(*given)
    words = pasted(options, finding(settings, without_thinking=1.0))
    assert words == ["reward_model=mrt", "mrt.alpha=0.5", "mrt_family=plain"]
    assert as_training(words).think_close is None
    assert merge_words(given, ["mrt.alpha=1"]) == [*given[:-1], "mrt.alpha=1"]
    spelled = ["mrt.reference_text='{ {reference} }'"]  # after the box of whatever family
    assert merge_words(spelled, ["mrt_family=plain"]) == [*spelled, "mrt_family=plain"]


def test_tags_of_a_file_win_over_a_family(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text('mrt:\n  think_open: "<t>"\n  think_close: "</t>"\n  stop_text: "</t> \\\\boxed"\n')
    options, _, settings = asked(files=[file])
    (note,) = only_allowed(options, propose(finding(settings, without_thinking=1.0)))
    assert note.override is None and "which wins; allowed: a file without tags" in note.reason


def test_the_spelling_is_scored_after_the_stop_text_to_use():
    """`right` is that of the same stop text; a given spelling that is not the scored one is replaced."""
    options, _, settings = asked()
    old, new = tried("as set", "</think> Answer is", 0.5, right=0.1), tried("without words", BARE, 1.0, right=0.6)
    found = finding(replace(settings, stop_text=old.text), tried=(old, new), scored={"{{reference}}": 0.2})
    assert as_training(pasted(options, found)).prover == "seen"  # 0.2 of 0.6 is little, of 0.1 it would be all
    found = replace(found, scored={"{{reference}}": 0.5})
    assert as_training(pasted(options, found)).prover == "pooled"
    given = asked('mrt.reference_text=" {reference}."')
    found = finding(given[2], tried=(tried("as set", SHORT, 1.0),), scored={"{{reference}}": 0.5})
    assert as_training(pasted(given[0], found)).reference_text == "{{reference}}"


@pytest.mark.parametrize("form", ["{-7}", "{\\\\x {reference}", "{${reference}$}", "", "{{reference}\\n"])
def test_a_form_that_cannot_be_a_setting_is_no_form(form):
    sampler = SimpleNamespace(settings=read_settings([], []), rollout=SimpleNamespace(engine=None), tokenizer=None)
    sampler.plan = SimpleNamespace(sampling_params={})
    assert asyncio.run(score_references(sampler, [], [form], stop_text=SHORT)) == {}
    found = finding(sampler.settings, scored={form: 0.9})
    assert [one.override for one in propose(found)] == ["mrt.prover=seen"]


def test_refusals_are_the_packages_own():
    settings = read_settings([], [])
    assert refusal(settings) is None and default_prover(settings) == "seen"
    assert default_prover(replace(settings, branch_token_budget=1)) is None
    assert propose(finding(replace(settings, branch_token_budget=1))) == []
    assert "mrt.markers='${x}'" in refusal(replace(settings, markers=("Wait", "${x}")))
    proposal = Proposal(f"mrt.markers=[{quoted('Wait')}, {quoted('So')}]", "")
    assert only_allowed(argparse.Namespace(settings=[], overrides=[]), [proposal]) == [proposal]
