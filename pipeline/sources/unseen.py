"""Characters that no one sees, taken out of cells and names."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sources.guesses import Guess

# Zero-width blanks, direction marks, soft hyphens, byte order marks, control characters.
INVISIBLE = "\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u00ad\u061c"
INVISIBLE += "\x01-\x08\x0e-\x1f\x7f"
# Joiners are part of words and emoji in other scripts; beside Latin letters they are not.
JOINERS = "(^|[\x20-\u024f])[\u200c\u200d]+|[\u200c\u200d]+$"
UNSEEN = f"[{INVISIBLE}]|{JOINERS}"
FORMULA = r'(?s)^="([^"]*)"$'


def tidy_name(name: str) -> str:
    """Take invisible characters out of a column's name."""
    return str(tidy_texts(pa.array([name], pa.string()))[0].as_py())


def tidy_texts(texts: pa.StringArray) -> pa.StringArray:
    """Take invisible characters out of texts, and unwrap those that Excel was to keep as text."""
    seen = pc.replace_substring_regex(texts, f"[{INVISIBLE}]", "")
    seen = pc.replace_substring_regex(seen, JOINERS, r"\1")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(seen, FORMULA, r"\1"))


def tell_names(header: list[str]) -> list[Guess]:
    """Tell of column names that invisible characters are taken out of."""
    spoiled = [name for name in header if tidy_name(name) != name.strip()]
    if not spoiled:
        return []
    return [
        Guess(
            "encoding",
            tidy_name(spoiled[0]),
            "what can't be seen is taken out of column names",
            "",
            f"{len(spoiled)} names, such as {spoiled[0][:40]!a}",
        )
    ]
