"""The guard's rules out of the operator's one file; the carriers' facts fill in what it leaves open."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import yaml

from telephony.calls.cost import PriceTable
from telephony.dialer.guard.hours import Hours
from telephony.dialer.guard.kinds import Kind
from telephony.dialer.guard.number import bare_digits, read_number
from telephony.dialer.guard.rules import GuardRules, Limits, TrunkRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioning.config import LineConfig
    from provisioning.sections.outbound import CallingHours, KeyLimits, OutboundSection
    from provisioning.sections.trunks import Trunk

_DAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}


def rules_of(config: LineConfig, prices: PriceTable | None = None) -> GuardRules:
    """What the file allows.

    Args:
        prices: what ``api.prices_file`` holds.
    """
    from provisioning.carriers.fill import filled

    outbound = config.outbound
    region = outbound.default_region
    trunks = [filled(trunk) for trunk in config.sip_trunks]
    hours = outbound.calling_hours
    return GuardRules(
        enabled=outbound.enabled,
        default_region=region,
        allowed_regions=frozenset(outbound.allowed_regions),
        allowed_kinds=frozenset(Kind(kind) for kind in outbound.allowed_kinds),
        denied_prefixes=tuple(outbound.denied_prefixes),
        known_risks=known_risks() if outbound.deny_known_risks else {},
        extra_numbers=frozenset(bare_digits(number) for number in outbound.extra_numbers),
        own_numbers=frozenset(_own(trunks, region)),
        trunks=_trunks(trunks),
        trunk=outbound.trunk,
        hours=_hours(hours),
        zone=hours.timezone if hours else None,
        zones=dict(hours.timezones) if hours else {},
        worker_calls=config.agent.max_calls,
        bridge_calls=config.bridge.max_active_calls or None,
        reserved=outbound.reserved_for_inbound,
        ringing_timeout_s=outbound.ringing_timeout,
        max_call_duration_s=outbound.max_call_duration,
        line=_limits(outbound),
        key=_limits(outbound.per_key),
        calls_per_number=outbound.max_calls_per_number_per_day,
        max_price_micros=_micros(outbound.max_price_per_minute),
        prices=prices or PriceTable(),
    )


@cache
def known_risks() -> Mapping[str, str]:
    """Beginnings of numbers that are charged otherwise than their country, with the reason."""
    text = files(__package__).joinpath("known_risks.yaml").read_text(encoding="utf-8")
    table: dict[str, str] = yaml.safe_load(text)
    return table


def _trunks(trunks: Sequence[Trunk]) -> tuple[TrunkRules, ...]:
    return tuple(
        TrunkRules(
            name=trunk.name,
            place=f"sip_trunks[{place}]",
            caller_ids=tuple(trunk.numbers),
            max_calls=trunk.max_calls,
            max_calls_per_second=trunk.max_calls_per_second,
            takes_calls_in=trunk.is_inbound,
        )
        for place, trunk in enumerate(trunks)
        if trunk.is_outbound and trunk.host and trunk.numbers
    )


def _own(trunks: Sequence[Trunk], region: str | None) -> set[str]:
    numbers = {number for trunk in trunks for number in trunk.numbers}
    read = {read_number(number, region).e164 for number in numbers}
    return {bare_digits(number) for number in numbers | read if number}


def _hours(section: CallingHours | None) -> Hours | None:
    if section is None:
        return None
    return Hours.parse(section.start, section.end, [_DAYS[day] for day in section.days])


def _limits(section: OutboundSection | KeyLimits) -> Limits:
    return Limits(
        section.max_concurrent_calls,
        section.max_calls_per_day,
        section.max_minutes_per_day,
        _micros(section.max_spend_per_day),
    )


def _micros(amount: float | None) -> int | None:
    return None if amount is None else round(amount * 1e6)
