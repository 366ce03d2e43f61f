"""The page, its pictures and summary.json, from made-up runs."""

import base64
import hashlib
import json
import platform
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest
from PIL import Image

from mrt_verl.evaluation.command import main
from mrt_verl.evaluation.measures import Measures
from mrt_verl.evaluation.page.examples import colour_of, count_votes, pick_examples, shorten, why_graded
from mrt_verl.evaluation.page.sentences import explain_points
from mrt_verl.evaluation.page.style import DARK, INK
from mrt_verl.evaluation.page.tables import interval, make_tables
from mrt_verl.evaluation.page.training import draw_training, read_metrics, running_mean
from mrt_verl.evaluation.summary import summarise
from tests.evaluation_records import answer, episode, record, run_of, write_run

NASTY = '</div><script>alert("x")</script> & <img src=x>'


class Page(HTMLParser):
    """Tags and the text of a page; fails on tags that close in the wrong order."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """A report of two runs, one with extrapolation and hostile text, and of two training runs."""
    base = tmp_path_factory.mktemp("report")
    after = [
        record(js=(0.25, 1.0), ends=(40, 90), problem=p, extension=[episode(90, 150, 0.5)], response=NASTY)
        for p in range(2)
    ]
    after[0].episodes[0].text = NASTY
    after[0].episodes[1].forced = [answer(1), answer(0, NASTY)]
    before = [record(js=(0.5, 0.25), ends=(60, 150), own=0.0, problem=p, response_tokens=170) for p in range(2)]
    write_run(base / "runs/after", after)
    write_run(base / "runs/before", before)
    lines = [{"step": s, "data": {"mrt/regret": 1 - s / 10, "val-core/x/acc/mean@1": s / 10}} for s in range(4)]
    for name in ("one", "two"):
        (base / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    training = [f"one={base}/one.jsonl", f"two={base}/two.jsonl"]
    main(["report", str(base / "runs"), "--out", str(base / "page"), "--training", *training, "--title", "A & B"])
    return base / "page"


def test_files(out):
    names = ["accuracy", "episodes", "progress", "regret", "training_regret", "training_validation"]
    pictures = [f"{name}.png" for name in names]
    vectors = [f"{name}.svg" for name in names]
    assert sorted(path.name for path in out.iterdir()) == sorted([*pictures, *vectors, "index.html", "summary.json"])
    for name in pictures:
        with Image.open(out / name) as image:
            assert image.format == "PNG"
            assert min(image.size) > 400
            assert len(image.convert("RGB").getcolors(1 << 24)) > 10  # something is drawn


def test_the_page_is_whole_and_self_contained(out):
    text = (out / "index.html").read_text()
    page = Page(text)
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(images) == 6
    assert all(attrs["src"].startswith("data:image/svg+xml;base64,") and attrs["alt"] for attrs in images)
    links = [attrs["href"] for tag, attrs in page.tags if tag in ("a", "link")]
    assert all(link.startswith(("#", "data:")) for link in links)
    anchors = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {link[1:] for link in links if link.startswith("#")} <= anchors
    assert not re.search(r"https?://", text)


def test_the_browser_runs_the_pages_own_script_and_loads_nothing(out):
    text = (out / "index.html").read_text()
    page = Page(text)
    assert [attrs for tag, attrs in page.tags if tag == "script"] == [{}]
    (policy,) = [attrs["content"] for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy


def test_page_and_pictures_have_both_colour_schemes(out):
    text = (out / "index.html").read_text()
    assert "color-scheme: light dark" in text and "@media (prefers-color-scheme: dark)" in text
    assert not re.search(r"style=\"background:#", text)  # every colour is a variable or lies over the background
    for picture in out.glob("*.svg"):
        drawing = picture.read_text()
        assert "@media (prefers-color-scheme: dark)" in drawing
        assert "DejaVu" not in drawing and "system-ui" in drawing  # the reader's own font, as on the page
        colours = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", drawing))
        assert INK in colours
        dark_on_dark = {colour for colour in colours - set(DARK) if luminance(colour) < 0.08}
        assert not dark_on_dark, picture.name


def luminance(colour):
    """Relative, of a #rrggbb, roughly."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return 0.21 * red**2.2 + 0.72 * green**2.2 + 0.07 * blue**2.2


def test_where_and_when_a_run_comes_from(out):
    text = " ".join(Page((out / "index.html").read_text()).words)
    assert "path/to/model; date not recorded" in text
    assert f"{date.today()}; python {platform.python_version()}" in text


def test_what_a_model_wrote_is_text(out):
    page = Page((out / "index.html").read_text())
    assert any(NASTY in words for words in page.words)
    assert "A & B" in page.words


def test_numbers_on_the_page(out):
    text = " ".join(Page((out / "index.html").read_text()).words)
    assert "after against before: pass@1 1.000 against 0.000 (difference +1.000 [\N{EN DASH}])" in text
    assert "2 problems are too few for intervals" in text
    assert "Token efficiency" in text
    assert "episode 3 (inserted)" in text
    assert "The largest gain of one episode" in text


def test_summary(out):
    summary = json.loads((out / "summary.json").read_text())
    assert [run["name"] for run in summary["runs"]] == ["after", "before"]
    # J reaches .25 at 50 tokens in one run, in the other the line to (70, .5) crosses it at 35
    assert summary["comparisons"][0]["token_efficiency"][-1]["accuracy"] == pytest.approx(0.25)
    assert summary["comparisons"][0]["token_efficiency"][-1]["ratio"]["value"] == pytest.approx(35 / 50, rel=0.02)


def test_a_row_says_by_itself_what_it_is(out):
    """Readers sort the rows: "the same" of another line says nothing then."""
    for table in make_tables(json.loads((out / "summary.json").read_text())):
        names = [tuple(row[:2]) if table.caption.startswith("Token") else row[0] for row in table.rows]
        assert len(set(names)) == len(names), table.caption


def test_one_run_alone(tmp_path, capsys):
    path = write_run(tmp_path / "alone", [record(), record(problem=1)])
    main(["report", str(path)])
    assert "alone: pass@1 1.000 [\N{EN DASH}], normalised regret 0.625" in capsys.readouterr().out
    assert (path / "report/index.html").is_file()


def test_a_model_without_episodes(tmp_path, capsys):
    """Nothing was closed where nothing was opened."""
    path = write_run(tmp_path / "mute", [record(js=(), ends=(), problem=p, own=0.0) for p in range(2)])
    main(["report", str(path)])
    assert "mute: no trace contains any thinking, so there are no episodes" in capsys.readouterr().out
    page = (path / "report/index.html").read_text()
    assert "No trace has an episode." in page and "mute: no trace contains any thinking" in page
    (run,) = json.loads((path / "report/summary.json").read_text())["runs"]
    assert (run["closed"], run["without_thinking"]) == (None, 1.0)


@pytest.mark.parametrize(("ends", "is_told"), [((20, 40, 60, 80), True), ((35, 78), False), ((40, 80), False)])
def test_runs_that_are_asked_for_j_unlike_often(tmp_path, capsys, ends, is_told):
    """A trace finds its answer at 80 tokens: its curve depends on where else J is asked."""
    js = [0.0] * (len(ends) - 1) + [1.0]
    gain = "may favour few by up to 0.050 in regret"  # 40 and 20 tokens apart, half of it, of 200
    few, many = tmp_path / "few", tmp_path / "many"
    write_run(few, [record(js=(0.0, 1.0), ends=(40, 80), problem=p) for p in range(2)])
    write_run(many, [record(js=js, ends=ends, problem=p) for p in range(2)])
    main(["report", str(few), str(many), "--first", "few"])
    said = capsys.readouterr().out
    assert ("few is asked for J every 40 tokens of thinking, many every 20" in said and gain in said) is is_told


def test_closed_is_of_those_that_thought(tmp_path, capsys):
    mixed = [record(), record(problem=1, closed=False), record(problem=2, js=(), ends=())]
    path = write_run(tmp_path / "mixed", [*mixed, record(problem=3)])
    main(["report", str(path)])
    assert "no trace contains any thinking" not in capsys.readouterr().out
    (run,) = json.loads((path / "report/summary.json").read_text())["runs"]
    assert (run["closed"], run["without_thinking"]) == (pytest.approx(2 / 3), 0.25)


def test_a_model_that_never_closes_its_thinking(tmp_path):
    records = [record(problem=p, own=0.0, closed=False, finished=False) for p in range(2)]
    path = write_run(tmp_path / "endless", records)
    main(["report", str(path)])
    (run,) = json.loads((path / "report/summary.json").read_text())["runs"]
    assert (run["closed"], run["pass@1"]["value"]) == (0.0, 0.0)
    assert run["budgets"]["200"]["accuracy"]["value"] == 0.5  # stopped, it still answers


def test_bad_input_ends_in_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"error: .*no run; allowed: a directory written by `run --out`"):
        main(["report", str(tmp_path)])
    path = write_run(tmp_path / "run", [record(), record(problem=1)])
    with pytest.raises(SystemExit, match="error: --first other; allowed: run"):
        main(["report", str(path), "--first", "other"])


def test_metrics_of_a_killed_and_resumed_run(tmp_path):
    log = tmp_path / "metrics.jsonl"
    log.write_text(
        '{"step": 2, "data": {"a": 1}}\n{"step": 1, "data": {"a": 3, "b": "x"}}\n{"step": 2, "data": {"a": 2}}\n{"st'
    )
    assert read_metrics(log) == {1: {"a": 3}, 2: {"a": 2}}
    log.write_text('{"step": 2}\n{"step": 1, "data": {"a": 3}}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl:1: not"):
        read_metrics(log)
    log.write_text("")
    with pytest.raises(ValueError, match=r"no metrics; allowed: a metrics\.jsonl or a directory of tensorboard logs"):
        read_metrics(log)


def test_training_without_any_known_metric(tmp_path):
    assert draw_training({"run": {1: {"loss": 1.0}}}, tmp_path) == {}
    assert not list(tmp_path.iterdir())


def test_equal_answers_are_counted_together():
    votes = count_votes([answer(0, "a"), answer(0, "a"), answer(0, "b"), answer(0, "c"), answer(1, "d")], most=2)
    assert [(vote.text, vote.count, vote.is_right) for vote in votes] == [
        ("a", 2, False),
        ("b", 1, False),
        ("d", 1, True),
        ("1 others", 1, False),
    ]


def test_examples_are_the_extreme_traces():
    gain = record(js=(1.0,), ends=(50,))
    loss = record(js=(0.5, 0.0), ends=(40, 50), own=0.0, trace=1)
    examples = pick_examples(run_of([[gain, loss]]))
    assert [(example.why, example.trace) for example in examples] == [
        ("The largest gain of one episode", 0),
        ("The largest loss of one episode", 1),
    ]


def test_colours_of_progress():
    assert colour_of(0.0).endswith(", 0.00)")  # nothing over the background
    (red, _, blue, gain), (other_red, _, other_blue, loss) = (
        map(float, re.findall(r"[\d.]+", colour_of(value))) for value in (1.0, -1.0)
    )
    assert blue > red and other_red > other_blue
    assert gain == loss <= 0.6  # text on it stays readable
    assert colour_of(None) not in (colour_of(0.0), colour_of(0.01))


def test_why_a_final_answer_was_graded_so():
    assert why_graded(record()) == "it equals the reference 7"
    assert why_graded(record(own=0.0)) == "it does not equal the reference 7"
    assert "never closed" in why_graded(record(closed=False))
    cut = record(own=0.0)
    cut.own.finished = False
    assert why_graded(cut).endswith("cut off by the token budget")


def test_points_apart_from_their_line_are_explained():
    def run(own, forced):
        return {"name": "m", "closed_own": own, "closed_forced": forced}

    assert "m 0.335 against 0.219" in explain_points([run(0.335, 0.219)])
    assert explain_points([run(0.335, 0.32)]) == explain_points([run(None, None)]) == ""


def test_own_and_forced_answers_at_the_same_place():
    forced = [answer(1), answer(0), answer(0), answer(0)]
    closed = record(own=1.0)
    closed.episodes[-1].forced = forced
    cut = record(own=0.0, closed=False)
    run = summarise([Measures(run_of([[closed], [cut]]))])["runs"][0]
    assert (run["closed_own"], run["closed_forced"]) == (1.0, 0.25)


def test_ten_problems_have_intervals():
    problems = [[record(own=float(p % 2), problem=p)] for p in range(10)]
    summary = summarise([Measures(run_of(problems))])
    assert summary["runs"][0]["pass@1"]["low"] < 0.5 < summary["runs"][0]["pass@1"]["high"]
    few = summarise([Measures(run_of(problems[:9]))])["runs"][0]["pass@1"]
    assert (few["low"], few["high"]) == (None, None)


def test_shorten_keeps_both_ends():
    assert shorten("a" * 50 + "b" * 50, 10) == "aaaaa […] bbbbb"
    assert shorten("short", 10) == "short"


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        ({"value": 0.5, "low": 0.25, "high": 0.75}, "0.500 [0.250,\xa00.750]"),
        ({"value": -0.5, "low": -0.75, "high": None}, "\N{MINUS SIGN}0.500 [\N{MINUS SIGN}0.750,\xa0∞]"),
        ({"value": None, "low": None, "high": None}, "not reached"),
        ({"value": 0.5, "low": None, "high": None}, "0.500 [\N{EN DASH}]"),
        ({"value": 0.0, "low": 0.0, "high": 1e-17}, "0.000 [\N{EN DASH}]"),
        (None, "\N{EN DASH}"),
    ],
)
def test_intervals(estimate, expected):
    assert interval(estimate) == expected


def test_a_running_mean_has_as_many_neighbours_on_both_sides():
    assert running_mean([1.0, 2.0, 6.0, 2.0, 4.0], 1) == [1.0, 3.0, pytest.approx(10 / 3), 4.0, 4.0]
    assert running_mean([1.0, 2.0, 6.0, 2.0, 4.0], 2)[2] == 3.0 and running_mean([5.0], 3) == [5.0]


def test_votes_of_a_prover_that_weighs_its_answers():
    """A scored reference stands there whatever the model answered: its weight tells how likely it was."""
    weighed = [replace(answer(1), weight=0.25), replace(answer(1), weight=0.5)]
    (vote,) = count_votes(weighed)
    assert (vote.count, vote.weight) == (2, 0.75)
    assert count_votes([answer(1)])[0].weight is None
