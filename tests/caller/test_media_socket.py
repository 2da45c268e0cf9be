"""The caller's RTP socket, on loopback."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from telephony.caller.impairment import Impairment
from telephony.caller.media_socket import MediaSocket
from telephony.caller.script import ImpairmentSettings
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.component


@contextmanager
def two_sockets(settings: ImpairmentSettings) -> Iterator[tuple[MediaSocket, socket.socket]]:
    def bound() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        return made

    with MediaSocket(bound(), Impairment(settings, seed=1)) as ours, bound() as other:
        yield ours, other


async def received(other: socket.socket, count: int) -> list[bytes]:
    loop = asyncio.get_running_loop()
    async with limit(5):
        return [await loop.sock_recv(other, 100) for _ in range(count)]


async def test_a_packet_read_late_is_known_to_have_waited() -> None:
    """A caller that was busy does not take its own delay for the line's."""
    with two_sockets(ImpairmentSettings()) as (ours, other):
        # The kernel begins to stamp packets a moment after it was asked to.
        while ours.waited_s < 0.01:
            other.sendto(b"first", ours.getsockname())
            time.sleep(0.02)  # noqa: ASYNC251
            ours.recvfrom(100)
        other.sendto(b"early", ours.getsockname())
        time.sleep(0.2)  # noqa: ASYNC251 - a loop that is blocked is what this is about
        other.sendto(b"now", ours.getsockname())
        data, source = ours.recvfrom(100)
        assert (data, source) == (b"early", other.getsockname())
        assert 0.19 < ours.waited_s < 5.0
        assert ours.recvfrom(100)[0] == b"now"
        assert ours.waited_s < 0.19
        with pytest.raises(BlockingIOError):
            ours.recvfrom(100)


async def test_packets_are_delayed_and_doubled() -> None:
    """Each arrives twice, in order, some time after it was sent."""
    with two_sockets(ImpairmentSettings(jitter_ms=50, duplicate=1.0)) as (ours, other):
        for number in range(3):
            assert ours.sendto(bytes([number]), other.getsockname()) == 1
        assert await received(other, 6) == [bytes([number]) for number in (0, 0, 1, 1, 2, 2)]


async def test_lost_packets_never_leave() -> None:
    """The sender is told nothing of it."""
    with two_sockets(ImpairmentSettings(loss=1.0)) as (ours, other):
        assert ours.sendto(b"gone", other.getsockname()) == 4
        await asyncio.sleep(0.05)
        with pytest.raises(BlockingIOError):
            other.recv(100)


async def test_what_is_late_when_the_call_ends_is_dropped() -> None:
    """A timer that fires after the socket was closed sends nothing and raises nothing."""
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    with two_sockets(ImpairmentSettings(jitter_ms=80)) as (ours, other):
        for _ in range(10):
            ours.sendto(b"late", other.getsockname())
        ours.close()
        await asyncio.sleep(0.1)
        with pytest.raises(BlockingIOError):
            other.recv(100)
    assert failures == []
