"""The caller on hold: asked of the bridge by an attribute of the caller's participant.

Guarantee: ``put`` returns True only when the bridge has said that the phone hears music and nobody hears
the phone. A bridge that knows no hold, such as livekit-sip, never says so, and nothing private is spoken.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from livekit import api

from telephony.calls.job_attributes import HELD, HOLD, HOLD_MUSIC
from telephony.logs import get_logger

if TYPE_CHECKING:
    from livekit.agents import JobContext

log = get_logger(__name__)

ANSWER_S = 2.0
"""How long the bridge may take to begin the music."""
_REQUEST_S = 3.0


class Hold:
    """The hold of one caller.

    Args:
        ctx: the job; its room is connected when a hold is asked for.
        identity: the caller's in the room.
    """

    def __init__(self, ctx: JobContext, identity: str) -> None:
        self._ctx = ctx
        self._identity = identity

    async def put(self) -> bool:
        """Have the phone hear music; whether it does."""
        if not await self._ask(HOLD_MUSIC):
            return False
        if not await self._begun():
            log.info("hold_not_served")
            await self._ask("")
            return False
        return True

    async def release(self) -> None:
        """Let the phone hear the call again; a failure is logged, and tried a second time."""
        if not await self._ask(""):
            await self._ask("")

    async def _begun(self) -> bool:
        changed = asyncio.Event()

        def look(*_: object) -> None:
            changed.set()

        self._ctx.room.on("participant_attributes_changed", look)
        try:
            async with asyncio.timeout(ANSWER_S):
                while not self._is_held():
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            return False
        finally:
            self._ctx.room.off("participant_attributes_changed", look)
        return True

    def _is_held(self) -> bool:
        caller = self._ctx.room.remote_participants.get(self._identity)
        return caller is not None and caller.attributes.get(HELD) == HOLD_MUSIC

    async def _ask(self, hold: str) -> bool:
        request = api.UpdateParticipantRequest(
            room=self._ctx.room.name, identity=self._identity, attributes={HOLD: hold}
        )
        try:
            async with asyncio.timeout(_REQUEST_S):
                await self._ctx.api.room.update_participant(request)
        except (api.ServerError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("hold_not_asked", on=bool(hold), reason=str(error) or type(error).__name__)
            return False
        return True
