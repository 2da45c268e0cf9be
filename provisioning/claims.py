"""What a trunk or a rule claims for itself, and what livekit-server refuses because of it.

Pure. Mirrors ValidateTrunksIter and DispatchRuleValidator of livekit/protocol sip/sip.go. Addresses and
credentials do not set two trunks apart: the same number in two of them is a conflict.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning.spelling import normalise_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioning.objects import Message

TrunkClaim = tuple[str, str]
"""Called number and calling number, normalised; empty: any."""

RuleClaim = tuple[str, str, str, str]
"""Trunk id, called number, calling number (normalised) and PIN; empty: any, or none."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two objects that livekit-server will not keep side by side.

    Attributes:
        first: index of the one, in the order they were given.
        second: index of the other; equal to ``first`` for a rule that conflicts with itself.
        claim: what both claim.
    """

    first: int
    second: int
    claim: tuple[str, ...]


def trunk_claims(trunk: SIPInboundTrunkInfo) -> list[TrunkClaim]:
    """What an inbound trunk claims, each once."""
    called = _unique(trunk.numbers)
    callers = _unique(trunk.allowed_numbers)
    return list(itertools.product(called, callers))


def trunks_of(rule: SIPDispatchRuleInfo) -> list[str]:
    """The ids of the trunks that a rule is for; one empty id stands for all."""
    return list(rule.trunk_ids) or [""]


def rule_claims(rule: SIPDispatchRuleInfo) -> list[RuleClaim]:
    """What a dispatch rule claims, with repeats: a rule that claims something twice conflicts with itself."""
    kind = rule.rule.WhichOneof("rule")
    pin = str(getattr(rule.rule, kind).pin) if kind else ""
    called = [normalise_number(number) for number in rule.numbers] or [""]
    callers = [normalise_number(number) for number in rule.inbound_numbers] or [""]
    return [
        (trunk, number, caller, pin)
        for trunk, caller, number in itertools.product(trunks_of(rule), callers, called)
    ]


def claims_of(message: Message) -> list[tuple[str, ...]]:
    """The claims of any object; an outbound trunk has none."""
    if isinstance(message, SIPInboundTrunkInfo):
        return list(trunk_claims(message))
    if isinstance(message, SIPDispatchRuleInfo):
        return list(rule_claims(message))
    return []


def conflicts(claims: Sequence[Iterable[tuple[str, ...]]]) -> list[Conflict]:
    """Every pair that claims the same, once a pair; ``claims[i]`` are the claims of object i."""
    found: dict[tuple[int, int], Conflict] = {}
    owner: dict[tuple[str, ...], int] = {}
    for index, own in enumerate(claims):
        for claim in own:
            first = owner.get(claim)
            if first is None:
                owner[claim] = index
            else:
                found.setdefault((first, index), Conflict(first, index, claim))
    return list(found.values())


def _unique(numbers: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(normalise_number(number) for number in numbers)) or [""]
