"""A whole line with providers of known delay, a telephone, and what deaths in it are asked for."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from livekit import api

from telephony.audio.level import dbfs
from telephony.calls.events import Event
from telephony.line.record import events_of
from tests.e2e.sample import line_of, sample_file
from tests.waiting import limit, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.line.line import Line, LineInfo
    from tests.bridge.phone import Phone, PhoneCall

SPEECH = {
    "stt": {"provider": "timed", "stt_final_ms": 200},
    "llm": {"provider": "timed", "llm_ms": 50},
    "tts": {"provider": "timed", "tts_ms": 50, "duration_s": 1.0, "tone_hz": 450},
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

    async def dial(self, phone: Phone, *, voice_hz: float | None = None) -> PhoneCall:
        """A call that was sent."""
        number, _, port = self.info.sip.removeprefix("sip:").partition("@")
        return await phone.call(number, int(port.rpartition(":")[2]), voice_hz=voice_hz)

    async def call(self, phone: Phone, *, voice_hz: float | None = None) -> PhoneCall:
        """A call that was answered."""
        call = await self.dial(phone, voice_hz=voice_hz)
        assert (await call.final()).status == 200
        return call

    async def call_until_answered(self, phone: Phone, limit_s: float = 30.0) -> PhoneCall:
        """Call again as a person would, until somebody answers."""
        async with limit(limit_s):
            while True:
                call = await self.dial(phone)
                if (await call.final(limit_s)).status == 200:
                    return call
                await asyncio.sleep(0.5)

    def events(self, call: PhoneCall) -> list[Event]:
        """Everything that was spooled about a call."""
        return events_of(self.line.data.events, call.invite.call_id)

    def events_in(self, room: str) -> list[Event]:
        """Everything that was spooled about the call of a room."""
        files = [
            [Event.from_json(json.loads(line)) for line in file.read_text().splitlines()]
            for file in self.line.data.events.glob("*.jsonl")
        ]
        calls = {event.call_id for events in files for event in events if event.data.get("room") == room}
        return [event for events in files for event in events if event.call_id in calls]

    def jobs(self, call: PhoneCall) -> list[int]:
        """The processes of a call's jobs, in order."""
        return [int(event.data["pid"]) for event in self.events(call) if event.type == "agent.started"]

    async def job_comes(self, call: PhoneCall, number: int = 1) -> int:
        """Wait for the process of a call's nth job."""
        await until(lambda: len(self.jobs(call)) >= number, timeout_s=20)
        return self.jobs(call)[number - 1]

    def room(self, call: PhoneCall) -> str:
        """The room of a call."""
        return next(str(event.data["room"]) for event in self.events(call) if event.type == "call.ringing")

    @property
    def key(self) -> tuple[str, str]:
        """The key of the line's own livekit-server, and its secret."""
        return self.info.api_key, Path(self.info.api_secret_file).read_text().strip()

    def livekit(self) -> api.LiveKitAPI:
        """A client of that server's API, to be closed."""
        return api.LiveKitAPI(self.info.livekit_url, *self.key)

    async def ended(self, call: PhoneCall) -> None:
        """Wait until the record has the call's end."""
        await until(lambda: any(event.type == "call.ended" for event in self.events(call)), timeout_s=20)


@asynccontextmanager
async def timed_line(folder: Path, audio_path: str, *, max_calls: int = 20) -> AsyncIterator[TimedLine]:
    """A line, watched as `trunkline up` watches it.

    Args:
        folder: for everything it writes.
        audio_path: as agent.audio_path.
    """
    agent = {"audio_path": audio_path, "max_calls": max_calls, "idle_processes": 2}
    config = sample_file(folder / "livekit-sip.yaml", agent=agent, speech=SPEECH)
    async with line_of(config, folder / "data", watched=True) as line:
        # The first calls' jobs need clips to hand over.
        await until(lambda: len(list((line.data.root / "clips").glob("*.pcm"))) >= 2, timeout_s=30)
        yield TimedLine(line, line.info(), "room" if audio_path == "room" else "direct")


def is_heard(call: PhoneCall, since: int = 0) -> bool:
    """Whether a loud frame is among those after the first ``since``."""
    return any(dbfs(frame) > LOUD for frame in call.heard[since:])


async def hears(call: PhoneCall, within_s: float, *, since: int = 0) -> None:
    """Wait for a loud frame after the first ``since`` ones."""
    await until(lambda: is_heard(call, since), timeout_s=within_s)


async def quiet(call: PhoneCall, for_s: float = 0.5) -> None:
    """Wait until the agent has said what it had to say."""
    frames = int(for_s / 0.02)
    await until(
        lambda: len(call.heard) > frames and not is_heard(call, len(call.heard) - frames), timeout_s=15
    )
