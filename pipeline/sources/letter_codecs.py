"""Which 8-bit codec a text is written in, by the letters that its words would have.

Each codec is tried on the words with bytes beyond ASCII. A reading is good where its letters are
those of one language, and where capitals, signs and other scripts are not within a word.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from dataclasses import dataclass
from functools import cache

MOST_WORDS = 20_000
# Letters beyond ASCII by language, the frequent ones first.
WEST = "éäüöèàçáíñóßêãúåøâôæîõëïûùòœìšž"
LETTERS = {
    "Western": WEST,
    "Icelandic": "áðíóþúéöæý",
    "Polish": "łąęóśżćńź",
    "Czech": "íáéřýěščžůúťďňó",
    "Slovak": "áíýčéúžšôľťňäóďĺŕ",
    "Hungarian": "áéöőóüíűú",
    "Romanian": "ăâîşţ",
    "South Slavic": "čšžćđ",
    "Turkish": "ıüşöçğİâ",
    "Lithuanian": "ėšųžąįčęū",
    "Latvian": "āīēšūļņģžčķ",
    "Russian": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
    "Ukrainian": "оаиіневтрсклдумпязьгбчйхцжїюєшщфґ",
    "Greek": "αοιετσνηυρπκμλςωγθδχφβξζψάέήίόύώϊ",
    "Hebrew": "יוהלאתמרבשנםדקעחפגצטכזסןךףץ",
    "Arabic": "اليمونترةبعدسفهكقحجأشطصخذئزىضغءإؤثظآ",
}
CENTRAL = ("Polish", "Czech", "Slovak", "Hungarian", "Romanian", "South Slavic")
CYRILLIC = ("Russian", "Ukrainian")
# Codecs with what speaks against them beforehand, and their languages. Where two read a text
# alike, the first one is named.
CODECS: dict[str, tuple[float, tuple[str, ...]]] = {
    "cp1252": (0, ("Western", "Icelandic")),
    "latin-1": (1, ("Western", "Icelandic")),
    "iso8859_15": (1, ("Western",)),
    "cp850": (3.5, ("Western", "Icelandic")),
    "mac_roman": (4, ("Western", "Icelandic")),
    "cp1250": (3, CENTRAL),
    "iso8859_2": (3.5, CENTRAL),
    "cp852": (5, CENTRAL),
    "cp1254": (2, ("Turkish",)),
    "cp857": (4, ("Turkish",)),
    "cp1257": (2, ("Lithuanian", "Latvian")),
    "cp1251": (0.5, CYRILLIC),
    "koi8_r": (1.5, CYRILLIC),
    "koi8_u": (2, CYRILLIC),
    "cp866": (2, CYRILLIC),
    "iso8859_5": (3, CYRILLIC),
    "mac_cyrillic": (3, CYRILLIC),
    "cp1253": (1, ("Greek",)),
    "cp1255": (1, ("Hebrew",)),
    "cp1256": (1, ("Arabic",)),
}
LATIN = frozenset({"cp1252", "latin-1", "iso8859_15", "cp850", "mac_roman", "cp1250", "iso8859_2",
                   "cp852", "cp1254", "cp857", "cp1257"})  # fmt: skip
WORD = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
TWO_CAPITALS = re.compile("[AÄ]Ä[aä]|ÄA[aä]")
SIGN_WITHIN = re.compile(r"(?<=[^\W\d_])[“”„‘«»…–¿¡°²³®™](?=[^\W\d_])")
SIGNS = "–—“”„‘’‚…«»€£¥¢§°²³µ×±½¼¾·•¿¡®©™ªº\u00a0"
# Quotes and these may touch a letter; any other sign is no part of a word.
TOUCHING = "“”„‘«»…–¿¡°²³µªº®™\u00a0"
RARE = {"Icelandic": 3}  # what speaks against a language beforehand
# Logarithms of how likely a character is.
SIGN, FOREIGN, BROKEN = math.log(3e-3), math.log(1e-5), math.log(1e-7)
CAPITAL = math.log(0.2)
WITHIN = -6.0  # a capital, a sign or another script within a word
LONG = 1.8  # bytes beyond ASCII in a row
PLAUSIBLE = -5.5  # for each character; below, it is no text in any of these codecs
CLOSE = 3.0  # difference from which a reading is not mistaken for another


@dataclass(frozen=True, slots=True)
class CodecGuess:
    """The likeliest codec, what else fits nearly as well, and a word under both.

    Attributes
    ----------
    other, other_word
        Empty where no other reading is close.
    plausible
        Whether the text is one of words in this codec at all.
    """

    codec: str
    word: str
    other: str
    other_word: str
    plausible: bool


def guess_letter_codec(content: bytes) -> CodecGuess:
    """Guess the 8-bit codec of bytes that are not UTF-8.

    >>> guess_letter_codec("Łódź, Gdańsk".encode("cp1250")).codec
    'cp1250'
    >>> guess_letter_codec("Москва, Казань".encode("cp866")).codec
    'cp866'
    """
    found = itertools.islice(WORD.finditer(content), MOST_WORDS)
    words = list(dict.fromkeys(match.group() for match in found))
    readings: dict[tuple[str, ...], tuple[float, str, float]] = {}
    for codec, (against, languages) in CODECS.items():
        texts = tuple(word.decode(codec, "replace") for word in words)
        scores = (_score(texts, name) - RARE.get(name, 0) for name in languages)
        score = max(scores) - against
        if texts not in readings or readings[texts][0] < score:
            readings[texts] = (score, codec, score + against)
    ranked = sorted(readings.items(), key=lambda item: -item[1][0])
    best, (score, codec, fit) = ranked[0]
    other, (other_score, other_codec, _) = (
        ranked[1] if len(ranked) > 1 else (best, (-math.inf, "", 0.0))
    )
    beyond = sum(len(word) - len(word.translate(None, HIGH)) for word in words)
    differ = next(
        (i for i, pair in enumerate(zip(best, other, strict=True)) if len({*pair}) > 1), 0
    )
    close = score - other_score < CLOSE
    return CodecGuess(
        codec,
        best[differ] if close else max(best[:100], key=len),
        other_codec if close else "",
        other[differ] if close else "",
        fit / beyond > PLAUSIBLE and not (codec in LATIN and _are_long(words)),
    )


HIGH = bytes(range(128, 256))


def _are_long(words: list[bytes]) -> bool:
    """Tell whether bytes beyond ASCII stand together, as they seldom do in Latin letters."""
    runs = [run for word in words for run in re.findall(rb"[\x80-\xff]+", word)]
    return sum(map(len, runs)) >= LONG * len(runs)


@cache
def _weigh(language: str) -> dict[str, float]:
    """Weigh the letters of a language: about 1 by rank, capitals less."""
    letters = LETTERS[language]
    total = sum(1 / (rank + 2) for rank in range(len(letters)))
    weights: dict[str, float] = {}
    for rank, letter in enumerate(letters):
        likely = math.log(1 / (rank + 2) / total)
        weights[letter] = likely
        if len(letter.upper()) == 1 and letter.upper() != letter:
            weights.setdefault(letter.upper(), likely + CAPITAL)
    return weights


def _score(texts: tuple[str, ...], language: str) -> float:
    """Find how likely the words are in a language, as a logarithm."""
    weights = _weigh(language)
    total = 0.0
    for text in texts:
        for char in text:
            if char.isascii():
                continue
            if char in weights:
                total += weights[char]
            elif char in SIGNS:
                total += SIGN
            else:
                total += FOREIGN if char.isalpha() else BROKEN
        total += WITHIN * _count_breaks(text)
    return total


@cache
def _count_breaks(text: str) -> int:
    """Count the places of a word where no word has them: a capital behind a small letter …."""
    breaks = len(TWO_CAPITALS.findall(re.sub(r"[^\W\d_]", _name_case, text)))
    breaks += len(SIGN_WITHIN.findall(text))
    for before, char in itertools.pairwise(text):
        if before.isalpha() and char.isalpha():
            breaks += (before.islower() and char.isupper()) or _find_script(before) != _find_script(
                char
            )
        elif "’" not in (before, char):
            breaks += (char if before.isalpha() else before) not in TOUCHING
    return breaks


def _name_case(match: re.Match[str]) -> str:
    letter = match.group()
    return (
        ("A" if letter.isupper() else "a") if letter.isascii() else "Ä" if letter.isupper() else "ä"
    )


@cache
def _find_script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]
