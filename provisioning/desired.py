"""What the file asks of LiveKit: trunks and rules as LiveKit's own messages. Pure.

The same file gives the same messages on every run. Rules name trunks by key here
(``inbound/<name>``), since LiveKit gives a trunk its id only when it is made; ``with_trunk_ids``
puts the ids in.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import RoomConfiguration
from livekit.protocol.sip import (
    SIPDispatchRule,
    SIPDispatchRuleCallee,
    SIPDispatchRuleDirect,
    SIPDispatchRuleIndividual,
    SIPDispatchRuleInfo,
    SIPHeaderOptions,
    SIPInboundTrunkInfo,
    SIPMediaConfig,
    SIPMediaEncryption,
    SIPOutboundTrunkInfo,
    SIPTransport,
)

from provisioning.objects import Kind, Message
from provisioning.room_names import rule_for_template
from provisioning.sections.routing import InboundRule, IndividualRule, RuleKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.protobuf.duration_pb2 import Duration as ProtoDuration

    from provisioning.config import LineConfig
    from provisioning.reading.problem import Path
    from provisioning.sections.media import Media
    from provisioning.sections.trunks import Trunk

_INCLUDE = {
    "none": SIPHeaderOptions.SIP_NO_HEADERS,
    "x": SIPHeaderOptions.SIP_X_HEADERS,
    "all": SIPHeaderOptions.SIP_ALL_HEADERS,
}
_TRANSPORT = {
    "auto": SIPTransport.SIP_TRANSPORT_AUTO,
    "udp": SIPTransport.SIP_TRANSPORT_UDP,
    "tcp": SIPTransport.SIP_TRANSPORT_TCP,
    "tls": SIPTransport.SIP_TRANSPORT_TLS,
}
_ENCRYPTION = {
    "disable": SIPMediaEncryption.SIP_MEDIA_ENCRYPT_DISABLE,
    "allow": SIPMediaEncryption.SIP_MEDIA_ENCRYPT_ALLOW,
    "require": SIPMediaEncryption.SIP_MEDIA_ENCRYPT_REQUIRE,
}
_TELEPHONE_NUMBER = re.compile(r"^\+?[0-9]{7,15}$")


@dataclass(frozen=True, slots=True)
class Desired:
    """One object that the file asks for.

    Attributes:
        kind: trunk or rule.
        key: ``<kind>/<name>``, unique in the file; the mark by which it is found again.
        path: where in the file it comes from.
        message: LiveKit's message without id and without our mark; ``trunk_ids`` holds keys.
        user_metadata: what the file wants in ``metadata`` beside our mark.
        adopted_id: the id of an object that existed before, if the file names one.
    """

    kind: Kind
    key: str
    path: Path
    message: Message
    user_metadata: dict[str, Any]
    adopted_id: str | None = None


def desired_objects(config: LineConfig) -> list[Desired]:
    """Every trunk and rule that the file asks for, in the file's order, trunks first."""
    result: list[Desired] = []
    for n, trunk in enumerate(config.sip_trunks):
        path: Path = ("sip_trunks", n)
        if trunk.is_inbound:
            inbound = _inbound_trunk(trunk)
            adopted = trunk.id if trunk.inbound_only else None
            result.append(
                Desired(Kind.INBOUND, f"inbound/{trunk.name}", path, inbound, trunk.metadata, adopted)
            )
        if trunk.is_outbound and trunk.host:
            outbound = _outbound_trunk(trunk)
            adopted = trunk.id if trunk.outbound_only else None
            result.append(
                Desired(Kind.OUTBOUND, f"outbound/{trunk.name}", path, outbound, trunk.metadata, adopted)
            )
    inbound_names = [trunk.name for trunk in config.sip_trunks if trunk.is_inbound]
    for n, rule in enumerate(config.routing.inbound_rules):
        metadata = dict(rule.metadata)
        if rule.action is not None and rule.action.participant_metadata is not None:
            metadata = {**rule.action.participant_metadata, **metadata}
        result.append(
            Desired(
                Kind.RULE,
                f"rule/{rule.name}",
                ("routing", "inbound_rules", n),
                _dispatch_rule(rule, config, inbound_names),
                metadata,
                rule.id,
            )
        )
    return result


def with_trunk_ids(message: SIPDispatchRuleInfo, ids: Mapping[str, str]) -> SIPDispatchRuleInfo:
    """A copy of a rule whose trunk keys are replaced by LiveKit's ids; unknown keys stay."""
    copy = SIPDispatchRuleInfo()
    copy.CopyFrom(message)
    copy.trunk_ids[:] = [ids.get(key, key) for key in message.trunk_ids]
    return copy


def normalised_number(number: str) -> str:
    """A trunk's number without blanks, hyphens and brackets; LiveKit compares trunk numbers so."""
    return re.sub(r"[\s\-()]", "", number)


def spellings(numbers: Sequence[str]) -> list[str]:
    """Rule numbers in every spelling that a carrier may send.

    LiveKit compares a rule's numbers letter by letter with the To header's user, unlike a trunk's
    (livekit/agents#5847): ``+74951234567`` alone would miss ``74951234567``.
    """
    result: list[str] = []
    for number in numbers:
        plain = normalised_number(number)
        if not _TELEPHONE_NUMBER.match(plain):
            forms = [number]
        elif plain.startswith("+"):
            forms = [plain, plain[1:]]
        else:
            forms = [plain, f"+{plain}"]
        result += [form for form in forms if form not in result]
    return result


def _inbound_trunk(trunk: Trunk) -> SIPInboundTrunkInfo:
    message = SIPInboundTrunkInfo(
        name=trunk.name,
        numbers=[normalised_number(number) for number in trunk.numbers],
        allowed_addresses=list(trunk.allowed_addresses or ()),
        allowed_numbers=spellings(trunk.allowed_numbers),
        headers=trunk.headers,
        headers_to_attributes=trunk.headers_to_attributes,
        attributes_to_headers=trunk.attributes_to_headers,
        include_headers=_INCLUDE[trunk.include_headers],
        krisp_enabled=trunk.krisp_enabled,
    )
    if trunk.auth_required is not False and trunk.auth_username and trunk.auth_password:
        message.auth_username = trunk.auth_username
        message.auth_password = trunk.auth_password.get_secret_value()
        message.auth_realm = trunk.auth_realm or ""
    _set_duration(message.ringing_timeout, trunk.ringing_timeout)
    _set_duration(message.max_call_duration, trunk.max_call_duration)
    if trunk.media is not None:
        message.media.CopyFrom(_media(trunk.media))
    return message


def _outbound_trunk(trunk: Trunk) -> SIPOutboundTrunkInfo:
    message = SIPOutboundTrunkInfo(
        name=trunk.name,
        address=f"{trunk.host}:{trunk.port}" if trunk.port else trunk.host or "",
        transport=_TRANSPORT[trunk.transport or "udp"],
        numbers=[normalised_number(number) for number in trunk.numbers],
        auth_username=trunk.auth_username or "",
        auth_password=trunk.auth_password.get_secret_value() if trunk.auth_password else "",
        headers=trunk.headers,
        headers_to_attributes=trunk.headers_to_attributes,
        attributes_to_headers=trunk.attributes_to_headers,
        include_headers=_INCLUDE[trunk.include_headers],
        destination_country=trunk.destination_country or "",
        from_host=trunk.from_host or "",
    )
    if trunk.media is not None:
        message.media.CopyFrom(_media(trunk.media))
    return message


def _dispatch_rule(rule: InboundRule, config: LineConfig, inbound_names: list[str]) -> SIPDispatchRuleInfo:
    match = rule.match
    trunks = rule.trunks
    if trunks is None:
        trunks = [match.trunk] if match is not None and match.trunk else inbound_names
    called = rule.numbers or (match.to if match is not None and match.to else [])
    callers = rule.inbound_numbers or (match.from_ if match is not None and match.from_ else [])
    message = SIPDispatchRuleInfo(
        name=rule.name,
        rule=_rule_kind(rule),
        trunk_ids=[f"inbound/{name}" for name in trunks],
        numbers=spellings(called),
        inbound_numbers=spellings(callers),
        hide_phone_number=rule.hide_phone_number,
        attributes=rule.attributes,
        room_preset=rule.room_preset or "",
        room_config=_room_config(rule, config),
        krisp_enabled=rule.krisp_enabled,
    )
    if rule.media is not None:
        message.media.CopyFrom(_media(rule.media))
    return message


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


def _room_config(rule: InboundRule, config: LineConfig) -> RoomConfiguration:
    room = rule.room_config
    metadata = dict(room.metadata)
    if rule.action is not None:
        fixed = {
            key: value
            for key, value in (rule.action.room_metadata or {}).items()
            if not (isinstance(value, str) and "{" in value)
        }
        metadata = {**fixed, **metadata}
    if room.agents is not None:
        agents = [
            RoomAgentDispatch(agent_name=agent.agent_name, metadata=_json(agent.metadata))
            for agent in room.agents
        ]
    else:
        action = rule.action
        name = rule.agent_name or (action.agent_name if action else None) or config.agent.name
        assistant = rule.assistant or (action.assistant if action else None) or config.assistants.default
        agents = [RoomAgentDispatch(agent_name=name, metadata=_json({"assistant": assistant}))]
    return RoomConfiguration(
        empty_timeout=round(room.empty_timeout or 0),
        departure_timeout=round(room.departure_timeout or 0),
        max_participants=room.max_participants or 0,
        metadata=_json(metadata),
        agents=agents,
    )


def _media(media: Media) -> SIPMediaConfig:
    config = SIPMediaConfig(
        only_listed_codecs=media.only_listed_codecs, encryption=_ENCRYPTION[media.encryption]
    )
    for codec in media.codecs:
        if codec.name != "opus":
            config.codecs.add(name=codec.name, rate=codec.rate)
    if media.media_timeout is not None:
        _set_duration(config.media_timeout, media.media_timeout)
    return config


def _set_duration(target: ProtoDuration, seconds: float | None) -> None:
    if seconds is not None:
        target.FromMilliseconds(round(seconds * 1000))


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
