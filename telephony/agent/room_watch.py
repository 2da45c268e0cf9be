"""What the room tells of one call: the caller's coming and leaving, its keys, the connection to the server.

A connection that was lost is no end: the caller's may come back, and so may ours, without which nobody is
seen. Each is waited for as long as the call can go on without it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit import rtc

from telephony.agent.caller import Caller, find_caller
from telephony.agent.dialled import dials_out
from telephony.agent.ending import SERVER_LOST, Ending, caller_left, is_meant
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import JobContext

    from telephony.agent.audio_path import RoomPath
    from telephony.agent.direct_path import DirectPath
    from telephony.agent.end_of_call import EndOfCall
    from telephony.agent.tasks import Tasks

log = get_logger(__name__)

CALLER_WAIT_S = 10.0
"""How long a job waits for its caller to be in the room."""
CALLEE_WAIT_S = 60.0
"""The same in a call that is dialled: the job is there before the phone is."""
SERVER_AWAY_S = 15.0
"""How long livekit-server may be away from a call that goes through its room."""
CALLER_BACK_S = 3.0
"""How long a caller whose connection was lost may be away while ours is whole."""

_LOOK_S = 0.1


class RoomWatch:
    """One call's.

    Args:
        ctx: the job; its room need not be connected.
        end: ends the call when the room says that it is over.
        tasks: the call's.
        on_key: told of the caller's keys, where they come through the room.
        on_answered: told that the call was answered; more than once.

    Attributes:
        caller: who is on the telephone; None until that is known.
        path: the way of the call's audio; None until it is attached.
    """

    def __init__(
        self,
        ctx: JobContext,
        end: EndOfCall,
        tasks: Tasks,
        *,
        on_key: Callable[[str], None],
        on_answered: Callable[[], None],
    ) -> None:
        self._ctx = ctx
        self._end = end
        self._tasks = tasks
        self._tell_key = on_key
        self._tell_answered = on_answered
        self.caller: Caller | None = None
        self.path: RoomPath | DirectPath | None = None
        self._away = False
        self._missed = False

    def follow(self) -> None:
        """Listen to the room from now on."""
        room = self._ctx.room
        room.on("participant_disconnected", self._on_left)
        room.on("participant_attributes_changed", self._on_attributes)
        room.on("sip_dtmf_received", self._on_key)
        room.on("reconnecting", self._on_away)
        room.on("reconnected", self._on_back)
        room.on("disconnected", self._on_gone)

    async def await_caller(self) -> Caller | None:
        """Wait for the caller; None where nobody came, which ends the call, or where it is over."""
        dialled = dials_out(self._ctx.job.metadata)
        limit_s = CALLEE_WAIT_S if dialled else CALLER_WAIT_S
        found = self.caller = await find_caller(self._ctx.room, limit_s, self._end.over, telephone=dialled)
        if found is None and not self._end.over.is_set():
            log.info("caller_never_arrived", waited_s=limit_s)
            never = Ending("line", "the call was never dialled")
            self._end.end(never if dialled else Ending("caller", "the caller never arrived"))
        return found

    @property
    def _brings_keys(self) -> bool:
        """Whether the call's audio comes over the direct line, and keys and the call's end with it."""
        return self.path is not None and self.path.brings_keys

    # The caller

    def _on_attributes(self, changed: dict[str, str], participant: rtc.Participant) -> None:
        if self.caller is None or participant.identity != self.caller.identity:
            return
        self.caller.update(changed)
        if self.caller.answered:
            self._tell_answered()
        if self.caller.has_hung_up:
            client = rtc.DisconnectReason.CLIENT_INITIATED
            self._end.end(caller_left(client, handed_over=self._end.handed_over))

    def _on_key(self, event: rtc.SipDTMF) -> None:
        if self.caller is None or event.participant is None or self._brings_keys:
            return
        if event.participant.identity == self.caller.identity:
            self._tell_key(event.digit)

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        if self.caller is None or participant.identity != self.caller.identity:
            return
        ending = caller_left(participant.disconnect_reason, handed_over=self._end.handed_over)
        if ending.by == "line" and self._brings_keys:
            # On the direct line the caller is no further than the bridge, which tells when he is gone.
            log.info("caller_not_in_room", cause=ending.cause)
            return
        if ending.by == "line" and not self._end.hanging_up and not is_meant(participant.disconnect_reason):
            if not self._missed:
                self._missed = True
                self._tasks.spawn(self._await_again(participant.identity, ending))
            return
        # A caller who is put out of the room by our own hanging up has not lost the line.
        self._end.told(ending)

    async def _await_again(self, identity: str, otherwise: Ending) -> None:
        """Connections that were lost come back: the caller's, and ours, without which nobody is seen."""
        log.info("caller_missed", cause=otherwise.cause)
        loop = asyncio.get_running_loop()
        until = loop.time() + CALLER_BACK_S
        while self._away or identity not in self._ctx.room.remote_participants:
            if self._away:
                until = loop.time() + CALLER_BACK_S
            elif loop.time() > until:
                self._end.end(otherwise)
                return
            await asyncio.sleep(_LOOK_S)
        self._missed = False
        log.info("caller_back")

    # The server

    def _on_away(self) -> None:
        self._away = True
        log.warning("livekit_lost")
        if self.path is not None and not self.path.brings_keys:
            self._tasks.spawn(self._await_server())

    async def _await_server(self) -> None:
        """Through the room there is no call without the server; of the direct line the bridge knows."""
        until = asyncio.get_running_loop().time() + SERVER_AWAY_S
        while self._away:
            if asyncio.get_running_loop().time() > until:
                self._end.room_gone = True
                self._end.told(SERVER_LOST)
                return
            await asyncio.sleep(_LOOK_S)

    def _on_back(self) -> None:
        self._away = False
        log.info("livekit_back")

    def _on_gone(self, reason: object = None) -> None:
        self._end.room_gone = True
        if self._away and self.path is not None and self.path.brings_keys and not is_meant(reason):
            # livekit-agents ends a job that is out of its room; the call has another one in a moment.
            self.path.step_aside()
            self._end.superseded = True
        self._end.told(SERVER_LOST if self._away else Ending("line", "the room was closed"))
