"""``bridge``: the SIP side, whichever bridge runs it; livekit-sip's key names where they mean the same."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from provisioning.sections.duration import format_duration
from provisioning.sections.section import Duration, Host, Section

_RANGE = re.compile(r"^(\d{1,5})-(\d{1,5})$")
_FEWEST_PORTS = 4


def parse_port_range(text: str) -> tuple[int, int]:
    """Read ``10000-20000``.

    Raises:
        ValueError: it is not a range of at least four ports above 1023.
    """
    match = _RANGE.match(text)
    low, high = (int(match.group(1)), int(match.group(2))) if match else (0, 0)
    if not 1024 <= low <= 65535 or not low + _FEWEST_PORTS - 1 <= high <= 65535:
        raise ValueError("must be a range of ports such as 10000-20000, at least four of them")
    return low, high


def _port_range(value: str) -> str:
    parse_port_range(value)
    return value


def _session_expires(value: float) -> float:
    if value and not 90 <= value <= 86_400:
        raise ValueError("must be 0s, or from 90s to 24h")
    return value


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("must be an absolute path")
    return value


AbsolutePath = Annotated[str, AfterValidator(_absolute)]


class TlsCert(Section):
    """One certificate of the SIP TLS listener."""

    cert_file: str
    """PEM file of the chain."""
    key_file: str
    """PEM file of the key."""


class BridgeTls(Section):
    """SIP over TLS."""

    port: int = Field(default=5061, ge=0, le=65535)
    """Default 5061."""
    certs: list[TlsCert] = Field(min_length=1)
    """At least one."""


class PinPrompt(Section):
    """How the embedded bridge asks for the PIN of a rule."""

    tries: int = Field(default=3, ge=1, le=10)
    """Wrong PINs after which the call is ended. Default 3."""
    timeout: Duration = Field(default=10.0, ge=1, le=120)
    """How long the caller may take to begin, and from one key to the next. Default 10s."""
    prompt: AbsolutePath | None = None
    """WAV file to play in place of three rising notes; an absolute path."""
    wrong: AbsolutePath | None = None
    """WAV file to play after a wrong PIN in place of two low notes; an absolute path."""


class BridgeSection(Section):
    """SIP and RTP: ports, addresses, patience."""

    sip_port: int = Field(default=5060, ge=0, le=65535)
    """SIP port, UDP and TCP; 0 lets the line choose a free one. Default 5060."""
    listen_ip: Host = "127.0.0.1"
    """Address that SIP is bound to; 0.0.0.0 for all. Default 127.0.0.1: nothing outside reaches it."""
    nat_1_to_1_ip: Host | None = None
    """Address announced to the carrier, when it differs from listen_ip."""
    use_external_ip: bool = False
    """Ask a public STUN server for the announced address (livekit-sip only). Default false."""
    media_nat_1_to_1_ip: Host | None = None
    """Announced address of RTP, when it differs from that of SIP."""
    local_net: str | None = None
    """Range that picks the local interface (livekit-sip only)."""
    rtp_port: Annotated[str, AfterValidator(_port_range)] = "10000-20000"
    """UDP ports of RTP; one call takes one even port. Default 10000-20000."""
    health_port: int = Field(default=0, ge=0, le=65535)
    """HTTP health; 0 lets the line choose a free one. livekit-sip binds it on every address."""
    prometheus_port: int | None = Field(default=None, ge=1, le=65535)
    """HTTP metrics; livekit-sip binds it on every address. Default off."""
    tls: BridgeTls | None = None
    """SIP over TLS. Default off."""
    sip_hostname: Host | None = None
    """Host name in Contact for TLS."""
    sip_ringing_interval: Duration = Field(default=1.0, ge=1, le=60)
    """Pause between repeated 180 Ringing. Default 1s."""
    media_timeout: Duration = Field(default=15.0, ge=1, le=600)
    """A call without RTP for this long is ended. Default 15s; longer if the carrier holds calls silently."""
    media_timeout_initial: Duration = Field(default=30.0, ge=1, le=600)
    """The same, before the first packet. Default 30s."""
    symmetric_rtp: bool = True
    """Send RTP to where it comes from. Default true."""
    jitter_buffer_ms: int = Field(default=60, ge=0, le=500)
    """Depth of the buffer for received RTP, in ms. Default 60."""
    max_active_calls: int = Field(default=0, ge=0, le=100_000)
    """The bridge refuses more calls than this; 0: no limit. Default 0."""
    max_calls_per_trunk: int = Field(default=0, ge=0, le=100_000)
    """The same for one trunk, calls out included. Default 0 (embedded bridge only)."""
    max_calls_per_source: int = Field(default=0, ge=0, le=100_000)
    """The same for calls from one IP address. Default 0 (embedded bridge only)."""
    limit_status: Literal[503, 486] = 503
    """What a call above a limit gets: 503 with Retry-After, or 486. Default 503 (embedded bridge only)."""
    session_expires: Annotated[Duration, AfterValidator(_session_expires)] = 0.0
    """Session timer (RFC 4028) to ask for, 90s or more; 0: only what the other side asks for. Default 0
    (embedded bridge only)."""
    early_media: bool = False
    """Let the agent of a call out hear what the carrier plays before the answer (embedded bridge only)."""
    hold_music: str | None = None
    """A WAV file for callers on hold, in place of the bridge's own tune (embedded bridge only)."""
    pin: PinPrompt = PinPrompt()
    """Asking for the PIN of a rule (embedded bridge only)."""
    agent_wait_timeout: Duration = Field(default=4.5, ge=0.5, le=180)
    """A call whose agent is not there by then is refused. Default 4.5s (embedded bridge only)."""
    refuse_status: int = Field(default=503, ge=400, le=699)
    """SIP status of that refusal. Default 503 (embedded bridge only)."""
    hide_inbound_port: bool = False
    """Answer nothing to calls that match nothing. Default false."""

    def call_settings(self) -> dict[str, Any]:
        """What the embedded bridge's own file has of these beside livekit-sip's keys."""
        clips = {"prompt": self.pin.prompt, "wrong": self.pin.wrong}
        return {
            "max_calls_per_trunk": self.max_calls_per_trunk,
            "max_calls_per_source": self.max_calls_per_source,
            "limit_status": self.limit_status,
            "session_expires": format_duration(self.session_expires),
            "early_media": self.early_media,
            **({"hold_music": self.hold_music} if self.hold_music is not None else {}),
            "pin": {
                "tries": self.pin.tries,
                "timeout": format_duration(self.pin.timeout),
                **{name: clip for name, clip in clips.items() if clip is not None},
            },
        }
