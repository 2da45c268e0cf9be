"""Spooled events on their way to the api."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from telephony.errors import StoreError
from telephony.spool import EventSpool
from telephony.spool_forwarder import SpoolForwarder, Taken
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telephony.calls.events import Source

pytestmark = pytest.mark.pure

CALL = "call_abcDEF123456"


OPEN: list[EventSpool] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def spool_of(directory: Path, call_id: str, source: Source) -> EventSpool:
    """A source's file, closed when the test is over."""
    OPEN.append(EventSpool(directory, call_id, source))
    return OPEN[-1]


class Api:
    """Takes events as the api would: all or nothing, knowing what it has."""

    def __init__(self) -> None:
        self.away = False
        self.loses_answers = 0
        self.took: list[dict[str, Any]] = []
        self.requests = 0

    async def take(self, events: Sequence[dict[str, Any]]) -> Taken:
        self.requests += 1
        if self.away:
            raise StoreError("away", retryable=True)
        known = [json.dumps(each, sort_keys=True) for each in self.took]
        rejected = {index: "bad" for index, each in enumerate(events) if each.get("type") == "bad"}
        self.took += [
            each
            for index, each in enumerate(events)
            if index not in rejected and json.dumps(each, sort_keys=True) not in known
        ]
        if self.loses_answers:
            self.loses_answers -= 1
            raise StoreError("the answer was lost", retryable=True)
        ended = {each["call_id"] for each in self.took if each["type"] == "call.ended"}
        return Taken(frozenset(ended & {each.get("call_id") for each in events}), rejected)


def write(directory: Path, count: int, *, end: bool = True, call_id: str = CALL) -> EventSpool:
    spool = spool_of(directory, call_id, "job")
    for number in range(count):
        spool.emit("dtmf.received", digit=str(number % 10))
    if end:
        spool.emit("call.ended", outcome="answered")
    return spool


async def test_events_go_in_order_and_the_file_only_when_nobody_needs_it(tmp_path: Path) -> None:
    """A call's events arrive in the order they were written; its file is removed when the call has ended."""
    api = Api()
    forwarder = SpoolForwarder(tmp_path, api, linger_s=0)
    spool = write(tmp_path, 450, end=False)
    await forwarder.round()
    assert [each["source_seq"] for each in api.took] == list(range(1, 451))
    assert spool.path.exists()
    spool.emit("call.ended", outcome="answered")
    await forwarder.round()
    assert not spool.path.exists()
    assert api.took[-1]["type"] == "call.ended"


async def test_nothing_is_let_go_while_the_api_is_away(tmp_path: Path) -> None:
    """With the api away, or its answers lost, each event arrives once and no file goes too early."""
    api = Api()
    forwarder = SpoolForwarder(tmp_path, api, linger_s=0)
    spool = write(tmp_path, 300)
    api.away = True
    for _ in range(3):
        with pytest.raises(StoreError):
            await forwarder.round()
    assert spool.path.exists()
    api.away, api.loses_answers = False, 2
    for _ in range(2):
        with pytest.raises(StoreError):
            await forwarder.round()
    await forwarder.round()
    assert [each["source_seq"] for each in api.took] == list(range(1, 302))
    assert not spool.path.exists()


async def test_a_new_forwarder_repeats_what_it_must_and_loses_nothing(tmp_path: Path) -> None:
    """A forwarder that was killed is followed by one that sends all again; the api knows what it has."""
    api = Api()
    write(tmp_path, 20, end=False).close()
    await SpoolForwarder(tmp_path, api).round()
    write(tmp_path, 5).close()
    await SpoolForwarder(tmp_path, api).round()
    assert [each["source_seq"] for each in api.took] == list(range(1, 27))


async def test_the_events_of_several_sources_come_by_time(tmp_path: Path) -> None:
    """What the bridge and the job of a call wrote in turns arrives in those turns."""
    job, bridge = spool_of(tmp_path, CALL, "job"), spool_of(tmp_path, CALL, "bridge")
    for _ in range(3):
        bridge.emit("dtmf.received", digit="1")
        job.emit("agent.interrupted")
    api = Api()
    await SpoolForwarder(tmp_path, api).round()
    assert [each["source"] for each in api.took] == ["bridge", "job"] * 3


async def test_half_a_line_waits_until_it_is_whole(tmp_path: Path) -> None:
    """A line that is being written is not sent before its end is there."""
    api = Api()
    forwarder = SpoolForwarder(tmp_path, api)
    spool = write(tmp_path, 1, end=False)
    second = spool.path.read_bytes().replace(b'"source_seq":1', b'"source_seq":2')
    with spool.path.open("ab") as file:
        file.write(second[:-20])
    await forwarder.round()
    assert len(api.took) == 1
    with spool.path.open("ab") as file:
        file.write(second[-20:])
    await forwarder.round()
    assert [each["source_seq"] for each in api.took] == [1, 2]


async def test_what_can_never_be_taken_is_set_aside(tmp_path: Path) -> None:
    """Rubbish and refused events are kept apart, and hold up nothing behind them."""
    api = Api()
    forwarder = SpoolForwarder(tmp_path, api, linger_s=0)
    spool = write(tmp_path, 1, end=False)
    with spool.path.open("ab") as file:
        file.write(b"no json\n[1]\n\n" + json.dumps({"call_id": CALL, "type": "bad"}).encode() + b"\n")
        file.write(b"x" * 1_500_000 + b"\n")
    spool.emit("call.ended", outcome="answered")
    await forwarder.round()
    assert [each["type"] for each in api.took] == ["dtmf.received", "call.ended"]
    aside = (tmp_path / "rejected" / spool.path.name).read_bytes().split(b"\n")
    assert aside[:2] == [b"no json", b"[1]"]
    assert not spool.path.exists()


async def test_a_call_that_ended_elsewhere_is_asked_after(tmp_path: Path) -> None:
    """The file of a job that died without a last word goes once the api says that its call has ended."""
    api = Api()
    forwarder = SpoolForwarder(tmp_path, api, linger_s=0.05)
    spool = write(tmp_path, 2, end=False)
    spool.close()
    await forwarder.round()
    assert spool.path.exists()
    api.took.append({"call_id": CALL, "type": "call.ended"})
    await asyncio.sleep(0.1)
    await forwarder.round()
    await forwarder.round()
    assert not spool.path.exists()


async def test_a_file_that_was_written_to_just_now_is_left_alone(tmp_path: Path) -> None:
    """An ended call's file lingers, since its source may have a last word."""
    api = Api()
    forwarder = SpoolForwarder(tmp_path, api, linger_s=30)
    spool = write(tmp_path, 1)
    await forwarder.round()
    assert spool.path.exists()
    os.utime(spool.path, (0, 0))
    await forwarder.round()
    assert not spool.path.exists()


async def test_it_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """The loop sends what appears, survives an api that is away, and ends at once."""
    api, stop = Api(), asyncio.Event()
    api.away = True
    task = asyncio.create_task(SpoolForwarder(tmp_path, api).run(stop))
    write(tmp_path, 3)
    await asyncio.sleep(0.05)
    api.away = False
    async with limit(10):
        while len(api.took) < 4:
            await asyncio.sleep(0.02)
    stop.set()
    async with limit(2):
        await task
