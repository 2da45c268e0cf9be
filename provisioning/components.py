"""Which changes of a plan can touch the same call, and so must be ordered together. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning.spelling import normalise_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioning.steps import Action


def components(actions: Sequence[Action], wildcards: Iterable[str]) -> list[list[Action]]:
    """Group actions that can touch the same call, in the order of their first action.

    Args:
        actions: every change of the plan.
        wildcards: ids of the trunks that take calls to numbers which no other trunk has: through them
            the release of one number concerns the rules of another trunk.
    """
    wildcard = bool(wildcards) or any(not trunk.numbers for action in actions for trunk in _trunks(action))
    parent: dict[str, str] = {}

    def root(token: str) -> str:
        while parent.setdefault(token, token) != token:
            parent[token] = parent[parent[token]]
            token = parent[token]
        return token

    for trunk_id in wildcards:
        parent[root(f"id {trunk_id}")] = root("any number")
    for action in actions:
        first, *others = _tokens(action, wildcard=wildcard)
        for token in others:
            parent[root(token)] = root(first)
    groups: defaultdict[str, list[Action]] = defaultdict(list)
    for action in actions:
        groups[root(f"id {action.id}")].append(action)
    return list(groups.values())


def _trunks(action: Action) -> list[SIPInboundTrunkInfo]:
    return [m for m in (action.before, action.after) if isinstance(m, SIPInboundTrunkInfo)]


def _tokens(action: Action, *, wildcard: bool) -> set[str]:
    tokens = {f"id {action.id}"}
    trunks = _trunks(action)
    for trunk in trunks:
        tokens |= {f"number {normalise_number(number)}" for number in trunk.numbers} or {"any number"}
    if wildcard and trunks:
        tokens.add("any number")
    for message in (action.before, action.after):
        if isinstance(message, SIPDispatchRuleInfo):
            tokens |= {f"id {trunk_id}" for trunk_id in message.trunk_ids} or {"any trunk"}
    return tokens
