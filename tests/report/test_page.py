"""The page as text: escaped, small, self-contained, and whole whatever did not run."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from markupsafe import Markup

from pipeline.diagnosis.record import RunRecord
from pipeline.report.charts import draw_histogram
from pipeline.report.svg import tag
from tests.report.example import (
    HOSTILE,
    make_drift,
    make_hostile,
    make_multiclass,
    make_published,
    make_stopped,
    render_html,
    render_markdown,
    render_text,
)

LATER = ("cleaning", "imputation", "repaired", "features", "leftover", "resampling", "training")
ALL = (make_published, make_multiclass, make_stopped, make_hostile)


class Outline(HTMLParser):
    """Collects elements, attributes and whether every element is closed."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element and its attributes."""
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    """Parse a page."""
    parser = Outline()
    parser.feed(page)
    return parser


def cut_off(record: RunRecord, stages: tuple[str, ...]) -> RunRecord:
    """Leave out stages as if they had not run."""
    profiles = record.profiles
    if "cleaning" in stages:
        profiles = [replace(p, repaired=[], missing_repaired=None) for p in profiles]
    changes: dict[str, Any] = dict.fromkeys(stages)
    return replace(record, profiles=profiles, **changes)


@pytest.mark.parametrize("make", ALL)
def test_page_is_well_formed(make: object) -> None:
    """Every element is closed in order, and every id is given once."""
    assert callable(make)
    found = outline(render_html(make()))
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))


def test_hostile_text_is_escaped_everywhere() -> None:
    """Text of the data becomes no element, no attribute and no expression of the template."""
    page = render_html(make_hostile())
    found = outline(page)
    assert found.tags.count("script") == 1
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert "<script>alert" not in page
    assert "49" not in re.findall(r"&amp; (\S+) שלום", page)
    assert "{{ 7*7 }}" in page
    assert "\u202e" not in page


def test_charts_escape_text_and_attributes() -> None:
    """SVG text and attributes are escaped where they are made; only Markup passes as it is."""
    made = tag("text", HOSTILE, Markup("<b>own</b>"), class_='"><script>')
    assert "<script>" not in made
    assert "&#34;&gt;&lt;script&gt;" in made
    assert "<b>own</b>" in made


def test_hostile_page_is_small() -> None:
    """200 columns of long names and 50 classes stay under 3 MB."""
    assert len(render_html(make_hostile()).encode()) < 3_000_000


def test_page_names_no_outside_resource() -> None:
    """No address, source, import or link to another file is in the page."""
    for make in (make_published, make_multiclass, make_stopped):
        page = render_html(make())
        assert not re.search(
            r"https?:|//[a-z]|\bsrc=|@import|url\(|<link", page.split("<script>")[0]
        )
        hrefs = [v for name, v in outline(page).attributes if name == "href"]
        assert all(value and value.startswith("#") for value in hrefs)


@pytest.mark.parametrize("first", range(len(LATER) + 2))
def test_page_stands_wherever_the_run_ended(first: int) -> None:
    """Whatever the first stage that did not run, page, Markdown and text are made."""
    stages = ("split", *LATER)[first:]
    record = cut_off(make_published(), stages)
    assert ("Changes</h2>" in render_html(record)) == (record.split is not None)
    assert ("Network</h2>" in render_html(record)) == (record.training is not None)
    assert render_markdown(record)
    assert render_text(record)


@pytest.mark.parametrize("stage", ["split", *LATER])
def test_page_stands_without_any_single_stage(stage: str) -> None:
    """No section takes for granted that another one's stage ran."""
    changes: dict[str, Any] = {stage: None}
    record = replace(make_published(), **changes)
    assert outline(render_html(record)).open == []


def test_a_stopped_run_says_why_and_shows_raw_checks_alone() -> None:
    """A gate stop shows its reasons first and no column of repaired results."""
    page = render_html(make_stopped())
    assert "stopped by the gate" in page
    assert page.index("weight: the column is there; found absent") < page.index("Validation</h2>")
    assert "Repaired</th>" not in page
    assert "Network</h2>" not in page


def test_failing_checks_go_before_passing_ones() -> None:
    """What failed is in sight; what passed is folded away below it."""
    page = render_html(make_published())
    suite = page[page.index('id="suite-2"') : page.index('id="suite-3"')]
    assert suite.index("✕ failed") < suite.index("<details>")
    assert "✕ failed" not in suite[suite.index("<details>") :]


def test_every_output_counts_the_same_rows() -> None:
    """Rows left over after repair are not counted as used, in none of the outputs."""
    record = replace(make_published(), leftover={"validation": 2, "test": 1})
    for text in (render_html(record), render_markdown(record), render_text(record)):
        assert "2,780 used" in text


def test_rows_set_aside_do_not_make_a_column_look_changed() -> None:
    """Only columns with repaired or imputed values are shown as changed; the others are folded."""
    page = render_html(make_published())
    shown = page[page.index("Distributions</h3>") : page.index("repair left as they were")]
    assert "TSH" in shown
    assert "pregnant" not in shown


def test_rendering_changes_nothing_and_repeats() -> None:
    """The same record gives the same page, byte by byte."""
    record = make_published()
    assert render_html(record) == render_html(record)
    assert record == make_published()


def test_rendering_is_quick() -> None:
    """A normal record is rendered within 0.3 s once the template is loaded."""
    record = make_published()
    render_html(record)
    started = time.perf_counter()
    render_html(record)
    assert time.perf_counter() - started < 0.3


def test_importing_the_page_is_light() -> None:
    """The page's module loads no heavy library; a command line may import it at its start."""
    heavy = [
        "tensorflow",
        "keras",
        "great_expectations",
        "sklearn",
        "matplotlib",
        "pandas",
        "numpy",
        "jinja2",
    ]
    code = f"import sys, pipeline.report.page; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_characters_that_no_file_can_hold_are_written_as_escapes() -> None:
    """A lone surrogate or a control character in a name does not break the writing of the page."""
    record = replace(make_published(), dataset="a\ud800b\x00c")
    assert "a\\ud800b\\u0000c" in render_html(record)
    assert render_html(record).encode("utf-8")


def test_bounds_beyond_the_data_are_not_drawn() -> None:
    """A bound outside the bins would lie outside the picture."""
    inside = draw_histogram([0, 1, 2], [3, 4], [], (0.5, 1.5), title="t")
    beyond = draw_histogram([0, 1, 2], [3, 4], [], (-1.7e308, 9), title="t")
    assert inside.count('"bound"') == 2
    assert beyond.count('"bound"') == 0


def test_markdown_escapes_markup_and_table_borders() -> None:
    """A name of the data breaks neither a table nor the page that shows the artifact."""
    text = render_markdown(replace(make_published(), dataset="a|b <img src=x> *c* `d`"))
    assert "a\\|b \\<img src=x\\> \\*c\\* \\`d\\`" in text
    assert "<script>" not in render_markdown(make_hostile())


@pytest.mark.parametrize("make", ALL)
def test_text_is_short_and_plain(make: object) -> None:
    """The terminal gets at most 25 lines, each of at most 100 printable characters."""
    assert callable(make)
    lines = render_text(make()).split("\n")
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 110
    assert all(
        character.isprintable() or character == "\xa0" for line in lines for character in line
    )


def test_drift_is_drawn_and_listed_the_farthest_first() -> None:
    """Columns that drifted have a chart; the others are folded away; no drift, no section."""
    names = ["steady", "drifted", "also steady", "length"]
    page = render_html(replace(make_published(), drift=make_drift(names, "v1")))
    section = page[page.index('<section id="drift"') : page.index('<section id="data"')]
    assert section.count("<figure>") == 2
    assert "2 columns are as before" in section
    assert section.index("drifted</bdi>") < section.index("steady</bdi>")
    assert "miles to kilometres" in section
    assert '<section id="drift"' not in render_html(make_published())
