"""A real browser for the report's pages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start one headless Chromium for all tests of this folder."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium and ChromeDriver are not installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    session = webdriver.Chrome(options=options, service=Service(driver))
    yield session
    session.quit()


def open_page(browser: Any, address: str) -> None:
    """Show a page and wait until all of it is there: ``get`` may return before the last section."""
    from selenium.webdriver.support.wait import WebDriverWait

    whole = "return document.URL === arguments[0] && document.readyState === 'complete'"
    browser.get(address)
    WebDriverWait(browser, 60).until(lambda b: b.execute_script(whole, address))


def clear_logs(browser: Any) -> None:
    """Leave the browser's own first page, which may be loading still, and forget all logs."""
    open_page(browser, "about:blank")
    for kind in ("performance", "browser"):
        browser.get_log(kind)


def list_requests(browser: Any) -> set[str]:
    """List what was asked for since the logs were cleared; the browser's own pages don't count."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    return {address for address in asked if not address.startswith("chrome://")}
