"""Kind 1, structure among content: lines before, between and behind the rows, and row names."""

from __future__ import annotations

from tests.reading.cases import LINES, Case, make_case
from tests.reading.tables import Column, Table, make_notes, make_shop, write_lines, write_text

# A message that names a line, or the setting that passes lines over.
NAMES_LINES = r"(?i)\blines? \d+|skip_lines"


def list_cases() -> list[Case]:
    """List the cases of preambles, footers, totals, repeated headers and row names."""
    return [*_list_before(), *_list_between(), *_list_behind(), *_list_names(), *_list_widths()]


def _join(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _list_before() -> list[Case]:
    cases = []
    for name, before, mark in (
        ("sep_semicolon", ["sep=;"], ";"),
        ("sep_comma", ["sep=,"], ","),
        ("sep_quoted", ['"sep=;"'], ";"),
        ("comments", ["# Sensor export", "# Station: 7, exported 2024-03-01", "#"], ","),
        ("comments_percent", ["% produced by tool 4.1", "% units: mm, s"], ","),
        ("title", ["Quarterly report"], ","),
        ("title_and_blank", ["Quarterly report", "Created by: back office", ""], ","),
        ("title_with_commas", ["Report of Hull, York, and Leeds", ""], ","),
        ("title_padded", ["Quarterly report,,,,,,", ",,,,,,"], ","),
        ("keys_and_values", ["Station,7", "Operator,Smith", "Exported,2024-03-01", ""], ","),
        ("blank_lines", ["", "", ""], ","),
        ("blank_padded", [",,,,,,"], ","),
        ("long_preamble", [f"Instrument setting {i}: {i * 3.5}" for i in range(25)] + [""], "\t"),
    ):
        table = make_shop(name)
        file = "table.tsv" if mark == "\t" else "table.csv"
        cases.append(
            make_case(f"before_{name}", 1, _join([*before, *write_lines(table, mark)]), table,
                      file=file, refusal=NAMES_LINES)
        )  # fmt: skip
    merged = make_shop("merged")
    table = make_shop("sep_bom")
    commented = make_shop("commented_header")
    lines = write_lines(commented, "\t")
    return [
        *cases,
        make_case("before_sep_and_bom", 1, "\ufeff" + _join(["sep=;", *write_lines(table, ";")]),
                  table, refusal=NAMES_LINES),
        make_case("before_merged_header", 1,
                  _join(["Place,Figures,,,Customer,,Result", *write_lines(merged)]), merged,
                  report=(LINES,), refusal=NAMES_LINES),
        make_case("header_behind_a_hash", 1, _join(["#" + lines[0], *lines[1:]]), commented,
                  file="table.tsv", refusal=NAMES_LINES,),
    ]  # fmt: skip


def _list_between() -> list[Case]:
    cases = []
    shop = make_shop("between")
    lines = write_lines(shop)
    notes = make_notes("page_breaks")
    note_lines = write_lines(notes)
    paged = [note_lines[0]]
    for start in range(1, len(note_lines), 30):
        paged += [*note_lines[start : start + 30], note_lines[0]]
    for name, changed, report in (
        ("header_thrice", [*lines[:41], lines[0], *lines[41:81], lines[0], *lines[81:]], True),
        ("units_row", [lines[0], ",EUR,pieces,,,,class", *lines[1:]], True),
        ("types_row", [lines[0], "string,float,int,date,bool,string,string", *lines[1:]], True),
        ("blank_lines", [*lines[:30], "", *lines[30:70], "", "", *lines[70:]], False),
        ("blank_rows", [*lines[:30], ",,,,,,", *lines[30:70], ",,,,,,", *lines[70:]], True),
        ("comments", [*lines[:30], "# sensor restarted", *lines[30:]], True),
        ("subtotals", _add_subtotals(shop), True),
        ("dashes_under_the_header", [lines[0], "-,-,-,-,-,-,-", *lines[1:]], True),
    ):
        cases.append(
            make_case(f"between_{name}", 1, _join(changed), shop,
                      report=(LINES,) if report else (), refusal=NAMES_LINES)
        )  # fmt: skip
    return [
        *cases,
        make_case("between_header_each_page", 1, _join(paged), notes, report=(LINES,),
                  refusal=NAMES_LINES),
    ]  # fmt: skip


def _add_subtotals(table: Table) -> list[str]:
    """Add a row with the sums behind each forty rows."""
    lines = write_lines(table)
    result = lines[:1]
    for start in range(0, 120, 40):
        part = table.take(start, start + 40)
        sums = [sum(float(c) for c in part.cells[n]) for n in ("price", "count")]
        result += [*lines[start + 1 : start + 41], f"Subtotal,{sums[0]:.2f},{sums[1]:.0f},,,,"]
    return result


def _list_behind() -> list[Case]:
    cases = []
    for name, behind in (
        ("totals_row", ["Total,{price:.2f},{count:.0f},,,,Total"]),
        ("totals_row_bare", ["Total,{price:.2f},{count:.0f},,,,"]),
        ("averages_row", ["Average,{mean:.2f},,,,,"]),
        ("count_of_rows", ["120 rows selected."]),
        ("source_note", ["", "Source: city office, as of 2021-05-01. Figures are rounded."]),
        ("footnotes_padded", [",,,,,,", "* provisional,,,,,,", "Source: city office,,,,,,"]),
        ("end_mark", ["-- end of file --"]),
    ):
        table = make_shop(name)
        prices = [float(c) for c in table.cells["price"]]
        counts = sum(float(c) for c in table.cells["count"])
        filled = [
            line.format(price=sum(prices), count=counts, mean=sum(prices) / len(prices))
            for line in behind
        ]
        cases.append(
            make_case(f"behind_{name}", 1, _join([*write_lines(table), *filled]), table,
                      report=(LINES,), refusal=NAMES_LINES)
        )  # fmt: skip
    table = make_shop("cut_off").take(0, 90)
    lines = write_lines(make_shop("cut_off"))
    cut = make_case(
        "behind_cut_in_the_line", 1, _join(lines[:91]) + lines[91][:14], table,
        report=(LINES,), refusal=NAMES_LINES,
    )  # fmt: skip
    return [*cases, cut]


def _list_names() -> list[Case]:
    """Row names of R and pandas, with and without a header of their own."""
    table = make_shop("row_names")
    lines = write_lines(table)
    numbered = [f"{i},{line}" for i, line in enumerate(lines)]
    named = [f'"row {i}",{line}' for i, line in enumerate(lines)]
    quoted = write_lines(table, " ", quoting="texts")
    r_table = [quoted[0], *(f'"{i}" {line}' for i, line in enumerate(quoted[1:], start=1))]
    twice = make_shop("names_twice")
    twice_lines = write_lines(twice)
    doubled = [f"{twice_lines[0]},price", *(f"{line},1" for line in twice_lines[1:])]
    bare = make_shop("headless").drop("town", "member", "day", "code")
    return [
        make_case("index_of_pandas", 1, _join(["," + lines[0], *numbered[1:]]), table),
        make_case("index_of_r_csv", 1, _join(['"",' + lines[0], *named[1:]]), table),
        make_case("row_names_header_is_short", 1, _join([lines[0], *numbered[1:]]), table,
                  refusal=NAMES_LINES),
        make_case("r_write_table", 1, _join(r_table), table, file="table.txt",
                  refusal=NAMES_LINES),
        make_case("a_name_twice", 1, _join(doubled), twice, report=("price",),
                  refusal=r"(?i)'price'.*more than once|more than once.*'price'", optional=True),
        make_case("no_header", 1, _join(write_lines(bare)[1:]), bare,
                  refusal=r"(?i)header", optional=True),
    ]  # fmt: skip


def _list_widths() -> list[Case]:
    """Lines with more or fewer fields than the header, which mean something."""
    table = make_shop("widths")
    lines = write_lines(table)
    cities = ["" if i % 6 == 0 else str(v) for i, v in enumerate(table.cells["member"])]
    gaps = [c or None for c in cities]
    ragged = table.put("member", Column("category", gaps), cities).order(
        ["grade", "town", "price", "count", "day", "code", "member"]
    )
    short = [line.rstrip(",") for line in write_lines(ragged)]
    padded = [line + "," for line in lines]
    wide = make_notes("unquoted_commas")
    bad = write_lines(wide)
    for i in (40, 90):
        bad[i] = bad[i].replace(" left", ", left")
    texts = [str(v).replace(" left", ", left") if i in (39, 89) else v
             for i, v in enumerate(wide.columns["note"].values)]  # fmt: skip
    wide = wide.put("note", Column("text", texts))
    return [
        make_case("delimiter_behind_each_line", 1, _join(padded), table),
        make_case("delimiter_behind_rows_only", 1, _join([lines[0], *padded[1:]]), table,
                  refusal=NAMES_LINES),
        make_case("empty_columns_behind", 1, _join([line + ",,," for line in lines]), table),
        make_case("short_rows_lack_empty_cells", 1, _join(short), ragged, report=(),
                  refusal=NAMES_LINES),
        make_case("two_unquoted_commas", 1, _join(bad), wide, report=(LINES,),
                  refusal=NAMES_LINES),
        make_case("wide_header_only", 1, _join([lines[0] + ",remarks", *lines[1:]]), table,
                  report=(LINES,), refusal=NAMES_LINES),
        make_case("quoted_lines_whole", 1, _quote_lines(table), table, refusal=r"(?i)quote"),
        make_case("text_of_one_column_tsv_named_csv", 1, write_text(table, "\t"), table),
    ]  # fmt: skip


def _quote_lines(table: Table) -> str:
    """Quote each whole line, as a spreadsheet does that took them for one column."""
    inner = write_lines(table, quoting="texts")
    return "".join('"' + line.replace('"', '""') + '"\n' for line in inner)
