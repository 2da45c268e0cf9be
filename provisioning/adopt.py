"""Put trunks and rules that exist already into the words of the operator's file. Pure.

Nothing is written to livekit-server: an adopted object is known by its ``id`` in the file, and gets our mark
with its first real change. Every entry is proven before it is handed out: read back, it must ask for exactly
what is there. What the file cannot say is left alone, and the reason is told.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo, SIPOutboundTrunkInfo

from provisioning.config import ConfigProblemsError, load_bytes
from provisioning.fields import plain_fields
from provisioning.objects import Kind, Live
from provisioning.ownership import read_metadata
from provisioning.plan import make_plan
from provisioning.reading.problem import dotted
from provisioning.sections.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_INCLUDE = {"SIP_X_HEADERS": "x", "SIP_ALL_HEADERS": "all"}
_TRANSPORT = {"SIP_TRANSPORT_UDP": "udp", "SIP_TRANSPORT_TCP": "tcp", "SIP_TRANSPORT_TLS": "tls"}
_ADDRESS = re.compile(r"^(?P<host>\[[0-9A-Fa-f:.]+\]|[^:]+)(?::(?P<port>\d+))?$")


class CannotSayError(Exception):
    """The file has no words for an object; the text says why."""


@dataclass(slots=True)
class Entries:
    """What the file is to hold.

    Attributes:
        trunks: entries of ``sip_trunks``.
        rules: entries of ``routing.inbound_rules``.
        secrets: file name to secret, for the folder beside the file.
        left: objects that cannot be said, with the reason.
    """

    trunks: list[dict[str, Any]] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    left: list[tuple[Live, str]] = field(default_factory=list)


def entries_for(lives: Iterable[Live], *, secrets_folder: str, taken: Iterable[str] = ()) -> Entries:
    """Words for every trunk and rule.

    Args:
        lives: what to adopt.
        secrets_folder: the folder, relative to the file, that will hold passwords.
        taken: names that the file has already.
    """
    result = Entries()
    names = _Names(taken)
    trunk_names: dict[str, str] = {}
    for live in sorted(lives, key=lambda live: (live.kind is Kind.RULE, live.id)):
        name = names.for_(live)
        try:
            if isinstance(live.message, SIPDispatchRuleInfo):
                result.rules.append(_rule_entry(live, name, trunk_names))
                continue
            entry, password = _trunk_entry(live, name)
        except CannotSayError as error:
            result.left.append((live, str(error)))
            continue
        if password:
            result.secrets[name] = password
            entry["auth_password_file"] = f"{secrets_folder}/{name}"
        if live.kind is Kind.INBOUND:
            trunk_names[live.id] = name
        result.trunks.append(entry)
    return result


def as_yaml(line: str, entries: Entries, *, heading: str) -> str:
    """The file's text; numbers and everything else that YAML would misread stand in quotes."""
    content = {
        "line": line,
        "livekit": {
            "url": "${LIVEKIT_URL}",
            "api_key": "${LIVEKIT_API_KEY}",
            "api_secret": "${LIVEKIT_API_SECRET}",
        },
        "redis": {
            "address": "${REDIS_ADDRESS:-127.0.0.1:6379}",
            "password": "${REDIS_PASSWORD:-}",
        },
        "sip_trunks": entries.trunks,
        "routing": {"inbound_rules": entries.rules},
    }
    body = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    schema = "# yaml-language-server: $schema=../docs/provisioning/livekit-sip.schema.json"
    return f"{schema}\n# {heading}\n\n{body}"


def prove(line: str, entries: Entries, lives: Sequence[Live]) -> None:
    """Read the entries back and take out what does not ask for exactly what is there, with the reason.

    Args:
        line: the file's line.
        entries: what ``entries_for`` gave; changed in place.
        lives: every trunk and rule of the server.
    """
    by_id = {live.id: live for live in lives}
    while wrong := _first_wrong(line, entries, lives):
        object_id, reason = wrong
        entries.left.append((by_id[object_id], reason))
        gone = {entry["name"] for entry in entries.trunks if entry["id"] == object_id}
        entries.trunks = [entry for entry in entries.trunks if entry["id"] != object_id]
        entries.rules = [entry for entry in entries.rules if entry["id"] != object_id]
        for name in gone:
            entries.secrets.pop(name, None)
        for entry in [entry for entry in entries.rules if gone & set(entry["trunks"])]:
            entries.rules.remove(entry)
            entries.left.append((by_id[entry["id"]], "its trunk is not adopted"))


def _first_wrong(line: str, entries: Entries, lives: Sequence[Live]) -> tuple[str, str] | None:
    """The id of an entry that is not as it should be, and why."""
    variables = {name: f"SECRET_{n}" for n, name in enumerate(entries.secrets)}
    trunks = [
        {key: value for key, value in entry.items() if key != "auth_password_file"}
        | ({"auth_password": f"${{{variables[entry['name']]}}}"} if entry["name"] in variables else {})
        for entry in entries.trunks
    ]
    content = {"line": line, "sip_trunks": trunks, "routing": {"inbound_rules": entries.rules}}
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    # As from its file: nothing within a password is a variable, and space around it is lost.
    env = {variables[name]: secret.strip() for name, secret in entries.secrets.items()}
    try:
        config = load_bytes(text.encode(), Path("imported.yaml"), env).config
    except ConfigProblemsError as error:
        for problem in error.problems:
            owner = entries.trunks if problem.path[:1] == ("sip_trunks",) else entries.rules
            index = next((step for step in problem.path if isinstance(step, int)), None)
            if index is not None:
                return owner[index]["id"], f"{problem.message.rstrip('.')} ({dotted(problem.path[-1:])})"
        raise
    plan = make_plan(config, lives)
    for change in plan.changes:
        if change.id in {entry["id"] for entry in [*entries.trunks, *entries.rules]}:
            fields = ", ".join(one.field for one in change.fields)
            return change.id, f"the file cannot say its {fields} as it is"
    return None


class _Names:
    """Names of ours for objects that are called anything."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def for_(self, live: Live) -> str:
        stem = _NOT_IN_A_NAME.sub("-", live.message.name).strip("-._")[:50] or live.id.lower()
        name, number = stem, 2
        while name in self._taken:
            name, number = f"{stem}-{number}", number + 1
        self._taken.add(name)
        return name


def _trunk_entry(live: Live, name: str) -> tuple[dict[str, Any], str]:
    plain = plain_fields(live.kind, live.message)
    entry: dict[str, Any] = {"name": name, "id": live.id}
    if live.message.name != name:
        entry["label"] = live.message.name
    if isinstance(live.message, SIPOutboundTrunkInfo):
        entry["outbound_only"] = True
        match = _ADDRESS.match(live.message.address)
        if match is None:
            raise CannotSayError(f"its address is {live.message.address!r}")
        entry["host"] = match["host"]
        if match["port"]:
            entry["port"] = int(match["port"])
        entry["transport"] = _TRANSPORT.get(plain.get("transport", ""), "auto")
        _copy(plain, entry, ("numbers", "from_host", "destination_country", "auth_username"))
    else:
        assert isinstance(live.message, SIPInboundTrunkInfo)
        entry["inbound_only"] = True
        lists = ("numbers", "allowed_addresses", "allowed_numbers", "auth_username", "auth_realm")
        _copy(plain, entry, (*lists, "krisp_enabled"))
        if bool(plain.get("auth_username")) != bool(plain.get("auth_password")):
            raise CannotSayError("it has half a credential, which LiveKit asks of nobody")
        _copy_times(plain, entry, ("ringing_timeout", "max_call_duration"))
    _copy(plain, entry, ("headers", "headers_to_attributes", "attributes_to_headers"))
    if plain.get("include_headers"):
        entry["include_headers"] = _INCLUDE[plain["include_headers"]]
    _copy_media(plain, entry)
    _copy_metadata(live, entry)
    return entry, str(plain.get("auth_password", ""))


def _rule_entry(live: Live, name: str, trunk_names: Mapping[str, str]) -> dict[str, Any]:
    plain = plain_fields(live.kind, live.message)
    entry: dict[str, Any] = {"name": name, "id": live.id}
    if live.message.name != name:
        entry["label"] = live.message.name
    if not plain.get("trunk_ids"):
        raise CannotSayError("it has no trunks and so takes calls from strangers too; give it some first")
    unknown = [trunk_id for trunk_id in plain["trunk_ids"] if trunk_id not in trunk_names]
    if unknown:
        raise CannotSayError(f"its trunk {unknown[0]} does not exist or is not adopted")
    entry["trunks"] = [trunk_names[trunk_id] for trunk_id in plain["trunk_ids"]]
    _copy(plain, entry, ("numbers", "inbound_numbers"))
    if not plain.get("rule"):
        raise CannotSayError("it is of a kind that this version does not know")
    entry["rule"] = plain["rule"]
    room = dict(plain.get("room_config", {}))
    config: dict[str, Any] = {}
    for key in ("empty_timeout", "departure_timeout"):
        if key in room:
            config[key] = format_duration(room[key])
    _copy(room, config, ("max_participants",))
    if room.get("metadata"):
        config["metadata"] = _object_or_text(room["metadata"])
    config["agents"] = [_agent(agent) for agent in room.get("agents", ())]
    entry["room_config"] = config
    _copy(plain, entry, ("room_preset", "hide_phone_number", "attributes", "krisp_enabled"))
    _copy_media(plain, entry)
    _copy_metadata(live, entry)
    return entry


def _agent(agent: Mapping[str, Any]) -> dict[str, Any]:
    if not agent.get("agent_name"):
        raise CannotSayError("it calls an agent without a name")
    entry: dict[str, Any] = {"agent_name": agent["agent_name"]}
    if agent.get("metadata"):
        entry["metadata"] = _object_or_text(agent["metadata"])
    return entry


def _object_or_text(text: str) -> dict[str, Any] | str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) else text


def _copy(plain: Mapping[str, Any], entry: dict[str, Any], names: Iterable[str]) -> None:
    entry.update({name: plain[name] for name in names if name in plain})


def _copy_times(plain: Mapping[str, Any], entry: dict[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if name in plain:
            entry[name] = format_duration(float(plain[name].removesuffix("s")))


def _copy_media(plain: Mapping[str, Any], entry: dict[str, Any]) -> None:
    media = dict(plain.get("media", {}))
    if "media_timeout" in media:
        media["media_timeout"] = format_duration(float(media["media_timeout"].removesuffix("s")))
    if media:
        entry["media"] = media


def _copy_metadata(live: Live, entry: dict[str, Any]) -> None:
    user, _ = read_metadata(live.message.metadata)
    if user:
        entry["metadata"] = user


class _Dumper(yaml.SafeDumper):
    """Block style, and quotes around whatever looks like a number."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = bool(re.match(r"^[A-Za-z][A-Za-z0-9._ -]*$", text)) and text.lower() not in _SPECIAL
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_SPECIAL = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_Dumper.add_representer(str, _string)
