"""The recipes as Prefect flows, for a server, a schedule, a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.progress import Progress, telling
from flows.refresh import refresh as refresh_recipe
from pipeline.errors import AssayError


class _RunLog:
    """A text stream that ends in the flow run's log."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def write(self, text: str) -> int:
        if text.strip():
            self._logger.info(text.rstrip())
        return len(text)

    def flush(self) -> None:
        """Do nothing: each line is sent at once."""

    def isatty(self) -> bool:
        """Say that nobody watches."""
        return False


@flow(name="refresh", log_prints=False, persist_result=False)
def refresh(
    dataset: str, overrides: list[str] | None = None, home: str | None = None
) -> State[Any]:
    """Validate, repair, re-check, resample, train and publish a data set.

    A gate that stops the run, or a fault in the data or configuration, ends in the state Failed
    with the reason as its message.
    """
    log = Progress(stream=_RunLog(get_run_logger()))  # type: ignore[arg-type]  # all that print() asks
    try:
        with telling(log):
            outcome = refresh_recipe(dataset, overrides, Path(home) if home else None)
    except AssayError as error:
        return Failed(message=str(error))
    return Completed(message=f"{outcome.state}: {outcome.version}")


def run_flow(dataset: str, overrides: list[str]) -> int:
    """Run the refresh as a flow run; return the command's exit code."""
    state = refresh(dataset, overrides, return_state=True)
    print(state.message or state.name)
    return 0 if state.is_completed() else 1
