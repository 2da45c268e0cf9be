"""A rule of the file as LiveKit's message. Pure.

Trunks are named by key here (``inbound/<name>``); LiveKit gives them their ids only when they are made.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import RoomConfiguration
from livekit.protocol.sip import (
    SIPDispatchRule,
    SIPDispatchRuleCallee,
    SIPDispatchRuleDirect,
    SIPDispatchRuleIndividual,
    SIPDispatchRuleInfo,
)

from provisioning.carriers.pack import load_pack
from provisioning.room_names import rule_for_template
from provisioning.sections.routing import InboundRule, IndividualRule, RuleKind
from provisioning.spelling import normalise_number, spelled, without_separators
from provisioning.trunk_messages import media_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.config import LineConfig
    from provisioning.sections.trunks import Trunk


class RuleMessages:
    """Makes the messages of a file's rules.

    Args:
        config: the file.
        inbound: its inbound trunks by name, filled by their carriers.
    """

    def __init__(self, config: LineConfig, inbound: Mapping[str, Trunk]) -> None:
        self._config = config
        self._inbound = inbound
        self._rules_on = Counter(
            name for rule in config.routing.inbound_rules for name in set(self.trunks_of(rule))
        )

    def trunks_of(self, rule: InboundRule) -> list[str]:
        """Names of the trunks whose calls a rule takes: those it names, else every inbound one."""
        if rule.trunks is not None:
            return list(rule.trunks)
        if rule.match is not None and rule.match.trunk:
            return [rule.match.trunk]
        return list(self._inbound)

    def called_numbers(self, rule: InboundRule) -> list[str]:
        """The called numbers that LiveKit is to compare letter by letter, in the carrier's spelling.

        Empty when the trunks alone decide: a rule that takes all numbers of trunks which no other rule
        has needs no filter, and then spelling does not matter (a trunk's numbers are compared normalised).
        """
        called = rule.numbers or (rule.match.to if rule.match is not None and rule.match.to else [])
        if not called or self._takes_all(rule, called):
            return []
        form = self._spelling(rule)
        return list(dict.fromkeys(spelled(number, form) for number in called))

    def spelling_is_known(self, rule: InboundRule) -> bool:
        """Whether the carriers of a rule's trunks are known to spell our numbers in one way."""
        return self._spelling(rule) is not None

    def message(self, rule: InboundRule) -> SIPDispatchRuleInfo:
        """The dispatch rule, without id and without our mark."""
        callers = rule.inbound_numbers or (
            rule.match.from_ if rule.match is not None and rule.match.from_ else []
        )
        message = SIPDispatchRuleInfo(
            name=rule.name if rule.label is None else rule.label,
            rule=_rule_kind(rule),
            trunk_ids=[f"inbound/{name}" for name in self.trunks_of(rule)],
            numbers=self.called_numbers(rule),
            inbound_numbers=[without_separators(number) for number in callers],
            hide_phone_number=rule.hide_phone_number,
            attributes=rule.attributes,
            room_preset=rule.room_preset or "",
            room_config=self._room_config(rule),
            krisp_enabled=rule.krisp_enabled,
        )
        if rule.media is not None:
            message.media.CopyFrom(media_config(rule.media))
        return message

    def _spelling(self, rule: InboundRule) -> str | None:
        known = [self._inbound[name] for name in self.trunks_of(rule) if name in self._inbound]
        formats = {load_pack(trunk.carrier).known("inbound_number_format") for trunk in known}
        return formats.pop() if len(formats) == 1 else None

    def _takes_all(self, rule: InboundRule, called: list[str]) -> bool:
        names = self.trunks_of(rule)
        if any(self._rules_on[name] > 1 for name in names):
            return False
        trunks = [self._inbound[name] for name in names if name in self._inbound]
        if not all(trunk.numbers for trunk in trunks):
            return False
        served = {normalise_number(number) for trunk in trunks for number in trunk.numbers}
        return served <= {normalise_number(number) for number in called}

    def _room_config(self, rule: InboundRule) -> RoomConfiguration:
        room, action = rule.room_config, rule.action
        metadata = room.metadata
        if action is not None and isinstance(metadata, dict):
            given = (action.room_metadata or {}).items()
            fixed = {key: value for key, value in given if not (isinstance(value, str) and "{" in value)}
            metadata = {**fixed, **metadata}
        if room.agents is not None:
            agents = [
                RoomAgentDispatch(agent_name=agent.agent_name, metadata=_json(agent.metadata))
                for agent in room.agents
            ]
        else:
            agents = [self._agent(rule)]
        return RoomConfiguration(
            empty_timeout=round(room.empty_timeout or 0),
            departure_timeout=round(room.departure_timeout or 0),
            max_participants=room.max_participants or 0,
            metadata=_json(metadata),
            agents=agents,
        )

    def _agent(self, rule: InboundRule) -> RoomAgentDispatch:
        action = rule.action
        name = rule.agent_name or (action.agent_name if action else None) or self._config.agent.name
        assistant = rule.assistant or (action.assistant if action else None)
        told = {"assistant": assistant or self._config.assistants.default}
        return RoomAgentDispatch(agent_name=name, metadata=_json(told))


def user_metadata(rule: InboundRule) -> dict[str, Any] | str:
    """What the file wants in the rule's metadata, which becomes the caller's participant metadata."""
    if isinstance(rule.metadata, str):
        return rule.metadata
    given = rule.action.participant_metadata if rule.action is not None else None
    return {**(given or {}), **rule.metadata}


def _rule_kind(rule: InboundRule) -> SIPDispatchRule:
    kind = rule.rule
    if kind is None and rule.action is not None and rule.action.room_name_template is not None:
        kind, _ = rule_for_template(rule.action.room_name_template)
    kind = kind or RuleKind(dispatch_rule_individual=IndividualRule())
    if kind.dispatch_rule_direct is not None:
        direct = kind.dispatch_rule_direct
        return SIPDispatchRule(
            dispatch_rule_direct=SIPDispatchRuleDirect(room_name=direct.room_name, pin=direct.pin or "")
        )
    if kind.dispatch_rule_callee is not None:
        callee = kind.dispatch_rule_callee
        return SIPDispatchRule(
            dispatch_rule_callee=SIPDispatchRuleCallee(
                room_prefix=callee.room_prefix, pin=callee.pin or "", randomize=callee.randomize
            )
        )
    individual = kind.dispatch_rule_individual or IndividualRule()
    return SIPDispatchRule(
        dispatch_rule_individual=SIPDispatchRuleIndividual(
            room_prefix=individual.room_prefix,
            pin=individual.pin or "",
            no_randomness=individual.no_randomness,
        )
    )


def _json(value: dict[str, Any] | str) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
