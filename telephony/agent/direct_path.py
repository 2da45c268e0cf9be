"""The direct line as a session's audio: a socket to the bridge of this machine.

The agent joins the room all the same, without audio: attributes, transcription, data and listeners are
there. Joining is begun before the session starts and nothing waits for it but what needs the room.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.agents import AutoSubscribe

from telephony.agent.room_audio import RoomAudio
from telephony.link.job_end import JobEnd
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from livekit.agents import AgentSession, JobContext
    from livekit.agents.voice.room_io import RoomOptions

    from telephony.link.messages import Clip

log = get_logger(__name__)

_DRAIN_S = 0.06
"""The bridge reports what was sent; the phone's jitter buffer still has it."""
_JOIN_S = 5.0


class DirectPath:
    """The direct line; attributes and methods as those of ``RoomPath``."""

    name = "direct"
    greets_early = True
    drain_s = _DRAIN_S

    def __init__(
        self, end: JobEnd, options: RoomOptions, room: rtc.Room, joining: asyncio.Task[None]
    ) -> None:
        self.options = options
        self.on_key: Callable[[str], None] | None = None
        self.on_answered: Callable[[], None] | None = None
        self.on_hung_up: Callable[[str], None] | None = None
        self.on_lost: Callable[[], None] | None = None
        self._end = end
        self._joining = joining
        end.on_key = lambda key: _tell(self.on_key, key)
        end.on_answered = lambda: self.on_answered() if self.on_answered is not None else None
        end.on_hung_up = lambda cause: _tell(self.on_hung_up, cause)
        end.on_lost = lambda: self.on_lost() if self.on_lost is not None else None
        end.on_room_ready = self._move
        self._room = room
        self._room_audio: RoomAudio | None = None
        self._moving: asyncio.Task[None] | None = None

    @classmethod
    async def attach(
        cls, session: AgentSession[Any], ctx: JobContext, path: Path, options: RoomOptions
    ) -> DirectPath:
        """Connect to the call and give its audio to the session.

        Raises:
            LinkError: the call is over.
        """
        end = JobEnd()
        await end.connect(path, ctx.job.id)
        session.input.audio = end.input
        session.output.audio = end.output
        # Before the session does, which would subscribe to everything.
        joining = asyncio.create_task(
            ctx.connect(auto_subscribe=AutoSubscribe.SUBSCRIBE_NONE), name="join_room"
        )
        return cls(end, options, ctx.room, joining)

    @property
    def brings_keys(self) -> bool:
        """Whether keys come over the socket; in the room they come as anybody's."""
        return self._room_audio is None

    @property
    def call_id(self) -> str:
        """The call's, known at once."""
        return self._end.call_id

    @property
    def answered(self) -> bool:
        """Whether the call was answered."""
        return self._end.answered

    def ready(self) -> None:
        """The agent can talk and listen: the bridge answers the call."""
        self._end.ready()

    def started(self) -> None:
        """The session may be told what is being played."""
        self._end.started()

    def keep_clip(self, clip: Clip, pcm: bytes) -> None:
        """Hand over a clip for when this job dies."""
        self._end.hand_over_clip(clip, pcm)

    def hang_up(self) -> None:
        """End the call now."""
        self._end.hang_up()

    def step_aside(self) -> None:
        """Be gone as if dead, so that the bridge sends for another job."""
        self._end.drop()

    async def leave(self) -> None:
        """Tell the bridge that the job goes of its own will; bounded."""
        self._end.leave()
        await asyncio.wait({self._joining}, timeout=_JOIN_S)
        self._joining.cancel()
        if self._moving is not None:
            self._moving.cancel()
            await asyncio.gather(self._moving, return_exceptions=True)
        if self._room_audio is not None:
            await self._room_audio.close()

    def to_room(self) -> None:
        """Ask the bridge to carry the call's audio through the room."""
        self._end.to_room()

    def _move(self) -> None:
        if self._moving is None:
            self._moving = asyncio.create_task(self._move_to_room(), name="move_to_room")

    async def _move_to_room(self) -> None:
        await self._joining
        audio = RoomAudio(self._room, self._end.push_heard, self._end.output.segments.told)
        try:
            await audio.start()
        except rtc.participant.PublishTrackError as error:
            # The socket is still there, and so the call goes on as it was.
            log.error("room_audio_failed", reason=error.message)
            await audio.close()
            return
        self._room_audio = audio
        self._end.detour(audio.playout)
        log.info("audio_moved", to="room")


def _tell(callback: Callable[[str], None] | None, word: str) -> None:
    if callback is not None:
        callback(word)
