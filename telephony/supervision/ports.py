"""Free loopback ports, so that two lines can run side by side on one machine."""

from __future__ import annotations

import random
import socket

from telephony.errors import PortTakenError

_LOOPBACK = "127.0.0.1"
_SIP_PORTS = range(20_000, 32_000)
"""Above those of media, and below those that the system gives to connections meanwhile."""
_TRIES = 200


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Ask the system for a port that nobody listens on now.

    Args:
        kind: ``socket.SOCK_STREAM`` for TCP, ``socket.SOCK_DGRAM`` for UDP.

    The port is not held: whoever is given it must bind soon, and be ready to find it taken.
    """
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def free_sip_port() -> int:
    """A port that is free for UDP and for TCP, as a SIP endpoint needs it.

    Raises:
        PortTakenError: none of many tried is.
    """
    for port in random.sample(_SIP_PORTS, _TRIES):
        try:
            return require_free_sip(port, field="bridge.sip_port")
        except PortTakenError:
            continue
    raise PortTakenError(f"none of {_TRIES} ports tried for SIP is free.", field="bridge.sip_port")


def require_free_sip(port: int, *, field: str, address: str = _LOOPBACK) -> int:
    """Return ``port`` if it is free for UDP and for TCP; 0 stands for any such port.

    Raises:
        PortTakenError: another program has one of the two.
    """
    if port == 0:
        return free_sip_port()
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        require_free(port, field=field, kind=kind, address=address)
    return port


def require_free(port: int, *, field: str, kind: socket.SocketKind, address: str = _LOOPBACK) -> int:
    """Return ``port``, or say that it is taken; 0 stands for any free port.

    Raises:
        PortTakenError: another program has it; ``field`` names the setting or flag to change.
    """
    if port == 0:
        return free_port(kind)
    protocol = "TCP" if kind == socket.SOCK_STREAM else "UDP"
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            # A port that only waits out old connections is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise PortTakenError(
                f"{protocol} port {port} on {address} cannot be used: {error.strerror}.",
                field=field,
                fix="Stop the program that has it, or choose another port (0 = any free one).",
            ) from error
    return port
