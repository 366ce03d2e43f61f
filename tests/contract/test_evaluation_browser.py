"""The page in a real browser, at phone and desktop width: every picture is there, nothing sticks out, nothing fails."""

import html
import json
import re
import shutil
import subprocess

import pytest

from mrt_verl.evaluation.command import main
from tests.evaluation_records import episode, record, write_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
)
PROBE = """<script>
window.failures = [];
const sortedBy = head => {
  head.querySelector("button").click();
  return [...head.closest("table").tBodies[0].rows].slice(0, 5).map(row => row.cells[1].textContent);
};
const reordered = select => {
  select.value = "tokens";
  select.dispatchEvent(new Event("change"));
  return [...select.closest("section").querySelectorAll("details")].map(one => Number(one.dataset.tokens));
};
addEventListener("error", event => failures.push(String(event.message || event.target.src)), true);
addEventListener("load", () => {
  const images = [...document.images];
  parent.postMessage(JSON.stringify({
    images: images.length,
    missing: images.filter(image => !image.complete || !image.naturalWidth).length,
    narrowest: Math.min(...images.map(image => image.clientWidth)),
    page: document.documentElement.scrollWidth,
    ground: getComputedStyle(document.body).backgroundColor,
    cues: document.querySelectorAll(".wide").length,
    sorted: sortedBy(document.querySelector("thead th:nth-child(2)")),
    order: reordered(document.querySelector(".order select")),
    window: innerWidth,
    failures: failures,
  }), "*");
});
</script>"""
FRAME = """<!doctype html><meta name="color-scheme" content="light dark"><body><script>
addEventListener("message", event => document.body.dataset.probe = event.data);
</script><iframe src="probed.html" width="WIDTH" height="900" frameborder="0"></iframe>"""
"""A window of Chromium is never narrower than 500 pixels, a frame may be."""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    base = tmp_path_factory.mktemp("browser")
    long = "a long line without any break " * 40 + "x" * 400
    for name, j in (("after-training", 1.0), ("before", 0.25)):
        records = [record(js=(0.25, j), ends=(40, 90), problem=p, extension=[episode(90, 150, 0.5)]) for p in range(3)]
        records[0].episodes[0].text = long
        write_run(base / "runs" / name, records, problems=3)
    log = [{"step": step, "data": {"mrt/regret": 0.9 - step / 100, "mrt/outcome": step / 10}} for step in range(5)]
    (base / "metrics.jsonl").write_text("\n".join(map(json.dumps, log)))
    main(["report", str(base / "runs"), "--out", str(base / "page"), "--training", f"run={base}/metrics.jsonl"])
    return base / "page" / "index.html"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")], ids=["phone", "desktop"])
def test_the_page_in_chromium(page, tmp_path, width, scheme):
    # a copy that measures itself stands in for a person who looks; the page's own policy forbids it any other script
    text, policies = re.subn(r"<meta http-equiv=.*?>", "", page.read_text())
    assert policies == 1
    probed = tmp_path / "probed.html"
    probed.write_text(text.replace("<head>", "<head>" + PROBE, 1).replace("<details>", "<details open>"))
    probe, log = look_at(probed, tmp_path, width, scheme)
    assert probe["window"] == width
    assert (probe["images"], probe["missing"], probe["failures"]) == (6, 0, [])
    assert probe["page"] <= width  # nothing but tables scrolls sideways
    assert probe["narrowest"] >= min(width * 0.85, 400)
    assert probe["ground"] == ("rgb(21, 24, 28)" if scheme == "dark" else "rgb(255, 255, 255)")
    assert (probe["cues"] > 0) == (width < 500)  # a table that is cut says so
    values = [float(re.match(r"\d+(\.\d+)?", cell).group()) for cell in probe["sorted"]]
    assert values == sorted(values, reverse=True) and values[0] > 1
    assert probe["order"] == sorted(probe["order"], reverse=True)
    assert "CONSOLE" not in log


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_as_it_is_breaks_no_rule_of_its_own(page, tmp_path):
    _, log = look_at(page, tmp_path, 390, "light", probe=False)
    assert "CONSOLE" not in log  # where the browser would report what the policy forbade


def look_at(page, folder, width, scheme, *, probe=True):
    """What the page measured of itself, and the browser's log."""
    frame = folder / "frame.html"
    frame.write_text(FRAME.replace("WIDTH", str(width)).replace("probed.html", page.as_uri()))
    colours = f"--blink-settings=preferredColorScheme={('dark', 'light').index(scheme)}"
    command = [CHROMIUM, *FLAGS, colours, f"--user-data-dir={folder}/profile", "--window-size=1400,1000", "--dump-dom"]
    result = subprocess.run([*command, frame.as_uri()], capture_output=True, text=True, timeout=240)
    found = re.search(r'data-probe="([^"]*)"', result.stdout)
    assert found or not probe, result.stderr[-2000:]
    return json.loads(html.unescape(found.group(1))) if found else {}, result.stderr
