"""Kills of a line's parts during real calls, and what must be true of every call afterwards.

The telephone is the witness: what it saw of a call is compared with what the record says of it. A
call of which the telephone heard nothing but silence, since the bridge died before it rang, need not
be known to anybody; every other one must have ended once, for the reason that the telephone saw.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil
import yaml
from jsonschema_rs import ValidationError, validator_for

from telephony.api.client import Client, find_place
from telephony.errors import SipError, TrunklineError
from telephony.line.line import Line, LineOptions
from telephony.line.record import events_of
from telephony.livekit_client import LiveKit
from telephony.spool import read_events
from tests.bridge.phone import Phone
from tests.e2e.sample import sample_file
from tests.waiting import until

if TYPE_CHECKING:
    from telephony.calls.events import Event
    from telephony.line.line import LineInfo
    from tests.bridge.phone import PhoneCall

_SCHEMAS = Path(__file__).parent.parent.parent / "docs" / "events"
PARTS = ("worker", "job", "api", "livekit-server", "bridge", "dispatcher")
RECORDED_S = 30.0
"""Within this a call's end is in the record, and nothing is left of the call, after it was over."""

_SPEECH = {
    "stt": {"provider": "timed", "stt_final_ms": 200},
    "llm": {"provider": "timed", "llm_ms": 50},
    "tts": {"provider": "timed", "tts_ms": 50, "duration_s": 1.0},
    "vad": {"provider": "bundled"},
}
_TRUE_CODES = {
    "worker": {"agent_lost", "line_ended", "no_agent", "agent_finished"},
    "job": {"agent_lost", "line_ended"},
    "livekit-server": {"server_lost", "line_ended", "agent_lost"},
    "dispatcher": {"no_agent", "line_ended", "agent_lost"},
    "api": set[str](),
}
"""Why the line may have ended a call whose part was killed."""


@dataclass
class Trial:
    """One call during which a part was killed, and what came of it."""

    part: str
    after_s: float
    saw: str = "nothing"
    """What the telephone saw: nothing, refused, hung_up_on, hung_up, vanished."""
    status: int = 0
    call_id: str = ""
    outcome: str = ""
    code: str = ""
    ended_by: str = ""
    cause: str = ""
    endings: int = 0
    recorded_s: float = 0.0
    """From the call's end, as the telephone saw it, to its end in the record."""
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        seen = f"{self.saw} {self.status or ''}".strip()
        text = f"{self.part} after {self.after_s:.2f} s: {seen}; {self.outcome} {self.code}"
        return f"{text} ({self.recorded_s:.1f} s){': ' if self.problems else ''}{'; '.join(self.problems)}"


class KillDrill:
    """A whole line, watched as ``trunkline up`` watches it, and a telephone. Use as a context.

    Args:
        folder: for the line's data.
        audio_path: auto, direct or room.
        talks_s: how long the telephone stays on a call that goes on.
    """

    def __init__(self, folder: Path, *, audio_path: str = "auto", talks_s: float = 4.0) -> None:
        self._folder = folder
        self._audio_path = audio_path
        self._talks_s = talks_s
        self._line: Line
        self._phone = Phone()
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        agent = {"audio_path": self._audio_path, "max_calls": 20}
        config = sample_file(self._folder / "livekit-sip.yaml", agent=agent, speech=_SPEECH)
        self._line = Line(LineOptions(config, self._folder / "data", sip_port=0))
        await self._line.start()
        self._watching = asyncio.create_task(self._line.watch())
        await self._phone.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._phone.__aexit__()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._line.stop()

    @property
    def info(self) -> LineInfo:
        """Where the line is now."""
        return self._line.info()

    async def trial(self, part: str, after_s: float) -> Trial:
        """One call; the part dies so long after its INVITE."""
        await self._line_is_well()
        trial = Trial(part, after_s)
        invited = time.monotonic()
        call = await self._call()
        killing = asyncio.create_task(self._kill(trial, call, invited + after_s))
        try:
            await self._telephone(trial, call, killing)
            await killing
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
        await self._judge(trial, call)
        return trial

    async def _call(self) -> PhoneCall:
        number, _, port = self.info.sip.removeprefix("sip:").partition("@")
        return await self._phone.call(number, int(port.rpartition(":")[2]), voice_hz=440)

    async def _kill(self, trial: Trial, call: PhoneCall, at: float) -> None:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        if trial.part == "job":
            # The forked process of this very call, as soon as there is one.
            await until(lambda: self._jobs(call), timeout_s=20)
            victim = self._jobs(call)[-1]
        else:
            victim = self._line.info().pids[trial.part]
        os.kill(victim, signal.SIGKILL)

    def _jobs(self, call: PhoneCall) -> list[int]:
        return [int(each.data["pid"]) for each in self._spooled(call) if each.type == "agent.started"]

    def _living_jobs(self, call: PhoneCall) -> list[int]:
        return [pid for pid in self._jobs(call) if psutil.pid_exists(pid)]

    def _spooled(self, call: PhoneCall) -> list[Event]:
        return events_of(self._line.data.events, call.invite.call_id)

    async def _telephone(self, trial: Trial, call: PhoneCall, killing: asyncio.Task[None]) -> None:
        """Carry the call to its end as a person would, who gives a dead line up after a while."""
        try:
            final = await call.final(12.0)
            trial.status = final.status
        except (SipError, TimeoutError):
            trial.saw = "vanished" if any(status >= 180 for status, _ in call.provisionals) else "nothing"
            return
        if trial.status >= 300:
            trial.saw = "refused"
            return
        try:
            await killing
            await call.hung_up(self._talks_s)
            trial.saw = "hung_up_on"
        except TimeoutError:
            try:
                await call.bye()
                trial.saw = "hung_up"
            except (SipError, TimeoutError):
                trial.saw = "vanished"
            if trial.part == "bridge":
                # Whoever answers the BYE now is another bridge, which knows nothing of the call.
                trial.saw = "vanished"

    # What must be true

    async def _judge(self, trial: Trial, call: PhoneCall) -> None:
        over = time.monotonic()
        found = await self._ended(trial, call, over + RECORDED_S)
        trial.recorded_s = time.monotonic() - over
        if found is not None:
            self._truth(trial, found)
        elif trial.saw != "nothing":
            trial.problems.append("no end in the record")
        left = max(2.0, RECORDED_S - trial.recorded_s)
        await self._nothing_left(trial, call, left)

    async def _ended(self, trial: Trial, call: PhoneCall, until_s: float) -> dict[str, Any] | None:
        """The call in the record, once it has ended; None where it is not there in time."""
        while time.monotonic() < until_s:
            try:
                found = await self._recorded(call)
            except TrunklineError:
                # The api is being started again.
                found = None
            if found is not None and found["state"] == "ended":
                trial.call_id = found["id"]
                return found
            if found is None and trial.saw == "nothing" and not self._spooled(call):
                return None
            await asyncio.sleep(0.25)
        return None

    async def _recorded(self, call: PhoneCall) -> dict[str, Any] | None:
        async with self.client() as client:
            for row in (await client.get("/v1/calls", limit=10))["calls"]:
                found: dict[str, Any] = await client.get(f"/v1/calls/{row['id']}")
                if found["sip_call_id_full"] == call.invite.call_id:
                    return found
        return None

    def client(self) -> Client:
        """Whoever asks the line's api."""
        return Client(find_place(None, None, self._line.data.root, env={}))

    def _truth(self, trial: Trial, found: dict[str, Any]) -> None:
        trial.outcome, trial.code = found["outcome"] or "", found["code"] or ""
        trial.ended_by, trial.cause = found["ended_by"] or "", found["cause"] or ""
        said = f"{trial.outcome}, {trial.code}, by {trial.ended_by}"
        match trial.saw:
            case "hung_up" if trial.code != "caller_hung_up" or trial.ended_by != "caller":
                trial.problems.append(f"the caller hung up, but the record says {said}")
            case "refused" if trial.outcome not in ("refused_by_us", "failed"):
                trial.problems.append(f"it was refused with {trial.status}, but the record says {said}")
            case "refused" if found["sip_status"] not in (trial.status, None):
                trial.problems.append(f"it was refused with {trial.status}, not {found['sip_status']}")
            case "hung_up_on" if trial.code not in _TRUE_CODES.get(trial.part, set()):
                trial.problems.append(f"the line hung up, but the record says {said}")
            case "vanished" if trial.part == "bridge" and trial.code != "bridge_lost":
                trial.problems.append(f"the bridge died, but the record says {said}")

    async def _nothing_left(self, trial: Trial, call: PhoneCall, within_s: float) -> None:
        """One end, no room, no job, no dialog, no event that is not in the record."""
        began = time.monotonic()
        try:
            await until(self._is_idle, timeout_s=within_s)
        except TimeoutError:
            trial.problems.append(await self._what_is_left())
        try:
            await until(
                lambda: not self._living_jobs(call), timeout_s=max(1.0, within_s - (time.monotonic() - began))
            )
        except TimeoutError:
            trial.problems.append(f"its job's process {self._living_jobs(call)} lives")
        if not trial.call_id:
            return
        events = await self.events(trial.call_id)
        trial.endings = sum(each["type"] == "call.ended" for each in events)
        if trial.endings != 1:
            trial.problems.append(f"{trial.endings} ends")
        if [each["seq"] for each in events] != list(range(1, len(events) + 1)):
            trial.problems.append("its events are not numbered without gaps")
        trial.problems += [problem for each in events if (problem := misshapen(each))]
        lost = self.lost(trial.call_id, events)
        if lost:
            trial.problems.append(f"{lost} events are not in the record")

    async def events(self, call_id: str) -> list[dict[str, Any]]:
        """A call's events as the api has them."""
        async with self.client() as client:
            page = await client.get(f"/v1/calls/{call_id}/events", limit=1000)
        found: list[dict[str, Any]] = page["events"]
        return found

    def lost(self, call_id: str, events: list[dict[str, Any]]) -> int:
        """How many events stand in files and not in the record."""
        known = {(each["source"], _instant(each["timestamp"])) for each in events}
        files = self._line.data.events.glob(f"{call_id}.*.jsonl")
        written = [each for path in files for each in read_events(path)]
        return sum((each.source, round(each.time.timestamp(), 5)) not in known for each in written)

    async def _is_idle(self) -> bool:
        try:
            return not (await self._rooms() or await self._dialogs())
        except (TrunklineError, OSError):
            return False

    async def _what_is_left(self) -> str:
        try:
            return f"left: rooms {await self._rooms()}, dialogs {await self._dialogs()}"
        except (TrunklineError, OSError) as error:
            return f"the line does not come back: {error}"

    async def _rooms(self) -> list[str]:
        secret = Path(self.info.api_secret_file).read_text()
        async with LiveKit(self.info.livekit_url, self.info.api_key, secret) as livekit:
            return [room.name for room in await livekit.list_rooms()]

    async def _dialogs(self) -> int:
        health = yaml.safe_load((self._line.data.config / "bridge.yaml").read_text())["health_port"]
        reader, writer = await asyncio.open_connection("127.0.0.1", health)
        try:
            writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
            text = (await reader.read()).decode()
        finally:
            writer.close()
        [value] = [line.split()[1] for line in text.splitlines() if line.startswith("bridge_active_calls ")]
        return int(float(value))

    async def _line_is_well(self) -> None:
        """Every part runs and says so, before the next call."""

        async def well() -> bool:
            parts = self._line.parts
            return all([part.pid and await part.spec.ready() for part in parts])

        await until(well, timeout_s=60)
        await until(self._is_idle, timeout_s=40)

    # An api that is away

    async def away(self, seconds: float, calls: int) -> list[Trial]:
        """Calls while the api stands still; then it is killed, and the next one must know of everything."""
        await self._line_is_well()
        os.kill(self.info.pids["api"], signal.SIGSTOP)
        began = time.monotonic()
        made = []
        for _ in range(calls):
            trial = Trial("api", 0.0)
            call = await self._call()
            trial.status = (await call.final(12.0)).status
            await asyncio.sleep(min(self._talks_s, seconds / (calls + 1)))
            await call.bye()
            trial.saw = "hung_up"
            made.append((trial, call))
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        os.kill(self.info.pids["api"], signal.SIGKILL)
        for trial, call in made:
            await self._judge(trial, call)
        return [trial for trial, _ in made]


def misshapen(event: dict[str, Any]) -> str:
    """What is not as docs/events says of an event that was really sent; empty where nothing is."""
    schema = json.loads((_SCHEMAS / f"{event['type']}.schema.json").read_text())
    try:
        validator_for(schema, validate_formats=True).validate(event)
    except ValidationError as error:
        return f"{event['type']} is not as published: {error.message}"
    return f"{event['type']} has unreadable fields" if "unreadable" in event["data"] else ""


def _instant(text: str) -> float:
    from datetime import datetime

    return round(datetime.fromisoformat(text).timestamp(), 5)
