"""A published version in use, wherever its folder lies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import InputWarning
from pipeline.errors import ConfigError, DataContractError
from pipeline.preprocessing.preprocessor import load_preprocessor
from pipeline.published import open_version
from pipeline.storage.store import Store
from tests.conftest import SAMPLES

CODE = """
import json, sys
from pipeline.published import open_version
version = open_version(sys.argv[1])
shares = version.predict_proba([json.loads(sys.argv[2])])
print(shares.to_json(orient="records", double_precision=15))
"""


@pytest.mark.slow
def test_a_new_row_gets_a_probability_for_each_class_in_a_fresh_process(
    published: Path, tmp_path: Path
) -> None:
    """A dict of raw values goes through preprocessor and model, also from a copied folder."""
    version = Store(published, "hypothyroid").version()
    copy = tmp_path / "elsewhere"
    shutil.copytree(version, copy)
    # The first patient of the source, with a gap; text and numbers mixed.
    row = json.dumps(
        {"age": 72, "sex": None, "TSH": "30", "T3": "0.60", "TT4": 15, "T4U": "1.48", "FTI": 10.0}
    )
    answers = []
    for folder in (version, copy):
        done = subprocess.run(
            [sys.executable, "-c", CODE, str(folder), row], cwd=tmp_path, capture_output=True,
            text=True, check=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        )  # fmt: skip
        answers.append(json.loads(done.stdout.strip().splitlines()[-1])[0])
    assert answers[0] == answers[1]
    assert set(answers[0]) == {"hypothyroid", "negative"}
    assert sum(answers[0].values()) == pytest.approx(1.0, abs=1e-6)
    assert answers[0]["hypothyroid"] > 0.5


def test_the_model_sees_of_raw_test_rows_what_it_saw_in_training(published: Path) -> None:
    """Raw rows of the source give the published features, and so the published predictions."""
    version = open_version(Store(published, "hypothyroid").version())
    test = pd.read_parquet(version.path / "test.parquet")
    features = test[version.preprocessor.features].to_numpy()
    stages = published / "data/runs/hypothyroid/stages"
    ids = pd.read_parquet(next(stages.glob("ingest-*")) / "part-00000.parquet")["row_id"]
    source = pd.read_csv(SAMPLES / "hypothyroid/hypothyroid.csv", dtype=str).set_axis(ids)
    raw = source.loc[test["row_id"]].drop(columns="class").reset_index(drop=True)
    np.testing.assert_array_equal(version.preprocessor.transform(raw), features)
    right = version.predict(raw) == test["class"]
    metrics = json.loads((version.path / "model/metrics.json").read_text(encoding="utf-8"))
    reported = next(s for s in metrics["scores"] if s["name"] == "network")["metrics"]["accuracy"]
    assert right.mean() == pytest.approx(reported["value"])


def test_an_unknown_column_is_told_by_name_or_refused(published: Path) -> None:
    """A misspelt column is told with the nearest name, not a silent gap; strict refuses it."""
    version = Store(published, "hypothyroid").version()
    preprocessor = load_preprocessor(version / "preprocessor")
    with pytest.warns(InputWarning, match=r"'TSh' is not known.*did you mean 'TSH'"):
        preprocessor.transform([{"TSh": 1.0}])
    with pytest.raises(DataContractError, match=r"'TSh' is not known.*did you mean 'TSH'"):
        preprocessor.transform([{"TSh": 1.0}], strict=True)


def test_a_folder_that_is_no_version_is_refused(tmp_path: Path) -> None:
    """Opening anything else says what to name."""
    with pytest.raises(ConfigError, match="holds no published version"):
        open_version(tmp_path)


def test_a_folder_without_a_preprocessor_is_refused(published: Path, tmp_path: Path) -> None:
    """A wrong path, and the folder of the version itself, say what to name."""
    version = Store(published, "hypothyroid").version()
    for wrong in (tmp_path / "nothing", version):
        with pytest.raises(ConfigError, match=r"holds no preprocessor of a table\. Name a folder"):
            load_preprocessor(str(wrong))


def test_classify_still_answers_and_says_its_new_name(published: Path) -> None:
    """The name of before gives what ``predict`` gives, with a warning."""
    version = open_version(Store(published, "hypothyroid").version())
    rows = [{"age": "72", "sex": "M", "TSH": "30"}, {"TSH": "1"}]
    with pytest.warns(FutureWarning, match="classify is named predict"):
        old = version.classify(rows)
    assert old.equals(version.predict(rows))
    assert old.tolist() == ["hypothyroid", "negative"]
