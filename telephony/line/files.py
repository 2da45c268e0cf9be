"""The files that the parts of one machine's line are started with.

Pure: text from values. Keys of livekit-server as its v1.13.5 reads them (strictly), of the
bridge as ``telephony.bridge.config`` reads them; livekit-sip gets the keys they share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Ports:
    """Who listens where; ``livekit_rtc_udp`` carries all media between room participants."""

    redis: int
    livekit: int
    livekit_rtc_tcp: int
    livekit_rtc_udp: int
    worker: int
    sip: int
    bridge_health: int


def livekit_server(ports: Ports, *, redis: str, api_key: str, api_secret: str) -> str:
    """livekit-server's file for a machine where everything talks over loopback.

    ``rtc.interfaces`` matters: without it media runs over the network card's address even when
    ``node_ip`` is loopback. A room whose last participant left goes after two seconds.
    """
    return _yaml(
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
            "logging": {"level": "info", "json": True},
        }
    )


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
    return _yaml(content)


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
