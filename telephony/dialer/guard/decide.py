"""The decision about one call out: every check, none left out, the first that refuses named.

Pure, and fails closed: a call is allowed only when each check says so. Nothing is looked at that the caller
of ``decide`` did not hand in, so the same arguments always give the same verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.dialer.guard import hours as calling
from telephony.dialer.guard.budget import limit_checks, micros_a_minute, number_check, price_check, price_of
from telephony.dialer.guard.capacity import capacity_checks, may_show, no_trunk, trunk_checks, trunks_for
from telephony.dialer.guard.destination import destination_checks
from telephony.dialer.guard.number import read_number
from telephony.dialer.guard.verdict import Check, Verdict
from telephony.dialer.guard.zones import zones_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from telephony.dialer.guard.number import Destination
    from telephony.dialer.guard.rules import GuardRules, TrunkRules
    from telephony.dialer.guard.usage import Usage
    from telephony.dialer.guard.verdict import Wanted


LINES = frozenset(
    {"concurrency", "key_concurrency", "trunk_lines", "trunk_rate", "worker_lines", "bridge_lines"}
)
"""Checks that a call which may wait passes as soon as another one ends, or a moment has gone by."""


def decide(
    wanted: Wanted, rules: GuardRules, usage: Usage, now: datetime, *, may_wait: bool = False
) -> Verdict:
    """Whether a call may be dialled now, and by which trunk.

    Args:
        usage: the counts of this moment; whoever dials on the verdict must hold them still until it is
            written down (``telephony.store.guard`` does).
        now: an instant with a time zone.
        may_wait: the call is dialled later, when it has a line, and is decided about again then; that none
            is free at this moment does not refuse it.
    """
    destination = read_number(wanted.to, rules.default_region)
    trunk, by_trunk = _choose(wanted, rules, usage, now)
    talk_s = _within(wanted.max_call_duration_s, rules.max_call_duration_s)
    price = price_of(destination.e164, rules)
    checks = (
        _enabled(rules),
        _key(wanted),
        *destination_checks(destination, rules),
        *_transfer(wanted, rules),
        _do_not_call(usage),
        *by_trunk,
        _hours(destination, rules, now),
        number_check(usage.number, rules),
        *_caps(wanted, rules, usage, destination, talk_s),
        *capacity_checks(rules, usage),
    )
    waiting = tuple(check for check in checks if may_wait and _waits(check))
    refusing = tuple(check for check in checks if not check.passed and check not in waiting)
    return Verdict(
        allowed=not refusing,
        checks=checks,
        number=_dialled(destination),
        notes=destination.notes,
        refusal=_refusal(refusing),
        waiting_for=waiting,
        trunk=trunk.name if trunk else None,
        caller_ids=_caller_ids(trunk, wanted, rules),
        ringing_timeout_s=_within(wanted.ringing_timeout_s, rules.ringing_timeout_s),
        max_call_duration_s=talk_s,
        price_micros=None if price is None else micros_a_minute(price),
        increment_s=60 if price is None else price.increment_s,
    )


def decide_destination(to: str, rules: GuardRules) -> Verdict:
    """Whether a number may be dialled at all, whoever asks and whenever: for transfers, and for lists.

    Looks at the number, its country, kind and beginning, and at our own numbers; not at caps or hours.
    """
    destination = read_number(to, rules.default_region)
    checks = (_enabled(rules), *destination_checks(destination, rules))
    refusing = tuple(check for check in checks if not check.passed)
    return Verdict(
        allowed=not refusing,
        checks=checks,
        number=_dialled(destination),
        notes=destination.notes,
        refusal=_refusal(refusing),
        ringing_timeout_s=rules.ringing_timeout_s,
        max_call_duration_s=rules.max_call_duration_s,
    )


def _transfer(wanted: Wanted, rules: GuardRules) -> Iterator[Check]:
    """Whom the call may be handed to is a destination as well, and our account pays for it."""
    if wanted.transfer_to is None:
        return
    verdict = decide_destination(wanted.transfer_to, rules)
    if verdict.refusal is None:
        yield Check("transfer_to", True, "outbound", "The call may be handed to that number.")
        return
    found = verdict.refusal
    yield Check(
        "transfer_to", False, found.setting, f"The call may not be handed over: {found.sentence}", found.fix
    )


def _waits(check: Check) -> bool:
    return not check.passed and check.transient and check.name in LINES


def _refusal(refusing: tuple[Check, ...]) -> Check | None:
    lasting = [check for check in refusing if not check.transient]
    return next(iter(lasting or refusing), None)


def _dialled(destination: Destination) -> str:
    # As written without its separators where it is none; a short number that the file names is dialled so.
    return destination.e164 or destination.bare


def _within(asked: float | None, most: float) -> float:
    return most if asked is None else min(asked, most)


def _enabled(rules: GuardRules) -> Check:
    if rules.enabled:
        return Check("enabled", True, "outbound.enabled", "Calls out are on.")
    return Check("enabled", False, "outbound.enabled", "Calls out are off.", "Set it to true.")


def _key(wanted: Wanted) -> Check:
    key, setting = wanted.key, "keys"
    if key is None:
        return Check("key", True, setting, "No API key is named, so none is looked at.")
    if not key.in_force:
        return Check("key", False, setting, f"The API key {key.key_id} is unknown, revoked or expired.")
    if not key.may_dial:
        return Check(
            "key",
            False,
            setting,
            f"The API key {key.key_id} may not dial.",
            "Make one that may: trunkline keys create NAME --scope calls:dial",
        )
    return Check("key", True, setting, f"The API key {key.key_id} may dial.")


def _do_not_call(usage: Usage) -> Check:
    if usage.do_not_call:
        return Check("do_not_call", False, "do_not_call", "The number is on the do-not-call list.")
    if not usage.known:
        return Check("do_not_call", True, "do_not_call", "The do-not-call list was not asked.")
    return Check("do_not_call", True, "do_not_call", "The number is not on the do-not-call list.")


def _hours(destination: Destination, rules: GuardRules, now: datetime) -> Check:
    setting = "outbound.calling_hours"
    if rules.hours is None:
        return Check("hours", True, setting, "Any hour is allowed.")
    zones = (rules.zone,) if rules.zone else zones_of(destination.e164, rules.zones)
    where = _place(zones)
    if calling.is_allowed(now, zones, rules.hours):
        return Check("hours", True, setting, f"It is within {rules.hours} in {where}.")
    if not zones:
        return Check(
            "hours",
            False,
            setting,
            "In which time zone the number lies is not known.",
            "Set outbound.calling_hours.timezone, or name its beginning in calling_hours.timezones.",
        )
    following = calling.next_allowed(now, zones, rules.hours)
    if following is None:
        return Check(
            "hours",
            False,
            setting,
            f"There is no moment at which it is within {rules.hours} in {where}.",
            "Name the number's beginning in outbound.calling_hours.timezones, or widen the hours.",
        )
    return Check(
        "hours",
        False,
        setting,
        f"It is not within {rules.hours} in {where}.",
        "" if len(zones) == 1 else "Say where such numbers lie in calling_hours.timezones, if that is known.",
        transient=True,
        retry_at=following,
    )


def _place(zones: tuple[str, ...]) -> str:
    if len(zones) <= 2:
        return " and ".join(zones)
    return f"all {len(zones)} time zones that the number may lie in"


def _caps(
    wanted: Wanted, rules: GuardRules, usage: Usage, destination: Destination, talk_s: float
) -> Iterator[Check]:
    price = price_of(destination.e164, rules)
    currency = rules.prices.currency
    yield price_check(price, rules)
    if wanted.key is not None:
        limits = rules.key.lowered_by(wanted.key.limits)
        yield from limit_checks(
            "key_", "outbound.per_key", limits, usage.key, price, talk_s=talk_s, currency=currency
        )
    yield from limit_checks("", "outbound", rules.line, usage.line, price, talk_s=talk_s, currency=currency)


def _choose(
    wanted: Wanted, rules: GuardRules, usage: Usage, now: datetime
) -> tuple[TrunkRules | None, tuple[Check, ...]]:
    """The first trunk that can carry the call now, else the preferred one, with its checks."""
    candidates = [
        (trunk, tuple(trunk_checks(trunk, wanted, rules, usage, now))) for trunk in trunks_for(wanted, rules)
    ]
    for trunk, checks in candidates:
        if all(check.passed for check in checks):
            return trunk, checks
    if candidates:
        return candidates[0]
    return None, tuple(no_trunk(wanted, rules))


def _caller_ids(trunk: TrunkRules | None, wanted: Wanted, rules: GuardRules) -> tuple[str, ...]:
    if trunk is None:
        return ()
    if wanted.from_ is None:
        return trunk.caller_ids
    number = may_show(trunk, wanted.from_, rules.default_region)
    return () if number is None else (number,)
