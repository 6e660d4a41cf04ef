"""What people write by hand: stock Great Expectations, scikit-learn, imbalanced-learn, Keras."""

from __future__ import annotations

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
EPOCHS, BATCH = 3, 32


def main() -> None:
    """Validate, impute, encode, resample, train, measure; print seconds a step."""
    marks = [("start", time.perf_counter())]

    def mark(name: str) -> None:
        marks.append((name, time.perf_counter()))
        print(f"{name:<12} {marks[-1][1] - marks[-2][1]:7.1f} s", flush=True)

    import great_expectations as gx
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from imblearn.over_sampling import SMOTE
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pd.read_csv("flights.csv").dropna(subset=["late"]).reset_index(drop=True)
    frame["time_hour"] = pd.to_datetime(frame["time_hour"]).astype("int64") / 1e9
    numeric = [n for n in frame.columns if frame[n].dtype.kind in "if" and n != "year"]
    words = ["carrier", "tailnum", "origin", "dest"]
    mark("read")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    expect = gx.expectations
    suite = gx.ExpectationSuite(
        name="all",
        expectations=[
            *[expect.ExpectColumnToExist(column=n) for n in frame.columns],
            *[expect.ExpectColumnValuesToNotBeNull(column=n, mostly=0.9) for n in frame.columns],
            *[
                expect.ExpectColumnValuesToBeBetween(
                    column=n, min_value=float(frame[n].min()), max_value=float(frame[n].max())
                )
                for n in numeric
            ],
            expect.ExpectColumnValuesToBeInSet(column="late", value_set=["late", "on time"]),
        ],
    )
    asset = context.data_sources.add_pandas("p").add_dataframe_asset("a")
    batch = asset.add_batch_definition_whole_dataframe("b").get_batch({"dataframe": frame})
    batch.validate(suite)
    mark("validate")
    train, test = train_test_split(frame, test_size=0.3, stratify=frame["late"], random_state=0)
    validation, test = train_test_split(test, test_size=0.5, stratify=test["late"], random_state=0)
    prepare = ColumnTransformer(
        [
            ("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
            ("c", make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(max_categories=50, handle_unknown="infrequent_if_exist",
                              sparse_output=False),
            ), words),
        ]
    )  # fmt: skip
    x = prepare.fit_transform(train).astype("float32")
    x_validation, x_test = (
        prepare.transform(part).astype("float32") for part in (validation, test)
    )
    mark("prepare")
    x, y = SMOTE(random_state=0).fit_resample(x, (train["late"] == "late").astype(int).to_numpy())
    mark("resample")
    import keras

    network = keras.Sequential(
        [
            keras.Input((x.shape[1],)),
            keras.layers.Dense(64, "relu"), keras.layers.Dropout(0.1),
            keras.layers.Dense(32, "relu"), keras.layers.Dropout(0.1),
            keras.layers.Dense(2, "softmax"),
        ]
    )  # fmt: skip
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    targets = (validation["late"] == "late").astype(int).to_numpy()
    network.fit(
        x, y, validation_data=(x_validation, targets), epochs=EPOCHS, batch_size=BATCH, verbose=0
    )
    mark("train")
    guesses = network.predict(x_test, batch_size=8192, verbose=0).argmax(axis=1)
    score = balanced_accuracy_score((test["late"] == "late").astype(int), guesses)
    print(f"balanced accuracy {score:.3f}, {len(x):,} training rows × {x.shape[1]} features")


if __name__ == "__main__":
    main()
