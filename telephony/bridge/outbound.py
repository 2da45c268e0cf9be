"""One call of our own, from livekit-server's request to its end.

Mirrors livekit/sip v1.11.0 ``pkg/sip/outbound.go``: media port, room (``sip.callStatus=dialing``), INVITE,
``ringing``, ACK, ``active``. Guarantees: exactly one INVITE a request (digest and its repetitions are the
same call); whoever asked is answered exactly once; a call that is called off is cancelled, also where the
answer races the CANCEL; nothing of the call stays.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from livekit import rtc

from telephony.bridge import attributes, ending, outbound_failure, permits
from telephony.bridge.dial_tone import DialTone
from telephony.bridge.dialled_call import DialledCall
from telephony.bridge.early_media import EarlyMedia
from telephony.bridge.media_opening import codecs_for, open_media
from telephony.bridge.nat import hop_to_callee
from telephony.bridge.parties import outbound_parties
from telephony.bridge.room_entry import JOIN_TIMEOUT_S, RoomEntry
from telephony.bridge.watch import Limits
from telephony.calls import job_attributes
from telephony.errors import BusError, LinkError, LiveKitError, RtpError, SdpError, SipError, SipTimeoutError
from telephony.logs import get_logger
from telephony.sip import session_timer
from telephony.sip.identifiers import new_call_id
from telephony.sip.outcome import Outcome
from telephony.sip.outgoing import OutgoingInviteRequest

if TYPE_CHECKING:
    from telephony.bridge.call import Call
    from telephony.bridge.call_services import CallServices
    from telephony.bridge.ending import Ending
    from telephony.bridge.outbound_failure import DialFailure
    from telephony.bridge.outbound_order import DialOrder
    from telephony.bridge.record import CallRecord
    from telephony.sip.endpoint import SipEndpoint
    from telephony.sip.message import SipRequest, SipResponse
    from telephony.sip.outgoing import OutgoingInvite

log = get_logger(__name__)

_PUBLISHED_S = 2.0
_UNUSABLE_BYE_S = 2.0
_LONGER_THAN_ANY_CALL_S = 96 * 3600.0


class OutboundCall:
    """One request for a call.

    Attributes:
        placed: None once whoever asked may be told of success, or what went wrong.
    """

    def __init__(
        self, order: DialOrder, services: CallServices, endpoint: SipEndpoint, record: CallRecord
    ) -> None:
        self.placed: Outcome[BusError | None] = Outcome()
        self._order = order
        self._services = services
        self._endpoint = endpoint
        self._record = record
        self._call = DialledCall(services, record, keys=order.keys)
        self._call.bye_headers = dict(order.attributes_to_headers)
        self._tone = DialTone(services.media, self._call.play_to_room)
        self._sip_call_id_full = new_call_id()
        self._entry: RoomEntry[DialFailure] = RoomEntry(record)
        self._publishing: asyncio.Task[None] | None = None
        self._provisionals = 0
        self._early: EarlyMedia | None = None
        record.mark("requested")
        record.fields.update(trunk_id=order.trunk_id, room=order.room.room_name)
        record.parties = outbound_parties(order, self._sip_call_id_full)

    @property
    def call(self) -> Call:
        """The call as others deal with it."""
        return self._call

    @property
    def order(self) -> DialOrder:
        """What was asked for."""
        return self._order

    @property
    def participant_id(self) -> str:
        """LiveKit's id of the phone's participant; empty outside the room."""
        caller = self._call.caller
        return str(caller.room.local_participant.sid) if caller.connected else ""

    def stop(self) -> None:
        """End the call now, because the bridge stops."""
        self._call.end(ending.BRIDGE_STOPPED)

    def give_up(self) -> None:
        """Whoever asked waits no longer: call it off unless it is answered."""
        if not self.placed.done:
            self._call.end(ending.NOT_WANTED)

    async def run(self) -> Ending:
        """Carry the call from here to its end, and write that down."""
        structlog.contextvars.bind_contextvars(call_id=self._record.call_id)
        try:
            async with asyncio.TaskGroup() as tasks:
                failure, how = await self._carry(tasks)
        finally:
            self._quiet()
            self._call.drop()
            self.placed.set(BusError("the call ended before anything was known of it", code="internal"))
        self._record.ended(
            how,
            sip_status=200 if failure is None else failure.sip_status,
            rtp=self._call.rtp_statistics(),
            media=self._call.media.statistics(),
        )
        return how

    async def _carry(self, tasks: asyncio.TaskGroup) -> tuple[DialFailure | None, Ending]:
        failure: DialFailure | None = None
        try:
            failure = await self._place(tasks)
            how = await self._call.converse() if failure is None else failure.ending
        except Exception as error:
            log.exception("call_failed", call_id=self._record.call_id)
            if self._call.session is None:
                failure = outbound_failure.failed(error)
            how = ending.BRIDGE_FAILED
        if failure is not None:
            self.placed.set(failure.error)
        try:
            await self._release(failure, how)
        except Exception:
            log.exception("call_release_failed", call_id=self._record.call_id)
        return failure, how

    async def _place(self, tasks: asyncio.TaskGroup) -> DialFailure | None:
        failure = await self._open_media() or await self._enter_room(tasks)
        if failure is not None:
            return failure
        if not self._order.waits:
            self.placed.set(None)
        return await self._dial(tasks)

    async def _open_media(self) -> DialFailure | None:
        codecs = codecs_for(self._services, self._order.codecs)
        if not codecs:
            return outbound_failure.no_codec(
                SdpError("none of the codecs that the trunk lists is spoken here")
            )
        try:
            self._agreement = await open_media(self._services, self._call, codecs)
        except RtpError as error:
            return outbound_failure.no_room(error)
        wanted = self._order.attributes.get(attributes.EARLY_MEDIA)
        if wanted == "true" or (self._services.config.early_media and wanted != "false"):
            rtp, media = self._call.rtp, self._services.media
            assert rtp is not None, "just opened"
            self._early = EarlyMedia(rtp, self._agreement, media, self._call.play_to_room)
        return None

    # The room

    async def _enter_room(self, tasks: asyncio.TaskGroup) -> DialFailure | None:
        self._entry.begin(tasks, self._join())
        if not await self._entry.entered():
            return outbound_failure.no_room(f"livekit-server did not answer within {JOIN_TIMEOUT_S:.0f} s")
        failure = self._entry.failure
        if failure is None:
            self._publishing = tasks.create_task(self._publish())
        return failure

    async def _join(self) -> DialFailure | None:
        order, rooms = self._order, self._services.rooms
        given = {**order.attributes, attributes.CALL_STATUS: "dialing"}
        self._call.place = order.room
        given.pop(job_attributes.LINK, None)
        try:
            if link := await self._call.offer_line():
                given[job_attributes.LINK] = link
            await self._call.caller.join(order.room.ws_url or rooms.url, rooms.token(order.room, given))
        except (LiveKitError, LinkError) as error:
            return outbound_failure.no_room(error)
        self._record.mark("joined")
        self._call.joined.set()
        return None

    async def _publish(self) -> None:
        """Beside the dialling: the phone is not kept waiting for it."""
        try:
            await self._call.publish()
        except LiveKitError as error:
            log.warning("track_not_published", call_id=self._record.call_id, reason=error.message)
            self._call.end(ending.SERVER_LOST)
            return
        self._record.mark("published")
        is_early = self._early is not None and self._early.playing
        if self._order.dial_tone and not is_early and self._call.session is None and not self._call.over.done:
            self._tone.start()

    # The phone

    async def _dial(self, tasks: asyncio.TaskGroup) -> DialFailure | None:
        order = self._order
        if self._call.over.value is not None:
            return outbound_failure.called_off(self._call.over.value)
        if permits.is_too_late(order.attributes):
            return outbound_failure.no_room("its time was over before it could be dialled")
        self._record.emit("call.dialling", **self._record.parties)
        wanted = OutgoingInviteRequest(
            uri=order.uri,
            from_=order.from_,
            to=order.to,
            body=self._agreement.offer(),
            headers=[*order.headers, *session_timer.offer_headers(self._session_expires_s)],
            revise=self._lengthen,
            credentials=order.credentials,
            call_id=self._sip_call_id_full,
            local_tag=order.sip_call_id,
        )
        try:
            invite = await self._endpoint.invite(wanted)
        except SipError as error:
            return outbound_failure.not_sent(error)
        self._record.mark("dialled")
        invite.on_provisional = lambda response: self._progress(response, tasks)
        try:
            response = await self._final(invite, tasks)
        except SipTimeoutError:
            if invite.cancelled:
                return outbound_failure.rang_out(order.ringing_timeout_s, self._provisionals)
            return outbound_failure.no_response(self._provisionals)
        except SipError as error:
            return outbound_failure.connection_failed(error)
        finally:
            self._quiet()
        if response is None:
            return outbound_failure.called_off(self._call.over.value or ending.NOT_WANTED)
        if response.status in (401, 407):
            return outbound_failure.not_authenticated(
                response.status, has_credentials=order.credentials is not None
            )
        if response.status >= 300:
            return outbound_failure.refused(response.status, response.reason)
        return await self._answered(invite, response, tasks)

    async def _final(self, invite: OutgoingInvite, tasks: asyncio.TaskGroup) -> SipResponse | None:
        """The final response, or None if the call was over before; then it is cancelled."""
        final = tasks.create_task(_result(invite, self._order.ringing_timeout_s))
        over = tasks.create_task(self._over())
        await asyncio.wait({final, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if final.done():
            outcome = final.result()
            if isinstance(outcome, SipError):
                raise outcome
            return outcome
        invite.cancel()
        final.cancel()
        return None

    @property
    def _session_expires_s(self) -> int:
        return round(self._services.config.session_expires)

    def _lengthen(self, invite: SipRequest, response: SipResponse) -> bool:
        """A 422: the same INVITE with the interval that it names is another try of the same call."""
        if response.status != 422 or "Min-SE" not in response.headers:
            return False
        for name, value in session_timer.offer_headers(
            self._session_expires_s, session_timer.min_se(response)
        ):
            invite.headers.set(name, value)
        return True

    def _quiet(self) -> None:
        self._tone.stop()
        if self._early is not None:
            self._early.stop()

    async def _over(self) -> None:
        await self._call.over.wait(self._services.clock, _LONGER_THAN_ANY_CALL_S)

    def _progress(self, response: SipResponse, tasks: asyncio.TaskGroup) -> None:
        self._provisionals += 1
        early = self._early if response.body and not self._call.over.done else None
        if early is not None and early.described(response.body):
            self._record.mark("early_media")
            self._tone.stop()
        if response.status < 180 or self._record.at("ringing") is not None or self._call.over.done:
            return
        self._record.mark("ringing")
        self._record.emit("call.ringing", **self._record.parties)
        self._call.ringing(tasks)

    async def _answered(
        self, invite: OutgoingInvite, response: SipResponse, tasks: asyncio.TaskGroup
    ) -> DialFailure | None:
        call, session = self._call, invite.session
        assert session is not None, "a 2xx makes it"
        try:
            # Some say all in their 183 and nothing in the 200.
            repeats = not response.body and self._agreement.is_agreed
            answer = self._agreement.current if repeats else self._agreement.accept(response.body)
        except SdpError as error:
            await session.bye(timeout_s=_UNUSABLE_BYE_S)
            return outbound_failure.no_codec(error)
        session.next_hop = hop_to_callee(invite, response)
        call.answer_attributes = {
            **attributes.header_attributes(
                response.headers,
                mapping=self._order.headers_to_attributes,
                include=self._order.include_headers,
            ),
            attributes.CALL_TAG: attributes.clean(response.to.tag or ""),
            attributes.CALL_ID_FULL: attributes.clean(invite.call_id),
        }
        call.settle_path()
        call.connect(session, self._limits(), tasks, session_timer.agreed(response))
        self.placed.set(None)
        self._record.emit("call.answered", codec=answer.codec, audio_path=call.media.name)
        log.info("call_answered", call_id=self._record.call_id, marks_ms=self._record.marks_ms)
        return None

    def _limits(self) -> Limits:
        config = self._services.config
        return Limits(
            media_initial_s=config.media_timeout_initial,
            media_s=self._order.media_timeout_s or config.media_timeout,
            max_duration_s=self._order.max_call_duration_s,
            server_loss_s=config.server_loss_timeout,
        )

    # The end

    async def _release(self, failure: DialFailure | None, how: Ending) -> None:
        self._quiet()
        self._call.stop_telling()
        await self._entry.settled()
        if self._publishing is not None:
            if not self._call.caller.connected:
                self._publishing.cancel()
            # Whoever publishes nothing is not told of to others: they would never learn of the failure.
            await asyncio.wait({self._publishing}, timeout=_PUBLISHED_S)
        if failure is not None:
            # The reason is all that the room learns of a call that came to nothing.
            await self._call.caller.leave(rtc.DisconnectReason.ValueType(failure.reason))
        await self._call.release(says_bye=failure is None and how.says_bye)


async def _result(invite: OutgoingInvite, timeout_s: float) -> SipResponse | SipError:
    try:
        return await invite.final(timeout_s)
    except SipError as error:
        return error
