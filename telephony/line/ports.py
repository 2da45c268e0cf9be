"""Who of a line listens where: free ports of this machine, and the file's own for SIP."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from telephony.errors import PortTakenError
from telephony.supervision.ports import free_port, free_sip_port, require_free, require_free_sip

if TYPE_CHECKING:
    from provisioning.config import LineConfig


@dataclass(frozen=True, slots=True)
class Ports:
    """Who listens where; ``livekit_rtc_udp`` carries all media between room participants."""

    redis: int
    livekit: int
    livekit_rtc_tcp: int
    livekit_rtc_udp: int
    worker: int
    dispatch: int
    sip: int
    bridge_health: int
    api: int = 0
    """0: there is none."""


def choose_ports(api_port: int | None) -> Ports:
    """Free ports for all but SIP.

    Args:
        api_port: 0 for any free one, None for no api.

    Raises:
        PortTakenError: ``api_port`` is in use.
    """
    tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
    return Ports(
        redis=free_port(tcp),
        livekit=free_port(tcp),
        livekit_rtc_tcp=free_port(tcp),
        livekit_rtc_udp=free_port(udp),
        worker=free_port(tcp),
        dispatch=free_port(tcp),
        sip=0,
        bridge_health=free_port(tcp),
        api=_api_port(api_port),
    )


def choose_sip_port(config: LineConfig, wanted: int | None) -> int:
    """The port for SIP.

    Args:
        wanted: 0 for any free one; None for the file's, or another where that is taken and only this
            machine can call.

    Raises:
        PortTakenError: the port is in use.
    """
    bridge = config.bridge
    if wanted is not None:
        return require_free_sip(wanted, field="--sip-port", address=bridge.listen_ip)
    try:
        return require_free_sip(bridge.sip_port, field="bridge.sip_port", address=bridge.listen_ip)
    except PortTakenError:
        # Another line of this machine has it. A carrier, though, would go on calling the old port.
        if not ip_address(bridge.listen_ip).is_loopback:
            raise
        return free_sip_port()


def _api_port(wanted: int | None) -> int:
    if wanted is None:
        return 0
    tcp = socket.SOCK_STREAM
    return require_free(wanted, field="--api-port", kind=tcp) if wanted else free_port(tcp)
