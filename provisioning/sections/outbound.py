"""``outbound``: who may be dialled, when, how often; everything is refused that is not allowed here."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import available_timezones

import phonenumbers
from pydantic import AfterValidator, Field, model_validator

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


def _region(value: str) -> str:
    if value not in phonenumbers.SUPPORTED_REGIONS:
        hint = ", did you mean GB?" if value == "UK" else ""
        raise ValueError(f"must be an ISO 3166 country such as DE{hint}")
    return value


Region = Annotated[str, Field(pattern=r"^[A-Z]{2}$"), AfterValidator(_region)]
"""An ISO 3166 country."""

Prefix = Annotated[str, Field(pattern=r"^\+[0-9]{1,15}$")]
"""The beginning of numbers in E.164, with its plus. In quotes."""

ExtraNumber = Annotated[str, Field(pattern=r"^\+?[0-9]{2,15}$")]
"""A number whole: in E.164, or a carrier's short number. In quotes."""

NumberKind = Literal[
    "fixed_line",
    "mobile",
    "toll_free",
    "shared_cost",
    "premium",
    "voip",
    "personal",
    "pager",
    "universal",
    "satellite",
    "network",
]
"""What kind of number, by libphonenumber; satellite and network belong to no country (+870, +881 to +883)."""

ClockTime = Annotated[str, AfterValidator(_clock)]


TimeZone = Annotated[str, AfterValidator(_zone)]
"""An IANA time zone."""


class CallingHours(Section):
    """When the telephone may ring at the called person's place."""

    start: ClockTime = "09:00"
    """First minute, callee's local time. Default "09:00"."""
    end: ClockTime = "20:00"
    """First minute that is too late. Default "20:00"."""
    days: list[Weekday] = Field(default_factory=lambda: list[Weekday](["mon", "tue", "wed", "thu", "fri"]))
    """Default Monday to Friday."""
    timezone: TimeZone | None = None
    """Default: every zone that the called number may lie in must agree."""
    timezones: dict[Prefix, TimeZone] = Field(default_factory=dict)
    """Where numbers lie, by their beginning, such as "+7916": Europe/Moscow. Default: not known better."""

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> CallingHours:
        if self.start >= self.end:
            raise ValueError("start must come before end, on the same day")
        return self


class KeyLimits(Section):
    """Caps of the calls of each single API key, below those of all."""

    max_concurrent_calls: int | None = Field(default=None, ge=0, le=10_000)
    """At once. Default: as for all."""
    max_calls_per_day: int | None = Field(default=None, ge=0)
    """In any 24 hours. Default: as for all."""
    max_minutes_per_day: int | None = Field(default=None, ge=0)
    """In any 24 hours. Default: as for all."""
    max_spend_per_day: float | None = Field(default=None, ge=0)
    """In any 24 hours, in the currency of api.prices_file. Default: as for all."""


class OutboundSection(Section):
    """Calls that we place."""

    enabled: bool = False
    """Default false: nothing is dialled."""
    trunk: Name | None = None
    """The trunk used when a call names none. Default: the only outbound one."""
    default_region: Region | None = None
    """Country whose national spelling of numbers is understood. Default: a number needs its plus."""
    allowed_regions: list[Region] = Field(default_factory=list)
    """ISO 3166 countries that may be dialled. Default none."""
    allowed_kinds: list[NumberKind] = Field(
        default_factory=lambda: list[NumberKind](["fixed_line", "mobile"])
    )
    """Kinds of numbers that may be dialled there. Default fixed_line and mobile."""
    denied_prefixes: list[Prefix] = Field(default_factory=list)
    """Beginnings of numbers refused even there, such as "+7840". In quotes."""
    deny_known_risks: bool = True
    """Refuse also what carriers are known to charge otherwise than its country. Default true."""
    extra_numbers: list[ExtraNumber] = Field(default_factory=list)
    """Single numbers that may be dialled whatever their country and kind, such as an echo test. In quotes."""
    calling_hours: CallingHours | None = None
    """Default: at any hour."""
    ringing_timeout: Duration = Field(default=30.0, ge=5, le=80)
    """How long it rings. Default 30s; LiveKit waits 80s at most."""
    max_call_duration: Duration = Field(default=600.0, ge=10, le=86400)
    """Longest call; holds even when the agent is dead. Default 10m."""
    max_concurrent_calls: int = Field(default=1, ge=1, le=10_000)
    """At once. Default 1."""
    reserved_for_inbound: int = Field(default=2, ge=0, le=10_000)
    """Lines of worker, bridge and each trunk that calls out never take. Default 2."""
    max_calls_per_day: int = Field(default=100, ge=0)
    """In any 24 hours. Default 100."""
    max_minutes_per_day: int = Field(default=300, ge=0)
    """In any 24 hours; a call under way counts as max_call_duration. Default 300."""
    max_calls_per_number_per_day: int = Field(default=1, ge=0)
    """In any 24 hours. Default 1."""
    max_price_per_minute: float | None = Field(default=None, ge=0)
    """In the currency of api.prices_file; a number without a price is refused then. Default: any."""
    max_spend_per_day: float | None = Field(default=None, ge=0)
    """In any 24 hours; a number without a price is refused then. Default: no cap."""
    per_key: KeyLimits = KeyLimits()
    """Caps of the calls of each single API key."""
