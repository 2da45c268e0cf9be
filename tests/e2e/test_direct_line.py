"""The whole line on both audio paths, with providers of known delay: calls, deaths, and nothing left over."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import pytest_asyncio
import yaml

from telephony.audio.level import dbfs
from telephony.line.line import Line, LineInfo, LineOptions
from telephony.line.record import events_of
from tests.bridge.line import until
from tests.bridge.phone import Phone, PhoneCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.calls.events import Event

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

CONFIG = Path(__file__).parent.parent.parent / "config" / "livekit-sip.yaml"
SPEECH = {
    "stt": {"provider": "timed", "stt_final_ms": 200},
    "llm": {"provider": "timed", "llm_ms": 50},
    "tts": {"provider": "timed", "tts_ms": 50, "duration_s": 1.0},
    "vad": {"provider": "bundled"},
}
LOUD = -40.0
GREETED_S = 10.0


@dataclass
class TimedLine:
    """A line that is up."""

    line: Line
    info: LineInfo
    path: str

    async def call(self, phone: Phone, *, voice_hz: float | None = None) -> PhoneCall:
        """A call that was answered."""
        number, _, port = self.info.sip.removeprefix("sip:").partition("@")
        call = await phone.call(number, int(port.rpartition(":")[2]), voice_hz=voice_hz)
        assert (await call.final()).status == 200
        return call

    def events(self, call: PhoneCall) -> list[Event]:
        """Everything that was spooled about a call."""
        return events_of(self.line.data.events, call.invite.call_id)

    def job(self, call: PhoneCall, number: int = 1) -> int | None:
        """The process of a call's nth job."""
        pids = [int(event.data["pid"]) for event in self.events(call) if event.type == "agent.started"]
        return pids[number - 1] if len(pids) >= number else None

    async def job_comes(self, call: PhoneCall, number: int = 1) -> int:
        """Wait for it."""
        await until(lambda: self.job(call, number) is not None, timeout_s=20)
        pid = self.job(call, number)
        assert pid is not None
        return pid


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["auto", "room"])
async def timed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TimedLine]:
    """A line on each audio path, watched as `trunkline up` watches it."""
    folder = tmp_path_factory.mktemp("timed")
    content: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    content["speech"] = SPEECH
    content["agent"].update(audio_path=request.param, max_calls=20)
    config = folder / "livekit-sip.yaml"
    config.write_text(yaml.safe_dump(content))
    line = Line(LineOptions(config, folder / "data", sip_port=0))
    info = await line.start()
    watching = asyncio.create_task(line.watch())
    # The first calls' jobs need clips to hand over.
    await until(lambda: len(list((line.data.root / "clips").glob("*.pcm"))) == 2, timeout_s=30)
    try:
        yield TimedLine(line, info, "direct" if request.param == "auto" else "room")
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await line.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def phone() -> AsyncIterator[Phone]:
    """A telephone."""
    async with Phone() as phone:
        yield phone


async def hears(call: PhoneCall, within_s: float, *, since: int = 0) -> None:
    """Wait for a loud frame after the first ``since`` ones."""
    await until(lambda: any(dbfs(frame) > LOUD for frame in call.heard[since:]), timeout_s=within_s)


async def quiet(call: PhoneCall) -> None:
    """Wait until the agent has said what it had to say."""
    await until(
        lambda: len(call.heard) > 25 and all(dbfs(frame) < LOUD for frame in call.heard[-25:]), timeout_s=15
    )


async def test_a_call_takes_the_path_that_was_chosen(timed: TimedLine, phone: Phone) -> None:
    """call.answered and agent.started say which; the greeting is heard; everything ends with the call."""
    call = await timed.call(phone)
    await hears(call, GREETED_S)
    pid = await timed.job_comes(call)
    await call.bye()
    await until(lambda: any(event.type == "call.ended" for event in timed.events(call)), timeout_s=20)
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
    await until(lambda: any(event.type == "call.ended" for event in timed.events(call)), timeout_s=20)


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
    await until(
        lambda: call.session.ended.is_set() or any(dbfs(frame) > LOUD for frame in call.heard[since:]),
        timeout_s=40,
    )
    if not call.session.ended.is_set():
        await call.bye()
    other = await _answered_in_the_end(timed, phone)
    await hears(other, GREETED_S)
    await other.bye()


async def _answered_in_the_end(timed: TimedLine, phone: Phone) -> PhoneCall:
    """Call again as a person would, until somebody answers."""
    number, _, port = timed.info.sip.removeprefix("sip:").partition("@")
    for _ in range(10):
        call = await phone.call(number, int(port.rpartition(":")[2]))
        if (await call.final(30.0)).status == 200:
            return call
        await asyncio.sleep(1.0)
    raise AssertionError("nobody answered any more")
