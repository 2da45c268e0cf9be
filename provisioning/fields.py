"""The fields of LiveKit's objects: which we know, how two objects differ, how one is laid over another. Pure.

What the schema does not know (a newer server's fields, ``room_config.egress``, an agent's deployment) is
never read, compared or cleared: it survives every update.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from livekit.protocol.sip import SIPDispatchRuleInfo, SIPMediaConfig

from provisioning.objects import Kind, Message, empty_message
from provisioning.ownership import read_metadata, short_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit.protocol.room import RoomConfiguration

_HEADERS = ("headers", "headers_to_attributes", "attributes_to_headers", "include_headers")
KNOWN_FIELDS: dict[Kind, tuple[str, ...]] = {
    Kind.INBOUND: (
        *("name", "numbers", "allowed_addresses", "allowed_numbers"),
        *("auth_username", "auth_password", "auth_realm"),
        *(*_HEADERS, "ringing_timeout", "max_call_duration", "krisp_enabled", "media"),
    ),
    Kind.OUTBOUND: (
        *("name", "address", "transport", "destination_country", "numbers"),
        *("auth_username", "auth_password", *_HEADERS, "from_host", "media"),
    ),
    Kind.RULE: (
        *("name", "rule", "trunk_ids", "numbers", "inbound_numbers", "hide_phone_number"),
        *("attributes", "room_preset", "room_config", "krisp_enabled", "media"),
    ),
}
"""What the file decides about each kind of object, beside its metadata."""

_ROOM_FIELDS = ("empty_timeout", "departure_timeout", "max_participants", "metadata", "agents")
_SETS = frozenset({"numbers", "allowed_addresses", "allowed_numbers", "trunk_ids", "inbound_numbers"})
_SECRET = frozenset({"auth_password"})
HIDDEN = "(hidden)"
"""Stands for a secret in every output."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs.

    Attributes:
        field: its name, in LiveKit's words.
        before: what livekit-server has; None for nothing.
        after: what is wanted; None for nothing.
        secret: the values must not be shown; they are already replaced here.
    """

    field: str
    before: Any
    after: Any
    secret: bool = False

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {"field": self.field, "before": self.before, "after": self.after, "secret": self.secret}


def plain_fields(kind: Kind, message: Message) -> dict[str, Any]:
    """The known fields as JSON values, what is empty left out, and the user's part of ``metadata``.

    Two messages mean the same to LiveKit exactly when these are equal: the order of numbers does not
    count, nor does an empty ``media``, which the server adds by itself.
    """
    raw = MessageToDict(message, preserving_proto_field_name=True)
    result: dict[str, Any] = {}
    for name in KNOWN_FIELDS[kind]:
        value = raw.get(name)
        if name in _SETS and value:
            value = sorted(set(value))
        elif name == "media":
            value = _plain_media(message.media, message.media_encryption)
        elif name == "room_config" and value:
            value = {key: value[key] for key in _ROOM_FIELDS if value.get(key)}
            value["agents"] = [_plain_agent(agent) for agent in value.get("agents", ())]
            value["metadata"] = canonical_json(value.get("metadata", ""))
            value = {key: item for key, item in value.items() if item}
        elif name == "rule" and value:
            value = _plain_rule(value)
        if value not in (None, "", [], {}, False, 0):
            result[name] = value
    user, _ = read_metadata(message.metadata)
    if user:
        result["metadata"] = user
    return result


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """Compare two results of ``plain_fields``, field by field; secrets are hidden in the result."""
    names = [*after, *(name for name in before if name not in after)]
    return [
        FieldChange(name, shown(name, before.get(name)), shown(name, after.get(name)), name in _SECRET)
        for name in names
        if before.get(name) != after.get(name)
    ]


def shown(name: str, value: Any) -> Any:
    """A field's value as it may be printed: passwords, PINs and headers that carry a key are hidden."""
    if value is None:
        return None
    if name in _SECRET:
        return HIDDEN
    if name == "rule":
        return {
            kind: {key: (HIDDEN if key == "pin" else item) for key, item in settings.items()}
            for kind, settings in value.items()
        }
    if name == "headers":
        return {key: (HIDDEN if _carries_a_key(key) else item) for key, item in value.items()}
    return value


def _carries_a_key(header: str) -> bool:
    return any(word in header.lower() for word in ("auth", "token", "secret", "password", "key"))


def field_hashes(plain: Mapping[str, Any]) -> dict[str, str]:
    """A short hash of every field; a secret counts only as given or not, a PIN likewise."""
    return {name: short_hash(shown(name, value)) for name, value in plain.items()}


def overlay(kind: Kind, live: Message, wanted: Message) -> Message:
    """What is wanted, with everything of the live object that we do not know.

    Args:
        kind: of both.
        live: what livekit-server has.
        wanted: known fields and metadata only.
    """
    result, part = empty_message(kind), empty_message(kind)
    result.CopyFrom(live)  # type: ignore[arg-type]
    part.CopyFrom(wanted)  # type: ignore[arg-type]
    for name in (*KNOWN_FIELDS[kind], "metadata"):
        if name != "room_config":
            result.ClearField(name)
    part.ClearField(kind.id_field)
    if isinstance(part, SIPDispatchRuleInfo):
        part.ClearField("room_config")
    result.MergeFrom(part)  # type: ignore[arg-type]
    result.media_encryption = result.media.encryption
    if isinstance(result, SIPDispatchRuleInfo) and isinstance(wanted, SIPDispatchRuleInfo):
        _overlay_room(result.room_config, wanted.room_config)
    return result


def _overlay_room(live: RoomConfiguration, wanted: RoomConfiguration) -> None:
    known = {agent.agent_name: agent for agent in live.agents}
    agents = []
    for agent in wanted.agents:
        merged = type(agent)()
        merged.CopyFrom(known.get(agent.agent_name, agent))
        merged.agent_name, merged.metadata = agent.agent_name, agent.metadata
        agents.append(merged)
    live.empty_timeout = wanted.empty_timeout
    live.departure_timeout = wanted.departure_timeout
    live.max_participants = wanted.max_participants
    live.metadata = wanted.metadata
    del live.agents[:]
    live.agents.extend(agents)


def _plain_media(media: SIPMediaConfig, legacy_encryption: int) -> dict[str, Any]:
    plain: dict[str, Any] = MessageToDict(media, preserving_proto_field_name=True)
    encryption = media.encryption if media.HasField("encryption") else legacy_encryption
    plain.pop("encryption", None)
    if encryption:
        plain["encryption"] = {1: "allow", 2: "require"}.get(encryption, str(encryption))
    return {name: value for name, value in plain.items() if value}


def _plain_agent(agent: Mapping[str, Any]) -> dict[str, Any]:
    plain = {"agent_name": agent.get("agent_name", "")}
    plain["metadata"] = canonical_json(agent.get("metadata", ""))
    return {name: value for name, value in plain.items() if value}


def canonical_json(text: str) -> str:
    """A JSON object in one form, whoever wrote it; any other text as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict) else text


def _plain_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: {name: value for name, value in settings.items() if value} for kind, settings in rule.items()
    }
