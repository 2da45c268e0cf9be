"""What callers hear when parts of the line die under them, on both audio paths.

Jobs are killed by SIGKILL at random moments of their calls, the worker with several calls up, and
livekit-server and Redis, which are started again, while somebody talks; bridge and worker are asked to end.
Providers answer after known delays; the telephone hears every frame.

    .venv/bin/python bench/failures.py            # 20 jobs on each path, ten minutes; exit code 0 or 1
    .venv/bin/python bench/failures.py --quick    # 4 jobs, the direct line alone, about two
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.figures import Report, arguments
from bench.timed_line import Spoken
from telephony import logs
from telephony.caller.script_file import parse_script
from tests.bridge.phone import Clip, Phone
from tests.e2e.timed import GREETED_S, hears, is_heard, quiet, timed_line
from tests.waiting import until

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from tests.bridge.phone import PhoneCall
    from tests.e2e.timed import TimedLine

VOICE_S = 1.0
"""Promised on the direct line, where the bridge itself sees the death."""
ROOM_VOICE_S = 6.0
"""Behind room audio the worker sees it: within two seconds another job begins, which then has to join."""
NEW_CALLS_S = 10.0
_STILL_COMING = {"direct": 3, "room": 15}
"""Frames: on the room's way there are two jitter buffers."""
WORDS = "I would like to know your opening hours."
_NEVER_S = 30.0


@dataclass
class Deaths:
    """What became of the calls whose job was killed, in seconds."""

    voice: list[float] = field(default_factory=list)
    saved: int = 0
    parted: int = 0
    lost: list[str] = field(default_factory=list)


class Drill:
    """One line under fire.

    Args:
        phone: who calls.
        words: what the callers say.
    """

    def __init__(
        self, line: TimedLine, phone: Phone, report: Report, *, words: Samples, chance: random.Random
    ) -> None:
        self._line = line
        self._phone = phone
        self._report = report
        self._words = words
        self._chance = chance

    async def kill_jobs(self, number: int) -> None:
        """Kill the job of one call after the other, while it speaks, listens, or says nothing."""
        deaths = Deaths()
        for _ in range(number):
            await self._kill_job(deaths)
            await asyncio.sleep(1.5)
        self._report.notes += [f"{self._line.path}: {problem}" for problem in deaths.lost]
        name = f"{self._line.path}: job killed"
        limit_s = VOICE_S if self._line.path == "direct" else ROOM_VOICE_S
        self._figure(f"{name} → voice, or the end", "s", deaths.voice, limit_s)
        self._report.figure(f"{name}, the talk went on", "calls", [float(deaths.saved)])
        self._report.figure(f"{name}, goodbye and BYE", "calls", [float(deaths.parted)])
        self._report.figure(
            f"{name}, either", "calls", [float(deaths.saved + deaths.parted)], target=number, at_least=True
        )

    async def _kill_job(self, deaths: Deaths) -> None:
        call = await self._line.call(self._phone)
        await hears(call, GREETED_S)
        pid = await self._line.job_comes(call)
        await asyncio.sleep(self._chance.uniform(0.0, 2.5))
        os.kill(pid, signal.SIGKILL)
        try:
            deaths.voice.append(await self._voice_or_end(call))
            if call.session.ended.is_set():
                deaths.parted += 1
                return
            await self._line.job_comes(call, 2)
            await self._answers(call)
            deaths.saved += 1
        except (TimeoutError, AssertionError) as error:
            if call.session.ended.is_set():
                deaths.parted += 1
            else:
                deaths.lost.append(f"a call was left without an agent ({type(error).__name__})")
        finally:
            await _hang_up(call)

    async def _voice_or_end(self, call: PhoneCall) -> float:
        """Seconds from now until the caller hears a new voice, or is let go.

        What the dead job was saying, and is still on its way, is not taken for the new one.
        """
        since = len(call.heard) + _STILL_COMING[self._line.path]
        began = self._phone.clock.now()
        await until(lambda: is_heard(call, since) or call.session.ended.is_set(), _NEVER_S)
        return self._phone.clock.now() - began

    async def _answers(self, call: PhoneCall) -> None:
        """See that the agent that took over hears the caller and answers."""
        await quiet(call)
        since = len(call.heard)
        call.voice = Clip(self._words)
        await hears(call, GREETED_S, since=since)

    async def kill_worker(self, calls: int) -> None:
        """Kill the worker with calls up: they hear a voice or their end, and new ones are taken."""
        up = [await self._line.call(self._phone) for _ in range(calls)]
        for call in up:
            await hears(call, GREETED_S)
        for call in up:
            await self._line.job_comes(call)
            await quiet(call)
        began = self._phone.clock.now()
        os.kill(self._line.line.info().pids["worker"], signal.SIGKILL)
        waits = asyncio.gather(*(self._voice_or_end(call) for call in up), return_exceptions=True)
        new = await self._line.call_until_answered(self._phone, _NEVER_S)
        taken_s = self._phone.clock.now() - began
        await hears(new, GREETED_S)
        await _hang_up(new)
        voices = [wait if isinstance(wait, float) else _NEVER_S for wait in await waits]
        name = f"{self._line.path}: worker killed"
        self._figure(f"{name} → a new call answered", "s", [taken_s], NEW_CALLS_S)
        limit_s = VOICE_S if self._line.path == "direct" else NEW_CALLS_S
        self._figure(f"{name} → voice in the calls that are up, or their end", "s", voices, limit_s)
        for call in up:
            await _hang_up(call)
        await asyncio.sleep(3.0)

    async def restart_under(self, part: str, number: int) -> None:
        """Kill a server that is started again: the talk goes on, on the direct line even before that."""
        answered: list[float] = []
        parted = 0
        for _ in range(number):
            call = await self._line.call(self._phone)
            await hears(call, GREETED_S)
            await self._line.job_comes(call)
            await quiet(call)
            began = self._phone.clock.now()
            os.kill(self._line.line.info().pids[part], signal.SIGKILL)
            try:
                await self._answers_at_last(call)
                answered.append(self._phone.clock.now() - began)
            except (TimeoutError, AssertionError) as error:
                parted += call.session.ended.is_set()
                self._report.notes.append(f"{self._line.path}: {part}: {error or type(error).__name__}")
            await _hang_up(call)
            await _hang_up(await self._line.call_until_answered(self._phone, _NEVER_S))
            await asyncio.sleep(3.0)
        name = f"{self._line.path}: {part} killed and started again"
        self._report.figure(f"{name} → the caller is answered", "s", answered)
        self._report.figure(
            f"{name}, calls that go on", "calls", [float(len(answered))], target=number, at_least=True
        )
        self._report.figure(f"{name}, BYE instead", "calls", [float(parted)], target=0)

    async def _answers_at_last(self, call: PhoneCall) -> None:
        """Say it again, as a person would, until the agent answers."""
        async with asyncio.timeout(_NEVER_S):
            while not call.session.ended.is_set():
                try:
                    await self._answers(call)
                except TimeoutError:
                    continue
                return
        raise AssertionError("the call was ended")

    async def stop_politely(self, part: str) -> None:
        """Ask a part to end while somebody talks: the talk goes on until somebody hangs up."""
        call = await self._line.call(self._phone)
        await hears(call, GREETED_S)
        await self._line.job_comes(call)
        await quiet(call)
        os.kill(self._line.line.info().pids[part], signal.SIGTERM)
        await asyncio.sleep(2.0)
        finished = 0.0
        try:
            assert not call.session.ended.is_set(), "the call was cut"
            await self._answers(call)
            finished = 1.0
        except (TimeoutError, AssertionError) as error:
            self._report.notes.append(f"{self._line.path}: SIGTERM of {part}: {error or 'no answer'}")
        await _hang_up(call)
        self._report.figure(
            f"{self._line.path}: SIGTERM of {part}, live calls that finish",
            "calls",
            [finished],
            target=1,
            at_least=True,
        )
        # It ends now, and is started again.
        await asyncio.sleep(3.0)
        await _hang_up(await self._line.call_until_answered(self._phone, _NEVER_S))

    def _figure(self, name: str, unit: str, samples: list[float], limit: float) -> None:
        self._report.figure(name, unit, samples, target=limit, judged="max")


async def _hang_up(call: PhoneCall) -> None:
    if not call.session.ended.is_set():
        await call.bye()
    call.hush()


async def _measure(options: Any) -> Report:
    report = Report(f"Parts that die during calls, {options.jobs} jobs killed, seed {options.seed}")
    script = parse_script(f"name: words\nsteps:\n  - say: {WORDS}\n  - hang_up\n")
    words = (await Spoken.prepare([script])).lines[WORDS]
    chance = random.Random(options.seed)
    share = -(-options.jobs // len(options.paths))
    for path in options.paths:
        with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
            audio_path = "auto" if path == "direct" else path
            async with timed_line(Path(folder), audio_path) as line, Phone() as phone:
                drill = Drill(line, phone, report, words=words, chance=chance)
                await drill.kill_jobs(share)
                await drill.kill_worker(options.calls)
                for part in ("livekit-server", "redis"):
                    await drill.restart_under(part, options.restarts)
                for part in ("bridge", "worker"):
                    await drill.stop_politely(part)
    return report


def main() -> int:
    """Kill, listen, and print the table."""
    parser = arguments("What callers hear when parts of the line die under them.")
    parser.add_argument("--jobs", type=int, default=40, help="jobs killed, shared by the paths")
    parser.add_argument("--calls", type=int, default=3, help="calls that are up when the worker is killed")
    parser.add_argument("--restarts", type=int, default=3, help="times each server is killed, on each path")
    parser.add_argument("--paths", default="direct,room", help="audio paths")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.quick:
        options.jobs, options.restarts, options.paths = 4, 1, "direct"
    options.paths = [path for path in options.paths.split(",") if path]
    logs.configure("ERROR")
    return asyncio.run(_measure(options)).show(as_json=options.as_json)


if __name__ == "__main__":
    sys.exit(main())
