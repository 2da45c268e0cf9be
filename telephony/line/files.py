"""The files that the parts of one machine's line are started with.

Pure: text from values. Keys of livekit-server as its v1.13.5 reads them (strictly), of the
bridge as ``telephony.bridge.config`` reads them; livekit-sip gets the keys they share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from provisioning.render.registrations import registrations
from provisioning.render.trunk_limits import trunk_limits

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.config import LineConfig
    from telephony.line.ports import Ports


def livekit_server(ports: Ports, *, redis: str, api_key: str, api_secret: str) -> str:
    """livekit-server's file for a machine where everything talks over loopback.

    ``rtc.interfaces`` matters: without it media runs over the network card's address even when
    ``node_ip`` is loopback. A room whose last participant left goes after two seconds.
    """
    hook = f"http://127.0.0.1:{ports.api}/livekit/webhook"
    told = {"webhook": {"api_key": api_key, "urls": [hook]}} if ports.api else {}
    return yaml_text(
        {
            "port": ports.livekit,
            "bind_addresses": ["127.0.0.1"],
            "rtc": {
                "node_ip": "127.0.0.1",
                "use_external_ip": False,
                "enable_loopback_candidate": True,
                "interfaces": {"includes": ["lo"]},
                "tcp_port": ports.livekit_rtc_tcp,
                "udp_port": ports.livekit_rtc_udp,
            },
            "redis": {"address": redis},
            "room": {"empty_timeout": 30, "departure_timeout": 2},
            "keys": {api_key: api_secret},
            **told,
            "logging": {"level": "info", "json": True},
        }
    )


@dataclass(frozen=True, slots=True)
class BridgeLinks:
    """What the bridge is tied to: livekit-server, the bus, and where it reports."""

    ws_url: str
    api_key: str
    api_secret: str
    redis: str
    events: Path
    ready_file: Path
    dispatch_socket: Path | None = None
    """The dispatcher's, or None where calls go through the room."""
    link_dir: Path | None = None
    recordings: Path | None = None
    """Where calls are recorded to, or None where they are not, or not by the line."""


def bridge(config: LineConfig, ports: Ports, links: BridgeLinks) -> dict[str, Any]:
    """The bridge's file for one machine; keys as ``telephony.bridge.config`` reads them."""
    section = config.bridge
    content: dict[str, Any] = {
        "api_key": links.api_key,
        "api_secret": links.api_secret,
        "ws_url": links.ws_url,
        "redis": {"address": links.redis},
        "sip_port": ports.sip,
        "listen_ip": section.listen_ip,
        "rtp_port": section.rtp_port,
        "health_port": ports.bridge_health,
        "sip_ringing_interval": f"{section.sip_ringing_interval:g}s",
        "media_timeout": f"{section.media_timeout:g}s",
        "media_timeout_initial": f"{section.media_timeout_initial:g}s",
        "symmetric_rtp": section.symmetric_rtp,
        "max_active_calls": section.max_active_calls,
        **section.call_settings(),
        "reserved_inbound_calls": config.outbound.reserved_for_inbound if config.outbound.enabled else 0,
        "codecs": {f"{codec}/8000": codec in _wanted(config) for codec in ("PCMU", "PCMA")},
        "jitter_buffer_ms": section.jitter_buffer_ms,
        "agent_wait_timeout": f"{section.agent_wait_timeout:g}s",
        "refuse_status": section.refuse_status,
        "logging": {"level": config.logging.level, "json": True},
        "events_dir": str(links.events),
        "ready_file": str(links.ready_file),
    }
    if links.dispatch_socket is not None:
        content["audio_path"] = config.agent.audio_path
        content["dispatch_socket"] = str(links.dispatch_socket)
        content["link_dir"] = str(links.link_dir)
    if links.recordings is not None:
        content["recording"] = {"directory": str(links.recordings), "format": config.recording.format}
    if section.nat_1_to_1_ip:
        content["nat_1_to_1_ip"] = section.nat_1_to_1_ip
    if lines := registrations(config, secrets=True):
        content["sip_registrations"] = lines
    if limits := trunk_limits(config):
        content["trunk_limits"] = limits
    return content


def _wanted(config: LineConfig) -> set[str]:
    return {str(codec.name) for codec in config.audio_codecs}


def yaml_text(content: dict[str, Any]) -> str:
    """A part's file as YAML, keys in the order given."""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def livekit_sip(shared: dict[str, Any]) -> str:
    """livekit-sip's file, made from the embedded bridge's: the keys that both know, no others.

    livekit-sip ignores unknown keys without a word, so none of ours may reach it. G.722 is off
    as in the embedded bridge, and a closed call's ports are free at once.
    """
    common = (
        "api_key",
        "api_secret",
        "ws_url",
        "redis",
        "sip_port",
        "listen_ip",
        "nat_1_to_1_ip",
        "rtp_port",
        "health_port",
        "media_timeout",
        "media_timeout_initial",
        "symmetric_rtp",
    )
    content = {key: shared[key] for key in common if key in shared}
    content["codecs"] = {"G722/8000": False, "AMR-WB/16000": False}
    content["rtp_draining_idle_timeout"] = "-1s"
    content["rtp_draining_duration"] = "-1s"
    content["logging"] = {"level": "info", "json": True}
    return yaml_text(content)
