"""Reading pictures: one canonical form whatever the source, bad files named and counted."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import ConfigError, DataContractError, SourceError
from pipeline.images.picture_ingest import read_pictures
from pipeline.images.picture_store import PictureStore
from pipeline.ingest.canonical import Canonical, IngestFacts
from pipeline.ingest.picture_facts import ImageFacts
from pipeline.storage.hashing import hash_file
from pipeline.storage.store import dump_json, load_facts
from tests.images.example import (
    draw,
    encode,
    ingest,
    make_config,
    make_files,
    write_folder,
    write_parquet,
    write_zip,
)

PICTURE = draw(50)
COLUMNS = [
    "row_id", "file", "label", "width", "height", "aspect", "channels", "brightness", "contrast",
    "sharpness", "entropy", "file_size", "mode", "perceptual_hash", "pixel_hash",
]  # fmt: skip


def make_animation() -> bytes:
    """Encode two frames as a GIF."""
    frames = [Image.fromarray(draw(seed)) for seed in (1, 2)]
    return encode(frames[0], "GIF", save_all=True, append_images=frames[1:])


def make_deep() -> bytes:
    """Encode grey of 16 bits as PNG: white is 65535."""
    return encode(Image.fromarray(np.full((20, 24), 65_535, np.uint16)))


def make_palette() -> bytes:
    """Encode a palette, one colour of which is transparent."""
    image = Image.fromarray(PICTURE).quantize(16)
    return encode(image, transparency=0)


def make_rotated() -> bytes:
    """Encode a picture that lies on its side, as phones do."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(PICTURE, "JPEG", exif=exif)


def images(canonical: Canonical) -> ImageFacts:
    """Give the facts about pictures."""
    assert canonical.facts.images is not None
    return canonical.facts.images


# (content, the reason it is left out with or None, the rule that is counted or None)
BAD = {
    "zero bytes": (b"", "empty file", None),
    "text": (b"hello, I am no picture", "not a picture", None),
    "bomb": (encode(Image.new("1", (20_000, 20_000))), "more than 50000000 pixels", None),
    "truncated jpeg": (encode(PICTURE, "JPEG")[:-200], "truncated", None),
    "truncated png": (encode(PICTURE)[:-200], "truncated", None),
    "truncated webp": (encode(PICTURE, "WEBP")[:-40], "truncated", None),
    "broken header": (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "damaged", None),
    "animated": (make_animation(), None, "animated"),
    "cmyk": (encode(Image.fromarray(PICTURE).convert("CMYK"), "JPEG"), None, "CMYK"),
    "one pixel": (encode(PICTURE[:1, :1]), None, None),
    "16 bit": (make_deep(), None, "16-bit"),
    "1 bit": (encode(Image.fromarray(PICTURE).convert("1")), None, "1-bit"),
    "palette": (make_palette(), None, "palette"),
    "transparent": (make_palette(), None, "alpha"),
    "rotated": (make_rotated(), None, "rotated by EXIF"),
    "float": (encode(Image.new("F", (8, 8), 0.5), "TIFF"), None, "16-bit"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", ["folder", "zip", "parquet"])
def test_bad_pictures_are_named_and_counted(name: str, kind: str, tmp_path: Path) -> None:
    """A bad picture is left out with its reason, or kept with its rule; no traceback."""
    content, reason, rule = BAD[name]
    files = make_files(4) | {"cat/bad.png": content}
    write = {"folder": write_folder, "zip": write_zip, "parquet": write_parquet}[kind]
    path = tmp_path / {"folder": "s", "zip": "s.zip", "parquet": "s.parquet"}[kind]
    result = ingest(write(path, files), tmp_path / "out")
    found = images(result)
    assert result.facts.rows == 5
    assert len(result.frame) == PictureStore(tmp_path / "out").rows == (4 if reason else 5)
    if reason:
        assert found.reasons == {reason: 1}
        assert result.facts.unreadable == 1
        assert list(result.unlabelled["reason"]) == [reason]
        assert result.unlabelled["brightness"].isna().all()
        assert [why for _, why in found.set_aside] == [reason]
    if rule:
        assert found.rules[rule] == 1


@pytest.mark.parametrize("unsafe", ["../x.png", "/etc/x.png", "cat/../../x.png", "C:\\x.png"])
def test_names_that_lead_out_of_a_zip_are_set_aside(unsafe: str, tmp_path: Path) -> None:
    """An entry with an unsafe name is left out, and nothing is written anywhere but the output."""
    source = write_zip(tmp_path / "s.zip", make_files(4) | {unsafe: encode(PICTURE)})
    result = ingest(source, tmp_path / "out")
    assert images(result).reasons == {"unsafe name": 1}
    assert {p.name for p in tmp_path.iterdir()} == {"s.zip", "out"}
    assert {p.name for p in (tmp_path / "out").rglob("*")} == {
        "pictures", "part-00000.parquet", "shape.json",
    }  # fmt: skip


def test_names_that_differ_in_case_only_are_both_kept(tmp_path: Path) -> None:
    """Two such names are two pictures, and are counted."""
    files = make_files(4) | {"cat/A.png": encode(draw(8)), "cat/a.png": encode(draw(9))}
    result = ingest(write_zip(tmp_path / "s.zip", files), tmp_path / "out")
    assert len(result.frame) == 6
    assert images(result).case_clashes == 1


def test_rows_are_canonical(tmp_path: Path) -> None:
    """Columns come in their order, numbers as float64, texts as str; facts survive JSON."""
    files = {f"pets/{name}": content for name, content in make_files().items()}
    files |= {"__MACOSX/pets/cat/._1.png": b"x", "pets/Thumbs.db": b"x", "pets/lone.png": b""}
    files |= {"pets/alone.png": encode(PICTURE), "pets/readme.txt": b"x"}
    result = ingest(write_zip(tmp_path / "s.zip", files), tmp_path / "out")
    assert list(result.frame.columns) == COLUMNS
    assert list(result.unlabelled.columns) == [*COLUMNS, "reason"]
    kinds = {str(result.frame[name].dtype) for name in COLUMNS[3:12]}
    assert kinds == {"float64"}
    assert {str(result.frame[n].dtype) for n in [*COLUMNS[:3], *COLUMNS[12:]]} == {"str"}
    assert result.facts.classes == {"cat": 3, "dog": 3}
    assert images(result).skipped == {".db": 1, ".txt": 1, "hidden": 1}
    assert images(result).reasons == {"empty file": 1, "no label": 1}
    assert (result.facts.unlabelled, result.facts.unreadable, result.facts.rows) == (1, 1, 8)
    assert result.frame["file"].str.match(r"(cat|dog)/\d\.(png|jpg)").all()
    assert result.frame["row_id"].str.fullmatch("[0-9a-f]{32}").all()
    assert result.frame["pixel_hash"].str.fullmatch("[0-9a-f]{32}").all()
    assert result.frame["perceptual_hash"].str.fullmatch("[0-9a-f]{16}").all()
    dump_json(tmp_path / "facts.json", result.facts)
    assert load_facts(tmp_path / "facts.json", IngestFacts) == result.facts


def test_sources_of_one_content_give_one_result(tmp_path: Path) -> None:
    """Folder, zip and Parquet, of bytes or of structs, give the same ids, hashes and rasters."""
    files = make_files(10)
    sources = [
        write_folder(tmp_path / "folder", files),
        write_zip(tmp_path / "s.zip", files),
        write_parquet(tmp_path / "s.parquet", files),
        write_parquet(tmp_path / "t.parquet", files, struct=True),
    ]
    seen = set()
    for number, source in enumerate(sources):
        result = ingest(source, tmp_path / f"out{number}")
        frame = result.frame.sort_values("row_id")
        store = PictureStore(tmp_path / f"out{number}")
        rasters = store.read_rasters(frame.index.to_numpy())
        facts = frame.drop(columns=["file"]).to_csv(index=False)
        seen.add((facts, rasters.tobytes(), tuple(store.read_files(frame.index.to_numpy()))))
    assert len(seen) == 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_matter(threads: int, tmp_path: Path) -> None:
    """Any number of threads, and any run, give the same bytes."""
    source = write_zip(tmp_path / "s.zip", make_files(40))
    first, second = tmp_path / "first", tmp_path / "second"
    a = ingest(source, first, threads=1, height=512, width=512)
    b = ingest(source, second, threads=threads, height=512, width=512)
    assert a.frame.equals(b.frame)
    names = sorted(p.relative_to(first) for p in first.rglob("*.*"))
    assert names == sorted(p.relative_to(second) for p in second.rglob("*.*"))
    assert [hash_file(first / n) for n in names] == [hash_file(second / n) for n in names]


def test_a_renamed_file_keeps_its_id(tmp_path: Path) -> None:
    """Ids come from content and label: a new name changes none, a new label does."""
    files = make_files(6)
    renamed = {name.replace("/", "/new_"): content for name, content in files.items()}
    moved = {f"x{name}": content for name, content in files.items()}
    ids = [
        set(ingest(write_zip(tmp_path / f"{n}.zip", f), tmp_path / f"o{n}").frame["row_id"])
        for n, f in enumerate((files, renamed, moved))
    ]
    assert ids[0] == ids[1]
    assert ids[0].isdisjoint(ids[2])


def test_equal_files_have_different_ids(tmp_path: Path) -> None:
    """Repeats are told apart by counting, and counted."""
    files = make_files(4) | {f"cat/copy{n}.png": encode(PICTURE) for n in range(3)}
    result = ingest(write_zip(tmp_path / "s.zip", files), tmp_path / "out")
    assert result.frame["row_id"].is_unique
    assert result.facts.repeated_rows == 2
    fewer = ingest(write_zip(tmp_path / "t.zip", dict(list(files.items())[:-1])), tmp_path / "out2")
    assert set(fewer.frame["row_id"]) < set(result.frame["row_id"])


def test_ordinary_files_keep_their_bytes(tmp_path: Path) -> None:
    """An upright 8-bit JPEG or PNG is kept as it is; others become PNG that shows the same."""
    files = make_files(4) | {"cat/z.jpg": make_rotated()}
    ingest(write_folder(tmp_path / "s", files), tmp_path / "out")
    kept = PictureStore(tmp_path / "out").read_files(np.arange(5))
    names = sorted(files)
    for name, content in zip(names, kept, strict=True):
        assert (content == files[name]) == (name != "cat/z.jpg")
    turned = Image.open(io.BytesIO(kept[names.index("cat/z.jpg")]))
    assert (turned.format, turned.size) == ("PNG", (20, 24))


def test_progress_is_told(tmp_path: Path) -> None:
    """Progress counts up to at most all pictures."""
    told: list[tuple[int, int]] = []
    source = write_zip(tmp_path / "s.zip", make_files(300))
    (tmp_path / "out").mkdir()
    read_pictures(source, make_config(), tmp_path / "out", lambda done, of: told.append((done, of)))
    assert told == [(256, 300), (300, 300)]


def test_wrong_sources_are_refused(tmp_path: Path) -> None:
    """What is no source of pictures is refused in four parts, never by a traceback."""
    (tmp_path / "o").mkdir()
    (tmp_path / "empty").mkdir()
    texts = write_folder(tmp_path / "texts", {"a.txt": b"x", "b.csv": b"x"})
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\3\4 no zip")
    splits = {f"{s}/{n}": c for s in ("train", "test") for n, c in make_files(4).items()}
    cases = [
        (tmp_path / "absent", SourceError, "was not found"),
        (texts / "a.txt", SourceError, "a.txt is no source of pictures"),
        (tmp_path / "empty", SourceError, "holds no pictures: it holds nothing"),
        (texts, SourceError, r"holds no pictures: it holds '1 × .csv', '1 × .txt'"),
        (broken, SourceError, "broken.zip is not a zip"),
        (write_zip(tmp_path / "splits.zip", splits), SourceError, "'test', 'train' are splits"),
        (
            write_zip(tmp_path / "one.zip", {"x/cat/1.png": encode(PICTURE)}),
            DataContractError, "a single class, 'cat'|missing in every row",
        ),
        (
            write_zip(tmp_path / "bad.zip", {"cat/1.png": b"", "dog/1.png": b"x"}),
            DataContractError, r"none of 2 pictures has a label and can be read: empty file \(1\)",
        ),
    ]  # fmt: skip
    for number, (source, kind, text) in enumerate(cases):
        with pytest.raises(kind, match=text):
            ingest(source, tmp_path / f"out{number}")


def test_wrong_columns_are_refused(tmp_path: Path) -> None:
    """A name that Parquet lacks, or that Assay needs, is refused with the nearest one."""
    source = write_parquet(tmp_path / "s.parquet", make_files())
    with pytest.raises(ConfigError, match="did you mean 'image'"):
        ingest(source, tmp_path / "a", column="imag")
    config = make_config()
    with pytest.raises(ConfigError, match="did you mean 'label'"):
        read_pictures(source, config.model_copy(update={"target": "labl"}), tmp_path / "b")
    with pytest.raises(ConfigError, match="'width', a name Assay needs"):
        read_pictures(source, config.model_copy(update={"target": "width"}), tmp_path / "c")
    with pytest.raises(ConfigError, match="named by their content"):
        read_pictures(source, config.model_copy(update={"key": "id"}), tmp_path / "d")


def test_shape_is_written_beside_the_pictures(tmp_path: Path) -> None:
    """The store's shape is the configuration's."""
    ingest(write_zip(tmp_path / "s.zip", make_files(4)), tmp_path / "out", height=8, channels=1)
    layout = json.loads((tmp_path / "out/pictures/shape.json").read_text())
    assert layout == {"height": 8, "width": 16, "channels": 1, "rows": 4}
