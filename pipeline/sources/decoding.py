"""From bytes to text: the codec of a source, and bytes that are none of it."""

from __future__ import annotations

import codecs
import re

from pipeline.errors import SourceError, name_examples
from pipeline.sources.guesses import Guess
from pipeline.sources.letter_codecs import LATIN, guess_letter_codec

SNIFFED_BYTES = 256_000
ASCII = bytes(range(128))
MOST_LINES = 5  # that are named of those with broken bytes
# Of the characters beyond ASCII, those that may be broken in a text that is UTF-8 otherwise.
MOST_BROKEN = 0.2
MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
# What today's programs write; among old Macs' and DOS codecs the guess would often be wrong.
OTHER_CODECS = (
    "cp1251", "cp1253", "cp1255", "cp1256", "koi8_r", "cp932", "euc_jp", "gb18030", "big5", "cp949",
)  # fmt: skip


def decode(content: bytes, name: str, encoding: str) -> tuple[str, str, list[Guess]]:
    """Decode by the declared codec, a byte order mark, UTF-8, or the likeliest 8-bit codec.

    A few bytes that are none of UTF-8 in a text that is UTF-8 otherwise are read as Windows-1252,
    which they mostly come from, and told by line.

    Parameters
    ----------
    name
        Of the file, for messages.
    encoding
        A codec's name, or ``auto``.

    Returns
    -------
    tuple
        The text, its codec, and what was guessed.

    Raises
    ------
    SourceError
        If it is no text, not of the declared codec, or there is no such codec.
    """
    if encoding != "auto":
        return _decode_as(content, name, encoding), encoding, []
    marked = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    if b"\0" in content[:4096] and not marked:
        raise SourceError(
            "ingest", f"{name} is not text: it holds NUL bytes",
            "Give a CSV or Parquet file, or name its codec in ingest.encoding",
        )  # fmt: skip
    codec = "utf-16" if marked else "utf-8-sig"
    try:
        text = content.decode(codec)
    except UnicodeDecodeError:
        if marked:
            return _decode_as(content, name, "utf-16"), "utf-16", []
        return _decode_other(content, name)
    return _check_text(text.lstrip("\ufeff"), name), codec.removesuffix("-sig"), []


def _decode_other(content: bytes, name: str) -> tuple[str, str, list[Guess]]:
    """Decode what is not UTF-8 throughout."""
    rest, whole = MULTIBYTE.subn(b"", content.removeprefix(b"\xef\xbb\xbf"))
    broken = len(rest.translate(None, ASCII))
    if broken <= MOST_BROKEN * (whole + broken):
        text, places = _mend(content)
        lines = sorted({content.count(b"\n", 0, place) + 1 for place in places[:MOST_LINES]})
        guess = Guess(
            "encoding",
            None,
            f"{broken} bytes that are no UTF-8 are read as Windows-1252"
            if broken > 1 else "a byte that is no UTF-8 is read as Windows-1252",
            "they are damaged",
            f"{whole} characters are UTF-8; line {', '.join(map(str, lines))}"
            + (" …" if broken > MOST_LINES else ""),
            lines=lines,
        )  # fmt: skip
        return _check_text(text, name), "utf-8", [guess]
    return _decode_8_bit(content, name)


def _decode_8_bit(content: bytes, name: str) -> tuple[str, str, list[Guess]]:
    """Decode by the likeliest codec, and tell what it is not to be mistaken for."""
    lines = content.split(b"\n")
    foreign = _find_utf_8(lines)
    found = guess_letter_codec(b"\n".join(_leave_out(lines, foreign)))
    codec = found.codec if found.plausible else _guess_codec(content)
    change = {"ingest.encoding": found.other or "…"}
    if codec != found.codec or not found.plausible:
        text = _decode_as(content, name, codec)
        word = next((word for word in re.findall(r"\w+", text) if not word.isascii()), "")
        guess = Guess(
            "encoding", None, f"the file is read as {codec}", "it is another codec",
            f"it is not UTF-8; {word[:40]!r} is a word of it", change={"ingest.encoding": "…"},
        )  # fmt: skip
        return text, codec, [guess]
    guess = Guess(
        "encoding",
        None,
        f"the file is read as {codec}",
        f"it is {found.other}, and the word is {found.other_word[:40]!r}"
        if found.other else "it is another 8-bit codec",
        f"it is not UTF-8; {found.word[:40]!r} is a word of it",
        "open" if found.other else "likely",
        change,
    )  # fmt: skip
    if codec not in LATIN or not foreign:
        return _decode_as(content, name, codec), codec, [guess]
    for line in foreign:
        # To the codec from UTF-8; a character that it lacks is left in its bytes.
        lines[line] = lines[line].decode().encode(codec, "ignore")
    mixed = Guess(
        "encoding", None, f"{len(foreign)} lines in UTF-8 among those in {codec} are read as such",
        "they are damaged", lines=[line + 1 for line in foreign[:MOST_LINES]],
    )  # fmt: skip
    return _decode_as(b"\n".join(lines), name, codec), codec, [guess, mixed]


def _leave_out(lines: list[bytes], foreign: list[int]) -> list[bytes]:
    left_out = {*foreign}
    return [line for number, line in enumerate(lines) if number not in left_out]


def _find_utf_8(lines: list[bytes]) -> list[int]:
    """Find lines whose bytes beyond ASCII are all UTF-8; in 8-bit Latin text none is by chance."""
    found = []
    for number, line in enumerate(lines):
        if MULTIBYTE.search(line) and not MULTIBYTE.sub(b"", line).translate(None, ASCII):
            found.append(number)
    return found


def _mend(content: bytes) -> tuple[str, list[int]]:
    """Decode UTF-8, and what is none of it as Windows-1252; also return where that is."""
    places: list[int] = []

    def take(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        places.append(error.start)
        return error.object[error.start : error.end].decode("cp1252", "replace"), error.end

    codecs.register_error("assay.cp1252", take)
    return content.decode("utf-8", "assay.cp1252").lstrip("\ufeff"), places


def _decode_as(content: bytes, name: str, encoding: str) -> str:
    try:
        text = content.decode(encoding)
        text.encode()  # some codecs make halves of characters
    except UnicodeDecodeError as error:
        raise SourceError(
            "ingest", f"byte {error.start} of {name} is not {encoding}",
            "Set ingest.encoding to the file's codec, say 'latin-1'",
        ) from None  # fmt: skip
    except UnicodeError as error:
        raise SourceError(
            "ingest", f"{name} can't be read as {name_examples([encoding])}: {str(error)[:80]}",
            "Set ingest.encoding to the file's codec, say 'latin-1'",
        ) from None  # fmt: skip
    except (LookupError, ValueError):
        raise SourceError(
            "ingest", f"there is no encoding {name_examples([encoding])}",
            "Correct ingest.encoding",
        ) from None  # fmt: skip
    # A byte order mark is no part of the first column's name, whatever codec was declared.
    return _check_text(text.lstrip("\ufeff"), name)


def _check_text(text: str, name: str) -> str:
    """Refuse NUL characters, which no program writes into a table."""
    found = text.find("\0")
    if found >= 0:
        line = text.count("\n", 0, found) + 1
        raise SourceError(
            "ingest",
            f"{name} holds {text.count(chr(0))} NUL characters, the first in line {line}",
            "Remove them, or set ingest.encoding: UTF-16 and UTF-32 have NUL bytes",
        )
    return text


def _guess_codec(content: bytes) -> str:
    """Guess the codec of a text that is not UTF-8."""
    runs = re.findall(rb"[\x80-\xff]+", content[:SNIFFED_BYTES])
    # Western texts have single accented letters among plain ones; other scripts have whole words,
    # which are what a guess by frequencies needs.
    if sum(map(len, runs)) < 1.5 * len(runs):
        undefined = re.search(rb"[\x81\x8d\x8f\x90\x9d]", content)
        return "latin-1" if undefined else "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(content[:SNIFFED_BYTES], cp_isolation=list(OTHER_CODECS)).best()
    return best.encoding if best is not None else "latin-1"
