"""The worker as an operator starts it, on the real livekit-server, called by a participant of kind SIP."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import pytest
from livekit import api

from telephony.speech.client import SpeechClient
from tests.agent.conftest import timed_worker_in
from tests.agent.telephone import Telephone
from tests.agent.worker_process import WorkerProcess, is_running
from tests.bridge.servers import API_KEY, API_SECRET
from tests.waiting import limit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from telephony.calls.events import Event

pytestmark = [pytest.mark.component, pytest.mark.asyncio]

GREETED_S = 20.0
"""Joining, dispatch and the first sound, on a machine that does other things too."""
ENDED_S = 15.0
MOST_TURNS = 12
"""Enough for a conversation of six in which the recogniser mishears."""
NOT_ANSWERING = ['{"assistant": "nobody"}', '{"assistant": "broken"}', '{"assistant": "flowless"}']
"""No such file, a wrong file, and one that only a language model could lead."""
FLOWLESS = """\
name: flowless
greeting: Hello.
instructions: Be kind.
silence: {prompts: [Hello?], goodbye: Bye.}
not_understood: [Sorry?]
time_is_up: Time is up.
"""
GOODBYE = "No, thank you. Goodbye."


def timed_call(url: str, agent_name: str = "timed-desk", **details: Any) -> Telephone:
    return Telephone(url, agent_name=agent_name, **details)


async def ended(worker: WorkerProcess, telephone: Telephone) -> Event:
    """Wait for the call's last event."""
    async with limit(ENDED_S):
        while True:
            for event in worker.events(telephone.call_id):
                if event.type == "call.ended":
                    return event
            await asyncio.sleep(0.05)


async def job_of(worker: WorkerProcess, telephone: Telephone) -> int:
    """Wait for the call's job process."""
    async with limit(GREETED_S):
        while True:
            for line in worker.lines():
                if line["event"] == "agent_started" and line.get("call_id") == telephone.call_id:
                    return int(line["pid"])
            await asyncio.sleep(0.05)


async def gone(pid: int, within_s: float) -> float:
    """Wait until a process has ended; returns how long that took."""
    began = time.monotonic()
    async with limit(within_s):
        while is_running(pid):
            await asyncio.sleep(0.01)
    return time.monotonic() - began


def kinds(worker: WorkerProcess, telephone: Telephone) -> list[str]:
    return [event.type for event in worker.events(telephone.call_id)]


def told(worker: WorkerProcess, telephone: Telephone, kind: str) -> list[dict[str, Any]]:
    return [event.data for event in worker.events(telephone.call_id) if event.type == kind]


def last_words(worker: WorkerProcess, telephone: Telephone) -> str:
    turns = [turn["text"] for turn in told(worker, telephone, "turn.completed") if turn["who"] == "agent"]
    return str(turns[-1])


def person_says(heard: str) -> str:
    """What a person who wants Tuesday at half past three answers to the agent's words."""
    if "Is that right" in heard:
        right = "Tuesday, at 3:30 PM" in heard
        return "Yes, that's right." if right else "No. On Tuesday, at half past three."
    answers = {
        "anything else": GOODBYE,
        "day": "On Tuesday.",
        "time": "At half past three.",
        "name": "My name is Anna Keller.",
    }
    asked = (answer for word, answer in answers.items() if word in heard.rstrip(".?").rsplit(".", 1)[-1])
    return next(asked, "I'd like to book an appointment, please.")


async def test_a_call_goes_from_the_greeting_to_the_goodbye(
    offline_worker: WorkerProcess, engine: Path, url: str
) -> None:
    """A caller who speaks is understood, answered, booked, and said goodbye to; the record tells it all."""
    async with (
        await SpeechClient.connect(engine) as voice,
        Telephone(url, agent_name="offline-desk") as telephone,
    ):
        await telephone.hears_agent(GREETED_S)
        await telephone.answered()
        job = await job_of(offline_worker, telephone)
        for _ in range(MOST_TURNS):
            await telephone.hears_silence(30, quiet_s=0.9)
            sentence = person_says(last_words(offline_worker, telephone))
            telephone.say(np.concatenate([part async for part in voice.synthesize(sentence)]))
            spoken = await telephone.said()
            await telephone.hears_agent(20, since=spoken)
            if sentence == GOODBYE:
                break
        last_word = await telephone.hears_silence(15, quiet_s=0.3)
        async with limit(ENDED_S):
            await telephone.hung_up.wait()
        assert time.monotonic() - last_word > 0.3
        await gone(job, ENDED_S)
    last = await ended(offline_worker, telephone)
    assert (last.data["ended_by"], last.data["outcome"]) == ("agent", "answered")
    events = offline_worker.events(telephone.call_id)
    assert [event.source_seq for event in events] == list(range(1, len(events) + 1))
    assert events[0].type == "agent.started"
    booked = next(
        tool for tool in told(offline_worker, telephone, "tool.called") if tool["name"] == "book_appointment"
    )
    assert (booked["arguments"]["day"], booked["arguments"]["time"]) == ("tuesday", "15:30")
    turns = [event.data for event in events if event.type == "turn.completed"]
    assert {turn["who"] for turn in turns} == {"caller", "agent"}
    assert sum("latency_ms" in turn for turn in turns) >= 5
    diary = json.loads((offline_worker.data / "diary.json").read_text())
    assert diary[-1]["call_id"] == telephone.call_id
    assert offline_worker.alarms() == []


async def test_the_process_ends_with_the_callers_leaving(timed_worker: WorkerProcess, url: str) -> None:
    """A caller who hangs up leaves no process, no room and a complete record."""
    async with timed_call(url) as telephone:
        await telephone.hears_agent(GREETED_S)
        await telephone.answered()
        job = await job_of(timed_worker, telephone)
        await asyncio.sleep(0.3)
        leaving = asyncio.create_task(telephone.hang_up())
        await gone(job, ENDED_S)
        await leaving
    last = await ended(timed_worker, telephone)
    assert last.data == {"outcome": "answered", "ended_by": "caller", "cause": "the caller hung up"}
    async with api.LiveKitAPI(url, API_KEY, API_SECRET) as client:
        rooms = await client.room.list_rooms(api.ListRoomsRequest(names=[telephone.room_name]))
    assert list(rooms.rooms) == []


async def test_a_call_that_was_never_picked_up_is_abandoned(timed_worker: WorkerProcess, url: str) -> None:
    """Who hangs up while it rings has not been answered."""
    async with timed_call(url) as telephone:
        await job_of(timed_worker, telephone)
    assert (await ended(timed_worker, telephone)).data["outcome"] == "abandoned"


async def test_the_caller_can_interrupt_the_greeting_at_once(
    timed_worker: WorkerProcess, url: str, clip: NDArray[np.int16]
) -> None:
    """Speech over the first second of the greeting stops it, and is answered."""
    async with timed_call(url) as telephone:
        await telephone.hears_agent(GREETED_S)
        telephone.say(clip)
        stopped = await telephone.hears_silence(15, quiet_s=0.3)
        spoken = await telephone.said()
        assert stopped < spoken + 2.0
        await telephone.hears_agent(20, since=spoken)
        async with limit(25):
            await telephone.hung_up.wait()
    await ended(timed_worker, telephone)
    assert "agent.interrupted" in kinds(timed_worker, telephone)


async def test_a_key_stops_the_agent_and_is_answered(timed_worker: WorkerProcess, url: str) -> None:
    """A key during the greeting is an answer to it."""
    async with timed_call(url) as telephone:
        await telephone.hears_agent(GREETED_S)
        await telephone.answered()
        await telephone.press("0")
        await telephone.hears_silence(15)
        await asyncio.sleep(0.5)
    await ended(timed_worker, telephone)
    written = kinds(timed_worker, telephone)
    assert "dtmf.received" in written
    tools = told(timed_worker, telephone, "tool.called")
    assert [tool["name"] for tool in tools] == ["transfer_to_operator"]


async def test_a_silent_caller_is_said_goodbye_to(timed_worker: WorkerProcess, url: str) -> None:
    """One prompt, then the goodbye, then the line is free."""
    async with timed_call(url, metadata='{"assistant": "impatient"}') as telephone:
        await telephone.hears_agent(GREETED_S)
        await telephone.answered()
        async with limit(40):
            await telephone.hung_up.wait()
    last = await ended(timed_worker, telephone)
    assert (last.data["ended_by"], last.data["cause"]) == ("agent", "the caller said nothing")
    turns = told(timed_worker, telephone, "turn.completed")
    assert [turn["text"] for turn in turns] == ["Hello.", "Are you there? What now?", "Goodbye."]


async def test_calls_are_refused_by_their_number_alone(timed_worker: WorkerProcess, url: str) -> None:
    """As many calls as the limit are taken at one moment, one more is not, and then there is room again."""
    async with AsyncExitStack() as calls:
        telephones = [timed_call(url, number=f"+1555010020{n}") for n in range(3)]
        await asyncio.gather(*(calls.enter_async_context(telephone) for telephone in telephones))
        await asyncio.gather(*(telephone.hears_agent(2 * GREETED_S) for telephone in telephones))
        async with timed_call(url) as fourth:
            with pytest.raises(TimeoutError):
                await fourth.hears_agent(2.5)
            jobs = [await job_of(timed_worker, telephone) for telephone in telephones]
            await telephones[0].hang_up()
            # A process that is still ending holds its place.
            await gone(jobs[0], ENDED_S)
    async with timed_call(url) as fifth:
        await fifth.hears_agent(GREETED_S)
    assert any(line["event"] == "job_refused" for line in timed_worker.lines())


async def test_a_worker_that_is_told_to_end_lets_its_call_finish(url: str, tmp_path: Path) -> None:
    """SIGTERM takes no new call and waits for the old one; then the exit code is 0."""
    worker = timed_worker_in(tmp_path, url, "leaving-desk")
    worker.start()
    async with timed_call(url, "leaving-desk") as telephone:
        await telephone.hears_agent(GREETED_S)
        await telephone.answered()
        os.kill(worker.pid, signal.SIGTERM)
        async with timed_call(url, "leaving-desk") as late:
            with pytest.raises(TimeoutError):
                await late.hears_agent(2.0)
        assert is_running(worker.pid)
        assert not telephone.hung_up.is_set()
    assert await asyncio.to_thread(worker.wait) == 0
    assert (await ended(worker, telephone)).data["ended_by"] == "caller"
    assert worker.alarms() == []


@pytest.mark.parametrize("metadata", NOT_ANSWERING)
async def test_an_assistant_that_cannot_answer_ends_the_call(url: str, tmp_path: Path, metadata: str) -> None:
    """A wrong name or a wrong file is said in the log, and the caller does not wait for it."""
    worker = timed_worker_in(tmp_path, url, "lost-desk")
    (tmp_path / "assistants" / "broken.yaml").write_text("name: broken\n")
    (tmp_path / "assistants" / "flowless.yaml").write_text(FLOWLESS)
    worker.start()
    try:
        async with timed_call(url, "lost-desk", metadata=metadata) as telephone, limit(GREETED_S):
            await telephone.hung_up.wait()
        assert "call_failed" in [line["event"] for line in worker.alarms()]
    finally:
        worker.stop()


async def test_a_job_whose_caller_never_arrives_ends(timed_worker: WorkerProcess, url: str) -> None:
    """A dispatch without a caller does not keep a process."""
    room = f"call_nobody_{time.monotonic_ns()}"
    async with api.LiveKitAPI(url, API_KEY, API_SECRET) as client:
        await client.room.create_room(api.CreateRoomRequest(name=room, empty_timeout=60))
        await client.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(agent_name="timed-desk", room=room)
        )
        async with limit(40):
            while not any(line["event"] == "caller_never_arrived" for line in timed_worker.lines()):
                await asyncio.sleep(0.1)
            while (await client.room.list_rooms(api.ListRoomsRequest(names=[room]))).rooms:
                await asyncio.sleep(0.1)


async def test_the_worker_tells_how_it_is(timed_worker: WorkerProcess) -> None:
    """Its ready file names its health port, which answers."""
    ready = json.loads((timed_worker.folder / "ready.json").read_text())
    assert ready["pid"] == timed_worker.pid
    assert ready["agent_name"] == "timed-desk"
    health = f"http://127.0.0.1:{ready['health_port']}/"
    async with aiohttp.ClientSession() as http, http.get(health) as answer:
        assert answer.status == 200


async def test_good_calls_raise_no_alarm(timed_worker: WorkerProcess) -> None:
    """After all these calls the worker's log holds neither warnings nor errors."""
    assert timed_worker.alarms() == []
