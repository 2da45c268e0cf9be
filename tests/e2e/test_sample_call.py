"""The sample line, telephoned over real SIP and RTP through a real livekit-server."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api

from telephony.caller.script import ImpairmentSettings
from telephony.caller.script_file import load_script
from tests.e2e.conftest import RunningLine, what_went_wrong
from tests.processes import all_gone, family
from tests.waiting import until

if TYPE_CHECKING:
    from telephony.caller.script import Script

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


def hello(codec: str = "PCMU", from_user: str = "+15550100199") -> Script:
    """The short call with other settings."""
    script = load_script("hello")
    settings = script.settings.model_copy(update={"codec": codec, "from_user": from_user})
    return script.model_copy(update={"settings": settings})


async def rooms(line: RunningLine) -> list[str]:
    """The rooms that livekit-server has now."""
    secret = Path(line.info.api_secret_file).read_text()
    async with api.LiveKitAPI(line.info.livekit_url, line.info.api_key, secret) as livekit:
        found = await livekit.room.list_rooms(api.ListRoomsRequest())
        return [room.name for room in found.rooms]


async def test_the_sample_conversation_reaches_its_end(line: RunningLine, tmp_path: Path) -> None:
    """Understood, answered, interrupted, a key pressed, said goodbye to; record and report say so."""
    report = await line.call("demo", folder=tmp_path)
    assert report.ok, what_went_wrong(report)
    assert report.ended_by == "agent"
    assert report.greeting_complete
    assert report.barge_in_silence_ms is not None
    assert await line.outcome(report) == "answered"
    events = line.events(report)
    types = [event.type for event in events]
    assert types[0] == "call.ringing"
    for wanted in (
        "call.answered",
        "agent.started",
        "dtmf.received",
        "agent.interrupted",
        "fields.collected",
    ):
        assert wanted in types, f"{wanted} is missing from {types}"
    fields: dict[str, Any] = {}
    for event in events:
        if event.type == "fields.collected":
            fields |= event.data["fields"]
    assert fields["time"]["value"] == "15:30"
    assert "miller" in fields["name"]["value"].lower()
    assert all(0 < field["confidence"] <= 1 and field["turn"] > 1 for field in fields.values())
    said = [event.data["text"] for event in events if event.type == "turn.completed"]
    assert any("Riverside Clinic" in text for text in said)
    for name in ("report.json", "report.html", "call.wav"):
        assert (tmp_path / name).stat().st_size > 1000


async def test_nothing_of_a_call_stays(line: RunningLine) -> None:
    """After the goodbye there is no room and no job process of that call."""
    worker = line.info.pids["worker"]
    before = set(family([worker]))
    during: set[int] = set()

    async def look() -> None:
        await asyncio.sleep(3)
        during.update(family([worker]))

    report, _ = await asyncio.gather(line.call(hello()), look())
    assert report.ok, what_went_wrong(report)
    await line.outcome(report)
    job = next(event.data["pid"] for event in line.events(report) if event.type == "agent.started")
    assert job in during | before
    assert await asyncio.to_thread(all_gone, [job], 10)
    for _ in range(100):
        if not await rooms(line):
            break
        await asyncio.sleep(0.1)
    assert await rooms(line) == []


async def test_a_caller_who_speaks_pcma_is_understood(line: RunningLine) -> None:
    """The other law of G.711 works as well, both ways."""
    report = await line.call(hello("PCMA"))
    assert report.ok, what_went_wrong(report)
    assert report.media.codec == "PCMA"


async def test_three_calls_at_once_are_answered_and_understood(line: RunningLine) -> None:
    """Each call has a room, a job and a conversation of its own."""
    reports = await asyncio.gather(*(line.call(hello(from_user=f"+1555010020{n}")) for n in range(3)))
    for report in reports:
        assert report.ok, what_went_wrong(report)
    rooms_used = {
        event.data["room"]
        for report in reports
        for event in line.events(report)
        if event.type == "call.ringing"
    }
    assert len(rooms_used) == 3


async def test_the_conversation_survives_a_bad_network(line: RunningLine) -> None:
    """With 5 % of the caller's packets lost and 40 ms of jitter the appointment is still booked."""
    script = load_script("demo")
    impairment = ImpairmentSettings(loss=0.05, jitter_ms=40.0)
    settings = script.settings.model_copy(update={"impairment": impairment, "seed": 7})
    report = await line.call(script.model_copy(update={"settings": settings}))
    assert report.ok, what_went_wrong(report)
    assert report.media.dropped_on_purpose > 0


async def test_an_unknown_number_is_refused_at_once_with_the_field(line: RunningLine) -> None:
    """A number that no trunk has gets 404, and the log names the number's place, not a flood."""
    report = await line.call(hello(), to=line.info.sip.replace("+15550100100", "+15550999999"))
    assert report.outcome == "refused"
    assert "404" in report.cause
    told: list[dict[str, Any]] = []

    def is_told() -> bool:
        told[:] = [entry for entry in line.troubles() if "refused" in str(entry.get("event"))]
        return bool(told)

    await until(is_told)
    assert told[-1].get("field")


async def test_good_calls_log_no_warning_and_no_error(line: RunningLine) -> None:
    """Whatever our processes warned of, it was the call that had to be refused, or the machine's load."""
    troubles = [entry for entry in line.troubles() if "refused" not in str(entry.get("event"))]
    sys.stdout.write(f"load warnings: {dict(line.load_warnings) or 'none'}\n")
    assert [f"{entry['log']}: {entry.get('event')}" for entry in troubles] == []
