"""Dates and times in words, spelled in one plain way: English months, no weekdays, time behind.

All is done by few passes over distinct texts, and only over columns that hold words or times first.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Months in English, German, French, Spanish, Italian, Portuguese and Dutch, without accents.
MONTHS = {
    "jan": r"jan(?:uar[yi]?|ner|v|vier|eiro)?|ene(?:ro)?|gen(?:naio)?",
    "feb": r"feb(?:ruar[yi]?|r|rero|braio)?|fevr?(?:ier|ereiro)?",
    "mar": r"mar(?:ch|z|s|co|zo)?|maart|mrt|mrz|maerz",
    "apr": r"apr(?:il|ile)?|avr(?:il)?|abr(?:il)?",
    "may": r"mayo?|maio?|mag(?:gio)?|mei",
    "jun": r"jun[ei]?|jun[ih]o|juin|giu(?:gno)?",
    "jul": r"jul[yi]?|jul[ih]o|juil(?:let)?|lug(?:lio)?",
    "aug": r"aug(?:ust|ustus)?|aout?|ago(?:sto)?",
    "sep": r"sept?(?:ember|embre|iembre)?|set(?:embro|tembre|iembre)?",
    "oct": r"oct(?:ober|obre)?|okt(?:ober)?|ott(?:obre)?|out(?:ubro)?",
    "nov": r"nov(?:ember|embre|iembre|embro)?",
    "dec": r"dec(?:ember|embre)?|dez(?:ember|embro)?|dic(?:iembre|embre)?",
}
MONTH = rf"(?:{'|'.join(MONTHS)})"
WEEKDAYS = (
    r"mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?|"
    r"sun(?:day)?|mo(?:ntag)?|di(?:enstag)?|mi(?:ttwoch)?|do(?:nnerstag)?|fr(?:eitag)?|"
    r"sa(?:mstag)?|so(?:nntag)?|sonnabend|lun(?:di|es|edi)?|mardi|martes|martedi|mercredi|"
    r"miercoles|mercoledi|mer|mie|jeu(?:di)?|jueves|jue|gio(?:vedi)?|ven(?:dredi|erdi)?|vie(?:rnes)?|"
    r"sam(?:edi)?|sab(?:ado|ato)?|dim(?:anche)?|dom(?:ingo|enica)?|segunda|terca|quarta|quinta|"
    r"sexta|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag"
)
# In this order; the first ones need what later ones take away. The patterns are RE2's.
OF_EAST_ASIA = (
    (r"\s*\(?(?:星期|周|週)[一二三四五六日天]\)?|\s*\([日月火水木金土일월화수목금토]\)", " "),
    (r"([0-9]{4})\s*[年년]\s*([0-9]{1,2})\s*[月월]\s*([0-9]{1,2})\s*[日일]", r"\1-\2-\3 "),
    (r"([0-9]{1,2})\s*[時时시点]\s*([0-9]{1,2})\s*[分분]\s*([0-9]{1,2})\s*[秒초]", r"\1:\2:\3"),
    (r"([0-9]{1,2})\s*[時时시点]\s*([0-9]{1,2})\s*[分분]", r"\1:\2"),
    (r"(?:午前|上午|오전)\s*([0-9:]+)", r"\1 am"),
    (r"(?:午後|下午|오후)\s*([0-9:]+)", r"\1 pm"),
)
OF_LOG = (r"([0-9]{4}):([0-9]{2}:[0-9]{2})", r"\1 \2")  # of a web server
# The year stands behind the time.
OF_UNIX = (
    r"^\s*([a-z]{3}\s+[0-9]{1,2})\s+([0-9:]+)(?:\s+[a-z]{3,4})?\s+([0-9]{4})$", r"\1 \3 \2",
)  # fmt: skip
OF_WORDS = (
    (r"\b([ap])\.?\s?m\b\.?", r"\1m"),
    (r"([0-9]{1,2})\.([0-9]{2})\.([0-9]{2})\s*uhr\b", r"\1:\2:\3"),
    (r"\b([0-9]{1,2})\.([0-9]{2})\s*(?:uhr|h)\b", r"\1:\2"),
    (r"\b([0-9]{1,2})\s?h\s?([0-9]{2})\b", r"\1:\2"),
    (r"([ t])([0-9]{1,2})\s*uhr\b", r"\1\2:00"),
    (r"([0-9])t([0-9])", r"\1 \2"),
    OF_LOG,
    # 'mar' is a Tuesday where a day and another month follow, else a month.
    (r"^mar\.?,?\s+([0-9]{1,2}\.?\s+(?:de\s+)?[a-z]{3})", r"\1"),
    (rf"[(]?\b(?:{WEEKDAYS})\b\.?(?:-feira)?[)]?,?", " "),
    (r"\b(?:de|del|di|of|le|el|den|the|uhr|um|at|à|h)\b", " "),
    (r"\b([0-9]{1,2})(?:st|nd|rd|th|er|o|a|e|ste|de)\b", r"\1"),
    *((rf"\b(?:{pattern})(?:\b|_)\.?|\b(?:{pattern})([0-9])", rf"{month}\1")
      for month, pattern in MONTHS.items()),
    OF_UNIX,
)  # fmt: skip
OF_ENGLISH = (OF_LOG, OF_UNIX)
OF_ALL = (
    (r"^\s*([0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:\s?[ap]m)?),?\s+([^:]*[0-9]{2})\s*$", r"\2 \1"),
    (r"(:[0-9]{2}),([0-9]{1,6})", r"\1.\2"),
    (r",?\s+([0-9]{1,2}:)", r" \1"),
    (r"^[\s,]+|[\s,]+$", ""),
    (r"\s{2,}", " "),
)
ENGLISH = rf"^[^a-z]*{MONTH}[^a-z]+(?:[ap]m)?$"  # the month alone is in letters
PLAIN = r"^[0-9]+([-/. ])[0-9]+[-/. ][0-9]+(?: [0-9]{1,2}:[0-9:.]+)?$"


def spell_plainly(texts: pa.StringArray) -> pa.StringArray:
    """Spell dates in words plainly; dates in digits stay as they are.

    >>> texts = ["Dom, 3. März 2021 um 14.30 Uhr", "Sun Jan  3 08:00:00 2021", "2021年1月3日"]
    >>> spell_plainly(pa.array([*texts, "8:00 3.1.2021"])).to_pylist()
    ['3. mar 2021 14:30', 'jan 3 2021 08:00:00', '2021-1-3', '3.1.2021 8:00']
    """
    if pc.all(pc.match_substring_regex(texts, PLAIN)).as_py():
        return texts
    if not pc.all(pc.string_is_ascii(texts)).as_py():
        texts = _replace(texts, OF_EAST_ASIA)
        texts = pc.replace_substring_regex(pc.utf8_normalize(texts, "NFKD"), r"\p{Mn}", "")
    texts = pc.utf8_lower(texts)
    if pc.any(pc.match_substring_regex(texts, r"[a-z(]")).as_py():
        short = pc.all(pc.match_substring_regex(texts, ENGLISH)).as_py()
        texts = _replace(texts, OF_ENGLISH if short else OF_WORDS)
    return _replace(texts, OF_ALL)


def find_skeletons(texts: pa.StringArray) -> pa.StringArray:
    """Write what plainly spelled texts look like: ``0`` for a digit, ``jan`` for a month."""
    nulls, offsets, content = texts.buffers()
    if content is None:
        return texts
    characters = np.frombuffer(content, np.uint8).copy()
    characters[(characters >= ord("0")) & (characters <= ord("9"))] = ord("0")
    bare = pa.StringArray.from_buffers(
        len(texts), offsets, pa.py_buffer(characters), nulls, texts.null_count, texts.offset
    )
    if pc.any(pc.match_substring_regex(bare, "[a-z]")).as_py():
        bare = pc.replace_substring_regex(bare, MONTH, "jan")
        bare = pc.replace_substring_regex(bare, r"\b[ap]m|([0 ])[ap]m", r"\1pm")
    return bare


def loosen(texts: pa.StringArray) -> pa.StringArray:
    """Write one ``?`` for all that stands between the parts of plainly spelled dates."""
    loose = pc.replace_substring_regex(texts, r"[-/ .,?]+", "?")
    loose = pc.replace_substring_regex(loose, r"([0-9])([a-z])", r"\1?\2")
    return pc.replace_substring_regex(loose, r"([a-z])([0-9])", r"\1?\2")


def _replace(texts: pa.StringArray, pairs: tuple[tuple[str, str], ...]) -> pa.StringArray:
    for pattern, replacement in pairs:
        texts = pc.replace_substring_regex(texts, pattern, replacement)
    return texts
