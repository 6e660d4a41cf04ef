"""Bytes to text, and what no one sees in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.ingest.columns import ColumnRule, ColumnRules, read_rows
from pipeline.ingest.roles import MissingRule
from pipeline.sources.cell_texts import tidy_column
from pipeline.sources.decoding import decode
from pipeline.sources.reading import TextColumn
from pipeline.sources.unseen import tell_names, tidy_name

TEXTS = {
    "cp1250": "Příbram, Plzeň, Česká Lípa, Žďár",
    "iso8859_2": "Łódź, Kraków, Gdańsk, Częstochowa",
    "cp852": "Győr, Székesfehérvár, Kőszeg, Pécs",
    "cp1252": "Málaga, Cádiz, niño, ¿Qué?, 21 °C, “ja”",
    "cp850": "Malmö, Göteborg, Västerås, Åre",
    "mac_roman": "élève, Genève, forêt, château, garçon",
    "cp1254": "İstanbul, Şanlıurfa, Muğla, Iğdır",
    "cp1257": "Šiauliai, Panevėžys, Kėdainiai, Mažeikiai",
    "cp1251": "Санкт-Петербург, ЕКАТЕРИНБУРГ, да",
    "koi8_r": "Санкт-Петербург, Новосибирск, да",
    "cp866": "Санкт-Петербург, Новосибирск, да",
    "mac_cyrillic": "Санкт-Петербург, Новосибирск, да",
    "cp1253": "Αθήνα, Θεσσαλονίκη, Πάτρα",
    "cp932": "東京都, 大阪府, 京都府, カタカナ",
}


@pytest.mark.parametrize("codec", TEXTS)
def test_codec_is_found_by_words_and_told(codec: str) -> None:
    """The text is the one that was written, and a guess names a word of it."""
    text = "town,n\n" + "".join(f"{town},{i}\n" for i, town in enumerate(TEXTS[codec].split(", ")))
    decoded, _, guesses = decode(text.encode(codec), "t.csv", "auto")
    assert decoded == text
    assert [g.certainty == "certain" for g in guesses] == [False]
    assert "is a word of it" in guesses[0].evidence
    assert "ingest.encoding" in guesses[0].change


@pytest.mark.parametrize(("word", "codec"), [("Genève", "cp850"), ("Köln", "mac_roman")])
def test_single_word_is_never_silently_another(word: str, codec: str) -> None:
    """Where a word is too little to go by, the file is asked about, with both readings."""
    decoded, _, guesses = decode(f"town\n{word}\n".encode(codec), "t.csv", "auto")
    assert word in decoded or guesses[0].certainty == "open"


def test_lines_in_utf_8_among_latin_1_are_read_as_such() -> None:
    """Each line is read in its own codec, and the others are told by number."""
    lines = ["town", *["Zürich", "Genève", "Århus"] * 10]
    content = b"\n".join(s.encode("utf-8" if i == 5 else "latin-1") for i, s in enumerate(lines))
    decoded, _, guesses = decode(content, "t.csv", "auto")
    assert decoded == "\n".join(lines)
    assert guesses[1].lines == [6]


def _column(*texts: str) -> TextColumn:
    values = np.array(texts, dtype=object)
    return TextColumn("c", np.arange(len(texts)), values, np.ones(len(texts), int))


def test_column_without_anything_odd_is_handed_back() -> None:
    """Nothing is copied where nothing is found; joiners of other scripts belong to words."""
    column = _column("Zürich", "a=b", "São Paulo", "می\u200cخواهم", "👩\u200d🔬", "Â", "=1+2")
    assert tidy_column(column) == (column, [])
    assert tidy_column(column)[0] is column


def test_what_is_not_seen_is_taken_out_and_alike_texts_join() -> None:
    """Rows keep their values but for what is not seen; counts of texts that join are added."""
    tidy, guesses = tidy_column(_column("b", "\u200ba", "a", "\ufeff1\u00ad", '="02"'))
    assert tidy.values[tidy.codes].tolist() == ["b", "a", "a", "1", "02"]
    assert tidy.counts.tolist() == [1, 2, 1, 1]
    assert len(guesses) == 1
    assert "2 cells" in guesses[0].evidence


def test_lost_and_garbled_characters_are_told_and_kept() -> None:
    """Nothing is repaired: what was there can't be known."""
    pytest.importorskip("ftfy")
    column = _column("Z\ufffdrich", "KÃ¶ln", "GenÃƒÂ¨ve", "Château d’Œx")
    tidy, guesses = tidy_column(column)
    assert tidy is column
    assert [g.evidence.split(" ", 1)[0] for g in guesses] == ["1", "2"]
    assert guesses[1].alternative == "they are 'Köln'"


def test_names_lose_what_is_not_seen_and_it_is_told() -> None:
    """A name is the one that a person reads."""
    assert tidy_name("\u200bprice ") == "price"
    assert tell_names(["a", " b "]) == []
    assert tell_names(["a", "\ufeffb"])[0].column == "b"


def test_new_rows_lose_what_is_not_seen_as_the_source_did() -> None:
    """Names and cells of new rows are tidied like the source's, so that they are no new values."""
    rule = MissingRule([], [])
    columns = {"town": ColumnRule("categorical", rule), "price": ColumnRule("numeric", rule)}
    frame = pd.DataFrame({"town": ["a\u200b", '="02"'], "\ufeffprice": ["\u200e1.5", 2]})
    read = read_rows(frame, ColumnRules("y", ".", columns))
    assert read["town"].tolist() == ["a", "02"]
    assert read["price"].tolist() == [1.5, 2.0]
