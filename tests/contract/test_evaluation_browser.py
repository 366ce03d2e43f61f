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
addEventListener("error", event => failures.push(String(event.message || event.target.src)), true);
addEventListener("load", () => {
  const images = [...document.images];
  parent.postMessage(JSON.stringify({
    images: images.length,
    missing: images.filter(image => !image.complete || !image.naturalWidth).length,
    narrowest: Math.min(...images.map(image => image.clientWidth)),
    page: document.documentElement.scrollWidth,
    window: innerWidth,
    failures: failures,
  }), "*");
});
</script>"""
FRAME = """<!doctype html><body><script>
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
@pytest.mark.parametrize("width", [390, 1280], ids=["phone", "desktop"])
def test_the_page_in_chromium(page, tmp_path, width):
    # the page itself has no script: a copy that measures itself stands in for a person who looks
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text().replace("<head>", "<head>" + PROBE, 1).replace("<details>", "<details open>"))
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.replace("WIDTH", str(width)))
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path}/profile", "--window-size=1400,1000", "--dump-dom"]
    result = subprocess.run([*command, frame.as_uri()], capture_output=True, text=True, timeout=120)
    found = re.search(r'data-probe="([^"]*)"', result.stdout)
    assert found, result.stderr[-2000:]
    probe = json.loads(html.unescape(found.group(1)))
    assert probe["window"] == width
    assert (probe["images"], probe["missing"], probe["failures"]) == (5, 0, [])
    assert probe["page"] <= width  # nothing but tables scrolls sideways
    assert probe["narrowest"] >= min(width * 0.85, 400)
    assert "CONSOLE" not in result.stderr
