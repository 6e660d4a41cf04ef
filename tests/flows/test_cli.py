"""The command line: exit codes, messages in four parts, no traceback, a quick start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import main
from tests.conftest import SAMPLES, copy_sample

ROOT = Path(__file__).parents[2]


def run_assay(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments], cwd=home, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip


def test_help_loads_nothing_heavy() -> None:
    """`assay --help` and `import pipeline` load nothing that takes seconds."""
    code = (
        "import sys, pipeline, flows.cli\n"
        "flows.cli.make_parser().format_help()\n"
        "print([m for m in ('tensorflow', 'keras', 'great_expectations', 'pandas', 'prefect',"
        " 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["run", "hypothyroyd"],
            "data. Did you mean 'hypothyroid'? Or create it with `assay init SOURCE",
        ),
        (["run", "zzz"], "ASSAY_HOME; known are 'hypothyroid'."),
        (
            ["run", "hypothyroid", "--set", "training.epoch=60"],
            "config: --set training.epoch is wrong: there is no such key. Remove the key or "
            "correct its name: did you mean 'epochs'?\n",
        ),
        (["init", "data/hypothyroid/hypothyroid.csv", "--name", "x"], "--target is missing"),
        (["run", "hypothyroid", "--set", "cleaning.outlier.factor=3"], "outlier"),
        (["run", "hypothyroid", "--set", "split.test=2"], "less than 1"),
        (["run", "hypothyroid", "--set", "nonsense"], "section.key=value"),
        (["run", "hypothyroid", "--set", "target=clas"], "did you mean 'class'?"),
        (["report", "hypothyroid"], "no published version"),
        (["rollback", "hypothyroid", "v1"], "no version 'v1'"),
        (["init", "nowhere.csv", "--target", "y"], "was not found"),
        (
            ["init", "data/hypothyroid/hypothyroid.csv", "--target", "clas", "--name", "x"],
            "'class'",
        ),
        (["init", "data/hypothyroid/hypothyroid.csv", "--target", "class"], "exists already"),
        (
            ["init", "data/hypothyroid/hypothyroid.csv", "--target", "age", "--name", "x", "--set"],
            "",
        ),
    ],
)
def test_a_wrong_call_is_explained_with_exit_code_2(
    home: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a user got wrong gives exit code 2 and says what to do; never a traceback."""
    copy_sample(home, "hypothyroid")
    try:
        code = main(arguments)
    except SystemExit as exit_:
        code = int(str(exit_.code))
    shown = capsys.readouterr().err
    assert code == 2
    assert says in shown
    assert "Traceback" not in shown


def test_the_columns_to_choose_a_target_from_are_named(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is named as it was given, eight columns are shown, and nothing was copied."""
    outside = tmp_path / "outside"
    outside.mkdir()
    names = [f"c{number}" for number in range(10)]
    (outside / "adult.csv").write_text(",".join(names) + "\n" + ",".join("1" * 10) + "\n")
    assert main(["init", str(outside / "adult.csv")]) == 2
    said = capsys.readouterr().err
    assert f"init: {outside}/adult.csv is a table, and the column to predict is not named" in said
    assert "--target COLUMN, one of c0, c1, c2, c3, …, c6, c7, c8, c9; pictures" in said
    assert not (home / "data/adult").exists()


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ([], "2 rows repeat an earlier one; dropped"),
        (["--key", "id"], "2 rows repeat an earlier one but for id; dropped"),
    ],
)
def test_repeated_rows_are_described_as_they_are(
    home: Path, key: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a table with columns that are not learned from has repeats that differ in one."""
    rows = [f"{number * 0.37:.2f},{'ab'[number % 2]}" for number in range(60)]
    rows += rows[:2]
    header = "x,y"
    if key:
        header, rows = "id,x,y", [f"p{number},{row}" for number, row in enumerate(rows)]
    (home / "mine.csv").write_text("\n".join([header, *rows]))
    assert main(["init", "mine.csv", "--target", "y", *key]) == 0
    assert f"  - {says}\n" in capsys.readouterr().out


def test_a_target_of_numbers_is_refused_with_a_reason(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A continuous target is no classification; the message says so, and what to do."""
    rows = "\n".join(f"{i},{i * 1.5}" for i in range(300))
    (home / "mine.csv").write_text("x,y\n" + rows)
    assert main(["init", "mine.csv", "--target", "y"]) == 1
    assert "regression is not supported" in capsys.readouterr().err
    assert not (home / "data/mine").exists()


def test_versions_report_and_rollback(published: Path, monkeypatch: pytest.MonkeyPatch,
                                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    """The small commands find what a run published."""
    monkeypatch.chdir(published)
    assert main(["versions", "hypothyroid"]) == 0
    version = capsys.readouterr().out.removeprefix("* ").split()[0]
    assert main(["rollback", "hypothyroid", version]) == 0
    assert main(["report", "hypothyroid"]) == 0
    assert Path(capsys.readouterr().out.strip().splitlines()[-1]).is_file()


@pytest.mark.slow
def test_a_users_own_file_needs_no_edit(home: Path) -> None:
    """`assay init` and `assay run` publish a data set that is not a sample of ours."""
    (home / "penguins.csv").write_bytes((SAMPLES / "penguins_raw/penguins_raw.csv").read_bytes())
    init = run_assay(home, "init", "penguins.csv", "--target", "Species", "--name", "penguins")
    assert init.returncode == 0, init.stderr
    run = run_assay(home, "run", "penguins", "--set", "training.epochs=3")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    assert (home / "data/published/penguins/current/report.html").is_file()


@pytest.mark.slow
def test_docs_are_built(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`assay docs` builds Great Expectations' own pages."""
    copy_sample(home, "hypothyroid")
    assert main(["docs", "hypothyroid"]) == 0
    page = Path(capsys.readouterr().out.strip().splitlines()[-1].removeprefix("Data Docs: "))
    assert "missing_values" in page.read_text(encoding="utf-8")


def test_suites_are_learned_anew_from_an_edited_declaration(home: Path) -> None:
    """`assay suggest` follows the roles that a person declared, and keeps the declaration."""
    copy_sample(home, "hypothyroid")
    declaration = home / "data/hypothyroid/dataset.yaml"
    edited = declaration.read_text().replace("T3: {role: numeric}", "T3: {role: identifier}", 1)
    declaration.write_text(edited)
    assert main(["suggest", "hypothyroid"]) == 0
    outliers = (home / "expectations/hypothyroid/outliers.json").read_text()
    assert '"TSH"' in outliers
    assert '"T3"' not in outliers
    assert declaration.read_text() == edited


@pytest.mark.parametrize(
    ("override", "near"),
    [
        ("cleaning.drop_columns=[TBGG]", "'TBG'"),
        ("split={by: time, column: agee}", "'age'"),
        ("columns={TSSH: {missing: -9}}", "'TSH'"),
        ("dataset=other", "data/hypothyroid"),
    ],
)
def test_names_that_the_source_lacks_are_refused_at_each_run(
    home: Path, override: str, near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt column in dataset.yaml is an error, also where the rows were read before."""
    copy_sample(home, "hypothyroid")
    from pipeline.runs.run import prepare
    from pipeline.steps.ingest import ingest

    ingest(prepare(home, "hypothyroid"))
    assert main(["run", "hypothyroid", "--set", override]) == 2
    assert near in capsys.readouterr().err
