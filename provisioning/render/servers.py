"""Configuration of livekit-server, livekit-sip, the embedded bridge and egress, as mappings. Pure.

Keys of livekit-server v1.13.5 (which refuses unknown ones), livekit-sip v1.11.0 and egress v1.14.1 (which
ignore them). Keys and secrets are left to the environment unless they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from provisioning.render.registrations import registrations
from provisioning.render.trunk_limits import trunk_limits
from provisioning.sections.duration import format_duration

if TYPE_CHECKING:
    from provisioning.config import LineConfig
    from provisioning.render.place import Place

SIP_HEALTH_PORT = 8086
EGRESS_HEALTH_PORT = 8087
WORKER_HEALTH_PORT = 8081
RTC_TCP_PORT = 7881
RTC_UDP_PORT = 7882
_ROOM_EMPTY_S = 30
_ROOM_DEPARTURE_S = 2
_TELEPHONE_CODECS = {"PCMU": "PCMU/8000", "PCMA": "PCMA/8000", "G722": "G722/8000", "AMR-WB": "AMR-WB/16000"}


def livekit_server(
    config: LineConfig, place: Place, *, secrets: bool = False, browsers: bool = False
) -> dict[str, Any]:
    """livekit-server's configuration.

    Bridge, server and workers of one machine talk over loopback, so that its media ports need not be
    reachable unless browsers connect.

    Args:
        config: the operator's file.
        place: where the line stands.
        secrets: put the key's secret in; else it comes from LIVEKIT_KEYS.
        browsers: listeners connect from elsewhere too.
    """
    outside = browsers and place.kind != "loopback"
    rtc: dict[str, Any] = {"tcp_port": RTC_TCP_PORT, "udp_port": RTC_UDP_PORT}
    if outside and place.host:
        rtc |= {"node_ip": place.host, "use_external_ip": False}
    elif outside:
        rtc |= {"use_external_ip": True}
    else:
        rtc |= {"node_ip": "127.0.0.1", "use_external_ip": False, "interfaces": {"includes": ["lo"]}}
    rtc["enable_loopback_candidate"] = True
    content: dict[str, Any] = {
        "port": urlsplit(config.livekit.url).port or 7880,
        # Outside, TLS is ended by a proxy on this machine.
        "bind_addresses": ["127.0.0.1"],
        "rtc": rtc,
        "redis": _redis(config, secrets=secrets),
        "room": {"empty_timeout": _ROOM_EMPTY_S, "departure_timeout": _ROOM_DEPARTURE_S},
        "logging": {"level": _go_level(config), "json": config.logging.format == "json"},
    }
    if config.webhooks.enabled and config.webhooks.is_livekits_own and config.livekit.api_key:
        content["webhook"] = {"api_key": config.livekit.api_key, "urls": [config.webhooks.url]}
    if secrets and config.livekit.api_key and config.livekit.api_secret:
        content["keys"] = {config.livekit.api_key: config.livekit.api_secret.get_secret_value()}
    return content


def livekit_sip(config: LineConfig, place: Place, *, secrets: bool = False) -> dict[str, Any]:
    """livekit-sip's configuration; without secrets LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be set."""
    section = config.bridge
    content: dict[str, Any] = {
        **_credentials(config, secrets=secrets),
        "ws_url": config.livekit.url,
        "redis": _redis(config, secrets=secrets),
        "sip_port": section.sip_port or 5060,
        "listen_ip": place.listen,
        **_announced(place),
        "rtp_port": section.rtp_port,
        "symmetric_rtp": section.symmetric_rtp,
        "media_timeout": format_duration(section.media_timeout),
        "media_timeout_initial": format_duration(section.media_timeout_initial),
        "sip_ringing_interval": format_duration(section.sip_ringing_interval),
        "hide_inbound_port": section.hide_inbound_port,
        "enable_jitter_buffer": section.jitter_buffer_ms > 0,
        # In-band tones leak a mixer for every call (sip#701).
        "audio_dtmf": False,
        "codecs": {codec: codec in _codecs(config) for codec in _TELEPHONE_CODECS.values()},
        "health_port": section.health_port or SIP_HEALTH_PORT,
        "max_active_calls": section.max_active_calls,
        "logging": {"level": _go_level(config), "json": config.logging.format == "json"},
    }
    optional = {
        "media_nat_1_to_1_ip": section.media_nat_1_to_1_ip,
        "local_net": section.local_net,
        "prometheus_port": section.prometheus_port,
        "sip_hostname": section.sip_hostname,
        "tls": section.tls.model_dump() if section.tls is not None else None,
    }
    return content | {name: value for name, value in optional.items() if value is not None}


def bridge(config: LineConfig, place: Place, *, secrets: bool = False) -> dict[str, Any]:
    """The embedded bridge's configuration; without secrets the environment must hold key and secret."""
    section = config.bridge
    codecs = _codecs(config)
    content: dict[str, Any] = {
        **_credentials(config, secrets=secrets),
        "ws_url": config.livekit.url,
        "redis": {key: value for key, value in _redis(config, secrets=secrets).items() if key != "use_tls"},
        "sip_port": section.sip_port,
        "listen_ip": place.listen,
        "rtp_port": section.rtp_port,
        "health_port": section.health_port,
        "sip_ringing_interval": format_duration(section.sip_ringing_interval),
        "media_timeout": format_duration(section.media_timeout),
        "media_timeout_initial": format_duration(section.media_timeout_initial),
        "symmetric_rtp": section.symmetric_rtp,
        "codecs": {codec: codec in codecs for codec in ("PCMU/8000", "PCMA/8000")},
        "max_active_calls": section.max_active_calls,
        **section.call_settings(),
        "reserved_inbound_calls": config.outbound.reserved_for_inbound if config.outbound.enabled else 0,
        "jitter_buffer_ms": section.jitter_buffer_ms,
        "agent_wait_timeout": format_duration(section.agent_wait_timeout),
        "refuse_status": section.refuse_status,
        "logging": {"level": config.logging.level, "json": True},
    }
    if place.announced is not None:
        content["nat_1_to_1_ip"] = place.announced
    if lines := registrations(config, secrets=secrets):
        content["sip_registrations"] = lines
    if limits := trunk_limits(config):
        content["trunk_limits"] = limits
    return content


def egress(config: LineConfig, *, secrets: bool = False) -> dict[str, Any]:
    """Egress's configuration, for recordings by LiveKit."""
    content: dict[str, Any] = {
        **_credentials(config, secrets=secrets),
        "ws_url": config.livekit.url,
        "redis": _redis(config, secrets=secrets),
        "health_port": EGRESS_HEALTH_PORT,
        "insecure": config.livekit.url.startswith("ws://"),
        "logging": {"level": _go_level(config), "json": config.logging.format == "json"},
    }
    storage = config.recording.storage
    if storage is not None:
        content["s3"] = {
            "bucket": storage.bucket,
            **({"region": storage.region} if storage.region else {}),
            **({"endpoint": storage.endpoint, "force_path_style": True} if storage.endpoint else {}),
        }
        if secrets and storage.access_key and storage.secret:
            content["s3"] |= {
                "access_key": storage.access_key,
                "secret": storage.secret.get_secret_value(),
            }
    return content


def _credentials(config: LineConfig, *, secrets: bool) -> dict[str, Any]:
    if not secrets or config.livekit.api_key is None or config.livekit.api_secret is None:
        return {}
    return {
        "api_key": config.livekit.api_key,
        "api_secret": config.livekit.api_secret.get_secret_value(),
    }


def _redis(config: LineConfig, *, secrets: bool) -> dict[str, Any]:
    section = config.redis
    content: dict[str, Any] = {"address": section.address}
    if section.username:
        content["username"] = section.username
    if secrets and section.password is not None:
        content["password"] = section.password.get_secret_value()
    if section.db:
        content["db"] = section.db
    if section.use_tls:
        content["use_tls"] = True
    return content


def _announced(place: Place) -> dict[str, Any]:
    if place.kind == "loopback":
        # Its search for the local address passes loopback over.
        return {"nat_1_to_1_ip": place.announced or place.listen}
    if place.announced is not None:
        return {"nat_1_to_1_ip": place.announced}
    return {"use_external_ip": True} if place.asks_stun else {}


def _codecs(config: LineConfig) -> set[str]:
    return {
        _TELEPHONE_CODECS[codec.name]
        for codec in config.audio_codecs
        if codec.enabled and codec.name in _TELEPHONE_CODECS
    }


def _go_level(config: LineConfig) -> str:
    return {"warning": "warn"}.get(config.logging.level, config.logging.level)
