"""One inbound call, from INVITE to its end.

Mirrors livekit/sip v1.11.0 ``pkg/sip/inbound.go``: 100, trunk, digest, 180 until the agent is there,
dispatch rule, media, room, 200 when somebody's audio is subscribed, ``active`` with the phone's first
packet. Guarantee: every INVITE gets a final answer, and whatever happens nothing of the call stays:
no task, no port, no participant, no room that was made for it and never used.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from telephony.bridge import attributes, ending, refusal
from telephony.bridge.agent_wait import AgentWait
from telephony.bridge.call import Call
from telephony.bridge.caller_identity import told_headers
from telephony.bridge.ending import Ending
from telephony.bridge.media_opening import codecs_for, open_media
from telephony.bridge.nat import hop_to_caller
from telephony.bridge.parties import inbound_parties
from telephony.bridge.pin_prompt import PinPrompt
from telephony.bridge.pin_sounds import Announcement
from telephony.bridge.refusal import Refusal
from telephony.bridge.ringback_media import RingbackMedia
from telephony.bridge.ringing import Ringing
from telephony.bridge.room_entry import JOIN_TIMEOUT_S, RoomEntry
from telephony.bridge.routing import CallRouting
from telephony.bridge.watch import MAX_DURATION_S, Limits
from telephony.errors import LiveKitError, RtpError, SdpError, SipError, SipParseError
from telephony.logs import get_logger
from telephony.sip import session_timer
from telephony.sip.session import DialogSession
from telephony.sip.session_timer import TooBrief

if TYPE_CHECKING:
    from telephony.bridge.call_services import CallServices
    from telephony.bridge.io_service import Dispatch
    from telephony.bridge.record import CallRecord
    from telephony.bridge.trunk_auth import TrunkAuth
    from telephony.sip.incoming import IncomingInvite
    from telephony.sip.session_timer import Terms

log = get_logger(__name__)

_LOOK_FOR_ROOM_S = 0.3


class InboundCall:
    """One INVITE that was not refused at the door.

    Args:
        sip_call_id: ``SCL_…``: LiveKit's id of the call, and our tag.
    """

    def __init__(
        self,
        invite: IncomingInvite,
        sip_call_id: str,
        services: CallServices,
        trunk_auth: TrunkAuth,
        record: CallRecord,
    ) -> None:
        self._invite = invite
        self._services = services
        self._record = record
        self._call = Call(services, record)
        self._routing = CallRouting(invite, sip_call_id, services.io, trunk_auth, record, services.limits)
        self._ringing = Ringing(invite, services.clock, services.config.sip_ringing_interval, record)
        self._entry: RoomEntry[Refusal] = RoomEntry(record)
        self._wait = AgentWait(self._call, self._routing.dispatch, self._ringing.begin)
        self._joined_with: dict[str, str] = {}
        self._releasing = False
        self._stopping: Refusal | None = None
        self._terms: Terms | None = None
        self._giving_up: asyncio.Task[None] | None = None
        self._connected = False
        record.mark("invite")
        record.parties = inbound_parties(invite, sip_call_id)
        invite.on_cancelled = self._cancelled

    @property
    def call(self) -> Call:
        """The call as others deal with it."""
        return self._call

    @property
    def answered(self) -> bool:
        """Whether the call was answered."""
        return self._call.session is not None

    def stop(self) -> None:
        """End the call now, because the bridge stops."""
        self._stopping = refusal.draining()
        self._wait.refuse(self._stopping)
        self._call.end(ending.BRIDGE_STOPPED)

    def ask_for_credentials(self) -> None:
        """Send the challenge once ``run`` gave None and the call is forgotten: it comes back at once."""
        self._invite.respond(
            407, "Proxy Authentication Required", headers=[("Proxy-Authenticate", self._routing.challenge)]
        )

    async def run(self) -> Refusal | Ending | None:
        """Carry the call from here to its end, which is written down unless it is a refusal.

        Returns:
            Why it was refused, how it ended, or None if the caller was asked for credentials.
        """
        structlog.contextvars.bind_contextvars(call_id=self._record.call_id)
        try:
            async with asyncio.TaskGroup() as tasks:
                result = await self._carry(tasks)
        finally:
            self._call.drop()
        if isinstance(result, Ending):
            self._record.ended(
                result,
                sip_status=200 if self.answered else 487,
                rtp=self._call.rtp_statistics(),
                media=self._call.media.statistics(),
            )
        return result

    async def _carry(self, tasks: asyncio.TaskGroup) -> Refusal | Ending | None:
        result: Refusal | Ending | None
        try:
            result = self._final(await self._sequence(tasks))
        except Exception as error:
            log.exception("call_failed", call_id=self._record.call_id)
            result = ending.BRIDGE_FAILED if self.answered else refusal.internal(error)
        try:
            await self._release(result)
        except Exception:
            log.exception("call_release_failed", call_id=self._record.call_id)
        return result

    def _final(self, result: Refusal | Ending | None) -> Refusal | Ending | None:
        """A refusal that comes after the answer is an end: the phone gets BYE."""
        if not isinstance(result, Refusal) or not self.answered:
            return result
        self._record.fields.update(field=result.field, fix=result.fix)
        return ending.after_answer(result.sentence, wrong_pin=result is refusal.WRONG_PIN)

    async def _sequence(self, tasks: asyncio.TaskGroup) -> Refusal | Ending | None:
        steps = (
            self._read_invite,
            lambda: self._routing.find_trunk(tasks),
            self._find_room,
            self._open_media,
            lambda: self._ask_pin(tasks),
            lambda: self._send_for_agent(tasks),
            lambda: self._join(tasks),
            lambda: self._wait.decided(tasks),
        )
        for step in steps:
            refused = await step()
            if self._invite.cancelled.is_set():
                return ending.CALLER_CANCELLED
            if self.answered and self._call.over.value is not None:
                return self._call.over.value
            if refused or self._stopping:
                return self._stopping or refused
            if self._routing.challenge:
                return None
        return await self._answer(tasks)

    # Steps: each returns why the call is refused, or None to go on

    async def _read_invite(self) -> Refusal | None:
        """See that the headers of a dialog are there before anybody is asked about the call."""
        request = self._invite.request
        try:
            if not request.from_.tag:
                raise SipParseError("it has no tag", field="From")
            if request.contact is None or not request.contact.uri.is_sip:
                raise SipParseError("it names no address to answer to", field="Contact")
        except SipParseError as error:
            return refusal.malformed(error)
        terms = session_timer.accept(request, wanted_s=round(self._services.config.session_expires))
        self._terms = None if isinstance(terms, TooBrief) else terms
        return None

    async def _find_room(self) -> Refusal | None:
        refused = await self._routing.find_room()
        self._wait.dispatch = self._routing.dispatch
        return refused if refused is not None or self._routing.asks_pin else self._follow_rule()

    def _follow_rule(self) -> Refusal | None:
        self._wait.dispatch = self._routing.dispatch
        self._call.bye_headers = dict(self._dispatch.attributes_to_headers)
        refused = self._wait.choose_path()
        self._call.place = self._dispatch
        if refused is None:
            self._record.emit("call.ringing", **self._record.parties)
        return refused

    async def _open_media(self) -> Refusal | None:
        codecs = codecs_for(self._services, self._dispatch.codecs)
        try:
            agreement = await open_media(self._services, self._call, codecs)
            if self._invite.request.body:
                agreement.take(self._invite.request.body)
            else:
                # The caller answers our offer in its ACK (RFC 3261 section 13.2.1).
                agreement.offer()
        except RtpError as error:
            return refusal.no_port(error)
        except SdpError as error:
            return refusal.no_media(error)
        return None

    async def _ask_pin(self, tasks: asyncio.TaskGroup) -> Refusal | None:
        """Answer, and let the caller in by its PIN; from then on it hears ringing until an agent is there."""
        if not self._routing.asks_pin:
            return None
        session = self._accept()
        if not isinstance(session, DialogSession):
            return session
        call = self._call
        call.answered(session, tasks, self._terms)
        self._giving_up = tasks.create_task(self._give_up_when_over())
        refused = await PinPrompt(call, self._routing.admit).ask()
        call.on_secret_key = None
        if refused is not None or call.over.done:
            return refused
        self._record.mark("pin")
        call.carry(RingbackMedia(Announcement()))
        return self._follow_rule()

    async def _give_up_when_over(self) -> None:
        await self._call.over.wait(self._services.clock, 2 * MAX_DURATION_S)
        self._wait.abandon()

    def _accept(self) -> DialogSession | Refusal | None:
        """Answer 200; None where the caller has given up just now."""
        agreement = self._call.agreement
        assert agreement is not None, "media was opened"
        headers = attributes.attribute_headers(
            self._call.caller.attributes or self._joined_with,
            self._dispatch.attributes_to_headers,
            self._dispatch.headers,
        )
        headers += session_timer.answer_headers(self._terms)
        try:
            session = self._invite.accept(agreement.local, headers)
        except SipParseError as error:
            return refusal.malformed(error)
        except SipError:
            return None
        self._ringing.stop()
        session.next_hop = hop_to_caller(self._invite)
        return session

    async def _send_for_agent(self, tasks: asyncio.TaskGroup) -> Refusal | None:
        refused = await self._wait.send_for_agent()
        if refused is None and self._wait.is_direct:
            self._entry.begin(tasks, self._connect_once_ready(), self._joined_direct)
        return refused

    async def _connect_once_ready(self) -> Refusal | None:
        await self._wait.agent_first()
        if self._releasing:
            return None
        return await self._connect(self._token())

    def _joined_direct(self, refused: Refusal | None) -> None:
        if refused is not None and not self._call.join_later(self._joined_with):
            self._wait.refuse(refused)
            self._call.end(ending.SERVER_LOST)

    def _token(self) -> str:
        request = self._invite.request
        self._joined_with = attributes.call_attributes(
            self._dispatch.attributes,
            attributes.header_attributes(
                told_headers(request),
                mapping=self._dispatch.headers_to_attributes,
                include=self._dispatch.include_headers,
            ),
            status="active" if self.answered else "ringing",
            call_tag=request.from_.tag or "",
            sip_call_id=request.call_id,
        )
        return self._services.rooms.token(self._dispatch, self._joined_with)

    async def _join(self, tasks: asyncio.TaskGroup) -> Refusal | None:
        if self._wait.is_direct:
            return None
        self._wait.watch_room()
        creating = tasks.create_task(self._services.rooms.create(self._dispatch))
        self._entry.begin(tasks, self._connect(self._token()))
        deleted = tasks.create_task(self._until_deleted(creating))
        has_entered = await self._entry.entered(deleted)
        is_deleted = deleted.done() or (has_entered and await self._is_another_room(creating))
        for task in (deleted, creating):
            task.cancel()
        if is_deleted:
            return refusal.room_closed(ending.ROOM_DELETED)
        if not has_entered:
            return refusal.room_failed(f"livekit-server did not answer within {JOIN_TIMEOUT_S:.0f} s")
        return self._entry.failure

    async def _until_deleted(self, creating: asyncio.Task[str]) -> None:
        """While it is joined: the SDK notices only after seconds that the room is gone, or makes one."""
        made = await creating
        while made:
            await asyncio.sleep(_LOOK_FOR_ROOM_S)
            if await self._services.rooms.sid(self._dispatch.room_name) not in (made, None):
                return
        await asyncio.Event().wait()

    async def _is_another_room(self, creating: asyncio.Task[str]) -> bool:
        """Whether the room that was made for the call was deleted, and joining has made another one."""
        if self._entry.failure is not None or not creating.done() or not (made := creating.result()):
            return False
        return await self._call.caller.sid() not in (made, "")

    async def _connect(self, token: str) -> Refusal | None:
        url = self._dispatch.ws_url or self._services.rooms.url
        try:
            await self._call.caller.join(url, token)
            self._record.mark("joined")
            self._call.joined.set()
            await self._call.media.start()
        except LiveKitError as error:
            how = self._call.over.value
            return refusal.room_failed(error.message) if how is None else refusal.room_closed(how)
        self._record.mark("published")
        return None

    @property
    def _dispatch(self) -> Dispatch:
        return self._wait.dispatch

    async def _answer(self, tasks: asyncio.TaskGroup) -> Refusal | Ending:
        call, agreement = self._call, self._call.agreement
        assert agreement is not None, "media was opened"
        session = call.session or self._accept()
        if not isinstance(session, DialogSession):
            return session or ending.CALLER_CANCELLED
        call.caller.on_closed = lambda reason: call.end(ending.by_room(reason))
        self._connected = True
        call.connect(session, self._limits(), tasks, self._terms)
        self._record.emit("call.answered", codec=agreement.codec or None, audio_path=call.media.name)
        log.info("call_answered", call_id=self._record.call_id, marks_ms=self._record.marks_ms)
        return await call.converse()

    def _limits(self) -> Limits:
        config = self._services.config
        return Limits(
            media_initial_s=config.media_timeout_initial,
            media_s=self._dispatch.media_timeout_s or config.media_timeout,
            max_duration_s=self._dispatch.max_call_duration_s or MAX_DURATION_S,
            server_loss_s=config.server_loss_timeout,
        )

    def _cancelled(self) -> None:
        # The endpoint has answered 487; this only wakes up whoever waits for an agent.
        self._wait.abandon()

    # The end

    async def _release(self, result: Refusal | Ending | None) -> None:
        self._ringing.stop()
        # Whoever has not begun to join need not.
        self._releasing = True
        self._wait.close()
        self._routing.close()
        if self._giving_up is not None:
            self._giving_up.cancel()
        if isinstance(result, Refusal):
            self._invite.respond(result.status, result.reason, headers=result.headers())
        await self._entry.settled()
        is_unused = not self._connected and await self._is_room_ours()
        await self._call.release(says_bye=isinstance(result, Ending) and result.says_bye)
        if is_unused:
            await self._services.rooms.delete(self._dispatch.room_name)
        elif result is ending.SERVER_LOST:
            self._services.rooms.delete_once_back(self._dispatch.room_name, but=self._dispatch.identity)

    async def _is_room_ours(self) -> bool:
        """Whether the room was made for this call and has nobody but agents that came for it."""
        if not self._call.caller.connected or not self._call.caller.was_empty:
            return False
        dispatch = self._dispatch
        return await self._services.rooms.is_left(dispatch.room_name, but=dispatch.identity)
