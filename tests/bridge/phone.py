"""A telephone for the tests: our own SIP and RTP, with a tone for a voice and ears that keep every frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from telephony.audio.frame import FRAME_SAMPLES, RATE, Samples, silence
from telephony.audio.g711 import CODECS
from telephony.audio.tones import sine
from telephony.clock import LoopClock
from telephony.rtp.clock import MediaClock
from telephony.rtp.ports import PortPool
from telephony.rtp.session import RtpSession
from telephony.sip.endpoint import SipEndpoint
from telephony.sip.outgoing import OutgoingInvite, OutgoingInviteRequest
from telephony.sip.sdp import DTMF_PAYLOAD_TYPE, build_offer, read_answer
from telephony.sip.uri import NameAddr, SipUri
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.sip.digest import Credentials
    from telephony.sip.incoming import IncomingRequest
    from telephony.sip.message import SipResponse
    from telephony.sip.session import DialogSession

HOST = "127.0.0.1"


class Voice(Protocol):
    """What a telephone says, a frame at a time."""

    def frame(self) -> Samples:
        """The next 20 ms."""


class Clip:
    """A recording, once, and then silence."""

    def __init__(self, samples: Samples) -> None:
        self._left = samples

    def frame(self) -> Samples:
        frame, self._left = self._left[:FRAME_SAMPLES], self._left[FRAME_SAMPLES:]
        return np.pad(frame, (0, FRAME_SAMPLES - len(frame)))


class Tone:
    """An endless sine, a frame at a time."""

    def __init__(self, frequency_hz: float) -> None:
        self._second = sine(frequency_hz, 1.0)
        self._at = 0

    def frame(self) -> Samples:
        frame = self._second[self._at : self._at + FRAME_SAMPLES]
        self._at = (self._at + FRAME_SAMPLES) % RATE
        return frame


@dataclass
class PhoneCall:
    """One call from the telephone."""

    phone: Phone
    rtp: RtpSession
    invite: OutgoingInvite
    invited_at: float
    provisionals: list[tuple[int, float]] = field(default_factory=list)
    answered_at: float = 0.0
    heard: list[Samples] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    ended_at: float = 0.0
    voice: Voice | None = None
    talks: bool = True

    @property
    def session(self) -> DialogSession:
        session = self.invite.session
        assert session is not None, "the call was not answered"
        return session

    async def final(self, timeout_s: float = 20.0) -> SipResponse:
        """The final response; from a 2xx on the telephone talks and listens."""
        response = await self.invite.final(timeout_s)
        if 200 <= response.status < 300:
            self.answered_at = self.phone.clock.now()
            self._connect(response)
        return response

    def _connect(self, response: SipResponse) -> None:
        self.session.on_request = self._on_request
        answer = read_answer(response.body)
        self.rtp.set_codec(CODECS[answer.codec])
        self.rtp.set_dtmf_payload_type(answer.dtmf_payload_type)
        self.rtp.set_remote(answer.remote)
        self.rtp.on_digit = self.keys.append
        self.phone.media.add(self._tick)

    def _on_request(self, request: IncomingRequest) -> None:
        self.requests.append(request.method)
        if request.method == "BYE":
            self.ended_at = self.phone.clock.now()
            self.hush()
        else:
            request.respond(405)

    def _tick(self) -> None:
        frame = self.rtp.receive_frame()
        self.heard.append(silence() if frame is None else frame)
        if self.talks:
            self.rtp.send_frame(self.voice.frame() if self.voice else silence())

    def hush(self) -> None:
        """Neither talk nor listen."""
        self.phone.media.remove(self._tick)

    async def bye(self) -> None:
        """Hang up."""
        self.hush()
        self.ended_at = self.phone.clock.now()
        await self.session.bye()

    async def hung_up(self, timeout_s: float = 10.0) -> None:
        """Wait until the other side has said BYE."""
        async with limit(timeout_s):
            await self.session.ended.wait()

    def samples(self, last_s: float | None = None) -> Samples:
        """What was heard, all of it or its end."""
        frames = self.heard if last_s is None else self.heard[-int(last_s / 0.02) :]
        return np.concatenate(frames) if frames else silence(0)


class Phone:
    """One SIP user agent with its own media clock."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.endpoint = SipEndpoint(self.clock, "Test phone")
        self.media = MediaClock(self.clock)
        self._ports = PortPool(HOST, 0, 0)
        self._calls: list[PhoneCall] = []

    async def __aenter__(self) -> Self:
        await self.endpoint.start(HOST, 0)
        self.media.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.media.stop()
        for call in self._calls:
            call.rtp.close()
        await self.endpoint.close()

    async def call(
        self,
        number: str,
        bridge_port: int,
        *,
        caller: str = "+15550199",
        codecs: Sequence[str] = ("PCMU", "PCMA"),
        headers: Sequence[tuple[str, str]] = (),
        credentials: Credentials | None = None,
        body: bytes | None = None,
        voice_hz: float | None = None,
        call_id: str | None = None,
        keys_as: int | None = DTMF_PAYLOAD_TYPE,
    ) -> PhoneCall:
        """Send an INVITE; ``keys_as`` is the payload type of keys, None for a phone without."""
        rtp = await RtpSession.open(address=HOST, ports=self._ports, clock=self.clock)
        offer = build_offer(HOST, rtp.port, codecs, keys_as) if body is None else body
        invited_at = self.clock.now()
        invite = await self.endpoint.invite(
            OutgoingInviteRequest(
                uri=SipUri(number, HOST, bridge_port),
                from_=NameAddr("", SipUri(caller, "carrier.example")),
                body=offer,
                headers=headers,
                credentials=credentials,
                call_id=call_id,
            )
        )
        call = PhoneCall(self, rtp, invite, invited_at)
        call.voice = Tone(voice_hz) if voice_hz else None
        invite.on_provisional = lambda response: call.provisionals.append(
            (response.status, self.clock.now() - invited_at)
        )
        self._calls.append(call)
        return call
