"""Checks of lines: the trunk, the number shown, calls at once, how fast, what callers keep. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from telephony.dialer.guard.number import bare_digits, read_number
from telephony.dialer.guard.verdict import Check
from telephony.numbers import mask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from telephony.dialer.guard.rules import GuardRules, TrunkRules
    from telephony.dialer.guard.usage import Usage
    from telephony.dialer.guard.verdict import Wanted

_RESERVED = "outbound.reserved_for_inbound"


def trunks_for(wanted: Wanted, rules: GuardRules) -> list[TrunkRules]:
    """The trunks that may carry a call, the preferred one first; none where the named one carries none."""
    name = wanted.trunk or rules.trunk
    return [trunk for trunk in rules.trunks if name is None or trunk.name == name]


def trunk_checks(
    trunk: TrunkRules, wanted: Wanted, rules: GuardRules, usage: Usage, now: datetime
) -> Iterator[Check]:
    """Every check of one trunk."""
    yield Check("trunk", True, f"{trunk.place}.name", f"The call goes by trunk {trunk.name}.")
    yield _caller_id(trunk, wanted, rules)
    yield _trunk_lines(trunk, rules, usage)
    yield _trunk_rate(trunk, usage, now)


def no_trunk(wanted: Wanted, rules: GuardRules) -> Iterator[Check]:
    """The same checks where no trunk can carry the call: all of them fail."""
    known = ", ".join(trunk.name for trunk in rules.trunks) or "none"
    name = wanted.trunk or rules.trunk
    sentence = f"No trunk named {name} calls out." if name else "No trunk calls out."
    yield Check("trunk", False, "outbound.trunk", sentence, f"Trunks that call out: {known}.")
    for check in ("caller_id", "trunk_lines", "trunk_rate"):
        yield Check(check, False, "outbound.trunk", "There is no trunk to look at.")


def may_show(trunk: TrunkRules, caller_id: str, default_region: str | None) -> str | None:
    """The trunk's number that a caller id is another spelling of; None where it has no such number."""
    wanted = _comparable(caller_id, default_region)
    for number in trunk.caller_ids:
        if number == caller_id or _comparable(number, default_region) == wanted:
            return number
    return None


def _comparable(number: str, region: str | None) -> str:
    found = read_number(number, region).e164
    return bare_digits(found or number)


def _caller_id(trunk: TrunkRules, wanted: Wanted, rules: GuardRules) -> Check:
    setting = f"{trunk.place}.numbers"
    if not trunk.caller_ids:
        return Check(
            "caller_id", False, setting, f"Trunk {trunk.name} has no number to show.", "Give it one."
        )
    if wanted.from_ is None:
        return Check("caller_id", True, setting, f"The call shows a number of trunk {trunk.name}.")
    if may_show(trunk, wanted.from_, rules.default_region) is not None:
        shown = mask(wanted.from_)
        return Check("caller_id", True, setting, f"{shown} is a number of trunk {trunk.name}.")
    return Check(
        "caller_id",
        False,
        setting,
        f"{mask(wanted.from_)} is no number of trunk {trunk.name}, so it may not be shown.",
        "Show one of the trunk's numbers, or add it there if the carrier has confirmed it.",
    )


def _trunk_lines(trunk: TrunkRules, rules: GuardRules, usage: Usage) -> Check:
    setting = f"{trunk.place}.max_calls"
    if trunk.max_calls is None:
        return Check("trunk_lines", True, setting, "How many calls the carrier takes is not limited here.")
    numbers = {_comparable(number, rules.default_region) for number in trunk.caller_ids}
    inbound = sum(count for number, count in usage.inbound_by_number.items() if number in numbers)
    taken = usage.active_by_trunk.get(trunk.name, 0) + inbound
    reserved = rules.reserved if trunk.takes_calls_in else 0
    return _lines(
        "trunk_lines", setting, f"trunk {trunk.name}", taken=taken, lines=trunk.max_calls, reserved=reserved
    )


def _trunk_rate(trunk: TrunkRules, usage: Usage, now: datetime) -> Check:
    setting = f"{trunk.place}.max_calls_per_second"
    count, seconds = trunk.burst
    window = timedelta(seconds=seconds)
    recent = [begun for begun in usage.recent_by_trunk.get(trunk.name, ()) if begun > now - window]
    limit = f"{trunk.max_calls_per_second:g} a second"
    if len(recent) < count:
        return Check("trunk_rate", True, setting, f"Trunk {trunk.name} may begin {limit}.")
    return Check(
        "trunk_rate",
        False,
        setting,
        f"Trunk {trunk.name} begins calls as fast as it may, {limit}.",
        "Ask again in a moment, or raise it if the carrier takes more.",
        transient=True,
        retry_at=sorted(recent, reverse=True)[count - 1] + window,
    )


def capacity_checks(rules: GuardRules, usage: Usage) -> Iterator[Check]:
    """Whether worker and bridge have a line, beside those that are kept for callers."""
    taken = usage.line.active + usage.inbound
    for name, setting, lines in (
        ("worker_lines", "agent.max_calls", rules.worker_calls),
        ("bridge_lines", "bridge.max_active_calls", rules.bridge_calls),
    ):
        if lines is None:
            yield Check(name, True, setting, "Not limited.")
        else:
            what = name.removesuffix("_lines")
            yield _lines(name, setting, f"the {what}", taken=taken, lines=lines, reserved=rules.reserved)


def _lines(name: str, setting: str, whose: str, *, taken: int, lines: int, reserved: int) -> Check:
    kept = f", {reserved} of them kept for callers" if reserved else ""
    sentence = f"{taken} of {lines} lines of {whose} are taken{kept}."
    if taken + reserved < lines:
        return Check(name, True, setting, sentence)
    if lines <= reserved:
        return Check(name, False, _RESERVED, sentence, "Keep fewer lines for callers, or have more lines.")
    return Check(
        name,
        False,
        setting if taken >= lines else _RESERVED,
        sentence,
        "Wait for a call to end.",
        transient=True,
    )
