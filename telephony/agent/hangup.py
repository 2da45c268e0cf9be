"""Hanging up as a protocol: finish speaking, drain the audio, end the room.

An agent that deletes the room when its last word is queued cuts that word: what was handed to the
media stack still has to reach the telephone. So the goodbye is waited for, then the way to the
telephone is waited for, then the room is ended and that is made sure of. Each step has a limit, and
the next one follows whatever became of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = get_logger(__name__)

SPEECH_LIMIT_S = 20.0
"""Longest wait for a goodbye to be spoken."""
DRAIN_S = 0.4
"""From the last sample handed over to the telephone: playout queue, encoder, jitter buffer, bridge."""
ROOM_LIMIT_S = 2.0
"""Longest wait for the server's answer to one attempt; all of them fit into a job's last seconds."""
ROOM_ATTEMPTS = 2
_PAUSE_S = 0.2


class Speech(Protocol):
    """Something that is being said; ``livekit.agents.SpeechHandle`` is one."""

    async def wait_for_playout(self) -> None:
        """Return when it has been played to its end, or stopped."""


@dataclass(frozen=True, slots=True)
class HangUpReport:
    """What became of each step."""

    spoken: bool
    """Whether the goodbye ended by itself in time."""
    ended: bool
    """Whether the server confirmed that the room is gone."""


@dataclass(slots=True)
class HangUp:
    """Ends one call.

    Attributes:
        end_room: deletes the room; a room that is gone already is no error.
        stop_listening: called when the goodbye has been said, so that no new turn begins.
        drain_s: how long audio takes to the telephone.
        speech_limit_s: longest wait for the goodbye.
        room_limit_s: longest wait for one attempt to delete the room.
    """

    end_room: Callable[[], Awaitable[None]]
    stop_listening: Callable[[], None] = lambda: None
    drain_s: float = DRAIN_S
    speech_limit_s: float = SPEECH_LIMIT_S
    room_limit_s: float = ROOM_LIMIT_S

    async def run(self, speech: Speech | None = None) -> HangUpReport:
        """Go through the protocol; never raises but when cancelled.

        Args:
            speech: the goodbye, if one is being said.
        """
        spoken = speech is None or await self._within(
            self.speech_limit_s, speech.wait_for_playout(), "goodbye"
        )
        self.stop_listening()
        await asyncio.sleep(self.drain_s)
        return HangUpReport(spoken, await self.close_room())

    async def close_room(self) -> bool:
        """End the room, with a second attempt where the first fails; whether that was confirmed."""
        for attempt in range(ROOM_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_PAUSE_S)
            if await self._within(self.room_limit_s, self.end_room(), "room"):
                return True
        log.warning("room_not_ended", attempts=ROOM_ATTEMPTS)
        return False

    async def _within(self, limit_s: float, step: Awaitable[None], what: str) -> bool:
        try:
            async with asyncio.timeout(limit_s):
                await step
        except Exception as error:
            log.info("hang_up_step_failed", step=what, reason=str(error) or type(error).__name__)
            return False
        return True
