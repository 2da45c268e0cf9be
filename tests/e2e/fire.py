"""Dial requests under fire: duplicates, clients that give up and ask again, parts that are killed.

The carrier is the witness: whatever died when, no number rang twice for one request, every request ended
once, and what the record says of it is what the carrier saw.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telephony.calls.outcomes import sip_verdict
from telephony.errors import TrunklineError
from tests.waiting import limit, until

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from tests.e2e.answerer import Answerer, Seen
    from tests.e2e.outbound import OutboundLine

ENDED_S = 180.0
"""Within this a request has its outcome, whatever was killed: the longest ring time and what follows it."""

_PATIENCE_S = (0.02, 0.3, 5.0)
"""How long the clients wait that ask for one call: two of them give up early and ask again."""

_NEVER_RANG = frozenset({"not_dialled", "no_agent", "too_late", "blocked"})
_LOST = frozenset({"bridge_lost", "agent_lost", "server_lost"})


@dataclass
class Shot:
    """One request and what came of it.

    Attributes:
        call_ids: what the clients were told; one and the same.
        rings: how often the number rang.
        seen: what the carrier saw of it last.
        asked: how often it was asked for.
    """

    number: str
    call_ids: set[str] = field(default_factory=set)
    asked: int = 0
    outcome: str = ""
    code: str = ""
    ends: int = 0
    rings: int = 0
    seen: str = "nothing"
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = f"{self.number}: {self.outcome} {self.code}, rang {self.rings}, carrier saw {self.seen}"
        return f"{told}: {'; '.join(self.problems)}" if self.problems else told


@dataclass
class Fire:
    """One run.

    Args:
        parts: which to kill, in order; one every ``every_s``, once the line is well again.
        pace_s: between one request and the next.
    """

    line: OutboundLine
    carrier: Answerer
    parts: Sequence[str]
    every_s: float
    pace_s: float
    rng: random.Random
    shots: list[Shot] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)

    async def run(self, numbers: Sequence[str], **request: Any) -> list[Shot]:
        """Ask for a call to each number, and judge what came of it."""
        killing = asyncio.create_task(self._kill())
        async with asyncio.TaskGroup() as tasks:
            for number in numbers:
                shot = Shot(number)
                self.shots.append(shot)
                for patience_s in _PATIENCE_S:
                    tasks.create_task(self._ask(shot, patience_s, request))
                await asyncio.sleep(self.pace_s * self.rng.uniform(0.2, 1.8))
        await killing
        await asyncio.gather(*(self._judge(shot) for shot in self.shots))
        return self.shots

    async def _ask(self, shot: Shot, patience_s: float, request: dict[str, Any]) -> None:
        async with limit(ENDED_S):
            while True:
                shot.asked += 1
                try:
                    async with asyncio.timeout(patience_s):
                        call = await self.line.dial(shot.number, f"fire-{shot.number}", **request)
                except (TrunklineError, TimeoutError, OSError):
                    patience_s = 10.0
                    await asyncio.sleep(self.rng.uniform(0.1, 0.5))
                else:
                    shot.call_ids.add(call["id"])
                    return

    async def _kill(self) -> None:
        for part in self.parts:
            await asyncio.sleep(self.every_s * self.rng.uniform(0.5, 1.5))
            await until(self._is_well, timeout_s=120)
            os.kill(self.line.line.info().pids[part], signal.SIGKILL)
            self.killed[part] += 1
        await asyncio.sleep(0.5)
        await until(self._is_well, timeout_s=120)

    async def _is_well(self) -> bool:
        return all([part.pid and await part.spec.ready() for part in self.line.line.parts])

    async def _judge(self, shot: Shot) -> None:
        if len(shot.call_ids) != 1:
            shot.problems.append(f"its clients were told of {len(shot.call_ids)} calls")
            return
        [call_id] = shot.call_ids
        call = await self._ended(call_id)
        if call is None:
            shot.problems.append("it has no outcome")
            return
        shot.outcome, shot.code = call["outcome"], call["code"]
        shot.ends = sum(each["type"] == "call.ended" for each in await self.line.events(call_id))
        seen = self.carrier.of(shot.number)
        shot.rings, shot.seen = len(seen.rings), seen.ends[-1] if seen.ends else "nothing"
        if shot.rings > 1:
            shot.problems.append(f"it rang {shot.rings} times")
        if shot.ends != 1:
            shot.problems.append(f"{shot.ends} ends")
        if problem := disagreement(shot.outcome, shot.code, seen):
            shot.problems.append(problem)

    async def _ended(self, call_id: str) -> dict[str, Any] | None:
        until_s = asyncio.get_running_loop().time() + ENDED_S
        while asyncio.get_running_loop().time() < until_s:
            try:
                return await self.line.ended(call_id, 30)
            except (TrunklineError, TimeoutError, OSError):
                await asyncio.sleep(0.5)
        return None


def disagreement(outcome: str, code: str, seen: Seen) -> str:
    """What the record says otherwise than the carrier saw; empty where they agree or nobody knows."""
    end = seen.ends[-1] if seen.ends else "nothing"
    match outcome:
        case "unknown":
            return ""
        case "answered":
            agrees = end == "answered"
        case "no_answer" | "cancelled":
            agrees = end in ("cancelled", "ringing", "487")
        case "failed" if code in _NEVER_RANG:
            agrees = end == "nothing"
        case "failed" if code in _LOST:
            agrees = end in ("ringing", "cancelled", "answered", "nothing")
        case _:
            agrees = end.isdigit() and sip_verdict(int(end)).outcome == outcome
    return "" if agrees else f"the record says {outcome} ({code}), the carrier saw {end}"
