"""What the file asks of LiveKit: trunks and rules as LiveKit's own messages. Pure.

The same file gives the same messages on every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from livekit.protocol.sip import SIPDispatchRuleInfo

from provisioning.carriers.fill import filled
from provisioning.objects import Kind, Message
from provisioning.rule_messages import RuleMessages, user_metadata
from provisioning.trunk_messages import inbound_trunk, outbound_trunk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.config import LineConfig
    from provisioning.reading.problem import Path


@dataclass(frozen=True, slots=True)
class Desired:
    """One object that the file asks for.

    Attributes:
        kind: trunk or rule.
        key: ``<kind>/<name>``, unique in the file; the mark by which it is found again.
        path: where in the file it comes from.
        message: LiveKit's message without id and metadata; a rule's ``trunk_ids`` hold keys.
        user_metadata: what the file wants in ``metadata`` beside our mark.
        adopted_id: the id of an object that existed before, if the file names one.
    """

    kind: Kind
    key: str
    path: Path
    message: Message
    user_metadata: dict[str, Any] | str
    adopted_id: str | None = None


def desired_objects(config: LineConfig) -> list[Desired]:
    """Every trunk and rule that the file asks for, in the file's order, trunks first."""
    result: list[Desired] = []
    trunks = [filled(trunk) for trunk in config.sip_trunks]
    for n, trunk in enumerate(trunks):
        path: Path = ("sip_trunks", n)
        message: Message
        if trunk.is_inbound:
            message = inbound_trunk(trunk)
            adopted = trunk.id if trunk.inbound_only else None
            key = f"inbound/{trunk.name}"
            result.append(Desired(Kind.INBOUND, key, path, message, trunk.metadata, adopted))
        if trunk.is_outbound and trunk.numbers:
            message = outbound_trunk(trunk)
            adopted = trunk.id if trunk.outbound_only else None
            key = f"outbound/{trunk.name}"
            result.append(Desired(Kind.OUTBOUND, key, path, message, trunk.metadata, adopted))
    rules = RuleMessages(config, {trunk.name: trunk for trunk in trunks if trunk.is_inbound})
    for n, rule in enumerate(config.routing.inbound_rules):
        path = ("routing", "inbound_rules", n)
        message = rules.message(rule)
        result.append(Desired(Kind.RULE, f"rule/{rule.name}", path, message, user_metadata(rule), rule.id))
    return result


def with_trunk_ids(message: SIPDispatchRuleInfo, ids: Mapping[str, str]) -> SIPDispatchRuleInfo:
    """A copy of a rule whose trunk keys are replaced by LiveKit's ids; unknown keys stay."""
    copy = SIPDispatchRuleInfo()
    copy.CopyFrom(message)
    copy.trunk_ids[:] = [ids.get(key, key) for key in message.trunk_ids]
    return copy
