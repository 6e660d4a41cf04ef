"""Kind 9, parts of a folder that differ, and typed columns that are no plain numbers or texts."""

from __future__ import annotations

import datetime
import gzip
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.reading.cases import LINES, Case, make_case, make_folder_case
from tests.reading.quantities import scale
from tests.reading.tables import Column, Table, make_shop, write_text

ROWS = 120
HALF = ROWS // 2


def list_cases() -> list[Case]:
    """List the cases of parts and of typed columns."""
    return [*_list_types(), *_list_parquet_parts(), *_list_hive(), *_list_csv_parts()]


def to_arrow(table: Table, types: Mapping[str, pa.DataType] | None = None) -> pa.Table:
    """Make an Arrow table of what is true, with the types that are named."""
    named = types or {}
    return pa.table(
        {n: pa.array(list(c.values), type=named.get(n)) for n, c in table.columns.items()}
    )


def to_parquet(table: pa.Table) -> bytes:
    """Write an Arrow table as Parquet."""
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def make_plain(seed: str) -> Table:
    """Make a table whose columns any format holds."""
    return make_shop(seed, ROWS).drop("code")


def _with(table: Table, name: str, values: Sequence[Any], type_: pa.DataType) -> bytes:
    return to_parquet(to_arrow(table.drop(name)).append_column(name, pa.array(values, type_)))


def _list_types() -> list[Case]:
    """One Parquet file with a column x of a type that is no plain number or text."""
    base = make_plain("types")
    count = [int(v) for v in base.columns["count"].values]  # type: ignore[arg-type]
    price = [float(v) for v in base.columns["price"].values]  # type: ignore[arg-type]
    cases = []
    clock = [datetime.time(v % 24, 30) for v in count]
    seconds = [t.hour * 3600.0 + 1800 for t in clock]
    spans = [datetime.timedelta(minutes=v) for v in count]
    hours = [v * 60.0 for v in count]
    days = base.columns["day"]
    numbers = Column("number", [float(v) for v in count])
    towns = base.columns["town"]
    forms: tuple[tuple[str, pa.DataType, Sequence[Any], Column, list[Column]], ...] = (
        ("decimal", pa.decimal128(9, 2), [Decimal(f"{v:.2f}") for v in price],
         Column("number", price), []),
        ("time32", pa.time32("s"), clock, Column("number", seconds), _scale(seconds)),
        ("duration", pa.duration("s"), spans, Column("number", hours), _scale(hours)),
        ("date32", pa.date32(), [v.date() for v in days.values], days, []),  # type: ignore[union-attr]
        ("timestamp_ns", pa.timestamp("ns"), list(days.values), days, []),
        ("timestamp_utc", pa.timestamp("us", "UTC"), list(days.values), days, []),
        ("uint64", pa.uint64(), count, numbers, []),
        ("float16", pa.float16(), [float(v) for v in count], numbers, []),
        ("large_string", pa.large_string(), list(towns.values), towns, []),
        ("category", pa.string(), list(towns.values), towns, []),
        ("binary_texts", pa.binary(), [str(v).encode() for v in towns.values], towns, []),
        ("string_view", pa.string(), list(towns.values), towns, []),
        ("null", pa.null(), [None] * ROWS, Column("any", [None] * ROWS), []),
        ("numbers_as_texts", pa.string(), [str(v) for v in price], Column("number", price), []),
    )  # fmt: skip
    for name, kind, values, truth, others in forms:
        table = base.put("x", truth)
        arrow = to_arrow(base).append_column("x", pa.array(values, kind))
        if name == "category":
            arrow = arrow.set_column(6, "x", pa.array(values, kind).dictionary_encode())
        cases.append(
            make_case(f"parquet_{name}", 9, to_parquet(arrow), table, file="table.parquet",
                      alternatives={"x": others} if others else {}, refusal=r"'x'")
        )  # fmt: skip
    zone = pa.timestamp("us", "Europe/Zurich")
    walls = pa.array(list(days.values), pa.timestamp("us"))
    local = pc.assume_timezone(walls, "Europe/Zurich").cast(zone)
    table = base.put("x", days)
    return [
        *cases,
        make_case("parquet_timestamp_of_a_zone", 9,
                  to_parquet(to_arrow(base).append_column("x", local)), table,
                  file="table.parquet", refusal=r"'x'"),
        *_list_nested(base, count),
    ]  # fmt: skip


def _scale(seconds: Sequence[float]) -> list[Column]:
    moments = [pd.Timestamp("1970-01-01") + pd.Timedelta(seconds=s) for s in seconds]
    return [*scale(seconds), Column("time", moments)]


def _list_nested(base: Table, count: Sequence[int]) -> list[Case]:
    """List cases of lists, structs and maps: made columns, or left out and named."""
    # Nothing of these is left out.
    made: dict[str, dict[str, list[float]]] = {
        "lists_of_one_length": {f"x_{i}": [float(v + i) for v in count] for i in range(3)},
        "structs": {"x.lat": [v / 2 for v in count], "x.lon": [v / 3 for v in count]},
    }
    forms: tuple[tuple[str, Sequence[Any], pa.DataType], ...] = (
        ("lists_of_one_length", [[v, v + 1, v + 2] for v in count], pa.list_(pa.int64())),
        ("lists_of_any_length", [list(range(v % 4)) for v in count], pa.list_(pa.int64())),
        ("structs", [{"lat": v / 2, "lon": v / 3} for v in count],
         pa.struct([("lat", pa.float64()), ("lon", pa.float64())])),
        ("maps", [[("k", v)] for v in count], pa.map_(pa.string(), pa.int64())),
        ("pictures", [bytes([v, 0, 255, 7]) for v in count], pa.binary()),
    )  # fmt: skip
    return [
        make_case(f"parquet_{name}", 9,
                  to_parquet(to_arrow(base).append_column("x", pa.array(values, kind))),
                  _put_all(base, made.get(name, {})),
                  file="table.parquet", report=() if name in made else ("x",), refusal=r"'x'")
        for name, values, kind in forms
    ]  # fmt: skip


def _put_all(table: Table, columns: Mapping[str, Sequence[float]]) -> Table:
    for name, values in columns.items():
        table = table.put(name, Column("number", list(values)))
    return table


def _list_parquet_parts() -> list[Case]:
    """Two Parquet files, with a column x of one type in the first and another in the second."""
    base = make_plain("parts")
    first, second = base.take(0, HALF), base.take(HALF, ROWS)
    count = [int(v) for v in base.columns["count"].values]  # type: ignore[arg-type]
    towns = base.columns["town"]
    days = base.columns["day"]
    big = [9007199254740993 + 2 * i for i in range(ROWS)]
    gap = [None if i == 70 else v for i, v in enumerate(big)]
    numbers = Column("number", [float(v) for v in count])
    cases = []
    forms: tuple[tuple[str, Column, tuple[pa.Array, pa.Array], tuple[str, ...]], ...] = (
        ("whole_and_float", numbers,
         (pa.array(count[:HALF]), pa.array([float(v) for v in count[HALF:]])), ()),
        ("small_and_large_whole", numbers,
         (pa.array(count[:HALF], pa.int16()), pa.array(count[HALF:], pa.int64())), ()),
        ("category_and_text", towns,
         (pa.array(list(towns.values)[:HALF]).dictionary_encode(),
          pa.array(list(towns.values)[HALF:])), ()),
        ("text_and_whole", numbers,
         (pa.array([str(v) for v in count[:HALF]]), pa.array(count[HALF:])), ()),
        ("text_and_large_text", towns,
         (pa.array(list(towns.values)[:HALF]),
          pa.array(list(towns.values)[HALF:], pa.large_string())), ()),
        ("all_null_and_text", Column("category", [None] * HALF + list(towns.values)[HALF:]),
         (pa.array([None] * HALF), pa.array(list(towns.values)[HALF:])), ()),
        ("day_and_moment", days,
         (pa.array([v.date() for v in days.values][:HALF]),  # type: ignore[union-attr]
          pa.array(list(days.values)[HALF:])), ()),
        ("zone_and_none", days,
         (pa.array(list(days.values)[:HALF], pa.timestamp("us", "UTC")),
          pa.array(list(days.values)[HALF:], pa.timestamp("us"))), ("x",)),
        ("bool_and_whole", Column("category", [str(v % 2) for v in count]),
         (pa.array([v % 2 == 1 for v in count[:HALF]]), pa.array([v % 2 for v in count[HALF:]])),
         ("x",)),
        ("large_ids_and_a_gap", Column("any", [str(v) if v is not None else None for v in gap]),
         (pa.array(big[:HALF]), pa.array(gap[HALF:], pa.int64())), ()),
        ("large_ids_and_floats",
         Column("any", [str(v) for v in big[:HALF]] + [...] * HALF),
         (pa.array(big[:HALF]), pa.array([float(v) for v in big[HALF:]])), ("order_id",)),
    )  # fmt: skip
    for name, truth, (a, b), report in forms:
        column = "order_id" if "ids" in name else "x"
        files = {
            "p0.parquet": to_parquet(to_arrow(first).append_column(column, a)),
            "p1.parquet": to_parquet(to_arrow(second).append_column(column, b)),
        }
        table = base.put(column, truth)
        truths = [Column("number", [float(v % 2) for v in count])] if "bool" in name else []
        cases.append(
            make_folder_case(f"parts_{name}", 9, files, table, report=report,
                             alternatives={column: truths}, refusal=rf"'{column}'")
        )  # fmt: skip
    only = [float(v) for v in count[:HALF]] + [None] * HALF
    files = {
        "p0.parquet": to_parquet(to_arrow(first).append_column("x", pa.array(count[:HALF]))),
        "p1.parquet": to_parquet(to_arrow(second)),
    }
    shuffled = to_arrow(second).select(list(reversed(list(second.columns))))
    marked = {"p0.parquet": to_parquet(to_arrow(first)), "p1.parquet": to_parquet(shuffled)}
    return [
        *cases,
        make_folder_case("parts_column_in_one_only", 9, files,
                         base.put("x", Column("number", only)), report=("x",), refusal=r"'x'"),
        make_folder_case("parts_columns_in_another_order", 9, marked, base),
        make_folder_case("parts_with_marks_of_spark", 9,
                         marked | {"_SUCCESS": b"", ".p0.parquet.crc": b"crc"}, base),
    ]  # fmt: skip


def _list_hive() -> list[Case]:
    """Folders named key=value: the key is a column."""
    base = make_plain("hive")
    regions = ["north"] * HALF + ["south"] * HALF
    years = [2020.0] * HALF + [2021.0] * HALF
    first, second = base.take(0, HALF), base.take(HALF, ROWS)
    named = base.put("region", Column("category", regions))
    by_year = base.put("year", Column("number", years))
    as_name = Column("category", ["2020"] * HALF + ["2021"] * HALF)
    csv = [write_text(part).encode() for part in (first, second)]
    parquet = [to_parquet(to_arrow(part)) for part in (first, second)]
    both = named.take(0, HALF), named.take(HALF, ROWS)
    label = base.columns["grade"].values
    good = [i for i, v in enumerate(label) if v == "good"]
    poor = [i for i, v in enumerate(label) if v == "poor"]
    order = good + poor
    sorted_base = Table(
        base.target,
        {n: Column(c.kind, [c.values[i] for i in order]) for n, c in base.columns.items()},
        {n: [c[i] for i in order] for n, c in base.cells.items()},
    )
    bare = sorted_base.drop("grade")
    by_label = {
        "grade=good/a.csv": write_text(bare.take(0, len(good))).encode(),
        "grade=poor/a.csv": write_text(bare.take(len(good), ROWS)).encode(),
    }
    return [
        make_folder_case("hive_parquet", 9,
                         {"region=north/a.parquet": parquet[0],
                          "region=south/a.parquet": parquet[1]}, named),
        make_folder_case("hive_parquet_by_year", 9,
                         {"year=2020/a.parquet": parquet[0], "year=2021/a.parquet": parquet[1]},
                         by_year, alternatives={"year": [as_name]}),
        make_folder_case("hive_parquet_column_in_files_too", 9,
                         {f"region={r}/a.parquet": to_parquet(to_arrow(p))
                          for r, p in zip(("north", "south"), both, strict=True)}, named),
        make_folder_case("hive_csv", 9,
                         {"region=north/a.csv": csv[0], "region=south/a.csv": csv[1]}, named),
        make_folder_case("hive_csv_by_year", 9,
                         {"year=2020/a.csv": csv[0], "year=2021/a.csv": csv[1]}, by_year,
                         alternatives={"year": [as_name]}),
        make_folder_case("hive_csv_by_label", 9, by_label, sorted_base),
    ]  # fmt: skip


def _list_csv_parts() -> list[Case]:
    base = make_shop("csv parts", ROWS)
    first, second = base.take(0, HALF), base.take(HALF, ROWS)
    a = write_text(first).encode()
    b = write_text(second)
    reordered = second.order(list(reversed(second.header)))
    lacking = second.drop("price")
    prices = [*base.columns["price"].values][:HALF] + [None] * HALF
    gap = base.put("price", Column("number", prices))
    headless = b.partition("\n")[2]
    other_name = b.replace("price", "Price ", 1)
    swiss = second.spell("price", lambda v: f"{v:.2f}".replace(".", ","))
    day_first = second.spell("day", lambda t: t.strftime("%d.%m.%Y"))
    parts = {
        "another_delimiter": (a, write_text(second, ";").encode()),
        "another_encoding": (a, b.encode("latin-1")),
        "another_order": (a, write_text(reordered).encode()),
        "decimal_comma": (a, write_text(swiss, ";").encode()),
        "another_form_of_dates": (a, write_text(day_first).encode()),
        "byte_order_mark_in_one": (a, b.encode("utf-8-sig")),
        "title_in_one": (a, ("Second half\n\n" + b).encode()),
        "name_in_another_case": (a, other_name.encode()),
    }
    named = {"another_form_of_dates": ("day",), "name_in_another_case": ("price",),
             "title_in_one": ()}  # fmt: skip
    refusal = r"b\.csv"
    return [
        *(make_folder_case(f"csv_parts_{name}", 9, {"a.csv": one, "b.csv": two}, base,
                           report=named.get(name, ()), refusal=refusal)
          for name, (one, two) in parts.items()),
        make_folder_case("csv_parts_column_in_one_only", 9,
                         {"a.csv": a, "b.csv": write_text(lacking).encode()}, gap,
                         report=("price",), refusal=r"'price'"),
        make_folder_case("csv_parts_header_in_the_first_only", 9,
                         {"a.csv": a, "b.csv": headless.encode()}, base, report=(LINES,),
                         refusal=refusal),
        make_folder_case("csv_parts_one_compressed", 9,
                         {"a.csv": a, "b.csv.gz": gzip.compress(b.encode(), mtime=0)}, base),
        make_folder_case("csv_parts_with_a_readme", 9,
                         {"a.csv": a, "b.csv": b.encode(), "README.md": b"# About the data\n"},
                         base, refusal=r"README|\.md"),
        make_folder_case("csv_parts_with_an_empty_one", 9,
                         {"a.csv": a, "b.csv": b.encode(), "c.csv": b.split("\n")[0].encode()},
                         base),
    ]  # fmt: skip
