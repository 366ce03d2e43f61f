"""The benchmark of forced answers: its boxes, its shared prefix, and that its weights are unbiased."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from tests.benchmarks.forced_answers.boxes import box_after
from tests.benchmarks.forced_answers.drawing import Vocabulary, draw, spell
from tests.benchmarks.forced_answers.estimators import distinct, path_probability, sample, stems
from tests.benchmarks.forced_answers.model import PrefixModel


@pytest.mark.parametrize(
    ("stop_text", "tokens", "closed"),
    [
        ("\\boxed{", ["7", "}."], (1, "}")),
        ("\\boxed", ["{\\", "frac", "{", "1", "}{", "2", "}}", "."], (6, "}}")),
        ("\\boxed", ["{\\", "frac", "{", "1", "}{", "2", "}", "}$"], (7, "}")),
        ("\\boxed", [" {", "(1", ",2", ")}"], (3, ")}")),
        ("\\boxed", ["{", "\\", "}", "1", "}"], (4, "}")),
        ("\\boxed", ["{}"], (0, "{}")),
        ("\\boxed", [" 7", "{", "}"], None),
        ("\\boxed{", ["7", "{", "}"], None),
    ],
)
def test_where_a_box_closes(stop_text, tokens, closed):
    box, found = box_after(stop_text), None
    for index, text in enumerate(tokens):
        box, length = box.read(text)
        if length is not None:
            found = (index, text[:length])
    assert found == closed


@pytest.mark.parametrize("count", [1, 2, 3])
def test_weights_are_unbiased_and_seen_is_not(count):
    """Four token sequences: `7}` and `7}.` share a stem that the wrong `7 1` passes through; `8}` is right as well."""
    p = np.array([0.3, 0.2, 0.1, 0.4])
    ids = [(7, 90), (7, 91), (7, 1, 90), (8, 90)]
    stem_ids = [(7,), (7,), (7, 1), (8,)]
    answers = SimpleNamespace(
        right=np.array([True, True, False, True]),
        whole=np.arange(4),
        answer=np.array([0, 0, 1, 2]),
        p_whole=p,
        p_answer=np.array([0.5, 0.5, 0.1, 0.4]),
        p_stem=np.array([0.6, 0.6, 0.1, 0.4]),
        through=np.array([[one[: len(stem)] == stem for one in ids] for stem in stem_ids]),
    )
    place = SimpleNamespace(answers=answers)
    draws = np.array(list(itertools.product(range(4), repeat=count)))
    chance = p[draws].prod(1)
    for estimate in (sample, stems, lambda *a: distinct(*a, "whole"), lambda *a: distinct(*a, "answer")):
        assert chance @ estimate(place, draws) == pytest.approx(0.9)
    assert chance @ stems(place, draws, inflate=False) < 0.89


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "vocab_size": 8}
    config = LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2, initializer_range=0.5)
    path = tmp_path_factory.mktemp("tiny")
    AutoModelForCausalLM.from_config(config).save_pretrained(path)
    return PrefixModel(path), AutoModelForCausalLM.from_pretrained(path).eval()


@torch.no_grad()
def test_shared_prefix_is_the_whole_sequence_computed_anew(tiny):
    model, plain = tiny
    after = model.after([1, 2, 3])
    after.step([0, 0], [4, 5])
    rows = after.step([1, 0, 1], [6, 7, 0])
    whole = torch.tensor([[1, 2, 3, 5, 6], [1, 2, 3, 4, 7], [1, 2, 3, 5, 0]])
    assert torch.allclose(rows, plain(whole).logits[:, -1].log_softmax(-1), atol=1e-5)


@torch.no_grad()
def test_a_text_is_drawn_as_often_as_its_token_paths_say(tiny):
    texts = ["{", "}", "{7", "7", "7}", "}.", "\n", ""]
    vocabulary = Vocabulary.__new__(Vocabulary)
    vocabulary.texts, vocabulary.eos = texts, 7
    after = tiny[0].after([1, 2, 3])
    drawn, _ = draw(after, vocabulary, box_after("\\boxed"), count=20_000, max_tokens=4, to_the_line=False, seed=1)
    says = sum(
        path.count
        for path in drawn
        if path.close and "".join(map(texts.__getitem__, path.ids[:-1])) + path.head == "{7}"
    )
    paths = spell(after, vocabulary, box_after("\\boxed"), "{7}")
    known = sum(path_probability(path.as_dict()) for path in paths)
    assert len(paths) == 3 and known > 0.001
    assert abs(says / 20_000 - known) < 4 * math.sqrt(known / 20_000)
