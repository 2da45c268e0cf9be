"""What people get wrong about trunks, rules and numbers, said where a call shows it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import phonenumbers

from provisioning.match import Call, RuleRefusal, TrunkRefusal, pin_of
from provisioning.spelling import normalise_number, other_spelling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

_HOME_REGIONS = ("RU", "KZ")
"""Countries that dial 8 before a national number."""
_LISTED_AT_MOST = 3


def trunk_reason(trunk: SIPInboundTrunkInfo, call: Call, refusals: Sequence[TrunkRefusal]) -> tuple[str, str]:
    """Why a trunk refuses a call, and the fix; every field that refuses is named."""
    reasons, fixes = [], []
    for refusal in refusals:
        reason, fix = _trunk_reason(trunk, call, refusal)
        reasons.append(reason)
        fixes.append(fix)
    return "; ".join(reasons), " ".join(fixes)


def _trunk_reason(trunk: SIPInboundTrunkInfo, call: Call, refusal: TrunkRefusal) -> tuple[str, str]:
    if refusal is TrunkRefusal.CALLER:
        return (
            f"allowed_numbers lets in {listed(trunk.allowed_numbers)}, the caller is {call.from_user}",
            f'Add "{call.from_user}" to allowed_numbers, or empty the list.',
        )
    if refusal is TrunkRefusal.SOURCE:
        return (
            f"allowed_addresses lets in {listed(trunk.allowed_addresses)}, the call comes from "
            f"{call.source_ip}",
            f"If {call.source_ip} is the carrier's, add its range to allowed_addresses.",
        )
    same = home_spelling(call.to_user, trunk.numbers)
    if same is not None:
        return (
            f"numbers has {same}, and {call.to_user} is how it is dialled at home; LiveKit only puts a plus "
            f"before it and gets {normalise_number(call.to_user)}, another country",
            f'Have the carrier send {same}, or add "{call.to_user}" to numbers.',
        )
    return (
        f"numbers has {listed(trunk.numbers)}, the call is to {call.to_user}",
        f'Add "{call.to_user}" to numbers, as it stands in the To header.',
    )


def rule_reason(
    rule: SIPDispatchRuleInfo, refusal: RuleRefusal, call: Call, trunks: Sequence[SIPInboundTrunkInfo]
) -> tuple[str, str]:
    """Why a rule refuses a call, and the fix."""
    if refusal is RuleRefusal.CALLER:
        ours = {normalise_number(number) for trunk in trunks for number in trunk.numbers}
        swapped = [number for number in rule.inbound_numbers if normalise_number(number) in ours]
        if swapped:
            return (
                f"inbound_numbers has {listed(swapped)}, our own number; but inbound_numbers are callers",
                f'Move "{swapped[0]}" from inbound_numbers to numbers.',
            )
        return (
            f"inbound_numbers takes callers {listed(rule.inbound_numbers)} only, letter by letter; "
            f"the caller is {call.from_user}",
            f'Add "{call.from_user}" to inbound_numbers, or empty the list.',
        )
    if refusal is RuleRefusal.NUMBER:
        spelled = [number for number in rule.numbers if other_spelling(number) == call.to_user]
        if spelled:
            return (
                f"numbers has {spelled[0]} and the call is to {call.to_user}: a rule's numbers are compared "
                "letter by letter",
                f'Write "{call.to_user}", or leave numbers out and let the trunk decide.',
            )
        return (
            f"numbers has {listed(rule.numbers)}, the call is to {call.to_user}",
            f'Add "{call.to_user}" to numbers, as it stands in the To header.',
        )
    if refusal is RuleRefusal.PIN:
        return "the PIN does not fit", "Press the rule's PIN, or take the PIN away."
    known = {trunk.sip_trunk_id for trunk in trunks}
    dangling = [trunk_id for trunk_id in rule.trunk_ids if trunk_id not in known]
    if dangling:
        return (
            f"trunk_ids has {listed(dangling)}, which does not exist (any more)",
            "Apply the file again: it puts the right id in.",
        )
    return "it is for other trunks", "Add this call's trunk to its trunks."


def call_hints(
    call: Call,
    trunks: Sequence[SIPInboundTrunkInfo],
    rules: Sequence[SIPDispatchRuleInfo],
    request_uri_user: str,
) -> list[str]:
    """Traps that this call comes near, whether it gets through or not."""
    hints = []
    if request_uri_user and request_uri_user != call.to_user:
        served = any(_serves(trunk, request_uri_user) for trunk in trunks)
        also = " A trunk has the number of the Request-URI, but that does not count." if served else ""
        hints.append(
            f"LiveKit looks at the To header ({call.to_user}), never at the Request-URI "
            f"({request_uri_user}).{also}"
        )
    if any(not trunk.numbers for trunk in trunks):
        hints.append("A trunk without numbers takes calls to any number that no other trunk has.")
    if any(not rule.trunk_ids for rule in rules):
        hints.append("A rule without trunks takes calls that match no trunk at all, from anybody.")
    serving = {trunk.sip_trunk_id for trunk in trunks if _serves(trunk, call.to_user) or not trunk.numbers}
    if any(pin_of(rule) and (not rule.trunk_ids or serving & set(rule.trunk_ids)) for rule in rules):
        hints.append("A rule with a PIN makes every caller of its trunks be asked for it, open rules or not.")
    bare = [a for trunk in trunks for a in trunk.allowed_addresses if a == call.from_host and "/" not in a]
    if bare:
        hints.append(
            f"allowed_addresses has {bare[0]} without a range: it is believed because the caller wrote it in "
            "From, wherever the call comes from."
        )
    return hints


def home_spelling(dialled: str, numbers: Sequence[str]) -> str | None:
    """The number of a list that is dialled like this at home: ``84951234567`` for ``+74951234567``."""
    for region in _HOME_REGIONS:
        try:
            parsed = phonenumbers.parse(dialled.removeprefix("+"), region)
        except phonenumbers.NumberParseException:
            continue
        written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        for number in numbers:
            if normalise_number(number) == written != normalise_number(dialled):
                return number
    return None


def listed(values: Sequence[str]) -> str:
    """A few values in words: ``a, b, c and 4 more``."""
    shown = ", ".join(list(values)[:_LISTED_AT_MOST])
    more = len(values) - _LISTED_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown or "nothing"


def _serves(trunk: SIPInboundTrunkInfo, user: str) -> bool:
    return normalise_number(user) in {normalise_number(number) for number in trunk.numbers}
