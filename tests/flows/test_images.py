"""Pictures through the command: from a zip to a version that predicts, whatever lies in the zip."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from flows.cli import main
from pipeline.diagnosis.record import RunRecord
from pipeline.errors import DataContractError
from pipeline.report.row_counts import follow_rows
from pipeline.storage.store import Store, load_facts, read_manifest
from tests.images.example import Files, encode, write_folder, write_parquet, write_zip
from tests.shapes import draw_shape, make_shapes

LIMIT = "split.train_counts={bar: 25}"
FAST = (LIMIT, "training.epochs=2", "training.compare_unrepaired=false", "training.bootstrap=100")
HOSTILE = "<img src=x onerror=alert(1)>"
SCRIPT = "<script>alert(2).png"


def make_bomb() -> bytes:
    """Encode 20,000 × 20,000 pixels in 50 kB."""
    return encode(Image.new("1", (20_000, 20_000)))


def make_bad() -> dict[str, tuple[bytes, str]]:
    """Make files that no reader can read, each with the reason that is to be told."""
    whole = encode(draw_shape("disc", 900).repeat(8, 0).repeat(8, 1), "JPEG", quality=95)
    return {
        "disc/zero.png": (b"", "empty file"),
        "disc/text.png": (b"this is a letter, and no picture", "not a picture"),
        f"disc/{SCRIPT}": (b"<html></html>", "not a picture"),
        "bar/bomb.png": (make_bomb(), "more than 50000000 pixels"),
        "bar/cut.jpg": (whole[: len(whole) // 2], "truncated"),
        "../x.png": (encode(draw_shape("bar", 901)), "unsafe name"),
    }


def make_odd() -> Files:
    """Make files that are unusual and readable."""
    frames = [Image.fromarray(draw_shape("disc", seed)) for seed in (910, 911)]
    colour = Image.fromarray(draw_shape("bar", 912))
    deep = draw_shape("bar", 913)[:, :, 0].astype(np.uint16) * 257
    return {
        "disc/moving.gif": encode(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "bar/ink.jpg": encode(colour.convert("CMYK"), "JPEG"),
        "bar/dot.png": encode(np.full((1, 1, 3), 200, np.uint8)),
        "bar/deep.png": encode(Image.fromarray(deep)),
        "disc/CASE.png": encode(draw_shape("disc", 914)),
        "disc/case.png": encode(draw_shape("disc", 915)),
    }


BAD, ODD = make_bad(), make_odd()


def make_source() -> Files:
    """Make good pictures of three classes, one of a hostile name, with bad and odd ones."""
    good = make_shapes(bar=45, disc=45, ring=15)
    named = {name.replace("ring/", f"{HOSTILE}/"): content for name, content in good.items()}
    return named | ODD | {name: content for name, (content, _) in BAD.items()}


SOURCE = make_source()


def assay(*arguments: str) -> tuple[int, str, str]:
    """Run the command in this process; give its code, output and errors."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    assert "Traceback" not in out.getvalue() + err.getvalue()
    return code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def inside(home: Path) -> Iterator[None]:
    """Make a project directory the current one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.delenv("ASSAY_HOME", raising=False)
        patch.delenv("PREFECT_API_URL", raising=False)
        yield


def override(*settings: str) -> list[str]:
    """Write settings as the command takes them."""
    return [word for setting in settings for word in ("--set", setting)]


@dataclass(frozen=True)
class Published:
    """A project directory with a published version of pictures, and what was said meanwhile."""

    home: Path
    version: Path
    said: str

    @property
    def record(self) -> RunRecord:
        """The facts that the report was made of."""
        return load_facts(self.version / "record.json", RunRecord)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Publish a zip of pictures, good, odd and bad, with no file edited."""
    home = tmp_path_factory.mktemp("shapes")
    write_zip(home / "shapes.zip", SOURCE)
    with inside(home):
        code, told, errors = assay("init", "shapes.zip")
        assert code == 0, errors
        code, said, errors = assay("run", "shapes", *override(*FAST))
    assert code == 0, errors
    assert "epochs=2" not in (home / "data/shapes/dataset.yaml").read_text()
    return Published(home, Store(home, "shapes").version(), told + said)


def test_a_version_of_pictures_lies_on_disk_as_documented(shapes: Published) -> None:
    """A version holds splits, repaired pictures, preprocessor, model, results and report."""
    for name in (
        "train.parquet", "validation.parquet", "test.parquet", "layout.json", "manifest.json",
        "report.html", "quarantine.parquet", "preprocessor/picture.json", "model/baseline.keras",
        "model/predictions.parquet", "model/history.json", "model/metrics.json",
        "validation/raw/missing_values.json", "validation/repaired/missing_values.json",
    ):  # fmt: skip
        assert (shapes.version / name).is_file(), name
    for name in ("train", "validation", "test"):
        table = pq.read_table(shapes.version / f"repaired/{name}.parquet")
        assert [field.name for field in table.schema.field("image").type] == ["bytes", "path"]
        for row in table.select(["image", "file", "width"]).to_pylist():
            assert row["image"]["path"] == row["file"]
            assert Image.open(io.BytesIO(row["image"]["bytes"])).width == row["width"]


def test_rows_add_up_to_the_files_of_the_source(shapes: Published) -> None:
    """What was read, left out, used and added is accounted for, in manifest and report."""
    rows = read_manifest(shapes.version)["rows"]
    assert rows["source"] == len(SOURCE)
    assert rows["labelled"] == len(SOURCE) - len(BAD)
    outcomes = follow_rows(shapes.record)
    total = {outcome.name: outcome.rows for outcome in outcomes if outcome.kind == "sum"}
    lost = sum(outcome.rows for outcome in outcomes if outcome.kind == "lost")
    assert total["read from the source"] - lost == total["used"]
    splits = {outcome.name: outcome.rows for outcome in outcomes if outcome.kind == "split"}
    assert sum(splits.values()) == total["used"]
    added = sum(outcome.rows for outcome in outcomes if outcome.kind == "gained")
    for name, count in splits.items():
        there = pq.read_metadata(shapes.version / f"{name}.parquet").num_rows
        assert there == count + (added if name == "train" else 0)
    assert "for another reason" not in {outcome.why for outcome in outcomes}
    assert next(outcome.rows for outcome in outcomes if outcome.name == "unused") > 0
    train = pd.read_parquet(shapes.version / "train.parquet", columns=["label", "origin"])
    own = (train.loc[train["origin"] == "original", "label"] == "bar").sum()
    assert 20 < own <= 25  # those that cleaning sets aside are not made up for


def test_unreadable_files_are_named_with_their_reason(shapes: Published) -> None:
    """Files that can't be read are counted, named in the report, and kept in a table."""
    folder = next((shapes.home / "data/runs/shapes/stages").glob("ingest-*"))
    aside = pd.read_parquet(folder / "unlabelled.parquet").set_index("file")["reason"]
    assert aside.to_dict() == {name: reason for name, (_, reason) in BAD.items()}
    page = (shapes.version / "report.html").read_text(encoding="utf-8")
    assert f"{len(BAD)} pictures could not be read" in page
    assert "empty file" in page
    images = shapes.record.ingest.images
    assert images is not None
    assert {"animated": 1, "CMYK": 1, "16-bit": 1}.items() <= images.rules.items()
    assert images.case_clashes == 1


def test_raw_validation_counts_unreadable_files_as_missing(shapes: Published) -> None:
    """The suites see a picture that can't be read as a row without values."""
    raw, repaired = (
        json.loads((shapes.version / f"validation/{when}/missing_values.json").read_text())
        for when in ("raw", "repaired")
    )
    for results, missing in ((raw, len(BAD)), (repaired, 0)):
        counted = {
            result["expectation_config"]["kwargs"]["column"]: result["result"]["unexpected_count"]
            for result in results["results"]
        }
        assert counted["sharpness"] == counted["width"] == missing


def test_names_of_the_data_stay_text(shapes: Published) -> None:
    """Class and file names with HTML are escaped wherever the report writes them."""
    page = (shapes.version / "report.html").read_text(encoding="utf-8")
    assert HOSTILE not in page
    assert "<script>alert" not in page
    assert "&lt;img src=x" in page
    assert "&lt;script&gt;alert(2).png" in page
    assert len(page.encode()) < 5_000_000
    assert page.count("data:image/") > 20


def test_nothing_changed_means_nothing_is_done(shapes: Published) -> None:
    """A second run of the same pictures says so, and publishes nothing."""
    with inside(shapes.home):
        code, said, _ = assay("run", "shapes", *override(*FAST))
    assert code == 0
    assert "Nothing changed" in said
    assert Store(shapes.home, "shapes").versions() == [shapes.version.name]


def test_the_small_commands_work_on_pictures(shapes: Published) -> None:
    """`validate`, `docs`, `suggest` and `versions` do for pictures what they do for tables."""
    declared = (shapes.home / "data/shapes/dataset.yaml").read_text()
    with inside(shapes.home):
        code, said, _ = assay("validate", "shapes")
        assert code == 0
        assert Path(said.strip().splitlines()[-1].removeprefix("Report: ")).is_file()
        code, said, _ = assay("docs", "shapes")
        assert code == 0
        assert Path(said.strip().splitlines()[-1].removeprefix("Data Docs: ")).is_file()
        before = (shapes.home / "expectations/shapes/outliers.json").read_text()
        assert assay("suggest", "shapes")[0] == 0
        assert (shapes.home / "expectations/shapes/outliers.json").read_text() == before
        assert shapes.version.name in assay("versions", "shapes")[1]
    assert (shapes.home / "data/shapes/dataset.yaml").read_text() == declared


def test_train_takes_a_published_version(shapes: Published) -> None:
    """`assay train` trains on published pictures as the run did: augmented, the same seed."""
    with inside(shapes.home):
        code, said, errors = assay("train", "shapes", *override(*FAST[1:]))
    assert code == 0, errors
    out = shapes.home / said.strip().splitlines()[-1].removeprefix("Model and metrics: ")
    again, first = (
        json.loads((folder / "history.json").read_text())
        for folder in (out, shapes.version / "model")
    )
    np.testing.assert_allclose(again["loss"], first["loss"], rtol=1e-4)


CODE = """
import json, sys
from pathlib import Path
import numpy as np
from PIL import Image
from pipeline.published import open_version
paths = sorted(Path(sys.argv[1]).iterdir())
for folder in sys.argv[2:]:
    version = open_version(folder)
    arrays = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    assert len(version.predict_proba([])) == 0
    for given in (paths, [str(p) for p in paths], [p.read_bytes() for p in paths], arrays):
        print(version.predict_proba(given).to_json(orient="values", double_precision=15))
"""


def test_pictures_are_predicted_anywhere_as_in_the_run(shapes: Published, tmp_path: Path) -> None:
    """Paths, bytes and arrays, in a new process, also from a copied folder, predict the same."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(shapes.version, copy)
    predicted = pd.read_parquet(shapes.version / "model/predictions.parquet").set_index("row_id")
    rows = pd.read_parquet(shapes.version / "repaired/test.parquet", columns=["row_id", "file"])
    # Named by their place, as files of one folder; those of deep samples have no plain array.
    rows = rows[~rows["file"].isin(ODD)].reset_index(drop=True)
    files = {f"{i:03}.png": SOURCE[name] for i, name in enumerate(rows["file"])}
    write_folder(tmp_path / "pictures", files)
    done = subprocess.run(
        [sys.executable, "-c", CODE, tmp_path / "pictures", shapes.version, copy], cwd=tmp_path,
        capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    shares = predicted.loc[rows["row_id"], [c for c in predicted if c.startswith("probability")]]
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[[")]
    assert len(answers) == 8
    assert len(shares) > 10
    for answer in answers:
        np.testing.assert_allclose(answer, shares, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["nowhere.png"], "nowhere.png can't be read: No such file"),
        ([b"no picture"], "number 0 can't be read: not a picture"),
        ([np.zeros((16, 16, 3))], "number 0 can't be read: an array of float64"),
        ([np.zeros((16, 16, 4), np.uint8)], r"of shape \(16, 16, 4\)"),
        ([np.zeros((0, 16), np.uint8)], r"of shape \(0, 16\)"),
        ("nowhere.png", "one picture was given"),
        (b"bytes", "one picture was given"),
        (np.zeros((16, 16, 3), np.uint8), "one picture was given"),
        (np.zeros((16, 16), np.uint8), "one picture was given"),
    ],
)
def test_what_is_no_picture_is_refused(shapes: Published, given: object, says: str) -> None:
    """A picture that can't be used is named with the reason, before a library trips over it."""
    from pipeline.images.picture_preprocessor import load_picture_preprocessor

    preprocessor = load_picture_preprocessor(shapes.version / "preprocessor")
    with pytest.raises(DataContractError, match=says):
        preprocessor.transform(given)  # type: ignore[arg-type]  # wrong on purpose


def test_parquet_beside_other_files_is_found(home: Path) -> None:
    """A folder as it comes from Hugging Face, with its README, is initialised as pictures."""
    folder = write_folder(home / "hub", {f"{n}.md": b"about" for n in range(9)})
    (folder / "data").mkdir()
    write_parquet(folder / "data/train.parquet", make_shapes(bar=12, disc=12), struct=True)
    code, said, errors = assay("init", "hub", "--target", "label")
    assert code == 0, errors
    assert "24 pictures" in said
    assert "modality: image" in (home / "data/hub/dataset.yaml").read_text()


def test_parquet_of_pictures_without_a_target_names_its_columns(home: Path) -> None:
    """Columns are shown to choose from, the file is named as given, and nothing is left behind."""
    write_parquet(home / "mine.parquet", make_shapes(bar=3, disc=3), struct=True)
    code, _, errors = assay("init", "mine.parquet")
    assert code == 2
    assert "init: mine.parquet is a table, and the column to predict is not named" in errors
    assert re.search(r"--target COLUMN, one of (\w+, )*label[,;]", errors)
    assert not (home / "data/mine").exists()


def test_a_folder_that_went_bad_is_stopped_by_its_old_suites(home: Path) -> None:
    """Where most pictures can't be read any more, the gate stops the run and publishes nothing."""
    folder = write_folder(home / "mine", make_shapes(bar=20, disc=20))
    assert assay("init", "mine")[0] == 0
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        if number % 20 >= 6:
            path.write_bytes(path.read_bytes()[:60])
    code, said, errors = assay("run", "mine", *override(*FAST))
    assert code == 1, said + errors
    assert "Nothing was published" in errors
    assert "missing" in said
    assert Store(home, "mine").versions() == []
    report = home / errors.strip().splitlines()[-1].split("Report: ")[1]
    assert "28 pictures could not be read" in report.read_text(encoding="utf-8")


def test_a_source_of_black_pictures_is_stopped(home: Path) -> None:
    """Where the pictures have become others altogether, the gate stops before all learning."""
    folder = write_folder(home / "mine", make_shapes(bar=20, disc=20))
    assert assay("init", "mine")[0] == 0
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        black = np.full((16, 16, 3), number % 3, np.uint8)
        path.write_bytes(encode(black))
    code, said, errors = assay("run", "mine", *override(*FAST))
    assert code == 1, said + errors
    assert "brightness: median" in said
    assert Store(home, "mine").versions() == []


def test_what_does_not_fit_the_data_set_is_refused(home: Path, shapes: Published) -> None:
    """Settings of pictures on a table, and of the data in a training, are no silent no-ops."""
    rows = "\n".join(f"{i % 7},{'ab'[i % 2]}" for i in range(40))
    (home / "table.csv").write_text(f"x,y\n{rows}\n")
    assert assay("init", "table.csv", "--target", "y")[0] == 0
    code, _, errors = assay("run", "table", "--set", "image.height=32")
    assert code == 2
    assert "the section image is set" in errors
    with inside(shapes.home):
        code, _, errors = assay("train", "shapes", "--set", "image.height=32")
    assert code == 2
    assert "is no setting of the training" in errors
    with inside(shapes.home):
        code, _, errors = assay("train", "shapes", "--set", "resampling.method=augmnt")
    assert code == 2
    assert "did you mean 'augment'" in errors


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_a_source_of_bad_files_alone_is_explained(home: Path, kind: str) -> None:
    """With nothing that can be read, `init` says what was found and what to give."""
    files = {name: content for name, (content, _) in BAD.items() if "bomb" not in name}
    if kind == "zip":
        source = write_zip(home / "bad.zip", files)
    else:
        source = write_folder(home / "bad", {k: v for k, v in files.items() if ".." not in k})
    code, _, errors = assay("init", str(source))
    assert code == 1
    assert "ingest: none of" in errors
    assert "not a picture (2)" in errors
    assert "Give undamaged pictures" in errors
    assert not (home / "data/bad").exists()


def test_a_damaged_zip_is_explained(home: Path) -> None:
    """A zip that was cut off is no source; the message says what to do."""
    path = write_zip(home / "cut.zip", make_shapes(bar=3, disc=3))
    path.write_bytes(path.read_bytes()[:-200])
    assert not zipfile.is_zipfile(path)
    code, _, errors = assay("init", str(path))
    assert code == 2
    assert "cut.zip" in errors
