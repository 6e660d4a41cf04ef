"""Fuzzing of all that reads what users give: CSV, Parquet, dataset.yaml, suites.

The rule for any input whatever: a valid result, or an AssayError with stage, problem and fix.

``python -m tests.fuzz --cases 20000 --seed 1`` tries so many of each and prints counts. Each target
runs in a process of its own, so that a crash of a library is counted too; ``--coverage`` lets
atheris choose the inputs, where it is installed.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as set_seed
from hypothesis import strategies as st

from pipeline.config.dataset_yaml import load_config, parse_config
from pipeline.config.sections import Section
from pipeline.config.settings import ColumnConfig, DatasetConfig, IngestConfig
from pipeline.errors import AssayError
from pipeline.ingest.canonical import canonicalise
from pipeline.sources.reading import read_source
from pipeline.validation.suites import find_expected_bounds, find_named_columns, read_suites

ROOT = Path(__file__).parents[1]
LONGEST_MESSAGE = 3_000
SECONDS_EACH = 10.0
ROWS = 30


def keep_the_rule(attempt: Callable[[], object]) -> str:
    """Try an input: return 'valid' or 'refused'; anything else is raised."""
    start = time.process_time()  # what others do on the machine is no fault of the input
    refusal = None
    try:
        attempt()
    except AssayError as error:
        refusal = error
    assert time.process_time() - start < SECONDS_EACH, "too slow"
    if refusal is None:
        return "valid"
    assert refusal.stage
    assert refusal.problem
    assert refusal.fix
    assert len(str(refusal)) < LONGEST_MESSAGE, f"a message of {len(str(refusal))} characters"
    return "refused"


# --- CSV ----------------------------------------------------------------------------------------

TABLES = (
    b"a,b,y\n" + b"1,p,x\n2,q,z\n3.5,?,x\n" * 10,
    b"d;n;y\r\n" + b"01.02.2020;1.234,5;ja\r\n31.12.1999;-2,5;nein\r\n" * 12,
    b'n\t"two\nlines"\ty\n' + 'Zoë\t"a ""b"" c"\t1\nÅsa\t"d,e"\t0\n'.encode() * 12,
    "city,a,y\nМосква,1,x\nКазань,2,z\n".encode("cp1251") * 8,
    "a,b,y\n1,é,x\n2,f,z\n".encode("utf-16") + b"\n\x00",
    b"\xef\xbb\xbfid,when,y\n" + b"".join(b"%d,2020-01-%02d,%d\n" % (i, i % 28 + 1, i % 2)
                                          for i in range(40)),
)  # fmt: skip
PIECES = st.one_of(
    st.binary(max_size=4),
    st.sampled_from(
        [b'"', b"'", b",", b";", b"\t", b"|", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf",
         b'""', b"\n\n", b"\\", b"1e999", b"-0", b"inf", b"NaN", b"1,234", b"0x1F", b"1_000",
         b"=cmd()", b"9" * 30, b"9999-12-31", b"2020-02-30", b"\xf0\x9f\x99\x82", b"\xd9\xa3",
         b"12:61", b"<b>", b" ", b"%", b"row_id", b"split", b"y"]
    ),
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, contents: tuple[bytes, ...], most: int = 6) -> bytes:
    """Draw a content with a few pieces inserted, overwritten, cut out, repeated or moved."""
    content = draw(st.sampled_from(contents))
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        kind = draw(st.sampled_from(["insert", "overwrite", "cut", "repeat", "truncate"]))
        piece = draw(PIECES)
        if kind == "insert":
            content = content[:start] + piece + content[start:]
        elif kind == "overwrite":
            content = content[:start] + piece + content[start + len(piece) :]
        elif kind == "cut":
            content = content[:start] + content[end:]
        elif kind == "repeat":
            content = content[:end] + content[start:end] * draw(st.integers(1, 5)) + content[end:]
        else:
            content = content[:start]
    return content


ROLES = st.sampled_from(["numeric", "categorical", "boolean", "datetime", "text", "identifier"])
COLUMN = st.fixed_dictionaries(
    {},
    optional={
        "role": ROLES,
        "missing": st.lists(st.sampled_from(["?", "1", "-1", "p", "1e400", ""]), max_size=2),
        "keep": st.sampled_from([["NA"], ["?"]]),
        "format": st.sampled_from(["%d.%m.%Y", "ISO8601", "%Q", "%", "", "%Y-%m-%d %z", "mixed"]),
    },
)
DELIMITED = st.fixed_dictionaries(
    {},
    optional={
        "delimiter": st.sampled_from(["auto", ",", ";", "\t", "x", "1"]),
        "encoding": st.sampled_from(
            ["auto", "utf-8", "latin-1", "utf-16", "utf-7", "ascii", "idna", "hex", "undefined",
             "unicode_escape", "raw_unicode_escape", "punycode", "cp037", "\0", "", "é"]
        ),
        "decimal": st.sampled_from(["auto", ".", ","]),
        "max_malformed": st.sampled_from([0.0, 0.5, 1.0]),
    },
)  # fmt: skip
DECLARED = st.fixed_dictionaries(
    {"ingest": DELIMITED},
    optional={
        "columns": st.dictionaries(st.sampled_from(["a", "b", "d", "n", "y"]), COLUMN, max_size=2),
        "key": st.sampled_from(["a", "id", "row_id"]),
    },
)


def ingest_file(folder: Path, content: bytes, name: str, more: dict[str, Any]) -> str:
    """Read and type a source."""
    (folder / name).write_bytes(content)

    def attempt() -> None:
        config = parse_config({"dataset": "t", "source": name, "target": "y"} | more)
        table = read_source(folder / name, config.ingest)
        rows = {len(column.codes) for column in table.columns.values()}
        assert rows == {table.rows}
        canonical = canonicalise(table, config)
        assert len(canonical.frame) + len(canonical.unlabelled) == table.rows
        assert canonical.frame["row_id"].is_unique

    return keep_the_rule(attempt)


PLAIN_OR_DECLARED = st.one_of(st.just({}), st.just({}), DECLARED)
CSV = st.tuples(
    st.one_of(mutated(TABLES), mutated(TABLES, 2), st.binary(max_size=200)), PLAIN_OR_DECLARED
)


def try_csv(folder: Path, case: tuple[bytes, dict[str, Any]]) -> str:
    """Read a CSV file."""
    return ingest_file(folder, case[0], "t.csv", case[1])


# --- Parquet ------------------------------------------------------------------------------------


def make_arrays() -> dict[str, pa.Array]:
    """Make a column of each of Parquet's types, with gaps and extremes."""
    rng = np.random.default_rng(0)
    whole = [int(n) for n in rng.integers(-100, 100, ROWS - 2)] + [None, 0]
    real = [float(n) for n in rng.normal(size=ROWS - 5)] + [None, np.nan, np.inf, -np.inf, 1e308]
    words = [f"w{n}" for n in rng.integers(0, 5, ROWS - 4)] + [None, "", " é\n", "x\0y"]
    days = [date(2020, 1, 1) + timedelta(int(n)) for n in range(ROWS - 3)]
    days += [None, date.min, date.max]
    moments = [datetime(2020, 1, 1) + timedelta(hours=int(n)) for n in range(ROWS - 1)] + [None]
    arrays = {f"int{bits}": pa.array(whole, f"int{bits}") for bits in (8, 16, 32, 64)}
    arrays |= {f"uint{bits}": pa.array([n and abs(n) for n in whole], f"uint{bits}")
               for bits in (8, 16, 32, 64)}  # fmt: skip
    arrays["extremes"] = pa.array([2**63 - 1, -(2**63), None] * (ROWS // 3))
    arrays |= {"double": pa.array(real), "float": pa.array(real, pa.float32())}
    arrays["half"] = pa.array(
        [None if n is None or abs(n) == 1e308 else np.float16(n) for n in real], pa.float16()
    )
    arrays |= {"text": pa.array(words), "large": pa.array(words, pa.large_string())}
    arrays["view"] = pa.array(words, pa.string_view())
    arrays["classes"] = pa.array(words).dictionary_encode()
    arrays["numbers of classes"] = pa.array(whole).dictionary_encode()
    arrays |= {"day": pa.array(days), "day64": pa.array(days, pa.date64())}
    arrays |= {f"moment {u}": pa.array(moments, pa.timestamp(u)) for u in ("s", "ms", "us", "ns")}
    arrays["zoned"] = pa.array(moments, pa.timestamp("us", "Europe/Berlin"))
    arrays["offset"] = pa.array(moments, pa.timestamp("us", "+05:30"))
    arrays["no such zone"] = pa.array(moments, pa.timestamp("us", "Mars/Olympus"))
    arrays["time"] = pa.array([m and m.time() for m in moments])
    arrays["length"] = pa.array([n and timedelta(n) for n in whole])
    arrays["flag"] = pa.array([True, None, False] * (ROWS // 3))
    arrays["nothing"] = pa.nulls(ROWS)
    arrays["decimal"] = pa.array([None if n is None else Decimal(n) / 4 for n in whole])
    arrays["decimal256"] = pa.array([Decimal(10) ** 60] * ROWS, pa.decimal256(70, 2))
    arrays["bytes"] = pa.array([b"\xff"] * ROWS)
    arrays["fixed bytes"] = pa.array([b"abcd"] * ROWS, pa.binary(4))
    arrays["list"] = pa.array([[1, 2]] * ROWS)
    arrays["struct"] = pa.array([{"bytes": b"1", "path": "x"}] * ROWS)
    arrays["map"] = pa.array([[("k", 1)]] * ROWS, pa.map_(pa.string(), pa.int32()))
    arrays["damaged text"] = pa.array([b"\xff\xfe"] * ROWS).view(pa.string())
    arrays["uuid"] = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)] * ROWS,
                                                                        pa.binary(16)))  # fmt: skip
    return arrays


ARRAYS = make_arrays()
WITHOUT_TEXT = ("bytes", "fixed bytes", "list", "struct", "map", "damaged text", "uuid",
                "no such zone")  # fmt: skip
NAMES = st.one_of(
    st.text(alphabet="abcdefgh", min_size=1, max_size=4),
    st.text(alphabet="abcdefgh", min_size=1, max_size=4),
    st.sampled_from(
        ["a", "b", "id", "row_id", "split", "y", "", " a", "a\n", "\u202ex", "a" * 1200]
    ),
    st.text(max_size=5),
)


@st.composite
def parquet_files(draw: st.DrawFn) -> bytes:
    """Draw a Parquet file of columns of any types, names and options."""
    known = sorted(ARRAYS) if draw(st.integers(0, 3)) == 0 else sorted({*ARRAYS} - {*WITHOUT_TEXT})
    kinds = draw(st.lists(st.sampled_from(known), min_size=1, max_size=6))
    names = draw(st.lists(NAMES, min_size=len(kinds), max_size=len(kinds), unique=True))
    columns = [ARRAYS[kind] for kind in kinds] + [pa.array(["x", "z"] * (ROWS // 2))]
    rows = draw(st.sampled_from([0, 1, ROWS, ROWS, ROWS]))
    try:
        table = pa.table(columns, names=[*names, draw(st.sampled_from(["y", "y", "y", kinds[0]]))])
    except UnicodeEncodeError:  # halves of characters
        table = pa.table(columns, names=[f"c{i}" for i in range(len(columns))])
    out = io.BytesIO()
    pq.write_table(
        table.slice(0, rows), out,
        compression=draw(st.sampled_from(["none", "snappy", "gzip", "zstd", "lz4", "brotli"])),
        use_dictionary=draw(st.booleans()), row_group_size=draw(st.sampled_from([7, 100])),
        data_page_version=draw(st.sampled_from(["1.0", "2.0"])),
        write_page_checksum=draw(st.booleans()), store_schema=draw(st.booleans()),
    )  # fmt: skip
    return out.getvalue()


@st.composite
def damaged_parquet(draw: st.DrawFn) -> bytes:
    """Draw a Parquet file with bytes changed, or cut off."""
    content = bytearray(draw(parquet_files()))
    for _ in range(draw(st.integers(1, 8))):
        # The footer is where a change does most.
        low = draw(st.sampled_from([0, max(0, len(content) - 900), max(0, len(content) - 60)]))
        if low < len(content):
            place = draw(st.integers(low, len(content) - 1))
            content[place] = draw(st.integers(0, 255))
    if draw(st.integers(0, 9)) == 0:
        content = content[: draw(st.integers(0, len(content)))]
    return bytes(content)


PARQUET = st.tuples(parquet_files(), PLAIN_OR_DECLARED)
DAMAGED = st.tuples(damaged_parquet(), st.just({}))


def try_parquet(folder: Path, case: tuple[bytes, dict[str, Any]]) -> str:
    """Read a Parquet file."""
    return ingest_file(folder, case[0], "t.parquet", case[1])


# --- dataset.yaml -------------------------------------------------------------------------------


def list_keys(section: type[Section]) -> list[str]:
    """List the keys of a section and of those within it."""
    keys = []
    for name, field in section.model_fields.items():
        keys.append(name)
        if isinstance(field.default, Section):
            keys += list_keys(type(field.default))
    return keys


KEYS = sorted({*list_keys(DatasetConfig), *list_keys(ColumnConfig), *list_keys(IngestConfig)})
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.binary(max_size=4),
    st.dates(), st.datetimes(), st.sampled_from(KEYS),
    st.sampled_from([2**32, -1, 10**400, "auto", "numeric", "y", "t.csv", "smote", "image"]),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), SCALARS), inner, max_size=5),
    ),
    max_leaves=25,
)
SECTIONS = st.dictionaries(
    st.sampled_from(sorted(DatasetConfig.model_fields)), TREES, max_size=2
).flatmap(
    lambda whole: st.fixed_dictionaries(
        {},
        optional={
            name: st.dictionaries(
                st.sampled_from(sorted(type(field.default).model_fields)),
                st.one_of(SCALARS, st.just({}), st.lists(SCALARS, max_size=3)),
                max_size=2,
            )
            for name, field in DatasetConfig.model_fields.items()
            if isinstance(field.default, Section)
        },
    ).map(lambda sections: sections | whole)
)
DECLARATIONS = (
    *(path.read_bytes() for path in sorted((ROOT / "data").glob("*/dataset.yaml"))),
    b"dataset: t\nsource: t.csv\ntarget: y\ncolumns: {a: &n {role: numeric}, b: *n}\n"
    b"split: {by: time, column: d, test: 0.2}\nresampling: {method: smotenc, counts: {x: 5}}\n",
)
SIGNS = st.sampled_from(
    [b"&a ", b"*a", b"<<: *a\n", b"!!python/object:os.system ", b"!!int ", b"!!float ", b"!!bool ",
     b"!!null ", b"!!timestamp ", b"!!binary ", b"!!set ", b"!!omap ", b"!!pairs ", b"!!map ",
     b"!!seq ", b"!x ", b"%YAML 9.9\n", b"---\n", b"...\n", b"[", b"]", b"{", b"}", b"? ", b": ",
     b"- ", b"|\n", b">-\n", b"#", b"\t", b"2020-99-99", b"0b", b"0x_", b"1:99:99", b".inf",
     b".nan",
     b"-.", b"1e999", b"'", b'"\\ud800"', b"=", b"~", b"\xff", b"\0", b"\xc2\x85", b"\xe2\x80\xa8"]
)  # fmt: skip


@st.composite
def declarations(draw: st.DrawFn) -> bytes:
    """Draw a dataset.yaml: random structures over a sound base, or a real one with signs put in."""
    kind = draw(st.sampled_from(["tree", "sections", "sections", "mutated", "mutated"]))
    if kind == "tree":
        return yaml.dump(draw(TREES), allow_unicode=True).encode("utf-8", "surrogatepass")
    if kind == "sections":
        base = {"dataset": "t", "source": "t.csv", "target": "y"}
        return yaml.dump(base | draw(SECTIONS)).encode()
    content = draw(mutated(DECLARATIONS, 3))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(content)))
        content = content[:place] + draw(SIGNS) + content[place:]
    return content


PATHS = st.lists(st.one_of(st.sampled_from(KEYS), st.text(max_size=4)), min_size=1, max_size=4)
OVERRIDES = st.one_of(
    st.sampled_from(["training.epochs=3", "seed=7", "cleaning=", "columns.a.role=numeric"]),
    st.text(max_size=12),
    st.builds(
        lambda path, value: ".".join(path) + "=" + value,
        PATHS,
        st.one_of(st.text(max_size=8), SIGNS.map(lambda s: s.decode("latin-1")), SCALARS.map(str)),
    ),
)
CONFIG = st.tuples(declarations(), st.one_of(st.just([]), st.lists(OVERRIDES, max_size=3)))


def try_config(folder: Path, case: tuple[bytes, list[str]]) -> str:
    """Load a declaration with overrides; write it out as the keys of the stages need it."""
    path = folder / "dataset.yaml"
    path.write_bytes(case[0])
    return keep_the_rule(
        lambda: json.dumps(load_config(path, case[1]).model_dump(mode="json")).encode()
    )


# --- suites -------------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6),
    st.sampled_from([10**30, "a", "b", "y", "critical", "2020-01-01", 0.5, [], ["x"], {}]),
)  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
ARGUMENTS = st.dictionaries(
    st.sampled_from(
        ["column", "column_A", "column_B", "column_list", "column_set", "min_value", "max_value",
         "mostly", "value_set", "threshold", "partition_object", "type_", "regex", "strict_min",
         "row_condition", "condition_parser", "severity", "meta", "exact_match"]
    ),
    st.one_of(LEAVES, JSON),
    max_size=4,
)  # fmt: skip
TYPES = st.one_of(
    st.sampled_from(
        ["expect_column_values_to_not_be_null", "expect_column_values_to_be_between",
         "expect_column_values_to_be_in_set", "expect_column_values_to_not_be_in_set",
         "expect_column_to_exist", "expect_column_median_to_be_between",
         "expect_table_row_count_to_be_between", "expect_table_columns_to_match_set",
         "expect_compound_columns_to_be_unique", "expect_column_values_to_be_of_type",
         "expect_column_kl_divergence_to_be_less_than", "expect_column_pair_values_to_be_equal",
         "expect_column_distinct_values_to_contain_set", "expect_column_values_to_match_regex"]
    ),
    st.text(max_size=10),
)  # fmt: skip
EXPECTATION = st.fixed_dictionaries(
    {"type": TYPES, "kwargs": st.builds(lambda k, more: k | more,
                                        st.sampled_from([{}, {"column": "a"}, {"column": "y"}]),
                                        ARGUMENTS)},
    optional={"severity": LEAVES, "meta": LEAVES, "id": LEAVES, "rendered_content": LEAVES},
)  # fmt: skip
SUITE = st.fixed_dictionaries(
    {"expectations": st.one_of(st.lists(EXPECTATION, max_size=3), st.lists(JSON, max_size=2))},
    optional={
        "name": LEAVES,
        "id": LEAVES,
        "notes": LEAVES,
        "meta": st.one_of(st.dictionaries(st.text(max_size=5), LEAVES), LEAVES),
    },
)
SAMPLES = tuple(
    path.read_bytes()[:3000] for path in sorted((ROOT / "expectations").glob("*/*.json"))
)
SUITES = st.tuples(
    st.one_of(
        SUITE.map(lambda suite: json.dumps(suite).encode("utf-8", "surrogatepass")),
        SUITE.map(lambda suite: json.dumps(suite).encode("utf-8", "surrogatepass")),
        JSON.map(lambda tree: json.dumps(tree).encode("utf-8", "surrogatepass")),
        mutated(SAMPLES, 3),
        st.binary(max_size=30),
    ),
    st.integers(0, 9).map(lambda n: n == 0),
)


def try_suite(folder: Path, case: tuple[bytes, bool]) -> str:
    """Read a suite and build it; judge rows by one in ten, which takes Great Expectations long."""
    place = folder / "expectations"
    place.mkdir(exist_ok=True)
    (place / "schema.json").write_bytes(case[0])

    def attempt() -> None:
        suites = read_suites(place, "t")
        find_expected_bounds(suites)
        find_named_columns(suites)
        from pipeline.validation.running import build_suite

        build_suite("schema", suites["schema"])
        if case[1]:
            judge_rows(suites)

    return keep_the_rule(attempt)


def judge_rows(suites: dict[str, dict[str, Any]]) -> None:
    """Run suites over a few rows, and tell the verdict."""
    import pandas as pd

    from pipeline.dataset import Schema
    from pipeline.validation.gate import judge, read_checks
    from pipeline.validation.running import run_suites

    frame = pd.DataFrame({"a": [1.0, 2.0, None], "b": ["p", "q", "p"], "y": ["x", "z", "x"]})
    config = parse_config({"dataset": "t", "source": "t.csv", "target": "y"})
    schema = Schema("y", {"a": "numeric", "b": "categorical", "y": "target"})
    results = run_suites(frame, suites)
    json.dumps(results)
    judge(read_checks(results, config, schema), "raw", config)


TARGETS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Path, Any], str]]] = {
    "csv": (CSV, try_csv),
    "parquet": (PARQUET, try_parquet),
    "damaged parquet": (DAMAGED, try_parquet),
    "config": (CONFIG, try_config),
    "suites": (SUITES, try_suite),
}


def run_target(name: str, cases: int, seed: int) -> Counter[str]:
    """Try so many cases; count what came of them. A case that breaks the rule is raised."""
    strategy, attempt = TARGETS[name]
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:

        @set_seed(seed)
        @settings(
            max_examples=cases, database=None, deadline=None, derandomize=False,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
        )  # fmt: skip
        @given(strategy)
        def attempt_all(case: Any) -> None:
            counts[attempt(Path(folder), case)] += 1

        attempt_all()
    return counts


def run_apart(name: str, cases: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Try cases in a process of their own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--only", name, "--cases", str(cases),
         "--seed", str(seed)],
        cwd=ROOT, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip


def main() -> int:
    """Try all targets and print counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--cases", type=int, default=1000, help="of each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=TARGETS, help="one target, in this process")
    parser.add_argument("--coverage", choices=TARGETS, help="let atheris choose the inputs")
    options = parser.parse_args()
    if options.coverage:
        return run_coverage(options.coverage, options.cases, options.seed)
    if options.only:
        counts = run_target(options.only, options.cases, options.seed)
        print(f"{counts['valid']:>8,} valid {counts['refused']:>8,} refused")
        return 0
    failed = 0
    for name in TARGETS:
        start = time.perf_counter()
        done = run_apart(name, options.cases, options.seed)
        told = done.stdout.strip() if done.returncode == 0 else f"exit code {done.returncode}"
        print(f"{name:16} {told}  {time.perf_counter() - start:.0f} s", flush=True)
        if done.returncode:
            failed += 1
            print(done.stderr[-4000:], flush=True)
    return int(failed > 0)


def run_coverage(name: str, cases: int, seed: int) -> int:
    """Let atheris choose inputs by the branches of Assay's own modules that they reach."""
    import atheris

    strategy, attempt = TARGETS[name]
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:

        @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(strategy)
        def attempt_one(case: Any) -> None:
            counts[attempt(Path(folder), case)] += 1
            if counts.total() % 1000 == 0:
                print(f"{name}: {dict(counts)}", flush=True)

        for function in gc.get_objects():
            if isinstance(function, FunctionType) and str(function.__module__)[:9] == "pipeline.":
                atheris.instrument_func(function)
        limits = [f"-runs={cases}", f"-seed={seed}", "-len_control=0", "-max_len=4000"]
        atheris.Setup([sys.argv[0], *limits], attempt_one.hypothesis.fuzz_one_input)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
