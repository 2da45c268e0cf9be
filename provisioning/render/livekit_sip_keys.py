"""The keys of livekit-sip v1.11.0: it ignores every other one without a word, so we do not.

Pure. From livekit/sip pkg/config/config.go and the shared Redis and logging sections.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from provisioning.reading.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioning.reading.problem import Path


def _names(*lines: str) -> dict[str, None]:
    return dict.fromkeys(name for line in lines for name in line.split())


KNOWN_KEYS: dict[str, Mapping[str, Any] | None] = {
    **_names(
        "api_key api_secret ws_url health_port prometheus_port pprof_port sip_port sip_port_listen",
        "sip_hostname sip_ringing_interval outbound_route_headers rtp_port use_external_ip nat_1_to_1_ip",
        "local_net listen_ip media_use_external_ip media_nat_1_to_1_ip udp_max_payload media_timeout",
        "media_timeout_initial symmetric_rtp ignore_local_addr_in_sdp rtp_draining_idle_timeout",
        "rtp_draining_duration codecs enable_jitter_buffer enable_jitter_buffer_prob audio_dtmf",
        "hide_inbound_port disable_rejected_invite_cache add_record_route max_cpu_utilization",
        "max_active_calls sip_trunk_ids cluster_id jaeger_url",
    ),
    "redis": _names(
        "address username password db use_tls tls sentinel_master_name sentinel_username",
        "sentinel_password sentinel_addresses cluster_addresses dial_timeout read_timeout write_timeout",
        "max_redirects pool_timeout pool_size",
    ),
    "tls": _names("port port_listen certs min_version max_version cipher_suites alpn key_log"),
    "logging": _names(
        "level json sample component_levels sample_initial sample_interval",
        "item_sample_seconds item_sample_initial item_sample_interval",
    ),
    "tcp": _names("dial_port"),
    "experimental": _names("inbound_wait_ack"),
}
"""Key to the keys inside it; None where any value may stand."""

CODECS = ("PCMU/8000", "PCMA/8000", "G722/8000", "AMR-WB/16000", "telephone-event/8000")
_OFTEN_WRITTEN = {
    "log_level": "Write logging: {level: …}.",
    "bind_address": "Write listen_ip.",
    "port": "Write sip_port.",
    "flood_protection": "There is no such thing.",
    "sip": "Its keys stand at the top.",
    "register": "livekit-sip cannot register; the embedded bridge can.",
}


def check_livekit_sip(content: Mapping[str, Any]) -> list[Problem]:
    """Every key of a livekit-sip configuration that livekit-sip would ignore."""
    problems = list(_unknown(content, KNOWN_KEYS, ()))
    codecs = content.get("codecs")
    for name in codecs if isinstance(codecs, dict) else ():
        if name not in CODECS:
            fix = f"It knows {', '.join(CODECS)}."
            problems.append(Problem(("codecs", name), "livekit-sip has no such codec.", fix=fix))
    return problems


def _unknown(
    content: Mapping[str, Any], known: Mapping[str, Mapping[str, Any] | None], path: Path
) -> Iterator[Problem]:
    for name, value in content.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else None
            fix = _OFTEN_WRITTEN.get(name, hint) if not path else hint
            yield Problem((*path, name), "livekit-sip ignores this key without a word.", fix=fix)
            continue
        inside = known[name]
        if inside is not None and isinstance(value, dict):
            yield from _unknown(value, inside, (*path, name))
