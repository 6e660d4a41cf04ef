"""What a data set is made of: for each modality one record of functions, asked for in one place.

Everywhere else code calls what the record of its run hands out, ``run.modality.<field>``; nobody
asks which modality it is. A new modality is a record here, the sections of its configuration, and a
folder. Functions import what they need when they are called: nothing here loads Keras or OpenCV.

A stage counts as changed where a function that its step reaches by ``run.modality.<field>``
changed, see ``runs.code``: so each function here imports by itself what it calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.training.learning import Learning

if TYPE_CHECKING:
    import numpy as np

    from pipeline.cleaning.outliers import Bound
    from pipeline.config.settings import DatasetConfig, Resampling, TrainingConfig
    from pipeline.diagnosis.sheet import Sheet
    from pipeline.diagnosis.terms import Terms
    from pipeline.features.layout import Layout
    from pipeline.features.splits import Split
    from pipeline.splitting.split_facts import NearFacts
    from pipeline.targets.peers import BaselineFit

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Modality:
    """The functions of one modality.

    Attributes
    ----------
    name
        As dataset.yaml has it.
    noun
        What one row is called.
    recognise
        Tells whether a source is of this modality; asked of each, the table last.
    scaffold
        The module of ``assay init`` and ``assay suggest``, with ``initialise`` and ``suggest``.
    ingest
        Writes canonical partitions: source, configuration, folder, progress.
    group
        Groups rows that are nearly the same: canonical rows, configuration.
    encode
        Writes a features directory: repaired rows, ingest's, cleaning's, folder, configuration.
    resample
        Writes it with another class balance: features directory, folder, configuration.
    encode_unrepaired
        Writes one of the rows before repair: canonical rows, split, features directory, folder,
        configuration.
    resamplings
        The methods that a race adds to those that fit any modality, by a features directory.
    learning
        How networks and their peers learn from such rows.
    show
        Chooses contact sheets for the report.
    speak
        Gives the words and the rules of findings.
    preprocessor, load_preprocessor
        The file that tells a preprocessor of this modality, and what loads it from its folder.
    """

    name: str
    noun: str
    recognise: Callable[[Path], bool]
    scaffold: str
    ingest: Callable[[Path, DatasetConfig, Path, OnProgress | None], None]
    group: Callable[[Path, DatasetConfig], tuple[np.ndarray | None, NearFacts | None]]
    encode: Callable[[Path, Path, Path, Path, DatasetConfig], None]
    resample: Callable[[Path, Path, DatasetConfig], None]
    encode_unrepaired: Callable[[Path, Path, Path, Path, DatasetConfig], None]
    resamplings: Callable[[Path], Sequence[Resampling]]
    learning: Learning
    show: Callable[
        [Mapping[str, Path], DatasetConfig, Mapping[str, Bound], NearFacts | None], list[Sheet]
    ]
    speak: Callable[[], Terms]
    preprocessor: str
    load_preprocessor: Callable[[Path], Any]


def find_modality(name: str) -> Modality:
    """Find the record of a modality by its name in dataset.yaml."""
    return MODALITIES[name]


def recognise_source(source: Path) -> Modality:
    """Find of which modality a source is; what is not recognised is a table."""
    return next(modality for modality in MODALITIES.values() if modality.recognise(source))


def find_published(folder: Path) -> Modality:
    """Find the modality of a published version by the folder of its preprocessor."""
    fitting = (m for m in MODALITIES.values() if (folder / m.preprocessor).is_file())
    return next(fitting, MODALITIES["table"])


# Tables


def _recognise_table(source: Path) -> bool:
    del source
    return True


def _ingest_table(
    source: Path, config: DatasetConfig, out: Path, on_progress: OnProgress | None
) -> None:
    from pipeline.ingest.table_ingest import ingest_table

    del on_progress  # a table is read as a whole
    ingest_table(source, config, out)


def _group_nothing(rows: Path, config: DatasetConfig) -> tuple[None, None]:
    del rows, config
    return None, None


def _encode_table(
    rows: Path, ingest: Path, cleaning: Path, out: Path, config: DatasetConfig
) -> None:
    from pipeline.preprocessing.assembly import assemble

    apart = config.split.repeats == "apart"
    assemble(rows, out, ingest=ingest, cleaning=cleaning, config=config.encoding, repeats=apart)


def _resample_table(features: Path, out: Path, config: DatasetConfig) -> None:
    from pipeline.resampling.table_features import resample_table

    resample_table(features, out, config)


def _encode_raw_table(
    rows: Path, assignment: Path, features: Path, out: Path, config: DatasetConfig
) -> None:
    from pipeline.preprocessing.raw_features import encode_unrepaired

    encode_unrepaired(rows, assignment, features, out, config)


def _list_table_resamplings(features: Path) -> Sequence[Resampling]:
    from pipeline.features.layout import load_layout

    return ["smotenc" if load_layout(features).blocks else "smote", "smote_enn"]


def _choose_table_threads(config: TrainingConfig) -> int:
    from pipeline.training.client import choose_threads

    return choose_threads(config)


def _fit_boosting(
    train: Split, validation: Split, test: Split, layout: Layout, config: TrainingConfig, seed: int
) -> BaselineFit:
    from pipeline.targets.peers import fit_boosting

    return fit_boosting(
        train, validation, test, len(layout.classes), config, seed=seed, blocks=layout.blocks
    )


def _show_nothing(
    stages: Mapping[str, Path],
    config: DatasetConfig,
    bounds: Mapping[str, Bound],
    near: NearFacts | None,
) -> list[Sheet]:
    del stages, config, bounds, near
    return []


def _speak_of_rows() -> Terms:
    from pipeline.diagnosis.terms import ROWS

    return ROWS


def _load_table_preprocessor(folder: Path) -> Any:
    from pipeline.preprocessing.preprocessor import load_preprocessor

    return load_preprocessor(folder)


# Pictures


def _recognise_pictures(source: Path) -> bool:
    from pipeline.images.recognising import holds_pictures

    return holds_pictures(source)


def _ingest_pictures(
    source: Path, config: DatasetConfig, out: Path, on_progress: OnProgress | None
) -> None:
    from pipeline.images.picture_ingest import ingest_pictures

    ingest_pictures(source, config, out, on_progress)


def _group_pictures(rows: Path, config: DatasetConfig) -> tuple[np.ndarray, NearFacts]:
    from pipeline.images.near_duplicates import group_near_duplicates

    return group_near_duplicates(rows, config)


def _encode_pictures(
    rows: Path, ingest: Path, cleaning: Path, out: Path, config: DatasetConfig
) -> None:
    from pipeline.images.picture_features import encode_pictures

    encode_pictures(rows, ingest, cleaning, out, config)


def _resample_pictures(features: Path, out: Path, config: DatasetConfig) -> None:
    from pipeline.images.resampled_pictures import resample_pictures

    resample_pictures(features, out, config)


def _encode_raw_pictures(
    rows: Path, assignment: Path, features: Path, out: Path, config: DatasetConfig
) -> None:
    from pipeline.images.picture_features import encode_raw_pictures

    encode_raw_pictures(rows, assignment, features, out, config)


def _list_picture_resamplings(features: Path) -> Sequence[Resampling]:
    del features
    return ["augment"]


def _take_all_cores(config: TrainingConfig) -> int:
    del config
    return 0


def _read_thumbnails(path: Path, layout: Layout) -> np.ndarray:
    from pipeline.features.thumbnails import read_thumbnails

    return read_thumbnails(path, layout)


def _fit_logistic(
    train: Split, validation: Split, test: Split, layout: Layout, config: TrainingConfig, seed: int
) -> BaselineFit:
    from pipeline.targets.peers import fit_logistic

    return fit_logistic(train, validation, test, len(layout.classes), config, seed=seed)


def _show_pictures(
    stages: Mapping[str, Path],
    config: DatasetConfig,
    bounds: Mapping[str, Bound],
    near: NearFacts | None,
) -> list[Sheet]:
    from pipeline.images.contact_sheets import show_pictures

    return show_pictures(stages, config, bounds, near)


def _speak_of_pictures() -> Terms:
    from pipeline.diagnosis.picture_findings import PICTURES

    return PICTURES


def _load_picture_preprocessor(folder: Path) -> Any:
    from pipeline.images.picture_preprocessor import load_picture_preprocessor

    return load_picture_preprocessor(folder)


MODALITIES: Mapping[str, Modality] = {
    "image": Modality(
        name="image",
        noun="picture",
        recognise=_recognise_pictures,
        scaffold="pipeline.scaffold.initialise_pictures",
        ingest=_ingest_pictures,
        group=_group_pictures,
        encode=_encode_pictures,
        resample=_resample_pictures,
        encode_unrepaired=_encode_raw_pictures,
        resamplings=_list_picture_resamplings,
        learning=Learning(
            module="pipeline.training.picture_networks",
            choose_threads=_take_all_cores,
            at_once=1,
            read_plain=_read_thumbnails,
            peer="logistic_regression",
            fit_peer=_fit_logistic,
        ),
        show=_show_pictures,
        speak=_speak_of_pictures,
        preprocessor="picture.json",
        load_preprocessor=_load_picture_preprocessor,
    ),
    "table": Modality(
        name="table",
        noun="row",
        recognise=_recognise_table,
        scaffold="pipeline.scaffold.initialise_tables",
        ingest=_ingest_table,
        group=_group_nothing,
        encode=_encode_table,
        resample=_resample_table,
        encode_unrepaired=_encode_raw_table,
        resamplings=_list_table_resamplings,
        learning=Learning(
            module="pipeline.training.row_networks",
            choose_threads=_choose_table_threads,
            at_once=2,
            read_plain=None,
            peer="gradient_boosting",
            fit_peer=_fit_boosting,
        ),
        show=_show_nothing,
        speak=_speak_of_rows,
        preprocessor="columns.json",
        load_preprocessor=_load_table_preprocessor,
    ),
}
