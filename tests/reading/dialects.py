"""Kind 1, the parser against the file: delimiters, quotes and escapes."""

from __future__ import annotations

from dataclasses import replace

from tests.reading.cases import LINES, Case, make_case
from tests.reading.tables import (
    Column,
    Table,
    make_notes,
    make_rng,
    make_shop,
    write_lines,
    write_text,
)


def list_cases() -> list[Case]:
    """List the cases of delimiters, quotes and escapes."""
    return [*_list_delimiters(), *_list_ends(), *_list_quotes(), *_list_stray_quotes()]


def _list_delimiters() -> list[Case]:
    cases = []
    for name, mark, file in (
        ("comma", ",", "table.csv"),
        ("semicolon", ";", "table.csv"),
        ("tab", "\t", "table.tsv"),
        ("tab_named_txt", "\t", "table.txt"),
        ("pipe", "|", "table.csv"),
        ("caret", "^", "table.txt"),
        ("hive_control_a", "\x01", "table.txt"),
        ("double_colon", "::", "table.dat"),
        ("double_pipe", "||", "table.txt"),
        ("blank", " ", "table.txt"),
    ):
        table = make_shop(name)
        refusal = None if mark in ",;\t|" else r"(?i)delimiter"
        cases.append(
            make_case(f"delimiter_{name}", 1, write_text(table, mark), table, file=file,
                      refusal=refusal)
        )  # fmt: skip
    table = make_shop("aligned")
    widths = [max(map(len, [n, *c])) + 2 for n, c in table.cells.items()]
    aligned = "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
        for row in [table.header, *table.records]
    )
    table_pipes = make_shop("markdown")
    rows = ["| " + " | ".join(row) + " |" for row in [table_pipes.header, *table_pipes.records]]
    rows.insert(1, "|" + "|".join("---" for _ in table_pipes.header) + "|")
    table_psql = make_shop("psql")
    psql = [" " + " | ".join(row) for row in [table_psql.header, *table_psql.records]]
    psql.insert(1, "+".join("-" * 9 for _ in table_psql.header))
    table_spaced = make_shop("spaced")
    spaced = [line.replace(",", ", ") for line in write_lines(table_spaced)]
    table_mixed = make_notes("commas")
    texts = [str(v).replace(" left", ", fragile; left") for v in table_mixed.columns["note"].values]
    table_mixed = table_mixed.put("note", Column("text", texts))
    return [
        *cases,
        make_case("aligned_by_blanks", 1, aligned, table, file="table.txt",
                  refusal=r"(?i)fixed width|aligned|blanks"),
        make_case("markdown_table", 1, "\n".join(rows) + "\n", table_pipes, file="table.md",
                  refusal=r"(?i)markdown|line 2"),
        make_case("psql_output", 1, "\n".join(psql) + "\n(120 rows)\n\n", table_psql,
                  file="table.txt", refusal=r"(?i)psql|line 2|line 123"),
        make_case("blank_after_each_comma", 1, "\n".join(spaced) + "\n", table_spaced),
        make_case("cells_hold_both_delimiters", 1, write_text(table_mixed), table_mixed),
    ]  # fmt: skip


def _list_ends() -> list[Case]:
    table = make_shop("ends")
    text = write_text(table)
    lines = write_lines(table)
    mixed = "".join(line + ("\r\n" if i % 3 else "\n") for i, line in enumerate(lines))
    return [
        make_case("ends_crlf", 1, text.replace("\n", "\r\n"), table),
        make_case("ends_cr", 1, text.replace("\n", "\r"), table),
        make_case("ends_mixed", 1, mixed, table),
        make_case("ends_cr_cr_lf", 1, text.replace("\n", "\r\r\n"), table),
        make_case("no_end_of_the_last_line", 1, text.rstrip("\n"), table),
        make_case("dos_end_of_file", 1, text.replace("\n", "\r\n") + "\x1a", table),
    ]


def _list_quotes() -> list[Case]:
    shop = make_shop("quotes")
    inches = _make_inches("inches")
    doubled = write_text(inches)
    backslash = write_text(inches, quoting="texts", escape="\\")
    with_comma = _make_inches("inches_comma", ", long")
    apostrophes = make_notes("apostrophes")
    notes = [str(v).replace("parcel", "o'clock") for v in apostrophes.columns["note"].values]
    apostrophes = apostrophes.put("note", Column("text", notes))
    quoted_space = [line.replace(',"', ', "') for line in write_lines(shop, quoting="all")]
    nulls = make_shop("nulls")
    prices = [None if i % 12 == 5 else v for i, v in enumerate(nulls.columns["price"].values)]
    nulls = nulls.put("price", Column("number", prices), [
        r"\N" if v is None else str(v) for v in prices])  # fmt: skip
    return [
        make_case("quoted_all", 1, write_text(shop, quoting="all"), shop),
        make_case("quoted_texts_semicolon", 1, write_text(shop, ";", quoting="texts"), shop),
        make_case("single_quotes_all", 1, write_text(shop, quote="'", quoting="all"), shop,
                  refusal=r"(?i)quote"),
        make_case("single_quotes_texts", 1, write_text(shop, ";", quote="'", quoting="texts"), shop,
                  refusal=r"(?i)quote"),
        make_case("single_quotes_around_delimiters", 1,
                  write_text(with_comma, quote="'", quoting="texts"), with_comma,
                  refusal=r"(?i)quote"),
        make_case("typographic_quotes_all", 1, "".join(
            ",".join(f"“{cell}”" for cell in row) + "\n" for row in [shop.header, *shop.records]),
            shop, refusal=r"(?i)quote"),
        make_case("quotes_doubled", 1, doubled, inches),
        make_case("quotes_escaped_by_backslash", 1, backslash, inches, refusal=r"(?i)escape|\\\\"),
        make_case("quotes_escaped_beside_a_comma", 1,
                  write_text(with_comma, quoting="texts", escape="\\"), with_comma,
                  refusal=r"(?i)escape|backslash"),
        make_case("backslash_before_the_delimiter", 1, _escape_delimiters(with_comma), with_comma,
                  refusal=r"(?i)escape|backslash"),
        make_case("apostrophes_in_texts", 1, write_text(apostrophes), apostrophes),
        make_case("blank_before_the_quote", 1, "\n".join(quoted_space) + "\n", shop),
        make_case("mysql_nulls", 1, write_text(nulls, "\t"), nulls, file="table.tsv"),
        *_list_newlines(),
    ]  # fmt: skip


def _list_newlines() -> list[Case]:
    cases = []
    for name, ending in (
        ("newline_in_a_cell", "\nat noon"),
        ("newline_and_commas_in_a_cell", "\n12, Main Street, Hull\nEngland"),
        ("blank_line_in_a_cell", "\n\nthe end"),
        ("crlf_in_a_cell", "\r\nat noon"),
    ):
        table = make_notes(name)
        texts = [
            str(v) + (ending if i % 5 == 1 else "")
            for i, v in enumerate(table.columns["note"].values)
        ]
        table = table.put("note", Column("text", texts))
        cases.append(make_case(name, 1, write_text(table), table))
    table = make_shop("long_name").rename({"price": "price\nper item"})
    poems = make_notes("poems", 60)
    verse = "\n".join(f"and line {i} goes on, and on, and on" for i in range(30))
    texts = [f"{v}\n{verse}" if i in (7, 31) else str(v)
             for i, v in enumerate(poems.columns["note"].values)]  # fmt: skip
    poems = poems.put("note", Column("text", texts))
    return [
        *cases,
        make_case("newline_in_the_header", 1, write_text(table), table),
        make_case("long_poems_in_cells", 1, write_text(poems), poems),
    ]


def _make_inches(seed: str, more: str = "") -> Table:
    """Make a table whose sizes are in inches, with their sign."""
    table = make_shop(seed).drop("day", "code")
    sizes = make_rng(seed).choice(["tape", '7" disc' + more, '12" disc' + more], 120).tolist()
    return table.put("size", Column("category", sizes)).order(
        ["price", "size", "town", "count", "member", "grade"]
    )


def _escape_delimiters(table: Table) -> str:
    escaped = [[cell.replace(",", "\\,") for cell in record] for record in table.records]
    return "".join(",".join(row) + "\n" for row in [table.header, *escaped])


def _list_stray_quotes() -> list[Case]:
    """Files whose writer does not quote, with a quote in a text here and there."""
    cases = []
    for name, stray, mark in (
        ("two_open_in_tsv", {30: '"{}', 90: '"{}'}, "\t"),
        ("one_open_in_tsv", {50: '"{}'}, "\t"),
        ("many_open_in_tsv", dict.fromkeys(range(10, 110, 25), '"{}'), "\t"),
        ("in_the_middle_in_tsv", {20: '{} 5" long', 70: '{} 7" long'}, "\t"),
        ("one_in_the_middle_in_tsv", {20: '{} 5" long'}, "\t"),
        ("around_a_word_in_tsv", {20: '"Fragile" {}', 70: '"Urgent" {}'}, "\t"),
        ("two_open_in_csv", {30: '"{}', 90: '"{}'}, ","),
        ("in_the_middle_in_csv", {20: '{} 5" long', 70: '{} 7" long'}, ","),
        ("two_open_with_pipes", {30: '"{}', 90: '"{}'}, "|"),
    ):
        for last in (False, True) if name == "two_open_in_tsv" else (False,):
            table = make_notes(name)
            texts = [
                stray.get(i, "{}").format(v) for i, v in enumerate(table.columns["note"].values)
            ]
            table = table.put("note", Column("text", texts))
            bare = [v.replace('"', "") for v in texts]
            other = Column("text", bare)
            if last:
                table = table.order(["score", "delay", "label", "note"])
            file = "table.tsv" if mark == "\t" else "table.csv"
            cases.append(
                make_case(f"quotes_{name}{'_at_the_end' if last else ''}", 1,
                          write_text(table, mark, quoting="never"), table, file=file,
                          alternatives={"note": [other]},
                          refusal=r"(?i)quote.* lines? \d+|lines? \d+.*quote")
            )  # fmt: skip
    whole = make_notes("never_closed")
    lines = write_lines(whole)
    lines[80] = lines[80].replace("parcel", '"parcel')
    notes = [... if i == 79 else v for i, v in enumerate(whole.columns["note"].values)]
    cut = replace(whole, columns={**whole.columns, "note": Column("text", notes)})
    return [
        *cases,
        make_case("quotes_one_never_closed_in_csv", 1, "\n".join(lines) + "\n", cut,
                  report=(LINES,), refusal=r"(?i)quote.* line 81|line 81.*quote"),
    ]  # fmt: skip
