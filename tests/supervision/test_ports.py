"""Free ports and taken ones."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from telephony.errors import PortTakenError
from telephony.supervision.ports import free_port, free_sip_port, require_free, require_free_sip

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_free_port_can_be_bound(kind: socket.SocketKind) -> None:
    """What is said to be free can be had."""
    port = free_port(kind)
    assert require_free(port, field="x", kind=kind) == port


def test_no_port_is_given_twice() -> None:
    """Whoever chooses after another gets another port, though nobody has bound the first yet."""
    chosen = [free_port() for _ in range(100)]
    elsewhere = "from telephony.supervision.ports import free_port\nprint(*(free_port() for _ in range(100)))"
    others = subprocess.run([sys.executable, "-c", elsewhere], capture_output=True, text=True, check=True)
    assert len({*chosen, *map(int, others.stdout.split())}) == 200


def test_a_taken_port_names_the_setting() -> None:
    """The error says which port, which setting, and what to do."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)) as failure:
            require_free(port, field="--sip-port", kind=socket.SOCK_DGRAM)
    assert failure.value.field == "--sip-port"
    assert "another port" in str(failure.value)


def test_zero_is_any_free_port() -> None:
    """0 asks for whatever is free."""
    assert require_free(0, field="x", kind=socket.SOCK_DGRAM) > 0


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_for_sip_is_free_for_both_transports(kind: socket.SocketKind) -> None:
    """One that has only the other free is refused, in words that name which is taken."""
    with socket.socket(socket.AF_INET, kind) as holder:
        port = free_sip_port()
        holder.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        with pytest.raises(PortTakenError, match="TCP" if kind == socket.SOCK_STREAM else "UDP"):
            require_free_sip(port, field="--sip-port")
    assert require_free_sip(port, field="--sip-port") == port
    assert require_free_sip(0, field="--sip-port")
