"""Deployments of data sets at a Prefect server: refresh and training, schedule, who is told."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flows.artifacts import REPORTS_URL
from flows.prefect_blocks import find_secret
from flows.prefect_server import find_api, reach_server
from pipeline.config.settings import DatasetConfig
from pipeline.errors import AssayError, ConfigError, MachineError
from pipeline.runs.run import declare
from pipeline.secrets import NAME as SECRET
from pipeline.sources.fetching import is_elsewhere
from pipeline.sources.locating import OUTSIDE, locate
from pipeline.storage.store import Store

if TYPE_CHECKING:
    from prefect.events.schemas.automations import AutomationCore

POOL = "assay"
HEARTBEAT_SECONDS = 30
ZOMBIES = "assay: runs that died"


@dataclass(frozen=True, slots=True)
class Deployed:
    """The deployments of one data set.

    Attributes
    ----------
    names
        Such as ``refresh/hypothyroid``.
    schedule
        In words.
    missing
        Secrets that it names and that are set neither here nor at the server.
    """

    dataset: str
    names: tuple[str, str]
    schedule: str
    missing: tuple[str, ...]

    @property
    def lines(self) -> Iterator[str]:
        """What to tell of it."""
        refresh, train = self.names
        yield f"  ✓ deployed {refresh}: {self.schedule}; and {train}"
        for name in self.missing:
            yield f"  ! {self.dataset} needs the secret {name}, and it is not set here"


def list_datasets(home: Path) -> list[str]:
    """Name the data sets of a project."""
    return sorted(path.parent.name for path in (home / "data").glob("*/dataset.yaml"))


def deploy(
    home: Path, datasets: list[str], *, pool: str = POOL, reports_url: str | None = None
) -> tuple[list[Deployed], list[AssayError]]:
    """Register or renew ``refresh/<dataset>`` and ``train/<dataset>`` for each data set.

    Parameters
    ----------
    home
        The project directory, as the workers see it.
    datasets
        Their names.
    pool
        The work pool, of the type process; it is made if it is not there.
    reports_url
        Where a browser finds the reports, see ``serving``.

    Returns
    -------
    tuple
        What was registered, and what kept single data sets from it.

    Raises
    ------
    ConfigError, MachineError
        If there is no server, or it can't be reached or refuses.
    """
    find_api()
    reach_server()
    from prefect.exceptions import PrefectHTTPStatusError

    env = {"ASSAY_HOME": str(home), "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}
    if reports_url:
        env[REPORTS_URL] = reports_url
    if os.environ.get(OUTSIDE):
        env[OUTSIDE] = "1"
    done: list[Deployed] = []
    problems: list[AssayError] = []
    try:
        _make_pool(pool)
        _renew(_find_zombies())
        for name in datasets:
            try:
                store = Store(home, name)
                config = declare(store)
                if not is_elsewhere(config.source):
                    locate(store, config.source)  # refuses what lies outside of the project
                done.append(_deploy_one(config, home, pool, env))
            except AssayError as error:
                problems.append(error)
    except PrefectHTTPStatusError as error:
        raise MachineError(
            "deploy", f"the Prefect server refused: {str(error)[:300]}",
            "See that server and client are of one version",
        ) from None  # fmt: skip
    return done, problems


def _deploy_one(config: DatasetConfig, home: Path, pool: str, env: dict[str, str]) -> Deployed:
    from prefect.deployments.runner import RunnerDeployment
    from prefect.types.entrypoint import EntrypointType

    from flows import prefect_flows

    name = config.dataset
    ids = {}
    for kind, flow in (("refresh", prefect_flows.refresh), ("train", prefect_flows.train)):
        runner = RunnerDeployment.from_flow(
            flow,
            name=name,
            schedules=_make_schedules(config) if kind == "refresh" else [],
            parameters={"dataset": name},
            description=flow.description,
            tags=["assay", *config.tags],
            work_pool_name=pool,
            job_variables={"env": env, "working_dir": str(home)},
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        applied: Any = runner.apply()  # the same function serves async callers
        ids[kind] = applied
        _drop_schedules(applied, {schedule.slug for schedule in runner.schedules or []})
    _tell_of_crashes(config, ids["refresh"])
    return Deployed(
        name, (f"refresh/{name}", f"train/{name}"), _describe_schedule(config), _find_unset(config)
    )


def tell_deployed(done: list[Deployed], problems: list[AssayError]) -> None:
    """Print what was registered and what was not."""
    for item in done:
        print("\n".join(item.lines), flush=True)
    for problem in problems:
        print(f"  ! not deployed: {problem}", flush=True)


def _find_unset(config: DatasetConfig) -> tuple[str, ...]:
    named = SECRET.findall(f"{config.source} {config.notifications.webhook}")
    return tuple(name for name in named if not (os.environ.get(name) or find_secret(name)))


def _make_schedules(config: DatasetConfig) -> list[Any]:
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule

    schedule = config.schedule
    if schedule.cron is None:
        return []
    try:
        cron = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    except ValueError:
        raise ConfigError(
            "deploy", f"schedule.cron of {config.dataset} is {schedule.cron!r}, no cron line",
            "Write minute, hour, day, month, weekday, such as 0 3 * * *",
        ) from None  # fmt: skip
    return [DeploymentScheduleCreate(schedule=cron, active=not schedule.paused, slug="declared")]


def _drop_schedules(deployment: UUID, declared: set[str | None]) -> None:
    """Delete the schedules of a deployment that are not declared any more: renewing keeps them."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for found in client.read_deployment_schedules(deployment):
            if found.slug not in declared:
                client.delete_deployment_schedule(deployment, found.id)


def _describe_schedule(config: DatasetConfig) -> str:
    schedule = config.schedule
    if schedule.cron is None:
        return "no schedule"
    rest = ", paused" if schedule.paused else ""
    return f"{schedule.cron} ({schedule.timezone}{rest})"


def _make_pool(name: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            found = client.read_work_pool(name)
        except ObjectNotFound:
            with contextlib.suppress(ObjectAlreadyExists):
                client.create_work_pool(WorkPoolCreate(name=name, type="process"))
            return
    if found.type != "process":
        raise ConfigError(
            "deploy", f"the work pool {name!r} is of the type {found.type!r}, not process",
            "Name another one: --pool",
        )  # fmt: skip


def _find_zombies() -> AutomationCore:
    """Have runs whose process died marked as crashed: their heartbeat stops."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    return AutomationCore(
        name=ZOMBIES,
        description="A run of Assay whose heartbeat stopped was killed, or its machine went down.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={
                "prefect.flow-run.heartbeat", "prefect.flow-run.Completed",
                "prefect.flow-run.Unchanged", "prefect.flow-run.Skipped",
                "prefect.flow-run.Failed", "prefect.flow-run.Cancelled",
                "prefect.flow-run.Crashed",
            },
            match=ResourceSpecification.model_validate(
                {"prefect.resource.id": ["prefect.flow-run.*"]}
            ),
            match_related=ResourceSpecification.model_validate(
                {"prefect.resource.id": ["prefect.tag.assay"], "prefect.resource.role": "tag"}
            ),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=3 * HEARTBEAT_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message="its heartbeat stopped: the process was killed, or its machine went down",
            )
        ],
    )  # fmt: skip


def _tell_of_crashes(config: DatasetConfig, deployment: UUID) -> None:
    """Have the server tell of crashed runs: a process that is dead can't."""
    name = f"assay: {config.dataset} crashed"
    block = config.notifications.block
    if block is None or "failed" not in config.notifications.on:
        _remove(name)
        return
    from prefect.blocks.core import Block
    from prefect.events.actions import SendNotification
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    try:
        found: Any = Block.load(block)  # the same function serves async callers
    except ValueError:
        raise ConfigError(
            "deploy", f"notifications.block of {config.dataset} is {block!r}, which is not there",
            "Make the block on Prefect's page Blocks, or correct its name",
        ) from None  # fmt: skip
    _renew(
        AutomationCore(
            name=name,
            trigger=EventTrigger(
                expect={"prefect.flow-run.Crashed"},
                match_related=ResourceSpecification.model_validate(
                    {
                        "prefect.resource.id": f"prefect.deployment.{deployment}",
                        "prefect.resource.role": "deployment",
                    }
                ),
                posture=Posture.Reactive,
                threshold=1,
            ),
            actions=[
                SendNotification(
                    block_document_id=found._block_document_id,
                    subject=f"{config.dataset}: failed",
                    body=f"{config.dataset}: the refresh crashed, nothing was published. "
                    "{{ flow_run.name }}: {{ flow_run.state.message }}",
                )
            ],
        )
    )


def _renew(automation: AutomationCore) -> None:
    """Put an automation in the place of the one of its name."""
    from prefect.client.orchestration import get_client

    _remove(automation.name)
    with get_client(sync_client=True) as client:
        client.create_automation(automation)


def _remove(name: str) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for found in client.read_automations_by_name(name):
            client.delete_automation(found.id)
