"""Episodes without switch markers: paragraphs, numbered steps, tokens."""

import pytest

from mrt_verl.episode_kinds import NUMBERED, load_splitter
from mrt_verl.parts import check_parts
from tests.builders import default_settings
from tests.fakes import toy_tokenizer

TOKENIZER = toy_tokenizer()
TEXTS = ["So.\n\n", "Step 1: try 4.\n\n", "Wait no.\n\n", "2. take 13.\n\n", "But hold on.\n\n", "Step 3: so 17.\n"]


def encode(text):
    return TOKENIZER.encode(text, add_special_tokens=False)


def split(kind, texts=TEXTS, inserted=None, closing="</think>\n\nThe answer is 17", **settings):
    pieces = [encode(text) for text in texts]
    starts = [sum(map(len, pieces[:number])) for number in range(len(pieces) + 1)]
    spans = [] if inserted is None else [(starts[inserted], starts[inserted + 1])]
    ids = [token for piece in [*pieces, encode(closing)] for token in piece]
    own = default_settings(**{"episodes": kind, "min_episode_tokens": 0, "max_episodes": 9, **settings})
    check_parts(own)
    found = load_splitter(TOKENIZER, own).split(ids, thinking_open=True, inserted=spans)
    return [TOKENIZER.decode(ids[one.start : one.end]) for one in found.episodes], found


def test_paragraphs():
    assert split("paragraphs")[0] == TEXTS
    assert split("paragraphs")[1].markers == len(TEXTS) - 1


def test_steps():
    assert split("steps")[0] == [TEXTS[0], "".join(TEXTS[1:3]), "".join(TEXTS[3:5]), TEXTS[5]]
    several = ["### Step 1\n\n", "**2)** take\n\n", "3 + 4 is no step.\n\n", "Step: no number.\n"]
    assert split("steps", several)[0] == [several[0], "".join(several[1:])]


STEPS = (
    *("3. Add.", "3) Add.", "**3.** Add.", "3: add", "# 3. Add", "3：加。"),  # noqa: RUF001
    *("Step 3: add", "STEP 3. Add", "**Step 3**", "Step 3 - add", "step 3\nadd", "Step 3：加"),  # noqa: RUF001
    *("步骤3：加", "步骤三", "第3步，加", "第十二步：加"),  # noqa: RUF001
)
OTHERS = (
    *("3.14 is pi.", "0.5 + 0.25 = 0.75", "12:30 is noon.", "3 + 4 = 7.", "2023 was it."),
    *("Step 3 shows it.", "Steps 3: no", "Step: no", "Stepping 3.", "第三个数", "步骤：加"),  # noqa: RUF001
)


@pytest.mark.parametrize(("text", "is_step"), [*((text, True) for text in STEPS), *((text, False) for text in OTHERS)])
def test_how_a_numbered_step_opens(text, is_step):
    """Decimals and times open none, nor does a sentence about a step."""
    assert (NUMBERED.match(text) is not None) == is_step


@pytest.mark.parametrize("kind", ["markers", "paragraphs", "steps"])
@pytest.mark.parametrize("before", ["\n\n", "\n", " \n\n\n"])
def test_white_space_before_the_first_text_is_no_episode(kind, before):
    texts, _ = split(kind, [before + TEXTS[0], "Wait no.\n\n"], min_steps=1)
    assert texts[0].startswith(before + "So.")


def test_tokens():
    texts, found = split("tokens:5")
    assert "".join(texts) == "".join(TEXTS)
    assert [one.end - one.start for one in found.episodes[:-1]] == [5] * (len(texts) - 1)
    assert 0 < found.episodes[-1].end - found.episodes[-1].start <= 5


@pytest.mark.parametrize("kind", ["paragraphs", "steps", "tokens:4"])
def test_an_insertion_opens_an_episode_and_nothing_inside_it_does(kind):
    texts, found = split(kind, inserted=2)
    assert any(text.startswith("Wait no.") for text in texts)
    (written,) = [one for one in found.episodes if one.marker_end > one.start]
    ids = [token for text in TEXTS for token in encode(text)]
    assert TOKENIZER.decode(ids[written.start : written.marker_end]) == TEXTS[2]


def test_short_episodes_are_merged_and_the_cap_holds():
    assert len(split("paragraphs", max_episodes=2)[0]) == 2
    merged = split("paragraphs", min_episode_tokens=8)[1].episodes
    assert all(one.end - one.start >= 8 for one in merged) and 1 < len(merged) < len(TEXTS)


@pytest.mark.parametrize("kind", ["paragraphs", "steps", "tokens:5"])
def test_a_blank_block_and_one_without_paragraphs(kind):
    assert split(kind, [])[0] == []
    assert split(kind, ["no"])[0] == ["no"]


@pytest.mark.parametrize("kind", ["tokens:0", "tokens:", "tokens:many", "lines"])
def test_an_unknown_kind_is_refused(kind):
    with pytest.raises(ValueError, match=r"mrt\.episodes='" + kind + r"'; allowed: .*tokens:N"):
        check_parts(default_settings(episodes=kind))
