"""Free loopback ports, so that two lines can run side by side on one machine."""

from __future__ import annotations

import socket

from telephony.errors import PortTakenError

_LOOPBACK = "127.0.0.1"


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
