"""How a run ended: what is logged of it, and who is notified."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from flows.progress import current_progress, in_flow_run
from pipeline.config.dataset_yaml import load_notifications
from pipeline.config.upkeep import Event, NotificationsConfig
from pipeline.errors import AssayError, DataContractError
from pipeline.runs.run import Run
from pipeline.secrets import hide
from pipeline.storage.locking import Busy
from pipeline.storage.store import Store
from pipeline.upkeep import history
from pipeline.upkeep.notifications import Notice, notify


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a refresh ended.

    Attributes
    ----------
    state
        'published'; 'unchanged' where this very version was there already; 'skipped' where a later
        scheduled run does the same.
    version, path
        The version and its folder; for a skipped run None.
    reason
        Why it was skipped.
    """

    state: Literal["published", "unchanged", "skipped"]
    version: str | None = None
    path: Path | None = None
    reason: str = ""


class GateStopped(DataContractError):
    """A gate stopped the run; nothing was published.

    Attributes
    ----------
    report
        Where the report of the stopped run lies.
    """

    def __init__(self, stage: str, problem: str, fix: str, report: Path) -> None:
        super().__init__(stage, problem, fix)
        self.report = report

    def __reduce__(self) -> tuple[type[GateStopped], tuple[str, str, str, Path]]:
        return type(self), (self.stage, self.problem, self.fix, self.report)


@dataclass(slots=True)
class Watch:
    """One run, from its start to what is told of its end."""

    store: Store
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    run: Run | None = None
    outcome: RunOutcome | None = None
    quiet: bool = False
    _held: datetime = datetime.min
    _died: str | None = None
    _failing: bool = False
    _logged: bool = False

    def was_cut_off(self, version: str) -> bool:
        """Tell whether the last run died after it published a version, before it could say so."""
        return self._died is not None and version not in {
            run.get("version") for run in history.read_runs(self.store)
        }

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Log the run, however it ends; to be entered while the data set's lock is held."""
        self._held = datetime.now(UTC)
        before = history.begin(self.store, self.started.isoformat(timespec="seconds"))
        self._died, self._failing = before.died, before.failing
        if before.died:
            current_progress().say(f"  ! {_describe_death(before.died)}")
            tell_death(self.store, before.died)
        try:
            yield
        except BaseException as error:
            with contextlib.suppress(AssayError):  # the error itself matters more
                self._log(_name_state(error), error)
            raise
        self._log(self.outcome.state if self.outcome else "published")

    def _log(self, state: history.State, error: BaseException | None = None) -> None:
        stages = {} if self.run is None else self.run.keys
        record = {
            "started": self.started.isoformat(timespec="seconds"),
            "state": state,
            "held": [_write_time(self._held), _write_time(datetime.now(UTC))],
            "version": self.outcome.version if self.outcome else None,
            "message": _write_message(error),
            "key": self.run.key if self.run else None,
            "seconds": current_progress().seconds,
            "stages": [f"{name}-{key[:16]}" for name, key in stages.items()],
        }
        self._logged = True
        history.end(self.store, record)

    def tell(self, error: BaseException | None = None) -> None:
        """Tell of the end, if it is one that somebody wants to hear of."""
        state = _name_state(error) if error is not None else "published"
        if error is not None and not self._logged and state == "failed":
            # It failed before it could hold the data set: a wrong declaration, no right to write.
            with contextlib.suppress(AssayError):
                history.note(self.store, self.started.isoformat(timespec="seconds"), str(error))
        if self.quiet:
            return
        config = load_notifications(self.store.config_path)
        event = self._find_event(state)
        if event is None or event not in config.on:
            return
        _send(self._make_notice(event, error), config, self.store.home)

    def _find_event(self, state: history.State) -> Event | None:
        if state == "stopped":
            return "stopped"
        if state == "failed":
            return "failed"
        if state == "interrupted" or self.outcome is None or self.outcome.state == "skipped":
            return None
        return "recovered" if self._failing else None

    def _make_notice(self, event: Event, error: BaseException | None) -> Notice:
        name = self.store.dataset
        version = self.outcome.version if self.outcome else None
        report = getattr(error, "report", None)
        if report is None and self.outcome and self.outcome.path:
            report = self.outcome.path / "report.html"
        message = _write_message(error) or f"version {version} is current"
        if error is None and self._died:
            message += f"; the run of {self._died} did not finish"
        what = {
            "stopped": f"{name}: the gate stopped the refresh, nothing was published",
            "failed": f"{name}: the refresh failed, nothing was published",
            "recovered": f"{name}: the refresh works again",
        }[event]
        return Notice(
            event=event,
            dataset=name,
            message=message,
            started=self.started.isoformat(timespec="seconds"),
            host=socket.gethostname(),
            version=version,
            report=str(report) if report else None,
            text=f"{what}. {message}",
        )


def tell_death(store: Store, started: str) -> None:
    """Tell of a run that was killed, which can't tell of itself."""
    config = load_notifications(store.config_path)
    if "failed" not in config.on:
        return
    message = _describe_death(started)
    notice = Notice(
        event="failed", dataset=store.dataset, message=message, started=started,
        host=socket.gethostname(), version=None, report=None, text=f"{store.dataset}: {message}",
    )  # fmt: skip
    _send(notice, config, store.home)


def _describe_death(started: str) -> str:
    return (
        f"the run of {started} did not finish (killed, or the machine went down); its "
        "finished stages are kept"
    )


@contextlib.contextmanager
def watched(store: Store) -> Iterator[Watch]:
    """Watch one run; when it has ended, tell those who are to be told."""
    watch = Watch(store)
    try:
        yield watch
    except BaseException as error:
        watch.tell(error)
        raise
    watch.tell()


def _send(notice: Notice, config: NotificationsConfig, home: Path) -> None:
    problems = notify(notice, config, home)
    if config.block and in_flow_run():
        from flows.prefect_blocks import tell_block

        problems += tell_block(config.block, notice)
    for problem in problems:
        current_progress().say(f"  ! {problem}")


def _write_time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _name_state(error: BaseException) -> history.State:
    if isinstance(error, GateStopped):
        return "stopped"
    if isinstance(error, Busy):
        return "skipped"
    return "failed" if isinstance(error, Exception) else "interrupted"


def _write_message(error: BaseException | None) -> str:
    if error is None:
        return ""
    if isinstance(error, AssayError):
        return hide(str(error))
    return hide(f"an error of ours: {type(error).__name__}: {error}")[:1000]
