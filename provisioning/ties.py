"""Dispatch rules of one priority that can take the same call: the room's name decides between them. Pure.

livekit-server prefers the rule whose room name or prefix sorts first where DispatchRulePriority is the same
(livekit/protocol sip/sip.go), so that a new room name can hand a call to another rule.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from provisioning.claims import trunks_of
from provisioning.match import pin_of, rule_priority

if TYPE_CHECKING:
    from collections.abc import Iterable

    from livekit.protocol.sip import SIPDispatchRuleInfo

_Shape = tuple[bool, bool, str]


class Ties:
    """Which rules may tie with another, among all that there are or will be."""

    def __init__(self, rules: Iterable[SIPDispatchRuleInfo]) -> None:
        self._shapes: defaultdict[tuple[str, int], set[_Shape]] = defaultdict(set)
        for rule in rules:
            for trunk_id in trunks_of(rule):
                self._shapes[trunk_id, rule_priority(rule)].add(_shape(rule))

    def may_tie(self, rule: SIPDispatchRuleInfo) -> bool:
        """Whether some rule of another shape shares a trunk and the priority.

        Rules of one shape never take the same call: the server would have refused the second.
        """
        priority = rule_priority(rule)
        return any(self._shapes[trunk_id, priority] - {_shape(rule)} for trunk_id in trunks_of(rule))


def _shape(rule: SIPDispatchRuleInfo) -> _Shape:
    """What sets rules of one priority apart: whether they name numbers, whether callers, and the PIN."""
    return bool(rule.numbers), bool(rule.inbound_numbers), pin_of(rule)
