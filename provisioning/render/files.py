"""Every file that the one file renders to, as text. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from google.protobuf.json_format import MessageToDict

from provisioning.desired import desired_objects
from provisioning.fields import plain_fields, shown
from provisioning.objects import Kind
from provisioning.render import servers
from provisioning.render.firewall import nftables
from provisioning.render.livekit_sip_keys import check_livekit_sip

if TYPE_CHECKING:
    from provisioning.config import LineConfig
    from provisioning.render.place import Place

NAMES = ("livekit-server", "livekit-sip", "bridge", "egress", "nftables", "objects")
"""What can be rendered."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One file.

    Attributes:
        name: what it is, one of ``NAMES``.
        file: the name it is written under.
        text: its content.
        sections: the sections of the one file that went into it.
    """

    name: str
    file: str
    text: str
    sections: tuple[str, ...]


def render_all(
    config: LineConfig, place: Place, *, secrets: bool = False, browsers: bool = False
) -> list[Rendered]:
    """Render everything.

    Args:
        config: the operator's file.
        place: where the line stands.
        secrets: put secrets into the files; else the environment must hold them.
        browsers: listeners connect from elsewhere too.
    """
    sip = servers.livekit_sip(config, place, secrets=secrets)
    ignored = check_livekit_sip(sip)
    assert not ignored, ignored
    server = servers.livekit_server(config, place, secrets=secrets, browsers=browsers)
    return [
        _yaml("livekit-server", server, ("livekit", "redis", "webhooks", "logging")),
        _yaml("livekit-sip", sip, ("livekit", "redis", "bridge", "audio_codecs", "logging")),
        _yaml(
            "bridge",
            servers.bridge(config, place, secrets=secrets),
            ("livekit", "redis", "bridge", "audio_codecs", "logging"),
        ),
        _yaml(
            "egress", servers.egress(config, secrets=secrets), ("livekit", "redis", "recording", "logging")
        ),
        Rendered("nftables", "nftables.conf", nftables(config, browsers=browsers), ("bridge", "sip_trunks")),
        Rendered(
            "objects", "objects.json", objects_json(config), ("sip_trunks", "routing", "assistants", "agent")
        ),
    ]


def objects_json(config: LineConfig) -> str:
    """Trunks and rules as LiveKit's own command line takes them (``lk sip … create``), secrets hidden."""
    result: list[dict[str, Any]] = []
    for desired in desired_objects(config):
        body = MessageToDict(desired.message, preserving_proto_field_name=True)
        plain = plain_fields(desired.kind, desired.message)
        body |= {
            name: shown(name, plain[name]) for name in ("auth_password", "rule", "headers") if name in plain
        }
        wrapper = "dispatch_rule" if desired.kind is Kind.RULE else "trunk"
        result.append({"key": desired.key, wrapper: body})
    return json.dumps(result, ensure_ascii=False, indent=2) + "\n"


def _yaml(name: str, content: dict[str, Any], sections: tuple[str, ...]) -> Rendered:
    heading = f"# Written by `provision render` from the sections {', '.join(sections)}.\n"
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return Rendered(name, f"{name}.yaml", heading + body, sections)
