"""Checks of whom a call goes to: country, kind, prefix, our own numbers. Pure.

What is not a number at all fails every one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.dialer.guard.kinds import WORLD, Kind, is_allowed
from telephony.dialer.guard.number import bare_digits, is_emergency
from telephony.dialer.guard.verdict import Check
from telephony.numbers import mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telephony.dialer.guard.number import Destination
    from telephony.dialer.guard.rules import GuardRules

_REGIONS = "outbound.allowed_regions"
_KINDS = "outbound.allowed_kinds"


def destination_checks(destination: Destination, rules: GuardRules) -> Iterator[Check]:
    """Every check of the destination, in order."""
    if is_extra(destination, rules):
        named = f"{mask(destination.e164 or destination.bare)} is named in the file."
        for name in ("number", "country", "kind", "prefix"):
            yield Check(name, True, "outbound.extra_numbers", named)
    else:
        yield _number(destination)
        yield _country(destination, rules)
        yield _kind(destination, rules)
        yield _prefix(destination, rules)
    yield _own(destination, rules)


def is_extra(destination: Destination, rules: GuardRules) -> bool:
    """Whether the file names this very number; an emergency number is never let through by that."""
    digits = (destination.e164 or destination.bare).removeprefix("+")
    if destination.kind is Kind.EMERGENCY or is_emergency(digits, rules.default_region):
        return False
    return bool(digits) and digits in rules.extra_numbers


def _number(destination: Destination) -> Check:
    setting = "outbound.default_region"
    if destination.problem:
        return Check("number", False, setting, destination.problem, destination.fix)
    shown = mask(destination.e164)
    return Check("number", True, setting, f"It is {shown}.")


def _country(destination: Destination, rules: GuardRules) -> Check:
    region = destination.region
    if destination.problem or not region:
        return Check("country", False, _REGIONS, "There is no number to find the country of.")
    if region == WORLD:
        # Such a kind is refused unless the file allows it by name, which is what a country is for others.
        passed = is_allowed(destination.kind, rules.allowed_kinds)
        fix = "" if passed else f"Name {destination.kind} in outbound.allowed_kinds if it is to be dialled."
        return Check("country", passed, _KINDS, "The number belongs to no country.", fix)
    if region in rules.allowed_regions:
        return Check("country", True, _REGIONS, f"It is a number of {region}, which may be dialled.")
    allowed = ", ".join(sorted(rules.allowed_regions)) or "none"
    return Check(
        "country",
        False,
        _REGIONS,
        f"It is a number of {region}; the countries that may be dialled: {allowed}.",
        f"Add {region} if calls there are wanted.",
    )


def _kind(destination: Destination, rules: GuardRules) -> Check:
    kind = destination.kind
    if kind is Kind.EMERGENCY:
        return Check("kind", False, _KINDS, "It is an emergency number, which is never dialled.")
    if destination.problem and kind is not Kind.SHORT:
        return Check("kind", False, _KINDS, "There is no number to find the kind of.")
    if is_allowed(kind, rules.allowed_kinds):
        return Check("kind", True, _KINDS, f"Its kind is {kind}, which may be dialled.")
    allowed = ", ".join(sorted(rules.allowed_kinds)) or "none"
    fix = {
        Kind.SHORT: "Name it in outbound.extra_numbers if it is to be dialled.",
        Kind.UNKNOWN: "Name it in outbound.extra_numbers if it is to be dialled.",
        Kind.FIXED_LINE_OR_MOBILE: "Add fixed_line and mobile: in this country the two look the same.",
    }.get(kind, f"Add {kind} if calls to such numbers are wanted.")
    return Check("kind", False, _KINDS, f"Its kind is {kind}; the kinds that may be dialled: {allowed}.", fix)


def _prefix(destination: Destination, rules: GuardRules) -> Check:
    setting = "outbound.denied_prefixes"
    number = destination.e164
    if not number:
        return Check("prefix", False, setting, "There is no number to find the beginning of.")
    denied = [prefix for prefix in rules.denied_prefixes if number.startswith(prefix)]
    if denied:
        return Check("prefix", False, setting, f"Numbers that begin with {max(denied, key=len)} are denied.")
    risks = [prefix for prefix in rules.known_risks if number.startswith(prefix)]
    if risks:
        worst = max(risks, key=len)
        return Check(
            "prefix",
            False,
            "outbound.deny_known_risks",
            f"Numbers that begin with {worst} are denied: {rules.known_risks[worst]}.",
            "Name the number in outbound.extra_numbers, or set outbound.deny_known_risks: false.",
        )
    return Check("prefix", True, setting, "No denied beginning.")


def _own(destination: Destination, rules: GuardRules) -> Check:
    setting = "sip_trunks[].numbers"
    digits = bare_digits(destination.e164 or destination.bare)
    if not digits:
        return Check("own_number", False, setting, "There is no number to compare with ours.")
    if digits in rules.own_numbers:
        return Check(
            "own_number",
            False,
            setting,
            "It is a number of this line: the call would come back to us, or die at the carrier.",
            "Call another number.",
        )
    return Check("own_number", True, setting, "It is none of this line's own numbers.")
