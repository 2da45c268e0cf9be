"""All inbound trunks and rules of a server, indexed, and what they would do with a call. Pure.

The same decisions as ``provisioning.match``, quick enough to be asked after every single change of a plan.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning.claims import claims_of, trunks_of
from provisioning.match import Call, match_rule, match_trunk, pin_of
from provisioning.spelling import normalise_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.objects import Message

_ANY = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the server does with a call.

    Attributes:
        result: accepted; pin: asked for one; dropped: no rule takes it, which leaves the caller ringing;
            refused: the server cannot choose, 503.
        trunk_id: the trunk, empty for none.
        rule_id: the rule, empty for none.
    """

    result: Literal["accepted", "pin", "dropped", "refused"]
    trunk_id: str = ""
    rule_id: str = ""


class RoutingTable:
    """Inbound trunks and rules by id. Outbound trunks are not in it."""

    def __init__(self, objects: Iterable[tuple[str, Message]] = ()) -> None:
        self._trunks: dict[str, SIPInboundTrunkInfo] = {}
        self._rules: dict[str, SIPDispatchRuleInfo] = {}
        self._trunks_of: defaultdict[str, set[str]] = defaultdict(set)
        self._rules_of: defaultdict[str, set[str]] = defaultdict(set)
        self._owners: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        self._contested: set[tuple[str, ...]] = set()
        for object_id, message in objects:
            self.put(object_id, message)

    def __contains__(self, object_id: str) -> bool:
        return object_id in self._trunks or object_id in self._rules

    def put(self, object_id: str, message: Message) -> None:
        """Add an object, or put it in place of the one with this id; the message is copied."""
        self.remove(object_id)
        if isinstance(message, SIPInboundTrunkInfo):
            trunk = SIPInboundTrunkInfo()
            trunk.CopyFrom(message)
            trunk.sip_trunk_id = object_id
            self._trunks[object_id] = trunk
            for number in _numbers(trunk):
                self._trunks_of[number].add(object_id)
        elif isinstance(message, SIPDispatchRuleInfo):
            rule = SIPDispatchRuleInfo()
            rule.CopyFrom(message)
            rule.sip_dispatch_rule_id = object_id
            self._rules[object_id] = rule
            for trunk_id in trunks_of(rule):
                self._rules_of[trunk_id].add(object_id)
        claims = claims_of(message)
        for claim in claims:
            self._owners[claim].add(object_id)
            if len(self._owners[claim]) > 1:
                self._contested.add(claim)
        if len(set(claims)) != len(claims):
            self._contested.add((object_id,))

    def remove(self, object_id: str) -> None:
        """Take an object out; one that is not there is passed over."""
        trunk, rule = self._trunks.pop(object_id, None), self._rules.pop(object_id, None)
        if trunk is not None:
            for number in _numbers(trunk):
                self._trunks_of[number].discard(object_id)
        if rule is not None:
            for trunk_id in trunks_of(rule):
                self._rules_of[trunk_id].discard(object_id)
        message = trunk or rule
        if message is not None:
            for claim in claims_of(message):
                self._owners[claim].discard(object_id)
                if len(self._owners[claim]) < 2:
                    self._contested.discard(claim)
            self._contested.discard((object_id,))

    def around(self, trunk_id: str) -> list[Message]:
        """An inbound trunk, if it is there, and the rules that name it."""
        found: list[Message] = [self._rules[n] for n in sorted(self._rules_of.get(trunk_id, set()))]
        trunk = self._trunks.get(trunk_id)
        return found if trunk is None else [trunk, *found]

    def rules(self) -> list[SIPDispatchRuleInfo]:
        """Every dispatch rule."""
        return list(self._rules.values())

    def trunks_without_numbers(self) -> set[str]:
        """Ids of the trunks that take calls to any number that no other trunk has."""
        return set(self._trunks_of.get(_ANY, set()))

    def blockers(self, object_id: str, message: Message) -> dict[tuple[str, ...], set[str]]:
        """Who holds what an object would claim: claim to the ids of the others; empty when it may be put."""
        return {
            claim: others
            for claim in claims_of(message)
            if (others := self._owners.get(claim, set()) - {object_id})
        }

    def outcome(self, call: Call, *, pin: str = "") -> Outcome:
        """What the server would do with a call."""
        trunks = self._trunks_of.get(normalise_number(call.to_user), set()) | self._trunks_of.get(_ANY, set())
        match = match_trunk((self._trunks[n] for n in sorted(trunks)), call)
        if match.rivals:
            return Outcome("refused")
        trunk_id = match.trunk.sip_trunk_id if match.trunk is not None else ""
        rules = self._rules_of.get(_ANY, set()) | self._rules_of.get(trunk_id, set())
        if not trunk_id and self._contested:
            rules = set(self._rules)  # a call without a trunk makes the server look at every rule
        found = match_rule(match.trunk, (self._rules[n] for n in sorted(rules)), call, pin=pin)
        if found.rivals:
            return Outcome("refused", trunk_id)
        if found.rule is None:
            return Outcome("dropped", trunk_id)
        asked = pin_of(found.rule) and not pin
        return Outcome("pin" if asked else "accepted", trunk_id, found.rule.sip_dispatch_rule_id)


def _numbers(trunk: SIPInboundTrunkInfo) -> set[str]:
    return {normalise_number(number) for number in trunk.numbers} or {_ANY}
