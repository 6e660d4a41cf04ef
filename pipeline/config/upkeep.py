"""How a data set is kept up while nobody looks: schedule, overlap, retention, notifications."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipeline.config.sections import Section, Texts

CRON_HIGHEST = (59, 23, 31, 12, 7)  # minute, hour, day, month, weekday
CRON_FIELD = re.compile(r"[0-9A-Za-z*/,#?-]+")

Event = Literal["stopped", "failed", "recovered"]
EVENTS: tuple[Event, ...] = ("stopped", "failed", "recovered")


class ScheduleConfig(Section):
    """When the deployment of a data set runs by itself."""

    cron: str | None = Field(None, description="such as '0 3 * * *'; left out: no schedule")
    timezone: str = Field("UTC", description="the clock of the cron line, such as Europe/Berlin")
    paused: bool = Field(False, description="keep the schedule, but let it rest")

    @field_validator("cron")
    @classmethod
    def _looks_like_cron(cls, cron: str | None) -> str | None:
        if cron is None:
            return None
        fields = cron.split()
        if len(fields) != 5 or not all(CRON_FIELD.fullmatch(field) for field in fields):
            raise ValueError("a cron line has five fields: minute, hour, day, month, weekday")
        for field, highest in zip(fields, CRON_HIGHEST, strict=True):
            beyond = [n for n in re.findall(r"(?<!/)\b\d+", field) if int(n) > highest]
            if beyond:
                raise ValueError(f"{beyond[0]} is beyond {highest}, the highest in {field!r}")
        return cron

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, timezone: str) -> str:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(timezone)
        except (ValueError, OSError, KeyError):  # KeyError: no such zone
            raise ValueError("there is no such time zone") from None
        return timezone


class RunsConfig(Section):
    """What a run does when another one is at work, or its source is still being written."""

    when_busy: Literal["wait", "refuse"] = Field(
        "wait", description="whether a second run waits for the first one or gives up"
    )
    wait_minutes: float = Field(180, gt=0, le=10_080, description="how long it waits at most")
    settle_seconds: float = Field(
        1.0, ge=0, le=3600, description="how long the source must have been left unchanged"
    )
    settle_minutes: float = Field(
        10.0, ge=0, le=1440, description="how long to wait for a source that is being written"
    )

    @property
    def wait_seconds(self) -> float:
        """How long to wait for another run."""
        return 60 * self.wait_minutes if self.when_busy == "wait" else 0.0


class RetentionConfig(Section):
    """Which versions are kept."""

    keep: int = Field(
        10, ge=2, le=100_000,
        description="versions kept beside pinned ones (assay pin); older ones are deleted",
    )  # fmt: skip


class NotificationsConfig(Section):
    """Who is notified that a gate stopped a run, that one failed, or that one succeeds again."""

    on: Annotated[
        tuple[Event, ...],
        BeforeValidator(lambda given: given if isinstance(given, list | tuple) else [given]),
    ] = Field(EVENTS, description="the events that are notified of")
    webhook: str | None = Field(
        None, description="URL that is sent a JSON object; write secrets as ${NAME}"
    )
    command: Texts = Field(
        (), description="a program and its arguments; the JSON object is its standard input"
    )
    block: str | None = Field(
        None, description="Prefect block, such as slack-webhook/alerts, used in deployments"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_bare_on(cls, raw: object) -> object:
        """Take the key ``on``, which YAML 1.1 reads as true."""
        if isinstance(raw, dict) and True in raw:
            raw = {("on" if key is True else key): value for key, value in raw.items()}
        return raw

    @field_validator("webhook")
    @classmethod
    def _is_url(cls, webhook: str | None) -> str | None:
        if webhook is not None and not webhook.startswith(("http://", "https://", "${")):
            raise ValueError("a webhook begins with http:// or https://, or is a secret ${NAME}")
        return webhook

    @field_validator("block")
    @classmethod
    def _names_block(cls, block: str | None) -> str | None:
        if block is not None and not re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", block):
            raise ValueError("a block is named by its type and name, such as slack-webhook/alerts")
        return block
