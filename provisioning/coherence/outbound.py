"""Problems and notes of ``outbound``: what can never be dialled by it, what it allows unawares. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import phonenumbers

from provisioning.reading.problem import Note, Problem
from telephony.dialer.guard.hours import Hours, is_allowed
from telephony.dialer.guard.number import is_emergency_anywhere
from telephony.dialer.guard.zones import zones_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioning.config import LineConfig
    from provisioning.reading.problem import Path
    from provisioning.sections.trunks import Trunk

_SHORT = 6


def outbound_problems(config: LineConfig, trunks: Sequence[Trunk]) -> Iterator[Problem]:
    """What makes calls out impossible, or must not be."""
    section = config.outbound
    outbound = [trunk.name for trunk in trunks if trunk.is_outbound and trunk.numbers]
    if section.trunk is not None and section.trunk not in outbound:
        listed = ", ".join(outbound) or "none"
        yield Problem(
            ("outbound", "trunk"),
            f"there is no outbound trunk named {section.trunk!r}.",
            fix=f"Known: {listed}.",
        )
    if section.enabled and not outbound:
        yield Problem(("outbound", "enabled"), "no trunk of the file carries calls out.")
    for n, number in enumerate(section.extra_numbers):
        digits = number.removeprefix("+")
        if len(digits) <= _SHORT and is_emergency_anywhere(digits):
            yield Problem(
                ("outbound", "extra_numbers", n), f"{number} is an emergency number, which is never dialled."
            )
    if section.enabled:
        yield from _never_passed(config, trunks)
        yield from _without_prices(config)


def _never_passed(config: LineConfig, trunks: Sequence[Trunk]) -> Iterator[Problem]:
    """Settings under which no call is ever dialled."""
    section = config.outbound
    reserved, fix = section.reserved_for_inbound, "Keep fewer lines for callers, or have more lines."
    if reserved >= config.agent.max_calls:
        yield Problem(
            ("outbound", "reserved_for_inbound"),
            f"all {config.agent.max_calls} lines of agent.max_calls are kept for callers.",
            fix=fix,
        )
    elif 0 < config.bridge.max_active_calls <= reserved:
        yield Problem(
            ("outbound", "reserved_for_inbound"),
            f"all {config.bridge.max_active_calls} lines of bridge.max_active_calls are kept for callers.",
            fix=fix,
        )
    for n, trunk in enumerate(trunks):
        if (
            trunk.is_outbound
            and trunk.numbers
            and trunk.is_inbound
            and (trunk.max_calls or 1 << 30) <= reserved
        ):
            yield Problem(
                ("sip_trunks", n, "max_calls"),
                f"all {trunk.max_calls} lines of trunk {trunk.name!r} are kept for callers by "
                "outbound.reserved_for_inbound: nothing is dialled through it.",
                fix=fix,
            )
    for path, minutes in (
        (("outbound", "max_minutes_per_day"), section.max_minutes_per_day),
        (("outbound", "per_key", "max_minutes_per_day"), section.per_key.max_minutes_per_day),
    ):
        if minutes is not None and 0 < minutes * 60 < section.max_call_duration:
            yield Problem(
                path,
                "is shorter than the longest call, outbound.max_call_duration, which a call must fit in.",
                fix="Raise it, or shorten max_call_duration.",
            )


def _without_prices(config: LineConfig) -> Iterator[Problem]:
    section = config.outbound
    capped: list[tuple[Path, float | None]] = [
        (("outbound", "max_price_per_minute"), section.max_price_per_minute),
        (("outbound", "max_spend_per_day"), section.max_spend_per_day),
        (("outbound", "per_key", "max_spend_per_day"), section.per_key.max_spend_per_day),
    ]
    if config.api.prices_file is None:
        for path, cap in capped:
            if cap is not None:
                yield Problem(
                    path,
                    "needs prices: without api.prices_file every call is refused.",
                    fix="Name a price table in api.prices_file, with direction: outbound.",
                )


def outbound_notes(config: LineConfig) -> Iterator[Note]:
    """What ``outbound`` does that its lines do not say."""
    section = config.outbound
    if not section.enabled:
        return
    if not section.allowed_regions and not section.extra_numbers:
        yield Note(
            ("outbound", "enabled"),
            "no country is allowed, so every call out is refused.",
            fix="Name countries in outbound.allowed_regions.",
        )
    risky = sorted(
        {"premium", "satellite", "network", "personal", "shared_cost"} & set(section.allowed_kinds)
    )
    if risky:
        yield Note(
            ("outbound", "allowed_kinds"),
            f"{', '.join(risky)} numbers are what toll fraud calls.",
            fix="Name the single numbers that are needed in outbound.extra_numbers instead.",
        )
    yield from _hours_notes(config)


def _hours_notes(config: LineConfig) -> Iterator[Note]:
    """Countries whose mobile numbers may lie in zones so far apart that little of a day is left."""
    hours = config.outbound.calling_hours
    if hours is None or hours.timezone is not None:
        return
    window = Hours.parse(hours.start, hours.end, range(7))
    day = datetime(2026, 1, 14, tzinfo=UTC)
    for region in config.outbound.allowed_regions:
        number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if number is None:
            continue
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        zones = zones_of(e164, hours.timezones)
        left = sum(is_allowed(day + timedelta(minutes=15 * n), zones, window) for n in range(96)) / 4
        if left < (window.end - window.start) / 60 / 2:
            yield Note(
                ("outbound", "calling_hours"),
                f"mobile numbers of {region} may lie in {len(zones)} time zones, and each must be within "
                f"{window}: that leaves {left:g} hours of a day.",
                fix="Say where numbers lie in calling_hours.timezones, or set calling_hours.timezone.",
            )
