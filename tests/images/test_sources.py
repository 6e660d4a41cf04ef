"""Listing pictures: names, classes, zips that are damaged, locked or bombs, Parquet's labels."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import SourceError
from pipeline.images.choosing import choose_image_config
from pipeline.images.picture_sources import list_pictures
from pipeline.ingest.picture_facts import Unreadable
from tests.images.example import (
    Files,
    draw,
    encode,
    make_config,
    make_files,
    write_folder,
    write_parquet,
    write_zip,
)

CONFIG = make_config()


def list_labels(path: Path) -> dict[str, str | None]:
    """List names with their labels."""
    return {p.name: p.label for p in list_pictures(path, CONFIG).pictures}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat/1.png", "dog/1.png"], {"cat/1.png": "cat", "dog/1.png": "dog"}),
        (["a/b/cat/1.png", "a/b/dog/1.png"], {"cat/1.png": "cat", "dog/1.png": "dog"}),
        (["cat/x/1.png", "dog/1.png"], {"cat/x/1.png": "cat", "dog/1.png": "dog"}),
        (["1.png", "dog/1.png"], {"1.png": None, "dog/1.png": "dog"}),
        (["cat/1.png", "cat/2.PNG"], {"cat/1.png": "cat", "cat/2.PNG": "cat"}),
        (["cat\\1.png", "./dog/1.png"], {"cat/1.png": "cat", "dog/1.png": "dog"}),
        (["cafe\u0301/1.png", "dog/1.png"], {"café/1.png": "café", "dog/1.png": "dog"}),
    ],
)
def test_classes_are_the_first_folders(
    names: list[str], expected: dict[str, str | None], tmp_path: Path
) -> None:
    """The class is the first folder below the one that all pictures share."""
    assert list_labels(write_zip(tmp_path / "s.zip", dict.fromkeys(names, b"x"))) == expected


def test_folders_and_zips_list_alike(tmp_path: Path) -> None:
    """A folder and the zip of its parent give the same list, sorted by name."""
    files = make_files(12)
    folder = write_folder(tmp_path / "pets", files)
    packed = write_zip(tmp_path / "s.zip", {f"pets/{n}": c for n, c in files.items()})
    assert list(list_labels(folder).items()) == list(list_labels(packed).items())
    assert list(list_labels(folder)) == sorted(files)


def read_all(path: Path) -> list[str]:
    """Read each picture; give the reason where it can't be."""
    outcomes = []
    for picture in list_pictures(path, CONFIG).pictures:
        try:
            picture.read()
            outcomes.append("read")
        except Unreadable as fault:
            outcomes.append(fault.reason)
    return outcomes


def patch_headers(path: Path, at: int, value: bytes, only: int | None = None) -> None:
    """Overwrite bytes in the entries of a zip's central directory."""
    content = bytearray(path.read_bytes())
    place, number = 0, 0
    while (place := content.find(b"PK\1\2", place)) >= 0:
        if only is None or only == number:
            content[place + at : place + at + len(value)] = value
        place, number = place + 4, number + 1
    path.write_bytes(content)


def test_encrypted_zips(tmp_path: Path) -> None:
    """A zip that is locked whole is refused; a single locked entry is left out."""
    source = write_zip(tmp_path / "s.zip", make_files(4))
    patch_headers(source, 8, b"\1\0", only=0)
    assert sorted(read_all(source)) == ["encrypted", "read", "read", "read"]
    patch_headers(source, 8, b"\1\0")
    with pytest.raises(SourceError, match=r"all 4 pictures in s\.zip are encrypted"):
        list_pictures(source, CONFIG)


def test_zip_bombs(tmp_path: Path) -> None:
    """An entry that declares too much is not inflated; overlapping entries are refused."""
    source = write_zip(tmp_path / "s.zip", make_files(4))
    patch_headers(source, 24, (2_000_000_000).to_bytes(4, "little"), only=1)
    assert sorted(read_all(source)) == ["over 200 MB", "read", "read", "read"]
    patch_headers(source, 24, (10).to_bytes(4, "little"), only=1)
    assert "damaged in the zip" in read_all(source)
    patch_headers(source, 20, (60_000).to_bytes(4, "little"))
    with pytest.raises(SourceError, match="they overlap"):
        list_pictures(source, CONFIG)


def test_damage_inside_a_zip_is_set_aside(tmp_path: Path) -> None:
    """An entry that fails its checksum is left out; its neighbours are read."""
    source = write_zip(tmp_path / "s.zip", make_files(4))
    with zipfile.ZipFile(source) as archive:
        start = archive.infolist()[2].header_offset + 60
    content = bytearray(source.read_bytes())
    content[start : start + 4] = b"\xff\xff\xff\xff"
    source.write_bytes(content)
    assert sorted(read_all(source)) == ["damaged in the zip", "read", "read", "read"]


def test_parquet_labels_become_text(tmp_path: Path) -> None:
    """Hugging Face's class numbers become names; nulls, blanks and -1 are no label."""
    note = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}}}
    picture = encode(draw(1))
    table = pa.table({"image": [picture] * 4, "label": pa.array([0, 1, None, -1])})
    table = table.replace_schema_metadata({b"huggingface": json.dumps(note).encode()})
    pq.write_table(table, tmp_path / "a.parquet")
    expected = ["cat", "dog", None, None]
    assert list(list_labels(tmp_path / "a.parquet").values()) == expected
    for given in (["cat", " dog ", None, " "], [1.0, 2.0, None, float("nan")], [True, False] * 2):
        pq.write_table(pa.table({"image": [picture] * 4, "label": given}), tmp_path / "b.parquet")
        labels = list(list_labels(tmp_path / "b.parquet").values())
        assert labels in (expected, ["1", "2", None, None], ["true", "false"] * 2)


def test_parquet_folders_and_columns(tmp_path: Path) -> None:
    """A folder of Parquet is read file by file; two columns of bytes need a declaration."""
    files = make_files(6)
    folder = tmp_path / "data"
    folder.mkdir()
    write_parquet(folder / "b.parquet", dict(list(files.items())[3:]), struct=True)
    write_parquet(folder / "a.parquet", dict(list(files.items())[:3]), struct=True)
    (folder / "README.md").write_text("x")
    listed = list_pictures(folder, CONFIG)
    assert [p.name for p in listed.pictures] == list(files)
    backwards = [p.read() for p in listed.pictures[::-1]]
    assert backwards[::-1] == list(files.values())
    picture = encode(draw(1))
    pq.write_table(pa.table({"i": [picture], "m": [picture], "label": ["x"]}), tmp_path / "c.pq")
    with pytest.raises(SourceError, match="has 2 columns with bytes: 'i', 'm'"):
        list_pictures(tmp_path / "c.pq", CONFIG)
    assert len(list_pictures(tmp_path / "c.pq", make_config(column="m")).pictures) == 1


def test_parquet_without_bytes_is_set_aside(tmp_path: Path) -> None:
    """A null picture is left out."""
    table = pa.table({"image": pa.array([None, encode(draw(1))], pa.binary()), "label": ["a", "b"]})
    pq.write_table(table, tmp_path / "s.parquet")
    assert read_all(tmp_path / "s.parquet") == ["no bytes", "read"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({f"a/{n}.png": encode(draw(n, 28, 28, 1)) for n in range(9)}, (28, 28, 1, "crop")),
        ({f"a/{n}.png": encode(draw(n, 300, 600)) for n in range(9)}, (112, 224, 3, "crop")),
        ({f"a/{n}.png": encode(draw(n, 40 + n, 50 + n)) for n in range(9)}, (44, 44, 3, "crop")),
        ({f"a/{n}.png": encode(draw(n, 40, 20 + 9 * n)) for n in range(9)}, (40, 40, 3, "pad")),
        ({"a/1.png": b"", "a/2.png": encode(draw(1, 20, 20))}, (20, 20, 3, "crop")),
    ],
)
def test_the_configuration_is_chosen_from_headers(
    files: Files, expected: tuple[int, int, int, str], tmp_path: Path
) -> None:
    """One size is kept up to 224 pixels; mixed sizes give a square; unlike aspects are padded."""
    chosen = choose_image_config(list_pictures(write_folder(tmp_path / "s", files), CONFIG))
    assert (chosen.height, chosen.width, chosen.channels, chosen.fit) == expected
