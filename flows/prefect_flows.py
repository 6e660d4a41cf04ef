"""The recipes as Prefect flows, for a server, a schedule, a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed
from pydantic import Field

from flows import train_version as train_module
from flows.prefect_blocks import find_secret
from flows.prefect_schedule import find_later_run
from flows.prefect_server import reach_server
from flows.progress import Progress, telling
from flows.refresh import refresh as refresh_recipe
from pipeline.config.settings import CategoricalImputation, NumericImputation, ResamplingMethod
from pipeline.errors import AssayError
from pipeline.secrets import hide, looking_up
from pipeline.storage.locking import Busy

Seed = Annotated[int | None, Field(ge=0, lt=2**32)]
Positive = Annotated[int | None, Field(ge=1)]
Rate = Annotated[float | None, Field(gt=0)]
Ratio = Annotated[float | None, Field(gt=0, le=1)]
Neighbors = Annotated[int | None, Field(ge=1, le=100)]

# What ended the flow runs of this process: a state carries the message alone.
_errors: list[AssayError] = []


class _RunLog:
    """A text stream that ends in the flow run's log."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def write(self, text: str) -> int:
        if text.strip():
            self._logger.info(hide(text.rstrip()))
        return len(text)

    def flush(self) -> None:
        """Do nothing: each line is sent immediately."""

    def isatty(self) -> bool:
        """Say that nobody watches."""
        return False


# The docstrings of flows are in Google's style: Prefect reads the help of its form out of them.
@flow(
    name="refresh",
    description="Validate, repair, re-check, resample, train and publish a data set. "
    "What is left empty is as dataset.yaml says.",
    persist_result=False,
)
def refresh(
    dataset: str,
    seed: Seed = None,
    imputation: NumericImputation | None = None,
    imputation_categorical: CategoricalImputation | None = None,
    k_neighbors: Neighbors = None,
    resampling: ResamplingMethod | None = None,
    resampling_ratio: Ratio = None,
    epochs: Positive = None,
    batch_size: Positive = None,
    learning_rate: Rate = None,
    settings: list[str] | None = None,
    home: str | None = None,
) -> State[Any]:
    """Validate, repair, re-check, resample, train and publish a data set.

    A gate that stops the run, or a fault in the data, the configuration or the machine, ends in the
    state Failed with the reason as its message.

    Args:
        dataset: The data set: the name of its folder below data/.
        seed: Seed of every random choice. Empty: as dataset.yaml says, and so for all that follow.
        imputation: How missing numbers are filled (imputation.numeric).
        imputation_categorical: How missing categories are filled (imputation.categorical).
        k_neighbors: Neighbours that KNN imputation takes the mean of (imputation.k_neighbors).
        resampling: How the classes of the training split are balanced (resampling.method).
        resampling_ratio: Rows of each other class over those of the largest (resampling.ratio).
        epochs: Most epochs of the training (training.epochs).
        batch_size: Rows in one step of the training (training.batch_size).
        learning_rate: Step size of the training (training.learning_rate).
        settings: Further settings, each as section.key=value; `assay settings` lists them.
        home: The project directory. Empty: ASSAY_HOME of the worker.
    """
    overrides = _write_overrides(
        {
            "seed": seed,
            "imputation.numeric": imputation,
            "imputation.categorical": imputation_categorical,
            "imputation.k_neighbors": k_neighbors,
            "resampling.method": resampling,
            "resampling.ratio": resampling_ratio,
            "training.epochs": epochs,
            "training.batch_size": batch_size,
            "training.learning_rate": learning_rate,
        },
        settings,
    )
    with telling(_make_progress()), looking_up(find_secret):
        try:
            outcome = refresh_recipe(dataset, overrides, _find_place(home), find_later_run)
        except AssayError as error:
            return _end(error)
    if outcome.state == "skipped":
        return Completed(name="Skipped", message=outcome.reason)
    if outcome.state == "unchanged":
        message = f"nothing changed since version {outcome.version}; nothing was to do"
        return Completed(name="Unchanged", message=message)
    return Completed(message=f"published: {outcome.version}, report {outcome.path}/report.html")


@flow(
    name="train",
    description="Train the baseline network on a published version; publish nothing.",
    persist_result=False,
)
def train(
    dataset: str,
    version: str | None = None,
    seed: Seed = None,
    epochs: Positive = None,
    batch_size: Positive = None,
    learning_rate: Rate = None,
    settings: list[str] | None = None,
    home: str | None = None,
) -> State[Any]:
    """Train the baseline network on a published version; publish nothing.

    Args:
        dataset: The data set: the name of its folder below data/.
        version: The published version. Empty: the current one.
        seed: Seed of the training. Empty: as dataset.yaml says, and so for all that follow.
        epochs: Most epochs of the training (training.epochs).
        batch_size: Rows in one step of the training (training.batch_size).
        learning_rate: Step size of the training (training.learning_rate).
        settings: Further settings of training or augmentation, each as section.key=value.
        home: The project directory. Empty: ASSAY_HOME of the worker.
    """
    overrides = _write_overrides(
        {
            "seed": seed,
            "training.epochs": epochs,
            "training.batch_size": batch_size,
            "training.learning_rate": learning_rate,
        },
        settings,
    )
    with telling(_make_progress()):
        try:
            out = train_module.train(dataset, version, overrides, _find_place(home))
        except AssayError as error:
            return _end(error)
    return Completed(message=f"trained: {out}")


def run_flow(dataset: str, overrides: list[str]) -> int:
    """Run the refresh as a flow run; return the command's exit code."""
    reach_server()
    _errors.clear()
    state = refresh(dataset, settings=overrides, return_state=True)
    print(state.message or state.name)
    if state.is_completed():
        return 0
    return _errors[-1].exit_code if _errors else 3


def _make_progress() -> Progress:
    return Progress(stream=_RunLog(get_run_logger()))  # type: ignore[arg-type]  # all that print() asks


def _write_overrides(values: dict[str, Any], settings: list[str] | None) -> list[str]:
    """Write flow parameters as overrides; those that were named one by one come last."""
    given = [f"{key}={value}" for key, value in values.items() if value is not None]
    return [*(settings or []), *given]


def _find_place(home: str | None) -> Path | None:
    return Path(home) if home else None


def _end(error: AssayError) -> State[Any]:
    _errors.append(error)
    if isinstance(error, Busy):
        return Cancelled(message=str(error))
    return Failed(message=hide(str(error)))
