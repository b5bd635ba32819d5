"""What a browser makes of the page of a report: no text over another or over the edge.

Runs where there is a browser: ASSAY_BROWSER, or a Chromium or Chrome on the path.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from made_up import needed, of_whom
from published import published

from loaders.home import Home
from loaders.reports.asked import asked
from loaders.reports.declared import read_reports, report_of
from loaders.reports.figures import make
from loaders.reports.page import page

__all__ = ["published"]  # a fixture

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = os.environ.get("ASSAY_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
WIDTHS = (1200, 700)

pytestmark = pytest.mark.skipif(not BROWSER, reason="no browser here: set ASSAY_BROWSER")

# Measures every text of every chart: its box against those beside it and the edges.
MEASURE = """
<script>
const box = (e) => { const b = e.getBoundingClientRect();
  return {text: e.textContent, left: b.left, right: b.right, top: b.top, bottom: b.bottom}; };
const charts = [...document.querySelectorAll("svg")].map((svg) => ({
  frame: box(svg),
  texts: [...svg.querySelectorAll("text")].filter((e) => e.textContent).map(box)}));
const found = {charts, page: document.documentElement.scrollWidth, window: window.innerWidth};
document.body.innerHTML = "<pre></pre>";
document.querySelector("pre").textContent = JSON.stringify(found);
</script>
"""

Box = dict[str, Any]


def measured(content: bytes, folder: Path, width: int) -> dict[str, Any]:
    """What a browser of this width measures."""
    text = re.sub(r"<meta http-equiv[^>]*>", "", content.decode())  # it forbids scripts: ours too
    file = folder / f"measured-{width}.html"
    file.write_text(text.replace("</body>", f"{MEASURE}</body>"), encoding="utf-8")
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    done = subprocess.run(
        [
            *command,
            f"--window-size={width},2000",
            f"--user-data-dir={folder / 'data'}",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    (found,) = re.findall(r"<pre>(.*)</pre>", done.stdout, re.DOTALL)
    return dict(json.loads(unescape(found)))


def overlapping(texts: list[Box]) -> list[tuple[str, str]]:
    """Texts that stand on each other by more than a pixel."""
    return [
        (one["text"], other["text"])
        for number, one in enumerate(texts)
        for other in texts[number + 1 :]
        if min(one["right"], other["right"]) - max(one["left"], other["left"]) > 1
        and min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) > 1
    ]


def outside(texts: list[Box], frame: Box) -> list[str]:
    return [
        text["text"]
        for text in texts
        if text["left"] < frame["left"] - 1
        or text["right"] > frame["right"] + 1
        or text["top"] < frame["top"] - 1
        or text["bottom"] > frame["bottom"] + 1
    ]


@pytest.mark.parametrize("name", [report.name for report in read_reports()])
def test_texts_have_room(published: Home, tmp_path: Path, name: str):
    """In the fonts of this machine, wide and narrow; the page is no wider than the window."""
    report = report_of(name)
    wanted = asked(report, where=needed(report), partner=of_whom(report))
    content = page(make(published, report, wanted))
    for width in WIDTHS:
        found = measured(content, tmp_path, width)
        assert found["charts"]
        assert found["page"] <= found["window"]
        for chart in found["charts"]:
            assert len(chart["texts"]) > 5
            assert overlapping(chart["texts"]) == [], width
            assert outside(chart["texts"], chart["frame"]) == [], width


def test_texts_without_room_are_seen(tmp_path: Path):
    """The planted fault: two texts on each other, and one over the edge."""
    svg = (
        '<svg viewBox="0 0 200 50" style="width: 200px"><text x="10" y="20">one text</text>'
        '<text x="30" y="20">another</text><text x="190" y="40">over the edge</text></svg>'
    )
    (chart,) = measured(f"<body>{svg}</body>".encode(), tmp_path, 800)["charts"]
    assert overlapping(chart["texts"]) == [("one text", "another")]
    assert outside(chart["texts"], chart["frame"]) == ["over the edge"]
