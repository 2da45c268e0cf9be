"""Calls out: whether the guard would let one through to each country that the file allows."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from provisioning.doctor.finding import Finding, ok, problem
from telephony.dialer.guard.decide import decide
from telephony.dialer.guard.kinds import Kind
from telephony.dialer.guard.of_config import rules_of
from telephony.dialer.guard.usage import Usage
from telephony.dialer.guard.verdict import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.doctor.patient import Patient
    from telephony.dialer.guard.rules import GuardRules
    from telephony.dialer.guard.verdict import Verdict

_KINDS = {
    Kind.MOBILE: PhoneNumberType.MOBILE,
    Kind.FIXED_LINE: PhoneNumberType.FIXED_LINE,
    Kind.TOLL_FREE: PhoneNumberType.TOLL_FREE,
    Kind.VOIP: PhoneNumberType.VOIP,
}
"""Of which libphonenumber has examples in most countries, those dialled most first."""


async def guard(patient: Patient) -> list[Finding]:
    """Put an example number of each allowed country to the guard, with nothing dialled so far."""
    from telephony.api.settings import read_prices

    config = patient.config
    if not config.outbound.enabled:
        return [ok("outbound.guard", "calls out are off (outbound.enabled): nothing is dialled.")]
    rules = rules_of(config, read_prices(config, os.environ))
    numbers = dict(_examples(rules))
    if not numbers:
        text = "outbound.enabled is true, but no number is allowed: no country's, and no single one."
        fix = "Name countries in outbound.allowed_regions, or single numbers in outbound.extra_numbers."
        return [problem("outbound.guard", text, fix)]
    return [_finding(place, _verdict(number, rules)) for place, number in numbers.items()]


def _examples(rules: GuardRules) -> Iterator[tuple[str, str]]:
    kinds = [code for kind, code in _KINDS.items() if kind in rules.allowed_kinds]
    for region in sorted(rules.allowed_regions):
        found = (phonenumbers.example_number_for_type(region, kind) for kind in kinds)
        example = next((number for number in found if number is not None), None)
        if example is not None:
            yield region, phonenumbers.format_number(example, PhoneNumberFormat.E164)
    for number in sorted(rules.extra_numbers)[:1]:
        yield "extra_numbers", number


def _verdict(number: str, rules: GuardRules) -> Verdict:
    return decide(Wanted(number), rules, Usage(known=False), datetime.now(UTC))


def _finding(place: str, verdict: Verdict) -> Finding:
    check = f"outbound.guard.{place}"
    refusal = verdict.refusal
    if refusal is None:
        return ok(check, f"a number such as {verdict.number} would be dialled by {verdict.trunk}.")
    if verdict.transient:
        when = f" until {verdict.retry_at:%Y-%m-%d %H:%M} UTC" if verdict.retry_at else ""
        return ok(check, f"a number such as {verdict.number} would wait{when}: {refusal.sentence}")
    text = f"a number such as {verdict.number} would be refused by {refusal.setting}: {refusal.sentence}"
    fix = refusal.fix or f"Change {refusal.setting}; see `trunkline guard explain {verdict.number}`."
    return problem(check, text, fix)
