"""The page in a real browser: it renders, sorts, follows dark mode and prints, with no network."""

from __future__ import annotations

from typing import Any

import pytest

from tests.report.conftest import clear_logs, list_requests, open_page
from tests.report.example import (
    make_hostile,
    make_multiclass,
    make_published,
    make_stopped,
    render_html,
)

PAGES = {
    "published": make_published,
    "multiclass": make_multiclass,
    "stopped": make_stopped,
    "hostile": make_hostile,
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Write each example's page; its address by name."""
    folder = tmp_path_factory.mktemp("pages")
    addresses = {}
    for name, make in PAGES.items():
        path = folder / f"{name}.html"
        path.write_text(render_html(make()), encoding="utf-8")
        addresses[name] = path.as_uri()
    return addresses


def set_width(browser: Any, width: int) -> None:
    """Give the page a width in CSS pixels."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )


def set_media(browser: Any, *, scheme: str = "light", media: str = "") -> None:
    """Emulate a colour scheme, and paper by ``media="print"``."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [feature]})


def read_column(browser: Any, table: Any, column: int) -> list[str]:
    """Read what a table's column is sorted by, from top to bottom."""
    script = """return [...arguments[0].tBodies[0].rows]
        .map((row) => row.cells[arguments[1]])
        .map((cell) => cell.dataset.sort ?? cell.textContent.trim())"""
    values: list[str] = browser.execute_script(script, table, column)
    return values


@pytest.mark.parametrize("name", PAGES)
def test_page_renders_without_an_error_or_a_request(
    browser: Any, pages: dict[str, str], name: str
) -> None:
    """A page runs without a console message, a dialog, or a request for anything but itself."""
    clear_logs(browser)
    open_page(browser, pages[name])
    assert browser.find_element("css selector", "h1").is_displayed()
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert list_requests(browser) <= {pages[name]}


def test_hostile_names_stay_text(browser: Any, pages: dict[str, str]) -> None:
    """No element and no handler comes from the data; its names are read as they are written."""
    open_page(browser, pages["hostile"])
    assert len(browser.find_elements("css selector", "script")) == 1
    handlers = "return document.querySelectorAll('[onload],[onerror],[onclick],iframe,img').length"
    assert browser.execute_script(handlers) == 0
    heading = browser.find_element("css selector", "h1").text
    assert "<script>alert(1)</script>" in heading
    assert "{{ 7*7 }}" in heading
    assert "\\u202e" in heading


def test_only_the_own_script_may_run(browser: Any, pages: dict[str, str]) -> None:
    """The content security policy refuses a script that is not the page's own."""
    open_page(browser, pages["published"])
    browser.execute_script("""const s = document.createElement('script');
        s.textContent = 'window.broken = 1'; document.body.append(s);""")
    assert browser.execute_script("return window.broken") is None
    assert any(
        "Content Security Policy" in entry["message"] for entry in browser.get_log("browser")
    )


def test_tables_sort_by_click(browser: Any, pages: dict[str, str]) -> None:
    """A click on a heading sorts upwards, another one downwards, and says so to screen readers."""
    set_width(browser, 1280)
    open_page(browser, pages["published"])
    table = browser.find_element("css selector", "#data table.sortable")
    head = table.find_elements("css selector", "thead th")[2]
    head.find_element("css selector", "button").click()
    rows = [int(value) for value in read_column(browser, table, 2)]
    assert head.get_attribute("aria-sort") == "ascending"
    assert rows == sorted(rows)
    head.find_element("css selector", "button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert [int(v) for v in read_column(browser, table, 2)] == sorted(rows, reverse=True)


def test_tables_sort_by_keyboard(browser: Any, pages: dict[str, str]) -> None:
    """Tab reaches a heading, Enter and Space sort; one heading at a time is marked as sorted."""
    from selenium.webdriver.common.keys import Keys

    set_width(browser, 1280)
    open_page(browser, pages["published"])
    table = browser.find_element("css selector", "#data table.sortable")
    heads = table.find_elements("css selector", "thead th")
    browser.execute_script("arguments[0].focus()", heads[0].find_element("css selector", "button"))
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    names = read_column(browser, table, 0)
    assert names == sorted(names, key=str.lower)
    browser.switch_to.active_element.send_keys(Keys.TAB)
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    assert [head.get_attribute("aria-sort") for head in heads[:2]] == [None, "ascending"]


def test_dark_mode_changes_the_ground(browser: Any, pages: dict[str, str]) -> None:
    """The page and its charts follow the reader's colour scheme."""
    script = """return [getComputedStyle(document.body).backgroundColor,
        getComputedStyle(document.querySelector('svg text')).fill]"""
    open_page(browser, pages["published"])
    set_media(browser, scheme="light")
    light = browser.execute_script(script)
    set_media(browser, scheme="dark")
    dark = browser.execute_script(script)
    set_media(browser)
    assert light[0] == "rgb(255, 255, 255)"
    assert sum(map(int, dark[0][4:-1].split(","))) < 120
    assert light[1] != dark[1]


def test_print_has_no_navigation(browser: Any, pages: dict[str, str]) -> None:
    """On paper there is no contents bar, and the page is light in dark mode too."""
    open_page(browser, pages["published"])
    set_media(browser, scheme="dark", media="print")
    shown = browser.execute_script("return getComputedStyle(document.querySelector('nav')).display")
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    set_media(browser)
    assert shown == "none"
    assert ground == "rgb(255, 255, 255)"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_page_never_scrolls_sideways(
    browser: Any, pages: dict[str, str], name: str, width: int
) -> None:
    """Wide tables scroll in a box of their own, also where everything is unfolded."""
    set_width(browser, width)
    open_page(browser, pages[name])
    browser.execute_script("document.querySelectorAll('details').forEach((d) => d.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_every_anchor_leads_somewhere(browser: Any, pages: dict[str, str]) -> None:
    """Each link of a page points to an element of that page."""
    for address in pages.values():
        open_page(browser, address)
        broken = browser.execute_script("""return [...document.querySelectorAll('a')].filter(
            (a) => !document.getElementById(a.hash.slice(1))).map((a) => a.outerHTML)""")
        assert broken == []
