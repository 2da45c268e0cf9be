"""Say which inbound trunk and which dispatch rule livekit-server would pick for an INVITE, and why.

Pure. Mirrors MatchTrunkDetailed, MatchDispatchRuleIter, DispatchRulePriority and EvaluateDispatchRule of
livekit/protocol sip/sip.go and the selection of livekit-server v1.13.5 pkg/service/ioservice_sip.go, so that
a mismatch can be explained before a stranger's call finds it. Messages are taken in the order of their ids,
as the server lists them.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from provisioning.claims import rule_claims
from provisioning.spelling import normalise_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

_NOT_IN_A_MASK = re.compile(r"[()+*;, \t\n\r]|://")
_LOWEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Call:
    """What the server is told of an INVITE.

    Attributes:
        to_user: user part of the To header (not of the Request-URI).
        from_user: user part of the From header.
        source_ip: address that the packet came from.
        from_host: host of the From header, which the caller writes himself.
    """

    to_user: str
    from_user: str
    source_ip: str
    from_host: str = ""


class TrunkRefusal(Enum):
    """Why a trunk does not take a call; the value is the field at fault."""

    CALLER = "allowed_numbers"
    SOURCE = "allowed_addresses"
    NUMBER = "numbers"


class RuleRefusal(Enum):
    """Why a rule does not take a call; the value is the field at fault."""

    CALLER = "inbound_numbers"
    NUMBER = "numbers"
    PIN = "pin"
    TRUNK = "trunk_ids"


@dataclass(frozen=True, slots=True)
class TrunkMatch:
    """The trunk of a call.

    Attributes:
        trunk: the one that was picked; None when none takes the call, or when more than one does.
        rivals: more than one takes the call: the server refuses to choose.
    """

    trunk: SIPInboundTrunkInfo | None = None
    rivals: tuple[SIPInboundTrunkInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """The rule of a call.

    Attributes:
        rule: the one that was picked; None when none takes the call, or when two of them conflict.
        rivals: two rules that claim the same: the server refuses every call that makes it look at both.
    """

    rule: SIPDispatchRuleInfo | None = None
    rivals: tuple[SIPDispatchRuleInfo, ...] = ()


def trunk_refusals(trunk: SIPInboundTrunkInfo, call: Call) -> list[TrunkRefusal]:
    """Every reason why a trunk does not take a call, in the server's order; empty when it does."""
    refusals = []
    if trunk.allowed_numbers and not _listed(call.from_user, trunk.allowed_numbers):
        refusals.append(TrunkRefusal.CALLER)
    if not source_is_allowed(call, trunk.allowed_addresses):
        refusals.append(TrunkRefusal.SOURCE)
    if trunk.numbers and not _listed(call.to_user, trunk.numbers):
        refusals.append(TrunkRefusal.NUMBER)
    return refusals


def source_is_allowed(call: Call, allowed: Sequence[str]) -> bool:
    """Whether ``allowed_addresses`` lets a call in; entries with illegal characters do not count."""
    try:
        source = ipaddress.ip_address(call.source_ip)
    except ValueError:
        return True
    masks = [mask for mask in allowed if not _NOT_IN_A_MASK.search(mask)]
    if not masks:
        return True
    return any(mask == call.from_host or _in_mask(source, mask) for mask in masks)


def match_trunk(trunks: Iterable[SIPInboundTrunkInfo], call: Call) -> TrunkMatch:
    """Pick the inbound trunk of a call: one that serves the number, else the one without numbers."""
    takers = [trunk for trunk in trunks if not trunk_refusals(trunk, call)]
    specific = [trunk for trunk in takers if trunk.numbers]
    wildcard = [trunk for trunk in takers if not trunk.numbers]
    chosen = specific or wildcard
    if len(chosen) > 1:
        return TrunkMatch(rivals=tuple(chosen))
    return TrunkMatch(trunk=chosen[0]) if chosen else TrunkMatch()


def rule_refusal(
    rule: SIPDispatchRuleInfo, trunk: SIPInboundTrunkInfo | None, call: Call, *, pin: str, no_pin: bool
) -> RuleRefusal | None:
    """The first reason why a rule does not take a call, in the server's order; None when it does.

    Numbers are compared letter by letter here, unlike a trunk's.
    """
    if rule.inbound_numbers and call.from_user not in rule.inbound_numbers:
        return RuleRefusal.CALLER
    if rule.numbers and call.to_user not in rule.numbers:
        return RuleRefusal.NUMBER
    rule_pin = pin_of(rule)
    if (no_pin and rule_pin) or (not no_pin and pin and pin != rule_pin):
        return RuleRefusal.PIN
    if rule.trunk_ids and (trunk is None or trunk.sip_trunk_id not in rule.trunk_ids):
        return RuleRefusal.TRUNK
    return None


def match_rule(
    trunk: SIPInboundTrunkInfo | None,
    rules: Iterable[SIPDispatchRuleInfo],
    call: Call,
    *,
    pin: str = "",
    no_pin: bool = False,
) -> RuleMatch:
    """Pick the rule of a call on a trunk, or on no trunk at all.

    Args:
        trunk: what ``match_trunk`` picked.
        rules: every rule of the server.
        call: the INVITE.
        pin: what the caller pressed, empty before he was asked.
        no_pin: the caller was asked and pressed nothing.
    """
    seen: dict[tuple[str, str, str, str], SIPDispatchRuleInfo] = {}
    takers: list[SIPDispatchRuleInfo] = []
    for rule in rules:
        if trunk is not None and rule.trunk_ids and trunk.sip_trunk_id not in rule.trunk_ids:
            continue  # the server does not even list it, so a conflict among such rules does no harm
        for claim in rule_claims(rule):
            if claim in seen:
                return RuleMatch(rivals=(seen[claim], rule))
            seen[claim] = rule
        if rule_refusal(rule, trunk, call, pin=pin, no_pin=no_pin) is None:
            takers.append(rule)
    specific = [rule for rule in takers if rule.trunk_ids]
    candidates = specific or takers
    if not candidates:
        return RuleMatch()
    return RuleMatch(rule=min(candidates, key=_precedence))


def rule_priority(rule: SIPDispatchRuleInfo) -> int:
    """LiveKit's DispatchRulePriority; the lowest wins."""
    kind = rule.rule.WhichOneof("rule")
    order = {"dispatch_rule_direct": 0, "dispatch_rule_individual": 1, "dispatch_rule_callee": 2}
    if kind not in order:
        return _LOWEST
    priority = order[kind] + (0 if pin_of(rule) else 100)
    return priority + 1000 * (not rule.inbound_numbers) + 1000 * (not rule.numbers)


def pin_of(rule: SIPDispatchRuleInfo) -> str:
    """The PIN that a rule asks for, empty for none."""
    kind = rule.rule.WhichOneof("rule")
    return str(getattr(rule.rule, kind).pin) if kind else ""


def room_of(rule: SIPDispatchRuleInfo) -> str:
    """The room name or prefix of a rule."""
    kind = rule.rule.WhichOneof("rule")
    if kind == "dispatch_rule_direct":
        return rule.rule.dispatch_rule_direct.room_name
    return str(getattr(rule.rule, kind).room_prefix) if kind else ""


def room_name(rule: SIPDispatchRuleInfo, call: Call) -> str:
    """The room that a call gets; ``<random>`` stands for what the server draws."""
    kind = rule.rule.WhichOneof("rule")
    if kind == "dispatch_rule_direct":
        return room_of(rule)
    if kind == "dispatch_rule_individual":
        caller = _shown_caller(rule, call)
        random = "" if rule.rule.dispatch_rule_individual.no_randomness else "_<random>"
        return "_".join(part for part in (room_of(rule), caller) if part) + random
    random = "_<random>" if rule.rule.dispatch_rule_callee.randomize else ""
    return "_".join(part for part in (room_of(rule), call.to_user) if part) + random


def _shown_caller(rule: SIPDispatchRuleInfo, call: Call) -> str:
    if not rule.hide_phone_number:
        return call.from_user
    return call.from_user[-(4 if len(call.from_user) > 4 else 1) :]


def _precedence(rule: SIPDispatchRuleInfo) -> tuple[int, str]:
    return rule_priority(rule), room_of(rule)


def _listed(number: str, listed: Iterable[str]) -> bool:
    normalised = normalise_number(number)
    return any(entry == number or normalise_number(entry) == normalised for entry in listed)


def _in_mask(source: ipaddress.IPv4Address | ipaddress.IPv6Address, mask: str) -> bool:
    try:
        if "/" not in mask:
            return ipaddress.ip_address(mask) == source
        return source in ipaddress.ip_network(mask, strict=False)
    except ValueError:
        return False
