"""The operator's telephone in the caller's room: dialled, listened to, hung up.

One request, one ring: a dial is never repeated. Guarantee: a leg that is not wanted any more is taken out of
the room, which hangs it up or calls the ringing off, also where whoever dialled is cancelled.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

import aiohttp
from livekit import api, rtc

from telephony.agent.handover.outcome import failure_of
from telephony.agent.handover.trunk import find_destination
from telephony.calls.job_attributes import OPERATOR, ROLE
from telephony.errors import LiveKitError, TransferError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import JobContext
    from livekit.rtc.room import EventTypes

log = get_logger(__name__)

ACTIVE_S = 3.0
"""How long after the answer the bridge may take to let the operator hear the room."""
_ANSWER_S = 5.0
_HANG_UP_S = 3.0
_EVENTS: Final[tuple[EventTypes, ...]] = (
    "participant_connected",
    "participant_attributes_changed",
    "track_published",
    "track_subscribed",
)


class OperatorLeg:
    """One call to one operator.

    Attributes:
        identity: the operator's in the room.
        on_key: a key that the operator presses.
        on_gone: the operator is not in the room any more; told once.
    """

    def __init__(self, ctx: JobContext, identity: str = "") -> None:
        self.identity = identity or f"{OPERATOR}-{secrets.token_hex(4)}"
        self.on_key: Callable[[str], None] | None = None
        self.on_gone: Callable[[], None] | None = None
        self.gone = asyncio.Event()
        self._ctx = ctx
        self._dialled = bool(identity)
        self._changed = asyncio.Event()
        for event in _EVENTS:
            ctx.room.on(event, self._look)
        ctx.room.on("sip_dtmf_received", self._key)
        ctx.room.on("participant_disconnected", self._left)

    @classmethod
    def found(cls, ctx: JobContext, identity: str) -> OperatorLeg:
        """A leg that another job has dialled."""
        return cls(ctx, identity)

    @property
    def answered(self) -> bool:
        """Whether the operator hears the room."""
        found = self._participant
        return found is not None and found.attributes.get("sip.callStatus") == "active"

    async def dial(self, target: str, *, trunk: str | None, number: str, ringing_s: int) -> None:
        """Call the operator into the room; returns when the call was answered.

        Args:
            target: a ``sip:`` or ``tel:`` address.
            trunk: the outbound trunk's name; None for the only one.
            number: shown to the operator; empty for the trunk's own.

        Raises:
            TransferError: it was not answered.
            LiveKitError: the server did not say what became of it.
        """
        try:
            async with asyncio.timeout(ringing_s + _ANSWER_S):
                where = await find_destination(self._ctx, target, trunk)
                request = api.CreateSIPParticipantRequest(
                    sip_call_to=where.user,
                    sip_trunk_id=where.trunk_id,
                    room_name=self._ctx.room.name,
                    participant_identity=self.identity,
                    participant_attributes={ROLE: OPERATOR},
                    wait_until_answered=True,
                )
                if where.host:
                    request.trunk.hostname = where.host
                    request.trunk.transport = where.transport
                    request.sip_number = number
                request.ringing_timeout.FromSeconds(ringing_s)
                self._dialled = True
                await self._ctx.api.sip.create_sip_participant(request)
        except api.ServerError as error:
            failure = failure_of(error.code, error.message or error.code, error.metadata)
            raise TransferError(
                f"the operator was not reached: {error.message or error.code}",
                outcome=failure.outcome,
                cause=failure.cause,
                sip_status=failure.sip_status,
            ) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LiveKitError("livekit-server did not say whether the operator answered") from error

    async def active(self) -> bool:
        """Wait until the operator hears the room; whether he is still there."""
        try:
            async with asyncio.timeout(ACTIVE_S):
                while not self.gone.is_set():
                    if self.answered:
                        return True
                    await self._change()
        except TimeoutError:
            # A phone that sends no sound is connected all the same.
            log.info("operator_not_active_yet")
        return not self.gone.is_set() and self._participant is not None

    async def track(self) -> rtc.RemoteAudioTrack:
        """The operator's voice, as soon as it is subscribed; asks for it. Waits till it is cancelled."""
        while (track := self._subscribed()) is None:
            await self._change()
        return track

    def _subscribed(self) -> rtc.RemoteAudioTrack | None:
        participant = self._participant
        for publication in participant.track_publications.values() if participant is not None else ():
            if publication.kind != rtc.TrackKind.KIND_AUDIO:
                continue
            if not publication.subscribed:
                publication.set_subscribed(True)
            elif isinstance(publication.track, rtc.RemoteAudioTrack):
                return publication.track
        return None

    async def hang_up(self) -> None:
        """Take the operator out of the room; bounded, harmless when repeated or never dialled."""
        self.release()
        if not self._dialled or self.gone.is_set():
            return
        self._dialled = False
        request = api.RoomParticipantIdentity(room=self._ctx.room.name, identity=self.identity)
        try:
            async with asyncio.timeout(_HANG_UP_S):
                await self._ctx.api.room.remove_participant(request)
        except api.ServerError as error:
            if error.code != api.ServerErrorCode.NOT_FOUND:
                log.warning("operator_not_removed", reason=error.message or error.code)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("operator_not_removed", reason=str(error) or type(error).__name__)

    def release(self) -> None:
        """Listen to the room no more."""
        for event in _EVENTS:
            self._ctx.room.off(event, self._look)
        self._ctx.room.off("sip_dtmf_received", self._key)
        self._ctx.room.off("participant_disconnected", self._left)

    def _look(self, *_: object) -> None:
        self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    @property
    def _participant(self) -> rtc.RemoteParticipant | None:
        return self._ctx.room.remote_participants.get(self.identity)

    def _key(self, event: rtc.SipDTMF) -> None:
        if event.participant is not None and event.participant.identity == self.identity and self.on_key:
            self.on_key(event.digit)

    def _left(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self.identity and not self.gone.is_set():
            self.gone.set()
            self._changed.set()
            if self.on_gone is not None:
                self.on_gone()
