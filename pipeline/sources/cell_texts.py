"""What cells hold that no one sees or meant: invisible characters, garbled words, formulas.

All of it is found by few passes over the distinct texts of a column; a column without any of it is
handed back as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.sources.guesses import Guess
from pipeline.sources.number_forms import match_texts
from pipeline.sources.reading import TextColumn
from pipeline.sources.unseen import UNSEEN, tidy_texts

REPLACED = "\ufffd"
# UTF-8 that was read as Windows-1252 or Latin-1: the first byte of a character, then another.
GARBLED = (
    "[\u00c2-\u00f4][\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160"
    "\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153"
    "\u017e\u0178]"
)
ODD = f'{UNSEEN}|{REPLACED}|{GARBLED}|^="'


def tidy_column(column: TextColumn) -> tuple[TextColumn, list[Guess]]:
    """Take invisible characters out of a column's cells, unwrap formulas, and tell what is odd.

    Texts that become alike become one. Garbled words and replacement characters stay as they are:
    what was there cannot be known for certain.

    Returns
    -------
    tuple
        The column, the same object where there was nothing to do; and what is to be told.

    Examples
    --------
    >>> values = np.array(["Z\u00fcrich", "Z\u00fcrich\u200b", '="02134"'], dtype=object)
    >>> column = TextColumn("town", np.arange(3), values, np.ones(3, int))
    >>> tidy, guesses = tidy_column(column)
    >>> tidy.values.tolist(), tidy.codes.tolist(), len(guesses)
    (['Zürich', '02134'], [0, 0, 1], 1)
    """
    texts = pa.array(column.values, pa.string())
    odd = np.flatnonzero(match_texts(texts, ODD))
    if len(odd) == 0:
        return column, []
    few, counts = texts.take(pa.array(odd)), column.counts[odd]
    guesses = [
        *_tell_invisible(column.name, few, counts),
        *_tell_replaced(column.name, few, counts),
        *_tell_garbled(column.name, few, counts),
    ]
    tidy = tidy_texts(few)
    if tidy.equals(few):
        return column, guesses
    values = column.values.copy()
    values[odd] = tidy.to_pylist()
    return _join_alike(replace(column, values=values)), guesses


def _join_alike(column: TextColumn) -> TextColumn:
    """Make one text of those that became alike, in the order of their first rows."""
    codes, values = pd.factorize(column.values)
    joined = codes[column.codes].astype(column.codes.dtype)
    counts = np.bincount(codes, weights=column.counts, minlength=len(values))
    return TextColumn(column.name, joined, values, counts.astype(column.counts.dtype))


def _tell_invisible(name: str, texts: pa.StringArray, counts: np.ndarray) -> Iterator[Guess]:
    spoiled = match_texts(texts, UNSEEN)
    if not spoiled.any():
        return
    example = texts[int(np.flatnonzero(spoiled)[0])].as_py()
    yield Guess(
        "encoding", name, "characters that can't be seen are taken out of its cells", "",
        f"{int(counts[spoiled].sum())} cells, such as {example[:40]!a}",
    )  # fmt: skip


def _tell_replaced(name: str, texts: pa.StringArray, counts: np.ndarray) -> Iterator[Guess]:
    lost = match_texts(texts, REPLACED)
    if not lost.any():
        return
    example = texts[int(np.flatnonzero(lost)[0])].as_py()
    yield Guess(
        "encoding", name, "cells with replacement characters (U+FFFD) are kept as they are", "",
        f"{int(counts[lost].sum())} cells, such as {example[:40]!r}: an earlier program lost the "
        "characters, which only the original still has",
    )  # fmt: skip


def _tell_garbled(name: str, texts: pa.StringArray, counts: np.ndarray) -> Iterator[Guess]:
    suspects = np.flatnonzero(match_texts(texts, GARBLED))
    if len(suspects) == 0:
        return
    import ftfy

    repaired = {}
    for position in suspects:
        text = texts[int(position)].as_py()
        plain = ftfy.fix_encoding(text)
        if plain != text:
            repaired[int(position)] = (text, plain)
    if repaired:
        text, plain = next(iter(repaired.values()))
        yield Guess(
            "encoding", name, f"garbled words such as {text[:40]!r} are kept as they are",
            f"they are {plain[:40]!r}",
            f"{int(counts[[*repaired]].sum())} cells are UTF-8 that was read in another codec",
        )  # fmt: skip
