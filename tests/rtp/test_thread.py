"""The media thread: order, borders, and that nothing else delays it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from telephony.audio.frame import silence
from telephony.audio.g711 import PCMU
from telephony.clock import LoopClock
from telephony.errors import RtpError
from telephony.rtp.ports import PortPool
from telephony.rtp.session import RtpSession
from telephony.rtp.thread import MediaThread
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.component

HOST = "127.0.0.1"


@pytest.fixture
async def media() -> AsyncIterator[MediaThread]:
    """A thread that ends with the test."""
    media = MediaThread()
    media.start()
    yield media
    await media.stop()


async def test_work_runs_on_the_thread_in_order_and_news_on_the_owner(media: MediaThread) -> None:
    """What is posted keeps its order, is done before a later run comes back, and is told of here."""
    done: list[tuple[int, str]] = []
    told: list[str] = []
    came = asyncio.Event()

    def note(number: int) -> None:
        done.append((number, threading.current_thread().name))

    def tell() -> None:
        told.append(threading.current_thread().name)
        came.set()

    for number in range(5):
        media.post(note, number)
    await media.run(media.to_owner(tell))
    assert done == [(number, "media") for number in range(5)]
    await asyncio.wait_for(came.wait(), PATIENCE * 5)
    assert told == [threading.current_thread().name]


async def test_an_error_of_the_work_is_raised_where_it_is_waited_for(media: MediaThread) -> None:
    """The thread goes on."""

    def fail() -> None:
        raise RtpError("no", field="x")

    with pytest.raises(RtpError):
        await media.run(fail)
    media.post(fail)
    assert await media.run(lambda: 7) == 7


async def test_after_the_end_nothing_runs_and_nobody_fails() -> None:
    """Stopping twice, posting and closing later are harmless."""
    media = MediaThread()
    await media.stop()
    media.start()
    ports = PortPool(HOST, 0, 0)
    session = await RtpSession.open(address=HOST, ports=ports, loop=media.loop)
    done: list[int] = []
    await media.stop()
    await media.stop()
    media.post(done.append, 1)
    session.close()
    assert not done
    assert not ports.taken


async def test_packets_and_keys_go_on_while_the_owner_stands_still(media: MediaThread) -> None:
    """A loop that is blocked for a third of a second costs no packet; keys are told when it is back."""
    ports = PortPool(HOST, 0, 0)
    clock = LoopClock()
    one, two = [
        await RtpSession.open(address=HOST, ports=ports, clock=clock, loop=media.loop) for _ in range(2)
    ]
    keys: list[str] = []
    two.on_digit = media.to_owner(keys.append)
    for session, other in ((one, two), (two, one)):
        session.set_codec(PCMU)
        session.set_dtmf_payload_type(101)
        session.set_remote((HOST, other.port))

    def tick() -> None:
        for session in (one, two):
            session.receive_frame()
            session.send_frame(silence())

    media.post(media.clock.add, tick)
    sending = asyncio.create_task(one.send_digits("5"))
    await asyncio.sleep(0.1)
    before = two.packets_received
    time.sleep(0.3)  # noqa: ASYNC251 - this is the stall
    assert two.packets_received - before >= 10
    await asyncio.wait_for(sending, PATIENCE * 5)
    assert keys == ["5"]
    await media.run(media.clock.remove, tick)
    one.close()
    two.close()
    await media.run(lambda: None)
    assert not ports.taken
