"""The caller's telephone: one call over SIP and RTP, as a user agent makes it.

Guarantee: whatever happens, ``close`` ends the call on the wire first (CANCEL or BYE, with a deadline) and
leaves no task, timer or socket. Signalling is ``telephony.sip``'s, the stream ``telephony.rtp``'s, on a media
clock of this call alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telephony.audio.g711 import CODECS
from telephony.caller.drift import DriftingClock
from telephony.caller.impairment import Impairment
from telephony.caller.media_socket import MediaSocket
from telephony.caller.mouth import Mouth, Playback
from telephony.caller.report import Pacing, SipStep
from telephony.caller.target import address_towards, resolve
from telephony.errors import RtpError, SdpError, SipError, SipTimeoutError
from telephony.logs import get_logger
from telephony.rtp.clock import MediaClock
from telephony.rtp.ports import PortPool
from telephony.rtp.session import RtpSession
from telephony.sip.endpoint import OutgoingInviteRequest, SipEndpoint
from telephony.sip.sdp import DTMF_PAYLOAD_TYPE, build_offer, negotiate, new_session_id, read_answer
from telephony.sip.uri import NameAddr, SipUri, escape_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.audio.frame import Samples
    from telephony.caller.call_clock import CallClock
    from telephony.caller.script import Settings
    from telephony.clock import Clock
    from telephony.rtp.packet import RtpPacket
    from telephony.sip.digest import Credentials
    from telephony.sip.incoming import IncomingInvite, IncomingRequest
    from telephony.sip.message import SipResponse
    from telephony.sip.outgoing import OutgoingInvite
    from telephony.sip.session import DialogSession

log = get_logger(__name__)

_CANCEL_S = 3.0
"""How long the answer to a CANCEL is waited for."""
_BYE_S = 3.0


@dataclass(frozen=True, slots=True)
class Dialled:
    """What became of an INVITE; ``reason`` is a sentence for people."""

    outcome: Literal["answered", "refused", "not_answered", "unreachable", "failed"]
    reason: str = ""


class Phone:
    """One call.

    Attributes:
        on_ringing: called at the first response from 180 to 199 with its status.
        on_packet: called with each RTP packet that counts and its arrival.
        on_tick: called each 20 ms while the stream is up.
        on_ended: called once when an answered call has ended.
        ended_by: who ended the answered call, None while it is up.
        ended: set then.
        sip: the messages so far.
    """

    def __init__(
        self, clock: Clock, call_clock: CallClock, settings: Settings, credentials: Credentials | None = None
    ) -> None:
        self.on_ringing: Callable[[int], None] | None = None
        self.on_packet: Callable[[RtpPacket, float], None] | None = None
        self.on_tick: Callable[[], None] | None = None
        self.on_ended: Callable[[], None] | None = None
        self.ended = asyncio.Event()
        self.ended_by: Literal["caller", "agent"] | None = None
        self.cause = ""
        self.sip: list[SipStep] = []
        self.answered_s: float | None = None
        self.ringing_s: float | None = None
        self.ended_s: float | None = None
        self.codec = CODECS[settings.codec]
        self._settings = settings
        self._credentials = credentials
        self._clock = call_clock
        self._endpoint = SipEndpoint(clock, "Trunkline caller")
        self._media_clock = MediaClock(DriftingClock(clock, settings.impairment.drift_ppm))
        self._impairment = Impairment(settings.impairment, seed=settings.seed)
        self.mouth = Mouth(self._impairment)
        self._address = ""
        self._socket: MediaSocket | None = None
        self._rtp: RtpSession | None = None
        self._invite: OutgoingInvite | None = None
        self._dialog: DialogSession | None = None
        self._answering = False
        self._called = ""
        self._watcher: asyncio.Task[None] | None = None
        self._session_id = new_session_id()
        self._version = 1

    # Setting up

    async def dial(self, to: SipUri) -> Dialled:
        """Call somebody and wait for the answer, at most ``answer_within_s`` of the settings.

        The call clock restarts as the INVITE leaves. Never raises for what the other side does.
        """
        try:
            target = await resolve(to)
            self._address = address_towards(target)
            await self._endpoint.start(self._address)
            rtp = self._open_media()
            wanted = self._invite_request(to, target, rtp.port)
            self._clock.restart()
            self._log("INVITE", sent=True)
            self._invite = await self._endpoint.invite(wanted)
        except (SipError, RtpError, OSError, TimeoutError) as error:
            reason = str(error) or "the name did not resolve in time"
            return Dialled("unreachable", f"The INVITE could not be sent: {reason}")
        self._invite.on_provisional = self._provisional
        try:
            response = await self._invite.final(self._settings.answer_within_s)
        except SipTimeoutError:
            return await self._no_answer(self._invite)
        except SipError as error:
            return Dialled("unreachable", f"The INVITE got no answer: {error}")
        return self._answered(response, rtp)

    async def answer(
        self, host: str, port: int, on_listening: Callable[[str], None], within_s: float
    ) -> Dialled:
        """Be called: wait for a call, let it ring, and take or refuse it as the settings say.

        Args:
            host: the address to listen on.
            port: 0 for any.
            on_listening: told the address that can be dialled.
            within_s: how long a call is waited for.
        """
        self._address = host
        called: asyncio.Future[IncomingInvite] = asyncio.get_running_loop().create_future()

        def take(invite: IncomingInvite) -> None:
            if called.done():
                invite.respond(486)
            else:
                called.set_result(invite)

        self._endpoint.on_invite = take
        try:
            await self._endpoint.start(host, port)
            on_listening(f"{host}:{self._endpoint.port}")
            async with asyncio.timeout(within_s):
                invite = await called
            self._clock.restart()
            return await self._take(invite)
        except TimeoutError:
            return Dialled("not_answered", f"Nobody called within {within_s:g} s.")
        except (SipError, SdpError, RtpError, OSError) as error:
            return Dialled("failed", f"The call could not be taken: {error}")

    async def _take(self, invite: IncomingInvite) -> Dialled:
        self._called = invite.request.call_id
        self._log("INVITE", sent=False)
        rtp = self._open_media()
        invite.respond(180)
        self.ringing_s = self._clock.now()
        self._log("180 Ringing", sent=True)
        if self.on_ringing is not None:
            self.on_ringing(180)
        try:
            async with asyncio.timeout(self._settings.ring_s):
                await invite.cancelled.wait()
            return Dialled("not_answered", "Who called gave up while it rang.")
        except TimeoutError:
            refuse_with = self._settings.refuse_with
        if refuse_with is not None:
            invite.respond(refuse_with)
            self._log(str(refuse_with), sent=True)
            return Dialled("refused", f"The call was refused with {refuse_with}, as the script says.")
        answer = negotiate(
            invite.request.body,
            codecs=[self.codec.name],
            address=self._address,
            port=rtp.port,
            session_id=self._session_id,
        )
        self.answered_s = self._clock.now()
        self._dialog = invite.accept(answer.body)
        self._dialog.on_request = self._in_dialog
        self._log("200 OK", sent=True)
        self._watcher = asyncio.create_task(self._watch(self._dialog), name="caller-dialog")
        rtp.set_remote(answer.remote)
        rtp.set_dtmf_payload_type(answer.dtmf_payload_type, receive=DTMF_PAYLOAD_TYPE)
        self._media_clock.add(self._tick)
        self._media_clock.start()
        return Dialled("answered")

    def _open_media(self) -> RtpSession:
        ports = PortPool(self._address, 0, 0)
        self._socket = MediaSocket(ports.bind(), self._impairment)
        rtp = RtpSession(self._socket, ports, self._clock)
        rtp.set_codec(self.codec)
        rtp.on_packet = self._packet
        self._rtp = rtp
        return rtp

    def _invite_request(self, to: SipUri, target: tuple[str, int], rtp_port: int) -> OutgoingInviteRequest:
        user = escape_user(self._settings.from_user)
        offer = build_offer(self._address, rtp_port, [self.codec.name], session_id=self._session_id)
        return OutgoingInviteRequest(
            uri=to,
            from_=NameAddr("", SipUri(user, self._address)),
            body=offer,
            credentials=self._credentials,
            target=target,
        )

    def _provisional(self, response: SipResponse) -> None:
        self._answering = True
        if response.status == 100:
            return
        self._log(f"{response.status} {response.reason}", sent=False)
        if self.ringing_s is None:
            self.ringing_s = self._clock.now()
            if self.on_ringing is not None:
                self.on_ringing(response.status)

    async def _no_answer(self, invite: OutgoingInvite) -> Dialled:
        seconds = f"{self._clock.now():.0f} s"
        if not self._answering:
            # A CANCEL may not precede the first response (RFC 3261 section 9.1): there is none to wait for.
            return Dialled("unreachable", f"Nothing answered the INVITE in {seconds}.")
        self._log("CANCEL", sent=True)
        await self._await_cancelled(invite)
        if self.ringing_s is None:
            return Dialled("not_answered", f"It did not ring in {seconds}.")
        return Dialled("not_answered", f"It rang, and nobody answered in {seconds}.")

    async def _await_cancelled(self, invite: OutgoingInvite) -> None:
        try:
            response = await invite.final(_CANCEL_S)
        except SipError as error:
            log.info("caller_cancel_unanswered", sip_call_id=invite.call_id, reason=str(error))
            return
        self._log(f"{response.status} {response.reason}", sent=False)

    def _answered(self, response: SipResponse, rtp: RtpSession) -> Dialled:
        now = self._clock.now()
        self._log(f"{response.status} {response.reason}", sent=False)
        assert self._invite is not None
        if response.status >= 300 or self._invite.session is None:
            return Dialled("refused", f"The call was refused: {response.status} {response.reason}.")
        self.answered_s = now
        self._dialog = self._invite.session
        self._dialog.on_request = self._in_dialog
        self._log("ACK", sent=True)
        self._watcher = asyncio.create_task(self._watch(self._dialog), name="caller-dialog")
        try:
            answer = read_answer(response.body, codecs=[self.codec.name])
        except SdpError as error:
            return Dialled("failed", f"The answer has no usable media: {error}")
        rtp.set_remote(answer.remote)
        rtp.set_dtmf_payload_type(answer.dtmf_payload_type, receive=DTMF_PAYLOAD_TYPE)
        self._media_clock.add(self._tick)
        self._media_clock.start()
        return Dialled("answered")

    # While it is up

    def speak(self, samples: Samples) -> Playback:
        """Say a line from the next packet on, instead of one still under way."""
        return self.mouth.play(samples)

    async def press(self, digits: str) -> None:
        """Send keys as telephone-events; returns when the last one has left.

        Raises:
            RtpError: the other side takes none, or the call has ended.
        """
        if self._rtp is None or self.ended.is_set():
            raise RtpError("The call has ended.", field="digits")
        await self._rtp.send_digits(digits)

    def _tick(self) -> None:
        assert self._rtp is not None, "ticks begin with the media"
        self._rtp.send_frame(self.mouth.next_frame(self._clock.now()))
        # The jitter buffer is not listened to: this caller hears packets as they come.
        if self.on_tick is not None:
            self.on_tick()

    def _packet(self, packet: RtpPacket, read_s: float) -> None:
        assert self._socket is not None, "packets come by it"
        if self.on_packet is not None and not self.ended.is_set():
            self.on_packet(packet, read_s - self._socket.waited_s)

    def _in_dialog(self, incoming: IncomingRequest) -> None:
        self._log(incoming.method, sent=False)
        if incoming.method == "BYE":
            self.cause = incoming.request.headers.get("Reason") or ""
        elif incoming.method in ("INVITE", "UPDATE") and incoming.request.body:
            self._renegotiate(incoming)
        elif incoming.method in ("INFO", "OPTIONS", "NOTIFY", "UPDATE"):
            incoming.respond(200)
        else:
            incoming.respond(488 if incoming.method == "INVITE" else 405)

    def _renegotiate(self, incoming: IncomingRequest) -> None:
        assert self._rtp is not None
        self._version += 1
        try:
            answer = negotiate(
                incoming.request.body,
                codecs=[self.codec.name],
                address=self._address,
                port=self._rtp.port,
                session_id=self._session_id,
                version=self._version,
            )
        except SdpError as error:
            log.info("caller_offer_refused", reason=str(error))
            incoming.respond(488)
            return
        self._rtp.set_remote(answer.remote)
        self._rtp.hold = not answer.sends
        incoming.respond(200, body=answer.body)

    async def _watch(self, dialog: DialogSession) -> None:
        await dialog.ended.wait()
        self._end("caller" if dialog.ended_by == "local" else "agent")

    def _end(self, by: Literal["caller", "agent"]) -> None:
        if self.ended.is_set():
            return
        self.ended_by, self.ended_s = by, self._clock.now()
        self._media_clock.stop()
        self.mouth.stop()
        self.ended.set()
        if self.on_ended is not None:
            self.on_ended()

    # Ending

    async def hang_up(self) -> None:
        """Send BYE, unless the call has ended; bounded."""
        if self._dialog is None or self.ended.is_set():
            return
        self._log("BYE", sent=True)
        self._end("caller")
        response = await self._dialog.bye(timeout_s=_BYE_S)
        self._log(f"{response.status} {response.reason}" if response else "BYE unanswered", sent=False)

    async def close(self) -> None:
        """End the call if it is up or ringing, and release everything; bounded."""
        if self._invite is not None and not self._invite.done:
            self._invite.cancel()
            if self._answering:
                await self._await_cancelled(self._invite)
        await self.hang_up()
        self._media_clock.stop()
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        if self._rtp is not None:
            self._rtp.close()
        await self._endpoint.close()

    # What is known afterwards

    @property
    def sip_call_id(self) -> str:
        """The Call-ID, or nothing when no INVITE was sent."""
        return self._invite.call_id if self._invite is not None else self._called

    @property
    def packets_sent(self) -> int:
        """RTP packets that left, those lost on purpose not counted."""
        return self._rtp.packets_sent - self._impairment.lost if self._rtp is not None else 0

    @property
    def packets_dropped(self) -> int:
        """RTP packets that were lost on purpose."""
        return self._impairment.lost

    @property
    def pacing(self) -> Pacing | None:
        """How late the packets left; None before the first."""
        lateness = self._media_clock.lateness
        if not lateness.ticks:
            return None
        return Pacing(round(lateness.p50_ms, 2), round(lateness.p99_ms, 2), round(lateness.max_ms, 2))

    def _log(self, text: str, *, sent: bool) -> None:
        self.sip.append(SipStep(self._clock.now(), sent, text.strip()))
