"""One inbound call, from INVITE to its end.

Mirrors livekit/sip v1.11.0 ``pkg/sip/inbound.go``: 100, trunk, digest, 180 until the agent is there,
dispatch rule, media, room, 200 when somebody's audio is subscribed, ``active`` with the phone's first
packet. Guarantee: every INVITE gets a final answer, and whatever happens nothing of the call stays:
no task, no port, no participant, no room that was made for it and never used.
"""

from __future__ import annotations

import asyncio
import ipaddress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from telephony.bridge import attributes, ending, refusal
from telephony.bridge.agent_order import AgentOrder, order_agent
from telephony.bridge.agreement import MediaAgreement
from telephony.bridge.answering import RINGING_TIMEOUT_S, AnswerGate
from telephony.bridge.call import Call
from telephony.bridge.direct_line import DirectLine
from telephony.bridge.ending import Ending
from telephony.bridge.io_service import Dispatch, TrunkAuthentication, describe_call
from telephony.bridge.people import People
from telephony.bridge.refusal import Refusal
from telephony.bridge.trunk_auth import Judgement
from telephony.bridge.watch import MAX_DURATION_S, Limits
from telephony.errors import (
    BusError,
    DispatchError,
    LinkError,
    LiveKitError,
    RtpError,
    SdpError,
    SipError,
    SipParseError,
)
from telephony.logs import get_logger
from telephony.rtp.session import RtpSession

if TYPE_CHECKING:
    from telephony.bridge.call import CallServices
    from telephony.bridge.record import CallRecord
    from telephony.bridge.trunk_auth import TrunkAuth
    from telephony.clock import TimerHandle
    from telephony.sip.incoming import IncomingInvite
    from telephony.sip.routing import Hop

log = get_logger(__name__)

_JOIN_TIMEOUT_S = 6.0
_LATE_JOIN_S = 30.0
_AGENT_FIRST_S = 0.3


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
        self._sip_call_id = sip_call_id
        self._services = services
        self._trunk_auth = trunk_auth
        self._record = record
        self._call = Call(services, record)
        self._trunk = TrunkAuthentication()
        self._dispatch = Dispatch()
        self._order: AgentOrder | None = None
        self._joined_with: dict[str, str] = {}
        self._gate: AnswerGate | None = None
        self._evaluating: asyncio.Task[Dispatch | None] | None = None
        self._joining: asyncio.Task[Refusal | None] | None = None
        self._agent_ready = asyncio.Event()
        self._releasing = False
        self._ringing: TimerHandle | None = None
        self._challenge = ""
        self._stopping: Refusal | None = None
        record.mark("invite")
        record.parties = describe_parties(invite, sip_call_id)
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
        if self._gate is not None:
            self._gate.refuse(self._stopping)
        self._call.end(ending.BRIDGE_STOPPED)

    def ask_for_credentials(self) -> None:
        """Send the challenge once ``run`` gave None and the call is forgotten: it comes back at once."""
        self._invite.respond(
            407, "Proxy Authentication Required", headers=[("Proxy-Authenticate", self._challenge)]
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
            result = await self._sequence(tasks)
        except Exception as error:
            log.exception("call_failed", call_id=self._record.call_id)
            result = ending.BRIDGE_FAILED if self.answered else refusal.internal(error)
        try:
            await self._release(result)
        except Exception:
            log.exception("call_release_failed", call_id=self._record.call_id)
        return result

    async def _sequence(self, tasks: asyncio.TaskGroup) -> Refusal | Ending | None:
        steps = (
            self._read_invite,
            lambda: self._find_trunk(tasks),
            self._find_room,
            self._open_media,
            lambda: self._send_for_agent(tasks),
            lambda: self._join(tasks),
            lambda: self._wait_for_agent(tasks),
        )
        for step in steps:
            refused = await step()
            if self._invite.cancelled.is_set():
                return ending.CALLER_CANCELLED
            if refused or self._stopping:
                return self._stopping or refused
            if self._challenge:
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
        return None

    async def _find_trunk(self, tasks: asyncio.TaskGroup) -> Refusal | None:
        request = self._invite.request
        self._description = describe_call(request, self._invite.source[0], self._sip_call_id)
        # Asked at the same time: livekit-server finds the trunk for itself, and says which it was.
        self._evaluating = tasks.create_task(self._evaluate())
        try:
            self._trunk = await self._services.io.authenticate(self._description)
        except BusError as error:
            return refusal.bus_failed(error)
        self._record.mark("auth")
        self._record.parties["trunk_id"] = self._trunk.trunk_id
        self._record.fields["trunk_id"] = self._trunk.trunk_id
        refused = refusal.by_trunk(self._trunk, self._called)
        if refused is not None:
            return refused
        verdict = self._trunk_auth.judge(request, self._trunk)
        if verdict.judgement is Judgement.ASK:
            self._challenge = verdict.challenge
        elif verdict.judgement is not Judgement.ACCEPTED:
            return refusal.wrong_credentials(
                self._trunk.trunk_id, username_matches=verdict.judgement is Judgement.WRONG_PASSWORD
            )
        return None

    async def _evaluate(self) -> Dispatch | None:
        """What the rules say of the call on the trunk that livekit-server finds; None where that failed."""
        try:
            return await self._services.io.evaluate(self._description, "")
        except BusError as error:
            log.debug("rules_not_asked", call_id=self._record.call_id, reason=str(error))
            return None

    async def _find_room(self) -> Refusal | None:
        assert self._evaluating is not None, "asked with the trunk"
        try:
            found = await self._evaluating
            if found is None or found.trunk_id != self._trunk.trunk_id:
                found = await self._services.io.evaluate(self._description, self._trunk.trunk_id)
        except BusError as error:
            return refusal.bus_failed(error)
        self._dispatch = dispatch = found
        self._record.mark("dispatch")
        self._record.fields.update(rule_id=dispatch.rule_id, room=dispatch.room_name)
        refused = refusal.by_dispatch(dispatch, self._called)
        if refused is not None:
            return refused
        self._call.bye_headers = dict(dispatch.attributes_to_headers)
        # The rule may hide the caller's number: then it is not among the attributes.
        self._record.parties.update(
            {
                "from": dispatch.attributes.get(attributes.PHONE_NUMBER),
                "to": dispatch.attributes.get(attributes.TRUNK_PHONE_NUMBER),
                "rule_id": dispatch.rule_id,
                "room": dispatch.room_name,
            }
        )
        refused = self._choose_path()
        if refused is None:
            self._record.emit("call.ringing", **self._record.parties)
        return refused

    def _choose_path(self) -> Refusal | None:
        """Direct where this machine's dispatcher can send for the agent; only then ringing waits for it."""
        dispatcher = self._services.dispatcher
        found = order_agent(self._dispatch, dispatcher.serves) if dispatcher is not None else None
        if found is not None:
            self._order, self._dispatch = found
            return None
        if self._services.config.audio_path == "direct":
            config = self._dispatch.room_config
            return refusal.not_served(
                ", ".join(agent.agent_name for agent in config.agents) if config is not None else ""
            )
        self._ring()
        return None

    async def _open_media(self) -> Refusal | None:
        config = self._services.config
        codecs = config.audio_codecs
        if self._dispatch.codecs:
            codecs = [name for name in codecs if name in self._dispatch.codecs]
        try:
            rtp = await RtpSession.open(
                address=config.listen_ip,
                ports=self._services.ports,
                clock=self._services.clock,
                jitter_buffer_ms=config.jitter_buffer_ms,
                symmetric=config.symmetric_rtp,
                loop=self._services.media.loop,
            )
        except RtpError as error:
            return refusal.no_port(error)
        agreement = MediaAgreement(rtp, codecs=codecs, dtmf=config.dtmf, address=config.advertised_ip)
        self._call.use_rtp(rtp, agreement)
        try:
            agreement.take(self._invite.request.body)
        except SdpError as error:
            return refusal.no_media(error)
        return None

    async def _send_for_agent(self, tasks: asyncio.TaskGroup) -> Refusal | None:
        """The direct line: have a job on its way before it rings, while the caller is joining the room."""
        order, services = self._order, self._services
        if order is None:
            return None
        assert services.dispatcher is not None, "it serves the agent"
        assert services.config.link_dir is not None, "checked with audio_path"
        direct = DirectLine(
            services.clock,
            services.config.link_dir,
            services.dispatcher,
            order,
            self._record.call_id,
            services.media,
        )
        self._call.use_direct(direct)
        gate = self._new_gate()
        direct.on_here = lambda is_here: gate.people(People(agents=int(is_here)))
        direct.on_ready = lambda: self._direct_ready(gate)
        direct.on_failed = lambda: gate.refuse(refusal.agent_failed(services.config.refuse_status))
        self._call.caller.on_closed = lambda reason: gate.refuse(refusal.room_closed(ending.by_room(reason)))
        gate.start(People())
        until = self._invited_at + (services.config.agent_wait_timeout or RINGING_TIMEOUT_S)
        try:
            await direct.send_for(until, self._begin_ringing)
        except DispatchError as error:
            return refusal.not_dispatched(services.config.refuse_status, error)
        except LinkError as error:
            return refusal.no_socket(error)
        self._record.mark("dispatched")
        self._begin_ringing()
        people = await self._people_by_server()
        if people.sip or people.others:
            # As with livekit-server: who joins others is not given an agent of their own.
            self._call.leave_direct()
            self._order = None
            return None
        self._joining = tasks.create_task(self._connect_once_ready())
        self._joining.add_done_callback(self._joined_direct)
        return None

    def _direct_ready(self, gate: AnswerGate) -> None:
        self._agent_ready.set()
        gate.audible()

    async def _connect_once_ready(self) -> Refusal | None:
        """Join when the agent is ready, whose start needs the processors more, or soon in any case."""
        try:
            async with asyncio.timeout(_AGENT_FIRST_S):
                await self._agent_ready.wait()
        except TimeoutError:
            log.debug("joined_before_agent", call_id=self._record.call_id)
        if self._releasing:
            return None
        return await self._connect(self._token())

    def _joined_direct(self, joining: asyncio.Task[Refusal | None]) -> None:
        refused = None if joining.cancelled() else joining.result()
        if refused is None or self._gate is None:
            return
        self._gate.refuse(refused)
        self._call.end(ending.SERVER_LOST)

    def _new_gate(self) -> AnswerGate:
        config = self._services.config
        gate = self._gate = AnswerGate(
            self._services.clock,
            invited_at=self._invited_at,
            agent_wait_s=config.agent_wait_timeout,
            ringing_s=self._dispatch.ringing_timeout_s or RINGING_TIMEOUT_S,
            refuse_status=config.refuse_status,
        )
        return gate

    @property
    def _invited_at(self) -> float:
        return self._record.at("invite") or self._services.clock.now()

    def _token(self) -> str:
        request = self._invite.request
        self._joined_with = attributes.call_attributes(
            self._dispatch.attributes,
            attributes.header_attributes(
                request.headers,
                mapping=self._dispatch.headers_to_attributes,
                include=self._dispatch.include_headers,
            ),
            status="ringing",
            call_tag=request.from_.tag or "",
            sip_call_id=request.call_id,
        )
        return self._services.rooms.token(self._dispatch, self._joined_with)

    async def _join(self, tasks: asyncio.TaskGroup) -> Refusal | None:
        if self._order is not None:
            return None
        gate = self._gate or self._new_gate()
        self._call.on_audible = gate.audible
        self._call.on_people = gate.people
        creating = tasks.create_task(self._services.rooms.create(self._dispatch))
        # A connection that is given up half made would stay in the room: it is waited for in any case.
        self._joining = self._joining or tasks.create_task(self._connect(self._token()))
        done, _ = await asyncio.wait({self._joining}, timeout=_JOIN_TIMEOUT_S)
        creating.cancel()
        if not done:
            return refusal.room_failed(f"livekit-server did not answer within {_JOIN_TIMEOUT_S:.0f} s")
        return self._joining.result()

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

    async def _wait_for_agent(self, tasks: asyncio.TaskGroup) -> Refusal | None:
        gate = self._gate
        assert gate is not None, "made before joining"
        if self._order is not None:
            return await gate.decision.wait(self._services.clock, 2 * MAX_DURATION_S)
        if self._call.over.value is not None:
            return refusal.room_closed(self._call.over.value)
        self._call.caller.on_closed = lambda reason: gate.refuse(refusal.room_closed(ending.by_room(reason)))

        def look() -> None:
            tasks.create_task(self._look(gate))

        gate.look = look
        gate.start(self._call.caller.people())
        return await gate.decision.wait(self._services.clock, 2 * MAX_DURATION_S)

    async def _look(self, gate: AnswerGate) -> None:
        gate.looked(await self._people_by_server())

    async def _people_by_server(self) -> People:
        dispatch = self._dispatch
        return await self._services.rooms.people(dispatch.room_name, but=dispatch.identity)

    async def _answer(self, tasks: asyncio.TaskGroup) -> Refusal | Ending:
        call, agreement = self._call, self._call.agreement
        assert agreement is not None, "media was opened"
        headers = attributes.attribute_headers(
            call.caller.attributes or self._joined_with,
            self._dispatch.attributes_to_headers,
            self._dispatch.headers,
        )
        try:
            session = self._invite.accept(agreement.current.body, headers)
        except SipParseError as error:
            return refusal.malformed(error)
        except SipError:
            return ending.CALLER_CANCELLED
        self._stop_ringing()
        call.caller.on_closed = lambda reason: call.end(ending.by_room(reason))
        session.next_hop = _hop_behind_nat(self._invite)
        call.connect(session, self._limits(), tasks)
        self._record.emit("call.answered", codec=agreement.current.codec, audio_path=call.media.name)
        self._record.fields["codec"] = agreement.current.codec
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

    # Ringing

    def _begin_ringing(self) -> None:
        if self._ringing is None:
            self._ring()

    def _ring(self) -> None:
        """Say 180 now, and again each interval until there is a final answer."""
        if self._invite.answered:
            return
        self._invite.respond(180, "Ringing")
        self._record.mark("ringing")
        self._ringing = self._services.clock.call_later(
            self._services.config.sip_ringing_interval, self._ring
        )

    def _stop_ringing(self) -> None:
        if self._ringing is not None:
            self._ringing.cancel()

    def _cancelled(self) -> None:
        # The endpoint has answered 487; this only wakes up whoever waits for an agent.
        if self._gate is not None:
            self._gate.abandon()

    @property
    def _called(self) -> str:
        return self._invite.request.to.uri.user or ""

    # The end

    async def _release(self, result: Refusal | Ending | None) -> None:
        self._stop_ringing()
        # Whoever has not begun to join need not.
        self._releasing = True
        self._agent_ready.set()
        if self._evaluating is not None:
            self._evaluating.cancel()
        if self._gate is not None:
            self._gate.close()
        if isinstance(result, Refusal):
            self._invite.respond(result.status, result.reason, headers=result.headers())
        if self._joining is not None and not self._joining.done():
            await asyncio.wait({self._joining}, timeout=_LATE_JOIN_S)
            if not self._joining.done():
                log.error("join_never_ended", call_id=self._record.call_id)
                self._joining.cancel()
        is_unused = not self.answered and await self._is_room_ours()
        await self._call.release(says_bye=isinstance(result, Ending) and result.says_bye)
        if is_unused:
            await self._services.rooms.delete(self._dispatch.room_name)

    async def _is_room_ours(self) -> bool:
        """Whether the room was made for this call and has nobody but agents that came for it."""
        if not self._call.caller.connected or not self._call.caller.was_empty:
            return False
        people = await self._people_by_server()
        return not people.sip and not people.others


def describe_parties(invite: IncomingInvite, sip_call_id: str) -> dict[str, Any]:
    """Who calls whom, as the first event of a call has it."""
    request = invite.request
    return {
        "sip_call_id": sip_call_id,
        "sip_call_id_full": request.call_id,
        "direction": "inbound",
        "invite_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "from": request.from_.uri.user,
        "to": request.to.uri.user,
    }


def _hop_behind_nat(invite: IncomingInvite) -> Hop | None:
    """Where to send requests to a phone whose Contact is an address of its own network; None: to its Contact.

    Only for a phone that calls directly: with a Record-Route the proxy knows the way.
    """
    contact = invite.request.contact
    if contact is None or invite.request.record_routes:
        return None
    return invite.hop if is_private(contact.uri.host) and not is_private(invite.source[0]) else None


def is_private(host: str) -> bool:
    """Whether a host is an IPv4 address that only its own network knows."""
    try:
        return ipaddress.IPv4Address(host).is_private
    except ValueError:
        return False
