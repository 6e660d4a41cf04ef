"""Contact sheets: small, right, escaped, and shown by a real browser without a request."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from flows.refresh import refresh
from pipeline.cleaning.outliers import Bound
from pipeline.diagnosis.sheet import Tile
from pipeline.images import contact_sheets as sheets
from pipeline.images.picture_store import PictureStore
from pipeline.scaffold.initialise import suggest_again
from pipeline.splitting.split_facts import NearPair
from pipeline.steps.ingest import ingest
from pipeline.storage.parts import read_all
from pipeline.storage.store import Store
from tests.images.example import encode
from tests.report.conftest import clear_logs, list_requests, open_page
from tests.shapes import declare, draw_shape, make_shapes, prepare_shapes

BESIDE = """return [...document.querySelectorAll('.strip')].filter((strip) => {
    const name = strip.querySelector('p');
    return name && [...strip.querySelectorAll('img')].some((image) =>
        image.getBoundingClientRect().top < name.getBoundingClientRect().bottom);
}).length"""
HOSTILE = '"><svg onload=alert(1)>&'


def decode(tile: Tile) -> np.ndarray:
    """Decode a tile as any reader would."""
    head, content = tile.image.split(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


@pytest.mark.parametrize(
    ("height", "width"), [(16, 16), (48, 10), (96, 96), (300, 40), (1, 400), (1000, 999)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_tile_keeps_the_picture_and_is_small(height: int, width: int, channels: int) -> None:
    """No side is over 96 pixels, the aspect stays, red stays red, and the size told is right."""
    picture = np.zeros((height, width, channels), np.uint8)
    picture[:, :, 0] = 200
    tile = sheets.make_tile(picture, "caption")
    seen = decode(tile)
    assert max(seen.shape[:2]) == min(96, max(height, width))
    assert seen.ndim == (3 if channels == 3 else 2)
    middle = seen[seen.shape[0] // 2, seen.shape[1] // 2]
    np.testing.assert_allclose(middle, [200, 0, 0] if channels == 3 else 200, atol=12)
    assert max(tile.width, tile.height) in range(48, 97)
    assert len(tile.image) < 12_000
    if max(height, width) <= 48:
        np.testing.assert_array_equal(seen.reshape(picture.shape), picture)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, PictureStore]:
    """Give canonical rows of shapes with their splits, and their pictures."""
    home = tmp_path_factory.mktemp("rows")
    declare(home, make_shapes(bar=20, disc=12, ring=3))
    folder = ingest(prepare_shapes(home)).path
    frame = read_all(folder)
    split = ["train", "train", "test"] * 12
    return frame.assign(split=split[: len(frame)]), PictureStore(folder)


Rows = tuple[pd.DataFrame, PictureStore]


def test_typical_pictures_come_from_training(rows: Rows) -> None:
    """Each class shows training pictures of its own, the commonest class first."""
    frame, store = rows
    sheet = sheets.show_typical(frame, store, "label")
    assert [strip.name for strip in sheet.strips] == ["bar", "disc", "ring"]
    for strip in sheet.strips:
        own = frame[(frame["label"] == strip.name) & (frame["split"] == "train")]
        pictures = {raster.tobytes() for raster in store.read_rasters(own.index.to_numpy())}
        assert {decode(tile).tobytes() for tile in strip.tiles} <= pictures
        assert len(strip.tiles) == min(sheets.PER_CLASS, len(own))


def test_outliers_are_counted_and_the_farthest_shown(rows: Rows) -> None:
    """A bound's strip says how many lie outside, and begins with the one farthest out."""
    frame, store = rows
    low = float(frame["brightness"].quantile(0.5))
    bounds = {
        "brightness": Bound(low, 255.0, "quarantine", "iqr", 0),
        "entropy": Bound(0.0, 8.0, "quarantine", "iqr", 0),
    }
    (strip,) = sheets.show_outliers(frame, store, "label", bounds).strips
    assert f"{(frame['brightness'] < low).sum()} pictures" in strip.name
    bounds = {"brightness": Bound(frame["brightness"].nsmallest(2).iloc[1], 255.0, "keep", "", 0)}
    assert (
        sheets.show_outliers(frame, store, "label", bounds).strips[0].name.endswith(": 1 picture")
    )
    darkest = frame["brightness"].idxmin()
    np.testing.assert_array_equal(
        decode(strip.tiles[0]), store.read_rasters(np.array([darkest]))[0]
    )


def test_pairs_and_mistakes_show_the_rows_they_name(rows: Rows) -> None:
    """Near pairs and confused pictures are found by their ids; the surest mistake comes first."""
    frame, store = rows
    ids = frame["row_id"].tolist()
    pair = NearPair(ids[3], ids[1], 2, 0.01, ("bar", "disc"))
    (strip,) = sheets.show_near(frame, store, [pair]).strips
    expected = store.read_rasters(np.array([3, 1]))
    for tile, picture in zip(strip.tiles, expected, strict=True):
        np.testing.assert_array_equal(decode(tile), picture)
    predictions = pd.DataFrame(
        {
            "row_id": ids[:3], "label": ["bar"] * 3, "predicted": ["disc", "disc", "bar"],
            "probability of disc": [0.6, 0.9, 0.1],
        }
    )  # fmt: skip
    (strip,) = sheets.show_confused(frame, store, predictions).strips
    assert strip.name == "bar taken for disc: 2"
    assert [tile.caption for tile in strip.tiles] == ["90%", "60%"]
    np.testing.assert_array_equal(decode(strip.tiles[0]), store.read_rasters(np.array([1]))[0])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish pictures whose class and file names hold HTML; give the report."""
    home = tmp_path_factory.mktemp("sheets")
    files = make_shapes(bar=40, disc=30)
    files = {name.replace("disc/", f"{HOSTILE}/"): content for name, content in files.items()}
    brighter = np.clip(draw_shape("bar", 0).astype(int) + 7, 0, 255).astype(np.uint8)
    files |= {
        f"{HOSTILE}/twin.png": encode(brighter),
        f"bar/{HOSTILE}.png": b"",
        "bar/black.png": encode(np.zeros((16, 16, 3), np.uint8)),
    }
    # One of 50 is more than the usual share of faults.
    declare(home, files, "cleaning: {outliers: {max_share: 0.05}}\n")
    store = Store(home, "shapes")
    suggest_again(store)
    refresh("shapes", ["training.compare_unrepaired=true", "training.folds=2"], home)
    return store.version() / "report.html"


def test_the_report_of_pictures_is_small_and_escaped(page: Path) -> None:
    """All sheets together stay below 5 MB, and no name of the data becomes an element."""
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) < 5_000_000
    assert HOSTILE not in text
    assert "<svg onload" not in text
    for title in ("Typical pictures", "Near-duplicates", "Augmentation", "Outliers"):
        assert title in text, title


def test_a_browser_shows_every_picture_and_asks_for_nothing(browser: Any, page: Path) -> None:
    """Pictures have pixels on the screen; no console error, no handler, no request, no scroll."""
    clear_logs(browser)
    open_page(browser, page.as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach((d) => d.open = true)")
    widths = browser.execute_async_script("""const done = arguments[0];
        const images = [...document.images];
        images.forEach((image) => { image.loading = 'eager'; });
        Promise.all(images.map((image) => image.decode())).then(
            () => done(images.map((image) => [image.naturalWidth, image.clientWidth])),
            (error) => done(String(error)));""")
    assert len(widths) > 20
    assert all(natural > 0 and shown > 0 for natural, shown in widths)
    assert browser.get_log("browser") == []
    asked = list_requests(browser)
    assert {url for url in asked if not url.startswith("data:")} <= {page.as_uri()}
    handlers = "return document.querySelectorAll('[onload],[onerror],iframe').length"
    assert browser.execute_script(handlers) == 0
    for width in (1280, 390):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        beside = browser.execute_script(BESIDE)
        assert beside == 0  # pictures stand below the name of their strip
    without_text = browser.execute_script(
        "return [...document.images].filter((image) => !image.hasAttribute('alt')).length"
    )
    assert without_text == 0
