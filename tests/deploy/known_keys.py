"""The configuration keys that the pinned LiveKit images read; livekit-sip ignores others without a word.

livekit-sip v1.11.0 and livekit-server v1.13.5, as far as telephony needs them. ``None`` ends a branch:
any value may stand there.
"""

from __future__ import annotations

from typing import TypeAlias

import yaml

Keys: TypeAlias = "dict[str, Keys | None]"


def _any(*names: str) -> Keys:
    return dict.fromkeys(names)


_REDIS = _any("address", "username", "password", "db", "tls", "cluster_addresses") | _any(
    "sentinel_master_name", "sentinel_addresses", "sentinel_username", "sentinel_password"
)

LIVEKIT_SIP: Keys = {
    **_any("api_key", "api_secret", "ws_url", "health_port", "prometheus_port", "pprof_port"),
    **_any("sip_port", "sip_port_listen", "sip_hostname", "sip_ringing_interval", "outbound_route_headers"),
    **_any("rtp_port", "use_external_ip", "nat_1_to_1_ip", "local_net", "listen_ip", "udp_max_payload"),
    **_any("media_use_external_ip", "media_nat_1_to_1_ip", "media_timeout", "media_timeout_initial"),
    **_any("symmetric_rtp", "ignore_local_addr_in_sdp", "rtp_draining_idle_timeout", "rtp_draining_duration"),
    **_any("enable_jitter_buffer", "enable_jitter_buffer_prob", "audio_dtmf", "hide_inbound_port"),
    **_any("disable_rejected_invite_cache", "add_record_route", "max_cpu_utilization", "max_active_calls"),
    **_any("sip_trunk_ids", "cluster_id", "jaeger_url"),
    "redis": _REDIS,
    "tcp": _any("dial_port"),
    "tls": {
        **_any("port", "port_listen", "min_version", "max_version", "cipher_suites", "alpn", "key_log"),
        "certs": _any("cert_file", "key_file"),
    },
    "codecs": _any("PCMU/8000", "PCMA/8000", "G722/8000", "AMR-WB/16000", "telephone-event/8000"),
    "logging": _any("level", "json", "sample", "component_levels"),
    "experimental": _any("inbound_wait_ack"),
}

LIVEKIT_SERVER: Keys = {
    **_any("port", "bind_addresses", "keys", "key_file", "limit", "prometheus_port"),
    "redis": _REDIS,
    "rtc": {
        **_any("tcp_port", "udp_port", "port_range_start", "port_range_end", "node_ip", "use_external_ip"),
        **_any("enable_loopback_candidate"),
        "interfaces": _any("includes", "excludes"),
        "ips": _any("includes", "excludes"),
    },
    "room": _any(
        "auto_create", "empty_timeout", "departure_timeout", "enabled_codecs", "room_configurations"
    ),
    "webhook": _any("api_key", "urls", "filter_params", "resource_url_notifier"),
    "agents": _any("target_load"),
    "prometheus": _any("port", "username", "password"),
    "logging": _any("level", "json", "component_levels"),
}


def unknown_keys(content: object, known: Keys, path: str = "") -> list[str]:
    """The paths of keys that the image does not know, in the order of the file."""
    if isinstance(content, list):
        return [each for item in content for each in unknown_keys(item, known, path)]
    if not isinstance(content, dict):
        return []
    found = []
    for key, value in content.items():
        where = f"{path}{key}"
        if key not in known:
            found.append(where)
        elif (below := known[key]) is not None:
            found += unknown_keys(value, below, f"{where}.")
    return found


def top_level_keys(text: str) -> list[str]:
    """The keys of a YAML mapping with repetitions: what a loader would silently overwrite."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    return [str(key.value) for key, _ in node.value]
