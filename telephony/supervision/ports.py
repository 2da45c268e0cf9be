"""Free loopback ports, so that two lines can run side by side on one machine."""

from __future__ import annotations

import atexit
import random
import socket
from collections import deque

from telephony.errors import PortTakenError

_LOOPBACK = "127.0.0.1"
_PORTS = range(20_000, 32_000)
"""Above those of media, and below those that the system gives to connections meanwhile (32768 and up)."""
_TRIES = 200
_REMEMBERED = 128
_ASKED_FOR: deque[socket.socket] = deque()
"""A name for each port that this process has chosen lately; see :func:`_claim`."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody has now, and that no other chooser of this machine is given meanwhile.

    Args:
        kind: ``socket.SOCK_STREAM`` for TCP, ``socket.SOCK_DGRAM`` for UDP.

    The port itself is not held, since another process is to bind it.

    Raises:
        PortTakenError: none of many tried is free.
    """
    return _choose(kind)


def free_sip_port() -> int:
    """A port that is free for UDP and for TCP, as a SIP endpoint needs it.

    Raises:
        PortTakenError: none of many tried is.
    """
    return _choose(socket.SOCK_DGRAM, socket.SOCK_STREAM)


def _choose(*kinds: socket.SocketKind) -> int:
    for port in random.sample(_PORTS, _TRIES):
        try:
            for kind in kinds:
                require_free(port, field="port", kind=kind)
        except PortTakenError:
            continue
        if _claim(port):
            return port
    raise PortTakenError(f"none of {_TRIES} ports tried on {_LOOPBACK} is free.")


def _claim(port: int) -> bool:
    """Put a port's name where all processes of the machine see it; False where another has done so.

    Two lines that start at the same moment would otherwise find the same port free. The name is an abstract
    Unix socket (unix(7)): it needs no file and goes with the process.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0trunkline-port-{port}")
    except OSError:
        claim.close()
        return False
    if not _ASKED_FOR:
        atexit.register(_give_back)
    _ASKED_FOR.append(claim)
    while len(_ASKED_FOR) > _REMEMBERED:
        _ASKED_FOR.popleft().close()
    return True


def _give_back() -> None:
    while _ASKED_FOR:
        _ASKED_FOR.pop().close()


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
