"""The whole line on both audio paths: calls, deaths, and nothing left over."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest
import pytest_asyncio

from tests.bridge.line import until
from tests.bridge.phone import Phone
from tests.e2e.timed import GREETED_S, TimedLine, hears, is_heard, quiet, timed_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["auto", "room"])
async def timed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TimedLine]:
    """A line on each audio path."""
    async with timed_line(tmp_path_factory.mktemp("timed"), request.param) as line:
        yield line


@pytest_asyncio.fixture(loop_scope="module")
async def phone() -> AsyncIterator[Phone]:
    """A telephone."""
    async with Phone() as phone:
        yield phone


async def test_a_call_takes_the_path_that_was_chosen(timed: TimedLine, phone: Phone) -> None:
    """call.answered and agent.started say which; the greeting is heard; everything ends with the call."""
    call = await timed.call(phone)
    await hears(call, GREETED_S)
    pid = await timed.job_comes(call)
    await call.bye()
    await timed.ended(call)
    paths = {
        event.data["audio_path"]
        for event in timed.events(call)
        if event.type in {"call.answered", "agent.started"}
    }
    assert paths == {timed.path}
    await until(lambda: not psutil.pid_exists(pid), timeout_s=15)
    links = timed.line.data.sockets / "calls"
    assert not links.exists() or not list(links.iterdir())


async def test_a_killed_job_is_a_voice_within_a_second_and_the_talk_goes_on(
    timed: TimedLine, phone: Phone
) -> None:
    """The call lives, another job takes it over, and the caller can hang up as from any call."""
    call = await timed.call(phone)
    await hears(call, GREETED_S)
    pid = await timed.job_comes(call)
    await quiet(call)
    since, died_at = len(call.heard), phone.clock.now()
    os.kill(pid, signal.SIGKILL)
    await hears(call, 10.0, since=since)
    if timed.path == "direct":
        assert phone.clock.now() - died_at < 1.5, "promised is a second, on a machine of its own"
    await timed.job_comes(call, 2)
    await quiet(call)
    assert not call.session.ended.is_set()
    started = [event for event in timed.events(call) if event.type == "agent.started"]
    assert [event.data["resumed"] for event in started] == [False, True]
    await call.bye()
    await timed.ended(call)


async def test_ten_calls_at_once_are_all_answered(timed: TimedLine, phone: Phone) -> None:
    """Simultaneous calls wait for each other's processes at most, and none is refused."""
    calls = await asyncio.gather(*(timed.call(phone) for _ in range(5 if timed.path == "room" else 10)))
    for call in calls:
        await hears(call, 2 * GREETED_S)
    await asyncio.gather(*(call.bye() for call in calls))


async def test_a_killed_worker_leaves_nobody_mute(timed: TimedLine, phone: Phone) -> None:
    """A call that is up hears a voice, or its end; the next one is taken by the worker started again."""
    call = await timed.call(phone)
    await hears(call, GREETED_S)
    await timed.job_comes(call)
    await quiet(call)
    since = len(call.heard)
    os.kill(timed.line.info().pids["worker"], signal.SIGKILL)
    await until(lambda: call.session.ended.is_set() or is_heard(call, since), timeout_s=12)
    if not call.session.ended.is_set():
        await call.bye()
    other = await timed.call_until_answered(phone)
    await hears(other, GREETED_S)
    await other.bye()
