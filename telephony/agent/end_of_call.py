"""The end of one call: once, by whoever was first, and with it the room.

The caller ends it by leaving, the agent by its protocol of hanging up (``hangup``), the operator by taking
over, the line by failing; ``ending`` has the words for each. Whatever it was, the talk is stopped, the job is
shut down and the room is ended.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.agent.ending import Ending, bridge_hung_up
from telephony.agent.hangup import DRAIN_S, HangUp
from telephony.agent.room import delete_room
from telephony.logs import get_logger

if TYPE_CHECKING:
    from livekit.agents import JobContext, RunContext
    from livekit.agents.voice import SpeechHandle

    from telephony.agent.audio_path import RoomPath
    from telephony.agent.direct_path import DirectPath
    from telephony.agent.talk import Talk
    from telephony.agent.tasks import Tasks

log = get_logger(__name__)


class EndOfCall:
    """One call's.

    Args:
        ctx: the job, which is shut down with the call.
        tasks: the call's; one of them hangs up.

    Attributes:
        talk: is stopped with the call; None until there is one.
        over: set when the call has ended, for whatever reason.
        hanging_up: how the call ends that the agent is hanging up; None while it is not.
        room_gone: whether the room has ended, or is another job's.
        superseded: whether another job has the call: neither its room nor its record is ours.
        handed_over: whether the operator's side has taken the call.
    """

    def __init__(self, ctx: JobContext, tasks: Tasks) -> None:
        self._ctx = ctx
        self._tasks = tasks
        self._path: RoomPath | DirectPath | None = None
        self._ending: Ending | None = None
        self.talk: Talk | None = None
        self.over = asyncio.Event()
        self.hanging_up: Ending | None = None
        self.room_gone = False
        self.superseded = False
        self.handed_over = False

    def follow(self, path: RoomPath | DirectPath) -> None:
        """End the call by a way that its audio has, and when that tells that it is over."""
        self._path = path
        path.on_hung_up = lambda cause: self.told(bridge_hung_up(cause, handed_over=self.handed_over))
        path.on_lost = self._on_lost

    @property
    def is_decided(self) -> bool:
        """Whether the call has ended, or is being hung up."""
        return self._ending is not None or self.hanging_up is not None

    @property
    def ending(self) -> Ending:
        """How the call ended, for its record."""
        return self._ending or self.hanging_up or Ending("line", "the job was stopped")

    # Ending it

    def end(self, ending: Ending) -> None:
        """End the call; only the first ending counts."""
        if self._ending is not None:
            return
        self._ending = ending
        self.over.set()
        if self.talk is not None:
            self.talk.close()
        # livekit-agents closes the session, then has the call finish, then ends the process.
        self._ctx.shutdown(ending.cause)

    def told(self, ending: Ending) -> None:
        """End the call as somebody else tells; where that is the line, our own hanging up did it."""
        self.end(self.hanging_up if self.hanging_up and ending.by == "line" else ending)

    async def fail(self, cause: str) -> None:
        """End a call that could not begin: nobody is left in a room without an agent."""
        log.error("call_failed", reason=cause)
        if self._path is not None:
            self._path.hang_up()
        await self.close_room()
        self.end(Ending("line", cause))

    async def close_room(self) -> None:
        """End the room, unless it is gone; bounded, never fails."""
        if not self.room_gone:
            self.room_gone = await HangUp(self._delete_room).close_room()

    # Hanging up

    def said_goodbye(self, context: RunContext[None]) -> None:
        """Hang up after what a tool's speech is saying."""
        try:
            context.disallow_interruptions()
        except RuntimeError:
            # The caller has already spoken into the goodbye, which ends here.
            log.info("goodbye_interrupted")
        self.hang_up(Ending("agent", "the agent said goodbye"), context.speech_handle)

    def hang_up(self, ending: Ending, speech: SpeechHandle | None) -> None:
        """End the call once the goodbye has been heard; harmless where that is under way."""
        if self.is_decided:
            return
        self.hanging_up = ending
        if self.talk is not None:
            self.talk.closing()
        self._tasks.spawn(self._run_hang_up(ending, speech))

    async def _run_hang_up(self, ending: Ending, speech: SpeechHandle | None) -> None:
        stop = self.talk.stop_listening if self.talk is not None else (lambda: None)
        drain_s = self._path.drain_s if self._path is not None else DRAIN_S
        report = await HangUp(self._end_call, stop, drain_s=drain_s).run(speech)
        self.room_gone = report.ended
        log.info("hung_up", spoken=report.spoken, room_ended=report.ended)
        self.end(ending)

    async def _end_call(self) -> None:
        if self._path is not None:
            self._path.hang_up()
        await self._delete_room()

    async def _delete_room(self) -> None:
        await delete_room(self._ctx.api, self._ctx.job.room.name)

    def _on_lost(self) -> None:
        # The bridge cut us off, and has another job or is gone itself.
        self.superseded = self.room_gone = True
        self.end(Ending("line", "the bridge is gone"))
