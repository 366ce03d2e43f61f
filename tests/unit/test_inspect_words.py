"""The words that an inspection pastes mean what it proposed: through a shell, Hydra's grammar and OmegaConf's."""

import itertools
import subprocess

import pytest
from hydra import compose, initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError

from mrt_verl.evaluation.settings import compose_settings
from mrt_verl.inspect.words import pasted_words, quoted, shell_word

PIECES = [
    "${",
    "${a}",
    "$",
    "{",
    "}",
    "\\",
    "\\\\",
    '"',
    "'",
    ",",
    "=",
    "\n",
    "\t",
    "é",
    " ",
    "[",
    "]",
    ":",
    "#",
    "!",
    "`",
]
NASTY = [
    "{${reference}$}",
    "\\${reference}",
    "\\\\${reference}",
    '{reference}"q" \\"r\\\\"',
    "{reference}\\",
    " {reference} ",
    "{reference}, b=[c]: '$x'",
    "\n\n{reference}\n",
    "“{reference}” é ≠ 7",
]


@pytest.mark.parametrize("text", NASTY)
def test_a_pasted_text_is_the_text(text):
    """As a value and in a list: leading and trailing white space, quotes, backslashes, interpolations."""
    word = f"mrt.reference_text={quoted(text)}"
    assert compose_settings([], [word]).reference_text == text
    words = [f"mrt.markers=[{quoted('Wait')}, {quoted(text)}]", f"mrt.step_pattern={quoted('(x)')}"]
    assert compose_settings([], words).markers == ("Wait", text)


def test_verl_reads_an_interpolation_again():
    """Its runner resolves the whole config in place, where `algorithm.mrt` is `mrt`: escaping helps no longer."""
    with initialize_config_module("mrt_verl.conf", version_base=None):
        words = ["+reward_model=mrt", f"mrt.reference_text={quoted('{${reference}$}')}"]
        composed = compose(overrides=words)
    assert composed.algorithm.mrt.reference_text == "{${reference}$}"
    node = OmegaConf.create({"mrt": composed.mrt, "algorithm": {"mrt": "${mrt}"}})
    with pytest.raises(InterpolationKeyError):
        OmegaConf.resolve(node)


def test_many_texts_reach_hydra_through_a_shell():
    texts = ["".join(some) + "a" + "".join(some[::-1]) for some in itertools.product(PIECES, repeat=2)]
    words = [f"mrt.key={quoted(text)}" for text in texts]
    command = "printf '%s\\0' " + " ".join(map(shell_word, words))
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stdout.split("\0")[:-1] == words
    parser = OverridesParser.create()
    for text, word in zip(texts, words, strict=True):
        if "${" not in text:  # those are OmegaConf's to read
            assert parser.parse_override(word).value() == text


def test_hydra_takes_one_choice_of_reward_model():
    assert pasted_words(["mrt.alpha=0.5"], ["mrt.prover=seen"]) == [
        "reward_model=mrt",
        "mrt.alpha=0.5",
        "mrt.prover=seen",
    ]
    given = ["mrt.alpha=0.5", "reward_model=mrt_backtrack"]
    assert pasted_words(given, ["mrt.prover=seen"]) == [*given, "mrt.prover=seen"]
