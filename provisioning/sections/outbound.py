"""``outbound``: who may be dialled, when, how often; everything is refused that is not allowed here."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from provisioning.sections.section import Duration, Name, Section

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_CLOCK = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")


def _clock(value: str) -> str:
    if not _CLOCK.match(value):
        raise ValueError('must be a time of day such as "09:00", in quotes')
    return value


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("must be a time zone such as Europe/Moscow")
    return value


ClockTime = Annotated[str, AfterValidator(_clock)]


class CallingHours(Section):
    """When the telephone may ring at the called person's place."""

    start: ClockTime = "09:00"
    """First minute, callee's local time. Default "09:00"."""
    end: ClockTime = "20:00"
    """First minute that is too late. Default "20:00"."""
    days: list[Weekday] = Field(default_factory=lambda: list[Weekday](["mon", "tue", "wed", "thu", "fri"]))
    """Default Monday to Friday."""
    timezone: Annotated[str, AfterValidator(_zone)] | None = None
    """Default: every zone that the called number may lie in must agree."""


class OutboundSection(Section):
    """Calls that we place."""

    enabled: bool = False
    """Default false: nothing is dialled."""
    trunk: Name | None = None
    """The trunk used when a call names none. Default: the only outbound one."""
    allowed_regions: list[Annotated[str, Field(pattern=r"^[A-Z]{2}$")]] = Field(default_factory=list)
    """ISO 3166 countries that may be dialled. Default none."""
    denied_prefixes: list[Annotated[str, Field(pattern=r"^\+[0-9]{1,15}$")]] = Field(default_factory=list)
    """Beginnings of numbers refused even there, such as "+7840". In quotes."""
    calling_hours: CallingHours | None = None
    """Default: at any hour."""
    ringing_timeout: Duration = Field(default=30.0, ge=5, le=80)
    """How long it rings. Default 30s; LiveKit waits 80s at most."""
    max_call_duration: Duration = Field(default=600.0, ge=10, le=86400)
    """Longest call; holds even when the agent is dead. Default 10m."""
    max_concurrent_calls: int = Field(default=1, ge=1, le=10_000)
    """At once. Default 1."""
    max_calls_per_day: int = Field(default=100, ge=0)
    """Default 100."""
    max_minutes_per_day: int = Field(default=300, ge=0)
    """Default 300."""
    max_calls_per_number_per_day: int = Field(default=1, ge=0)
    """Default 1."""
