"""What a browser makes of a preview: a picture of each page, no wider than its window.

Runs where there is a browser: ASSAY_BROWSER, or a Chromium or Chrome on the path. The pictures are
kept where ASSAY_SCREENSHOTS names a folder, to be looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from gold import published

from loaders.dashboards.declared import Dashboard, read_dashboards
from loaders.dashboards.preview import page
from loaders.home import Home

__all__ = ["published"]  # a fixture
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = os.environ.get("ASSAY_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
WIDTH, HEIGHT = 1280, 3600

pytestmark = pytest.mark.skipif(not BROWSER, reason="no browser here: set ASSAY_BROWSER")

# Cards that go over the page, and pictures that are smaller than anybody can read.
MEASURE = """
<script>
const wrong = [];
if (document.documentElement.scrollWidth > window.innerWidth) wrong.push("page");
for (const card of document.querySelectorAll("section")) {
  const edge = card.getBoundingClientRect();
  const name = card.getAttribute("aria-labelledby");
  for (const part of card.querySelectorAll("h2, svg, .figure, .scroll")) {
    const box = part.getBoundingClientRect();
    const inside = box.left >= edge.left - 1 && box.right <= edge.right + 1;
    if (!inside || box.width < 20 || box.height < 10) wrong.push(name);
  }
  for (const text of card.querySelectorAll("svg text")) {
    if (text.textContent && text.getBoundingClientRect().height < 9) wrong.push(name);
  }
}
document.body.innerHTML = "<pre></pre>";
document.querySelector("pre").textContent = "wrong: " + [...new Set(wrong)].join(" ");
</script>
"""


def browse(file: Path, *options: str) -> str:
    """What a browser prints of a page."""
    done = subprocess.run(
        [
            *(str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--user-data-dir={file.parent / 'data'}", f"--window-size={WIDTH},{HEIGHT}"),
            *options,
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def wrong_in(content: str, folder: Path) -> list[str]:
    """The cards of a page that cannot be read, and `page` where it is too wide."""
    open_page = re.sub(r"<meta http-equiv[^>]*>", "", content)  # it forbids scripts: ours too
    file = folder / "measured.html"
    file.write_text(open_page.replace("</body>", f"{MEASURE}</body>"), encoding="utf-8")
    (found,) = re.findall(r"<pre>wrong: ?(.*)</pre>", browse(file, "--dump-dom"))
    return found.split()


@pytest.mark.parametrize("dashboard", read_dashboards(), ids=lambda dashboard: dashboard.slug)
def test_a_page_can_be_read(published: Home, tmp_path: Path, dashboard: Dashboard):
    content = page(published, dashboard).decode()
    assert wrong_in(content, tmp_path) == []
    file = tmp_path / f"{dashboard.slug}.html"
    file.write_text(content, encoding="utf-8")
    kept = Path(os.environ.get("ASSAY_SCREENSHOTS") or tmp_path)
    kept.mkdir(exist_ok=True)
    picture = kept / f"{dashboard.slug}.png"
    browse(file, f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_read_is_seen(tmp_path: Path):
    """The planted faults: a page that is too wide, and a picture over the edge of its card."""
    card = '<section aria-labelledby="one" style="width: 200px">{}</section>'
    wide = card.format('<svg style="width: 3000px; height: 50px"></svg>')
    small = card.format('<svg width="100" height="50"><text y="20" font-size="4">x</text></svg>')
    assert wrong_in(f"<body>{wide}</body>", tmp_path) == ["page", "one"]
    assert wrong_in(f"<body>{small}</body>", tmp_path) == ["one"]
