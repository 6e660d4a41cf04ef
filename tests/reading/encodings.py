"""Kind 2, encodings: codecs, single bad bytes, mojibake and invisible characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from tests.reading.cases import LINES, Case, make_case
from tests.reading.tables import Column, Table, make_rng, make_shop, write_text

NAMES_CODEC = r"(?i)encoding|codec|NUL"
WORDS = {
    "cp1251": ("Москва", "Казань", "Самара"),
    "koi8_r": ("Москва", "Казань", "Самара"),
    "cp866": ("Москва", "Казань", "Самара"),
    "shift_jis": ("東京都", "大阪府", "京都府"),
    "euc_jp": ("東京都", "大阪府", "京都府"),
    "gb18030": ("北京市", "上海市", "广州市"),
    "big5": ("臺北市", "高雄市", "臺中市"),
    "cp949": ("서울특별시", "부산광역시", "대구광역시"),
    "cp1250": ("Łódź", "Kraków", "Gdańsk", "Wrocław", "Poznań", "Częstochowa"),
    "iso8859_2": ("Łódź", "Kraków", "Gdańsk", "Wrocław", "Poznań", "Częstochowa"),
    "cp1253": ("Αθήνα", "Πάτρα", "Λάρισα"),
    "cp1254": ("İzmir", "Muğla", "Eskişehir"),
    "cp1255": ("ירושלים", "חיפה", "באר שבע"),
    "cp1256": ("القاهرة", "الجيزة", "طنطا"),
    "cp1252": ("Zürich – Süd", "Genève", "Køge", "“Café” de l’Œuvre", "5 € Laden"),
    "latin_1": ("Zürich", "Genève", "Århus"),
    "iso8859_15": ("Zürich", "Genève", "Århus", "Œuvre", "Škoda"),
    "cp850": ("Zürich", "Genève", "Århus"),
    "mac_roman": ("Zürich", "Genève", "Århus"),
}
# Neither of these can be told from the others by a few bytes, so a person would look at the words.
UNSURE = ("cp1250", "iso8859_2", "cp1254", "iso8859_15", "cp850", "mac_roman", "cp866")


def list_cases() -> list[Case]:
    """List the cases of encodings."""
    return [*_list_codecs(), *_list_unicode(), *_list_bad_bytes(), *_list_mojibake(),
            *_list_invisible()]  # fmt: skip


def _name_towns(seed: str, words: Sequence[str]) -> Table:
    table = make_shop(seed)
    towns = make_rng(seed + " towns").choice(words, 120).tolist()
    return table.put("town", Column("category", towns))


def _list_codecs() -> list[Case]:
    cases = []
    for codec, words in WORDS.items():
        table = _name_towns(codec, words)
        cases.append(
            make_case(f"codec_{codec}", 2, write_text(table, ";"), table, encoding=codec,
                      refusal=NAMES_CODEC, optional=codec in UNSURE)
        )  # fmt: skip
    return cases


def _list_unicode() -> list[Case]:
    table = make_shop("unicode")
    text = write_text(table)
    chinese = _name_towns("utf-8 Chinese", WORDS["gb18030"])
    return [
        make_case("utf_8", 2, text, table),
        make_case("utf_8_bom", 2, text, table, encoding="utf-8-sig"),
        make_case("utf_8_bom_crlf_semicolon", 2,
                  write_text(table, ";").replace("\n", "\r\n"), table, encoding="utf-8-sig"),
        make_case("utf_8_bom_quoted_header", 2, write_text(table, quoting="all"), table,
                  encoding="utf-8-sig"),
        make_case("utf_8_chinese", 2, write_text(chinese), chinese),
        make_case("utf_16_bom", 2, text, table, encoding="utf-16"),
        make_case("utf_16_big_endian_bom", 2, "\ufeff" + text, table, encoding="utf-16-be"),
        make_case("utf_16_tabs_of_excel", 2, write_text(table, "\t").replace("\n", "\r\n"), table,
                  encoding="utf-16", file="table.txt"),
        make_case("utf_16_no_bom", 2, text, table, encoding="utf-16-le", refusal=NAMES_CODEC,
                  optional=True),
        make_case("utf_32_bom", 2, text, table, encoding="utf-32", refusal=NAMES_CODEC,
                  optional=True),
    ]  # fmt: skip


def _list_bad_bytes() -> list[Case]:
    """UTF-8 throughout, but for the bytes of a few lines."""
    cases = []
    for name, words, codec, lines in (
        ("one_latin_1_byte", ("Zürich", "Genève", "Köln", "Århus"), "latin-1", [100]),
        ("three_latin_1_lines", ("Zürich", "Genève", "Köln", "Århus"), "latin-1", [20, 60, 100]),
        ("one_dash_in_cyrillic", ("Москва", "Казань", "Самара"), "cp1252", [50]),
        ("one_euro_sign", ("Zürich", "Genève", "Köln"), "cp1252", [3]),
        ("one_latin_1_byte_chinese", ("北京市", "上海市", "广州市"), "latin-1", [77]),
    ):
        table = _name_towns(name, words)
        odd = {"latin-1": "Malmö", "cp1252": "Bad–5€"}[codec]
        rows = write_text(table).split("\n")
        encoded = [row.encode() for row in rows]
        for line in lines:
            town = str(table.cells["town"][line - 1])
            encoded[line] = rows[line].replace(town, odd, 1).encode(codec)
        towns = [... if i + 1 in lines else v for i, v in enumerate(table.columns["town"].values)]
        table = table.put("town", Column("category", towns))
        cases.append(
            make_case(f"utf_8_but_{name}", 2, b"\n".join(encoded), table, report=(LINES,),
                      refusal=r"(?i)line \d+")
        )  # fmt: skip
    table = make_shop("cut_character")
    cut = write_text(table).encode().rstrip(b"\n") + b"\xc3"
    replaced = _name_towns("replaced", ("Z\ufffdrich", "Gen\ufffdve", "Hull"))
    return [
        *cases,
        make_case("latin_1_but_three_utf_8_lines", 2, *_mix_into_latin_1()),
        make_case("utf_8_ascii_but_last_byte_cut", 2, cut, _spoil_last(table),
                  report=(LINES,), refusal=r"(?i)line 121|encoding|codec"),
        make_case("replacement_characters", 2, write_text(replaced), replaced, report=("town",),
                  refusal=r"(?i)replac|U\+FFFD"),
    ]  # fmt: skip


def _mix_into_latin_1() -> tuple[bytes, Table]:
    """Write most lines in Latin-1 and three in UTF-8."""
    table = _name_towns("two_sources", ("Zürich", "Genève", "Århus"))
    rows = write_text(table).split("\n")
    return b"\n".join(
        row.encode("utf-8" if i in (9, 50, 90) else "latin-1") for i, row in enumerate(rows)
    ), table


def _spoil_last(table: Table) -> Table:
    labels = [*table.columns["grade"].values][:-1]
    return table.put("grade", Column("label", [*labels, ...]))


def _list_mojibake() -> list[Case]:
    cases = []
    for name, codec, share in (
        ("all_cp1252", "cp1252", 1),
        ("all_latin_1", "latin-1", 1),
        ("a_third_cp1252", "cp1252", 3),
        ("twice", "cp1252", 1),
    ):
        words = ("Zürich", "Genève", "Köln", "Málaga")
        table = _name_towns(name, words)

        def garble(word: str, codec: str = codec, twice: bool = name == "twice") -> str:
            garbled = word.encode().decode(codec)
            return garbled.encode().decode(codec) if twice else garbled

        cells = [
            garble(str(v)) if i % share == 0 else str(v)
            for i, v in enumerate(table.columns["town"].values)
        ]
        cases.append(
            make_case(f"mojibake_{name}", 2, write_text(table.rewrite("town", cells)), table,
                      report=("town",), refusal=r"(?i)mojibake|garbled|encoding",
                      alternatives={"town": [Column("category", cells)]})
        )  # fmt: skip
    return cases


def _list_invisible() -> list[Case]:
    cases = []
    for name, spoil in (
        ("zero_width_blank_behind", lambda t: t + "\u200b"),
        ("no_break_blank_behind", lambda t: t + "\u00a0"),
        ("soft_hyphen_within", lambda t: t[:2] + "\u00ad" + t[2:]),
        ("decomposed_accents", lambda t: unicodedata.normalize("NFD", t)),
        ("direction_mark_before", lambda t: "\u200e" + t),
        ("byte_order_mark_before", lambda t: "\ufeff" + t),
    ):
        table = _name_towns(name, ("Zürich", "Genève", "Köln"))
        cells = [
            spoil(str(v)) if i % 3 == 0 else str(v)
            for i, v in enumerate(table.columns["town"].values)
        ]
        cases.append(
            make_case(f"invisible_{name}", 2, write_text(table.rewrite("town", cells)), table)
        )
    table = make_shop("names")
    text = write_text(table)
    numbers = make_shop("marked numbers")
    marked = numbers.spell("price", lambda v: f"\u200b{v}")
    return [
        *cases,
        make_case("invisible_in_a_column_name", 2, text.replace("price", "\u200bprice", 1), table),
        make_case("invisible_blank_in_a_column_name", 2, text.replace("price", "price\u00a0", 1),
                  table),
        make_case("invisible_before_numbers", 2, write_text(marked), numbers),
        make_case("invisible_two_byte_order_marks", 2, "\ufeff\ufeff" + text, table),
    ]  # fmt: skip
