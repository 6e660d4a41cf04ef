"""Pages name only what exists: files, modules, names, settings and commands.

Sphinx itself checks the links between pages, in `make docs`; nothing here needs it.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from flows.cli import make_parser
from flows.list_settings import walk_settings
from pipeline.config.settings import DatasetConfig

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))])
FENCE = re.compile(r"^( *)```+ *(\S*)\n(.*?)^\1```+ *$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
FOLDERS = ("pipeline", "flows", "tests", "benchmarks", "docs")
PLACEHOLDERS = ("NAME", "<stage>", "VERSION", "*")
# Pages that are seen on screens of a project, not on the machine that wrote them.
PRIVATE = re.compile(r"/(?:tmp|work|home|root)/|localhost:\d{5}")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def list_blocks(page: Path, *languages: str) -> list[str]:
    """List the fenced blocks of a page in some languages."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [body for _, language, body in found if language in languages]


def list_codes(page: Path) -> list[str]:
    """List what stands in backticks, outside of fenced blocks."""
    return CODE.findall(FENCE.sub("", page.read_text(encoding="utf-8")))


@cache
def list_paths() -> frozenset[str]:
    """List the settings."""
    return frozenset(setting.path for setting in walk_settings())


@cache
def list_settings() -> frozenset[str]:
    """List the settings, and the sections that they are in."""
    parts = [path.split(".") for path in list_paths()]
    return frozenset(".".join(p[:n]) for p in parts for n in range(1, len(p) + 1))


@cache
def list_names(module: str) -> frozenset[str] | None:
    """List what a module defines at its top or hands out by ``__all__``; None: no such module."""
    folder = ROOT.joinpath(*module.split("."))
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    if not path.is_file():
        return None
    names = {p.stem for p in folder.glob("*") if p.suffix == ".py" or p.is_dir()}
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    names.add(target.id)
                    if target.id == "__all__":
                        names |= set(ast.literal_eval(node.value))
    return frozenset(names)


def resolves(dotted: str) -> bool:
    """Tell whether a dotted name is a module, or a name in one."""
    if list_names(dotted) is not None:
        return True
    module, _, name = dotted.rpartition(".")
    return name in (list_names(module) or ())


def flatten(declared: object, prefix: str = "") -> Iterator[str]:
    """Name the settings of a declaration; what a mapping setting holds is the user's own."""
    if prefix in list_paths():
        yield prefix
    elif isinstance(declared, dict) and declared:
        for key, value in declared.items():
            name = "on" if key is True else str(key)  # YAML 1.1 reads the key `on` as true
            name = "<name>" if prefix == "columns" else name
            yield from flatten(value, f"{prefix}.{name}" if prefix else name)
    else:
        yield prefix


@each_page
def test_links_lead_to_files(page):
    """Each relative link and picture is there; links are Markdown's, which GitHub shows too."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text)
    links = [link for link in links if "://" not in link]
    links += re.findall(r"```\{image\} (\S+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing
    assert "{doc}" not in text


@each_page
def test_files_that_are_named_exist(page):
    """Each path in backticks below a folder of the project exists, and each bare module in one."""
    modules = {path.name for room in ("pipeline", "flows") for path in (ROOT / room).rglob("*.py")}
    missing = []
    for code in list_codes(page):
        if any(sign in code for sign in (*PLACEHOLDERS, " ")):
            continue
        if code.split("/")[0] in FOLDERS and "/" in code:
            missing += [] if (ROOT / code).exists() else [code]
        elif re.fullmatch(r"[a-z_]+\.py", code):
            missing += [] if code in modules else [code]
    assert not missing


@each_page
def test_python_names_that_are_named_exist(page):
    """Each dotted name of a package, and each import in an example, resolves."""
    pattern = re.compile(r"\b(?:pipeline|flows)(?:\.\w+)+")
    dotted = [name for code in list_codes(page) for name in pattern.findall(code)]
    for block in list_blocks(page, "python", "pycon", "{eval-rst}"):
        for line in block.splitlines():
            line = line.removeprefix(">>> ")
            imported = re.match(r"from ((?:pipeline|flows)[\w.]*) import ([\w, ]+)", line)
            if imported:
                dotted += [f"{imported[1]}.{name.strip()}" for name in imported[2].split(",")]
        dotted += pattern.findall(block)
    wrong = [name for name in dotted if not name.endswith((".py", ".md")) and not resolves(name)]
    assert not wrong


@each_page
def test_settings_that_are_named_exist(page):
    """Each setting in backticks, after ``--set`` and in an example of dataset.yaml exists."""
    known = list_settings()
    sections = "|".join(name for name in DatasetConfig.model_fields if name != "dataset")
    pattern = re.compile(rf"(?:{sections})(?:\.(?:\w+|<name>))+")
    named = [found[0] for code in list_codes(page) if (found := pattern.match(code))]
    for block in list_blocks(page, "console", "text"):
        named += re.findall(r"--set \"?([\w.]+)=", block)
    for block in list_blocks(page, "yaml"):
        lines = [line for line in block.splitlines() if line.strip() != "…"]
        named += flatten(yaml.safe_load("\n".join(lines)))
    # What a pasted run was told is wrong is there to be wrong.
    named = [name for name in named if name != "training.epoch"]
    files = (".py", ".json", ".yaml", ".md", ".parquet")
    assert not [name for name in named if name not in known and not name.endswith(files)]


@each_page
def test_commands_that_are_named_exist(page):
    """Each ``assay COMMAND`` in backticks or at a prompt is one."""
    commands = set(next(a for a in make_parser()._actions if a.choices).choices)
    called = [found[1] for code in list_codes(page) if (found := re.match(r"assay (\w+)", code))]
    for block in list_blocks(page, "console"):
        called += re.findall(r"^\$ (?:\.venv/bin/)?assay (\w+)", block, re.MULTILINE)
    assert not set(called) - commands


@each_page
def test_pages_name_no_machine(page):
    """Output is pasted without the paths of the machine that wrote it."""
    assert not PRIVATE.findall(page.read_text(encoding="utf-8"))


def test_every_page_is_in_the_contents():
    """Each page can be reached from the index."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = {
        line.strip()
        for block in re.findall(r"```\{toctree\}\n(.*?)```", index, re.DOTALL)
        for line in block.splitlines()
        if line.strip() and not line.startswith(":")
    }
    pages = {str(p.relative_to(DOCS).with_suffix("")) for p in DOCS.rglob("*.md")}
    assert listed == pages - {"index"}


def test_floors_are_those_of_the_import_contract():
    """The table of rooms has the layers of the import contract, in their order."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [floors] = [
        contract["layers"]
        for contract in contracts["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("| rooms | hold |")[2].partition("\n\n")[0]
    rows = [CODE.findall(row.split("|")[1]) for row in table.splitlines()[2:]]
    assert rows == [["flows/"], *(floor.split(" | ") for floor in floors)]


def test_first_pages_are_short():
    """README.md has fewer than 200 lines, CONTRIBUTING.md less than 8 kB, pictures 250 kB."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 200
    assert (ROOT / "CONTRIBUTING.md").stat().st_size < 8_000
    assert not [p for p in (DOCS / "images").iterdir() if p.stat().st_size > 250_000]


def test_the_reference_is_generated():
    """The pages of settings and commands hold the marks that are replaced when they are built."""
    for name in ("settings", "commands"):
        assert f"<!-- {name} -->" in (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")
