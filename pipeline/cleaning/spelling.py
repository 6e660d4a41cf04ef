"""One way to write each category: case, blanks, and typos by rarity and edit distance."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from pipeline.config.settings import SpellingConfig
from pipeline.ingest.label_names import fold_text, tell_merged
from pipeline.sources.guesses import Guess
from pipeline.targets.alone import differ_in_labels

# More categories than this are names or codes; comparing all pairs would find chance neighbours.
MAX_CATEGORIES = 500
COMMONER = 10
YES = frozenset({"yes", "y", "1", "true", "t", "on", "ja", "j", "oui", "si", "sim", "x"})
NO = frozenset({"no", "n", "0", "false", "f", "off", "nein", "non", "nao", "não"})


@dataclass(frozen=True, slots=True)
class Typo:
    """A rare category that is probably a frequent one, mistyped."""

    column: str
    rare: str
    rare_rows: int
    likely: str
    likely_rows: int
    distance: int
    applied: bool


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the categories of one column are written.

    Attributes
    ----------
    forms
        By folded text (see ``fold_text``), the form that most training rows use.
    typos
        Probable typos among training rows.
    guesses
        What was merged, and what was kept apart though it may be one.
    """

    forms: dict[str, str]
    typos: list[Typo]
    guesses: list[Guess] = field(default_factory=list)

    def write(self, text: str) -> str:
        """Write a category as training rows mostly do; an unknown one stays as it is."""
        written = self.forms.get(fold_text(text), text)
        for typo in self.typos:
            if typo.applied and typo.rare == written:
                return typo.likely
        return written


def learn_spelling(
    name: str, values: pd.Series, config: SpellingConfig, labels: pd.Series | None = None
) -> Spelling:
    """Learn how a column's categories are written from its training rows.

    Parameters
    ----------
    name
        The column, for the report of typos.
    values
        Its training rows, text; missing ones are left out.
    config
        Whether case is merged, what happens to typos, and how rare they are.
    labels
        The labels of the same rows: writings that go with other labels are not merged.
    """
    counts = {str(text): int(count) for text, count in values.value_counts().items()}
    variants: defaultdict[str, list[str]] = defaultdict(list)
    for text in sorted(counts):
        variants[fold_text(text)].append(text)
    forms: dict[str, str] = {}
    guesses: list[Guess] = []
    if config.case:
        # Of equally frequent forms the first in the alphabet, so that the choice is stable.
        forms = {key: max(texts, key=lambda t: counts[t]) for key, texts in variants.items()}
        for key, texts in variants.items():
            if len(texts) > 1 and _mean_something(texts, values, labels):
                del forms[key]
                guesses.append(_tell_apart(name, texts, counts, "they go with other labels"))
            elif len(texts) > 1:
                others = [text for text in texts if text != forms[key]]
                guesses.append(tell_merged(name, forms[key], others, counts))
        merged: defaultdict[str, int] = defaultdict(int)
        for text, count in counts.items():
            merged[forms.get(fold_text(text), text)] += count
        counts = dict(merged)
    guesses += find_alike(name, counts)
    typos = [] if config.typos == "ignore" else _find_typos(name, counts, config)
    return Spelling(forms, typos, guesses)


def _mean_something(texts: list[str], values: pd.Series, labels: pd.Series | None) -> bool:
    """Tell whether writings that differ in case differ in what they mean."""
    plain = {" ".join(unicodedata.normalize("NFKC", text).split()) for text in texts}
    if len(plain) == 1:
        return False  # blanks and variants of characters mean nothing
    if all(len(text) == 1 for text in plain):
        return True  # A and a, m and M
    return labels is not None and differ_in_labels(values, labels, texts)


def _tell_apart(name: str, texts: list[str], counts: Mapping[str, int], why: str) -> Guess:
    shown = ", ".join(f"{text!r} ({counts[text]})" for text in texts[:6])
    return Guess("spelling", name, f"{shown} are kept apart", "they are one value", why)


def find_alike(name: str, counts: Mapping[str, int]) -> list[Guess]:
    """Find values that may be one: yes and no in several words, initials, accents, a last point.

    Parameters
    ----------
    name
        The column.
    counts
        Its values, with rows.
    """
    if len(counts) > MAX_CATEGORIES:
        return []
    folded = {fold_text(text): text for text in counts}
    if len(folded) > 2 and folded.keys() <= YES | NO and folded.keys() & YES and folded.keys() & NO:
        return [_tell_apart(name, list(counts), counts, "all of them are words for yes and no")]
    long = [text for text in folded if len(text) > 1]
    initials = [text for text in folded if len(text) == 1 and text.isalpha()]
    if initials and all(sum(word.startswith(i) for word in long) == 1 for i in initials):
        named = [t for i in initials for t in (folded[i], *(folded[w] for w in long if w[0] == i))]
        return [_tell_apart(name, named, counts, "one is the first letter of the other")]
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for key, text in folded.items():
        plain = unicodedata.normalize("NFD", key)
        groups["".join(c for c in plain if not unicodedata.combining(c)).rstrip(". ")].append(text)
    return [
        _tell_apart(name, texts, counts, "they differ in accents or a last point alone")
        for key, texts in groups.items()
        if len(texts) > 1 and key
    ]


def _find_typos(name: str, counts: dict[str, int], config: SpellingConfig) -> list[Typo]:
    """Pair each rare category with the nearest frequent one, where they are close enough."""
    from rapidfuzz.distance import OSA

    if len(counts) > MAX_CATEGORIES:
        return []
    most = max(2, config.rarity * sum(counts.values()))
    found = []
    for rare, rows in counts.items():
        if rows > most:
            continue
        allowed = 1 if len(rare) < 8 else 2
        near = [
            (OSA.distance(fold_text(rare), fold_text(text), score_cutoff=allowed), -count, text)
            for text, count in counts.items()
            if count > most and count >= COMMONER * rows and _may_be_typo(rare, text)
        ]
        distance, negative, likely = min(near, default=(allowed + 1, 0, ""))
        if distance <= allowed:
            applied = config.typos == "apply"
            found.append(Typo(name, rare, rows, likely, -negative, int(distance), applied))
    return sorted(found, key=lambda typo: typo.rare)


def _may_be_typo(rare: str, text: str) -> bool:
    """Tell codes from words: B-737-300 and B-737-400 are two things, so are hepatitis A and B."""
    if len(rare) < 4 or any(letter.isdigit() for letter in rare + text):
        return False
    ours, theirs = fold_text(rare).split(), fold_text(text).split()
    if len(ours) != len(theirs):
        return True
    return all(len(own) >= 4 for own, other in zip(ours, theirs, strict=True) if own != other)
