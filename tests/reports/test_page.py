"""The page of a report: whole in one file, for people and machines, with nothing cut off."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from html.parser import HTMLParser

import pyarrow as pa
import pytest
import vl_convert
from made_up import needed, of_whom
from published import LONG, published

from loaders.home import Home
from loaders.reports.asked import asked
from loaders.reports.declared import read_reports, report_of
from loaders.reports.figures import Made, make
from loaders.reports.page import page

__all__ = ["published"]  # a fixture

REPORTS = [report.name for report in read_reports()]
VOID = {"meta", "br", "link", "img"}
LOADING = {"src", "href", "xlink:href", "action", "data", "poster", "srcset", "background"}
MARGIN = 100


@dataclass
class Element:
    """An element of a page, its text and what is in it."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def all(self, name: str) -> list[Element]:
        found = [self] if self.name == name else []
        return found + [one for child in self.children for one in child.all(name)]

    @property
    def text(self) -> str:
        return "".join([*self.texts, *(child.text for child in self.children)]).strip()

    @property
    def own_text(self) -> str:
        return "".join(self.texts).strip()


class Reader(HTMLParser):
    """Reads a page whose elements are all closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].texts.append(data)


def read(content: bytes) -> Element:
    reader = Reader()
    reader.feed(content.decode())
    reader.close()
    (root,) = reader.open
    return root


def made_of(home: Home, name: str) -> Made:
    report = report_of(name)
    return make(home, report, asked(report, where=needed(report), partner=of_whom(report)))


@pytest.fixture(scope="module")
def pages(published: Home) -> dict[str, tuple[Made, bytes]]:
    """Each report, and its page."""
    made = {name: made_of(published, name) for name in REPORTS}
    return {name: (one, page(one)) for name, one in made.items()}


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_loads_and_runs_nothing(pages: dict[str, tuple[Made, bytes]], name: str):
    """No script, no address but names of formats, and a policy under which a browser loads none."""
    content = pages[name][1].decode()
    root = read(pages[name][1])
    assert root.all("script") == root.all("link") == root.all("iframe") == root.all("img") == []
    elements = [e for top in root.children for e in everything(top)]
    for element in elements:
        assert not LOADING & element.attributes.keys(), element.attributes
        assert not [key for key in element.attributes if key.startswith("on")]
    assert set(re.findall(r"https?://[^\"' )]+", content)) <= {"http://www.w3.org/2000/svg"}
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", content))
    assert "@import" not in content
    policy = [e.attributes["content"] for e in elements if "http-equiv" in e.attributes]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    ids = [e.attributes["id"] for e in elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]*)\)", content)) <= set(ids)


def everything(element: Element) -> list[Element]:
    return [element, *(one for child in element.children for one in everything(child))]


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_says_what_it_is_of(pages: dict[str, tuple[Made, bytes]], name: str):
    """Title, text, days, release, and for each table what is withheld, in a sentence."""
    made, content = pages[name]
    root = read(content)
    (html,), (title,), (heading,) = (root.all(tag) for tag in ("html", "title", "h1"))
    assert html.attributes["lang"] == "en"
    assert title.text == heading.text == made.report.title
    (about,) = (e for e in root.all("dl") if e.attributes["class"] == "about")
    facts = dict(
        zip((e.text for e in about.all("dt")), (e.text for e in about.all("dd")), strict=True)
    )
    first, last = min(t.first for t in made.tables), max(t.last for t in made.tables)
    assert facts["Period"] == f"{first} to {last}, in UTC"
    assert facts["Release"].startswith(f"{made.release_id}, published 2026-06-01 04:05 UTC")
    sections = root.all("section")
    assert len(sections) == len(made.tables)
    for section, figures in zip(sections, made.tables, strict=True):
        assert figures.withheld in section.text
        assert "fewer than k = 10 people" in figures.withheld


@pytest.mark.parametrize("name", REPORTS)
def test_charts_have_titles_and_units(pages: dict[str, tuple[Made, bytes]], name: str):
    """Each says what it shows to who sees it and to who does not; axes have units and labels."""
    made, content = pages[name]
    for section, figures in zip(read(content).all("section"), made.tables, strict=True):
        pictures = section.all("figure")
        assert len(pictures) == len(figures.table.charts)
        for picture, chart in zip(pictures, figures.table.charts, strict=True):
            (caption,), (svg, *_) = picture.all("figcaption"), picture.all("svg")
            assert caption.own_text == chart.title
            assert svg.attributes["role"] == "img"
            assert chart.title in svg.attributes["aria-label"]
            texts = [element.text for element in svg.all("text")]
            units = dict.fromkeys(m.unit for m in figures.table.measures if m.name in chart.y)
            assert ", ".join(units) in texts
            assert not [text for text in texts if "\u2026" in text], "a text was cut off"
            if chart.kind != "ranking":
                assert any(text.endswith("(UTC)") for text in texts)
            drawn = {text for text in texts if not re.fullmatch(r"[\d,.%]+", text)}
            if len(chart.y) > 1:
                assert {m.title for m in figures.table.measures if m.name in chart.y} <= drawn


def test_amounts_of_each_currency_have_an_axis_of_their_own(
    pages: dict[str, tuple[Made, bytes]],
):
    """People and rewards share one, so that currencies can be compared by them."""
    texts = [text.text for text in read(pages["wallet_trends"][1]).all("text")]
    assert texts.count("rewards") == 1
    assert texts.count("minor units") == 2 * 3


def as_number(text: str) -> float | None:
    if text == "\N{EN DASH}":
        return None
    if text in ("yes", "no"):
        return text == "yes"
    return float(text.replace(",", "").rstrip("%"))


def as_text(value: object, period: str) -> str:
    """What is no figure: an hour to the minute, a month without its day."""
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes")[:16]
    return str(value)[:7] if isinstance(value, date) and period == "month" else str(value)


@pytest.mark.parametrize("name", REPORTS)
def test_the_table_has_every_figure(pages: dict[str, tuple[Made, bytes]], name: str):
    """Each row, to the last digit where it is a count; heads have units; a dash is no figure."""
    made, content = pages[name]
    for section, figures in zip(read(content).all("section"), made.tables, strict=True):
        (table,) = section.all("table")
        heads = table.all("th")
        assert [s.text for h in heads for s in h.all("span")] == [c.title for c in figures.columns]
        assert {head.attributes["scope"] for head in heads} == {"col"}
        assert [head.text for head in heads if head.all("small")] == [
            f"{c.title}{c.unit}" for c in figures.columns if c.unit
        ]
        rows = [[cell.text for cell in row.all("td")] for row in table.all("tr")[1:]]
        expected = figures.rows.to_pylist()
        assert len(rows) == len(expected)
        for cells, row in zip(rows, expected, strict=True):
            for text, column in zip(cells, figures.columns, strict=True):
                value = row[column.name]
                if column.unit is None:
                    assert text == as_text(value, figures.period)
                elif value is None or column.data_type in ("int64", "bool"):
                    assert as_number(text) == value
                else:
                    scale = 100 if column.unit == "share" else 1
                    assert as_number(text) == pytest.approx(scale * value, abs=0.051)


def test_texts_of_the_data_are_texts(pages: dict[str, tuple[Made, bytes]]):
    """What looks like HTML is shown, and not taken for it: in the table and in the chart."""
    _, content = pages["mistyped_mail_domains"]
    root = read(content)
    assert root.all("b") == []
    shown = [cell.text for cell in root.all("td")]
    labels = [text.text for text in root.all("text")]
    assert "<b>&amp.com" in shown
    assert "<b>&amp.com \u2192 web.de" in labels
    assert f"{LONG} \u2192 web.de" in labels


def test_a_report_of_nothing_says_so(published: Home):
    report = report_of("access_overview")
    made = make(published, report, asked(report, first="2030-01-01"))
    root = read(page(made))
    assert root.all("figure") == root.all("table") == []
    assert root.all("main")[0].text.count("Nothing is published for these days.") == 2


def test_a_line_without_a_figure_is_said(published: Home):
    """Its name is beside the chart, and not beside those that have it."""
    made = made_of(published, "engagement_summary")
    people = made.tables[0]
    at = people.rows.column_names.index("new_users")
    rows = people.rows.set_column(at, "new_users", pa.nulls(people.rows.num_rows, pa.int64()))
    root = read(page(replace(made, tables=(replace(people, rows=rows),))))
    captions = [caption.text for caption in root.all("figcaption")]
    assert ["New: no figure is shown." in caption for caption in captions] == [False, True]


def test_one_line_alone_has_its_name(published: Home):
    """Where a chart is by the values of a column, the only one that is there is named, too."""
    report = report_of("challenge_performance")
    made = make(published, report, asked(report, where=["challenge=challenge-b"]))
    for drawing in re.findall(r"<svg.*?</svg>", page(made).decode(), re.DOTALL):
        assert drawing.count(">challenge-b</text>") == 1


def test_a_chart_of_nothing_says_so(published: Home):
    """The other charts are there, and what the table has is in it."""
    made = made_of(published, "challenge_performance")
    weeks = made.tables[0]
    at = weeks.rows.column_names.index("views")
    rows = weeks.rows.set_column(at, "views", pa.nulls(weeks.rows.num_rows, pa.int64()))
    root = read(page(replace(made, tables=(replace(weeks, rows=rows),))))
    assert len(root.all("figure")) == len(weeks.table.charts) - 1
    (said,) = [p.text for p in root.all("p") if "No chart" in p.text]
    assert weeks.table.charts[0].title in said
    assert "by week, each such figure of these days is withheld" in said


def test_a_share_is_not_rounded_to_nothing_or_all(published: Home):
    """What is nearly complete is not; what is, is."""
    made = made_of(published, "challenge_performance")
    weeks = made.tables[0]
    at = weeks.rows.column_names.index("completion_rate")
    told = {0.0: "0.0%", 1e-9: "0.001%", 0.00017: "0.017%", 0.0006: "0.1%"}
    told |= {0.9994: "99.9%", 0.99996: "99.996%", 1 - 1e-9: "99.999%", 1.0: "100.0%"}
    shares = pa.array([*told] + [None] * (weeks.rows.num_rows - len(told)), pa.float64())
    rows = weeks.rows.set_column(at, "completion_rate", shares)
    table = read(page(replace(made, tables=(replace(weeks, rows=rows),)))).all("tr")[1:]
    assert [row.all("td")[at].text for row in table][: len(told)] == [*told.values()]


def test_a_period_that_is_not_over_is_said(published: Home):
    """Beside each chart that has it, and in the table; not where all are over."""
    made = made_of(published, "engagement_summary")
    people = made.tables[0]
    shown = people.rows  # a chart has no last period of which each figure is withheld
    for name in {name for chart in people.table.charts for name in chart.y}:
        at = shown.column_names.index(name)
        shown = shown.set_column(at, name, shown[name].fill_null(1))
    told = {}
    for over in (True, False):
        flags = pa.array([True] * (shown.num_rows - 1) + [over])
        rows = shown.set_column(shown.num_columns - 1, "is_complete", flags)
        root = read(page(replace(made, tables=(replace(people, rows=rows),))))
        notes = [small.text for c in root.all("figcaption") for small in c.all("small")]
        told[over] = (notes, root.all("td")[-1].text)
    notes = ["The last day is not over."] * len(made.tables[0].table.charts)
    assert told == {True: ([], "yes"), False: (notes, "no")}


def overflow(svg: str) -> bool:
    """Whether anything is drawn outside of the picture's frame.

    The frame is painted over with white, and the picture taken with a margin: then it is as an
    empty one, or something stood over the edge.
    """
    width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])
    wide = f'viewBox="-{MARGIN} -{MARGIN} {width + 2 * MARGIN} {height + 2 * MARGIN}"'
    empty = f'<svg xmlns="http://www.w3.org/2000/svg" {wide}></svg>'
    covered = re.sub(r'viewBox="[^"]*"', wide, svg, count=1)
    frame = f'<rect width="{width}" height="{height}" fill="white"/>'
    white = f'<rect x="-{MARGIN}" y="-{MARGIN}" width="4000" height="4000" fill="white"/>'
    covered = covered.replace(">", f">{white}", 1).removesuffix("</svg>") + f"{frame}</svg>"
    return vl_convert.svg_to_png(covered) != vl_convert.svg_to_png(
        empty.replace("></svg>", f">{white}</svg>")
    )


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_is_drawn_over_the_edge(pages: dict[str, tuple[Made, bytes]], name: str):
    """Long names and great figures included, in the font that the page asks for."""
    drawings = re.findall(r"<svg.*?</svg>", pages[name][1].decode(), re.DOTALL)
    assert drawings
    assert [overflow(svg) for svg in drawings] == [False] * len(drawings)


def test_a_text_over_the_edge_is_seen(pages: dict[str, tuple[Made, bytes]]):
    """The planted fault: the frame is made narrower by 40 pixels than the drawing."""
    svg = re.findall(r"<svg.*?</svg>", pages["access_overview"][1].decode(), re.DOTALL)[0]
    width = float(re.findall(r'viewBox="0 0 ([\d.]+)', svg)[0])
    background = f'width="{width:g}"'
    narrow = svg.replace(f"0 0 {width:g}", f"0 0 {width - 40:g}").replace(background, "", 1)
    assert overflow(narrow)
