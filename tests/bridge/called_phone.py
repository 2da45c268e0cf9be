"""A telephone that is called: rings, answers, refuses, or stays silent, as a test tells it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from telephony.audio.frame import Samples, silence
from telephony.audio.g711 import CODECS
from telephony.clock import LoopClock
from telephony.rtp.clock import MediaClock
from telephony.rtp.ports import PortPool
from telephony.rtp.session import RtpSession
from telephony.sip.authentication import Authenticator, Verdict
from telephony.sip.endpoint import SipEndpoint
from telephony.sip.sdp import negotiate
from tests.bridge.phone import HOST, Tone
from tests.waiting import limit, until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telephony.sip.incoming import IncomingInvite, IncomingRequest
    from telephony.sip.message import SipRequest
    from telephony.sip.session import DialogSession
    from telephony.sip.transport import Loss


@dataclass
class CalledLeg:
    """One call at the telephone, from its INVITE on."""

    phone: CalledPhone
    invite: IncomingInvite
    rtp: RtpSession
    invited_at: float
    voice: Tone | None = None
    session: DialogSession | None = None
    answered_at: float = 0.0
    heard: list[Samples] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    requests: list[SipRequest] = field(default_factory=list)
    ended_at: float = 0.0

    def ring(self, status: int = 180) -> None:
        """Say that it rings."""
        self.invite.respond(status)

    def refuse(self, status: int, reason: str = "") -> None:
        """Do not take the call."""
        self.invite.respond(status, reason)

    async def answer(
        self,
        *,
        voice_hz: float | None = None,
        codecs: Sequence[str] = ("PCMU", "PCMA"),
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> None:
        """Take the call, and talk and listen."""
        offer = negotiate(self.invite.request.body, codecs=codecs, address=HOST, port=self.rtp.port)
        self.answered_at = self.phone.clock.now()
        self.session = self.invite.accept(offer.body if body is None else body, headers)
        self.session.on_request = self._on_request
        self.voice = Tone(voice_hz) if voice_hz else None
        self.rtp.set_codec(CODECS[offer.codec])
        self.rtp.set_dtmf_payload_type(offer.dtmf_payload_type)
        self.rtp.set_remote(offer.remote)
        self.rtp.on_digit = self.keys.append
        self.phone.media.add(self._tick)

    def _on_request(self, request: IncomingRequest) -> None:
        self.requests.append(request.request)
        if request.method == "BYE":
            self.ended_at = self.phone.clock.now()
            self.hush()
        elif self.phone.on_in_dialog is not None:
            self.phone.on_in_dialog(request)
        else:
            request.respond(405)

    def _tick(self) -> None:
        frame = self.rtp.receive_frame()
        self.heard.append(silence() if frame is None else frame)
        self.rtp.send_frame(self.voice.frame() if self.voice else silence())

    def hush(self) -> None:
        """Neither talk nor listen."""
        self.phone.media.remove(self._tick)

    async def bye(self) -> None:
        """Hang up."""
        assert self.session is not None, "it was answered"
        self.hush()
        await self.session.bye()

    async def hung_up(self, timeout_s: float = 10.0) -> None:
        """Wait until the other side has said BYE."""
        assert self.session is not None, "it was answered"
        async with limit(timeout_s):
            await self.session.ended.wait()

    def samples(self, last_s: float) -> Samples:
        """The end of what was heard."""
        frames = self.heard[-int(last_s / 0.02) :]
        return np.concatenate(frames) if frames else silence(0)


class CalledPhone:
    """One SIP user agent that is called.

    Attributes:
        legs: the calls that came, in order.
        invites: how many INVITEs came, those that were asked for credentials included.
        tasks: end with the telephone.
        on_in_dialog: answers requests within a call, BYE apart.
    """

    def __init__(
        self,
        *,
        username: str = "",
        password: str = "",
        algorithms: Sequence[str] = ("MD5",),
        loss: Loss | None = None,
    ) -> None:
        self._loss = loss
        self.clock = LoopClock()
        self.endpoint = SipEndpoint(self.clock, "Called phone")
        self.endpoint.on_invite = self._on_invite
        self.media = MediaClock(self.clock)
        self.legs: list[CalledLeg] = []
        self.invites = 0
        self.on_in_dialog: Callable[[IncomingRequest], None] | None = None
        self._ports = PortPool(HOST, 0, 0)
        self._username, self._password = username, password
        self._authenticator = Authenticator("carrier.example", self.clock, algorithms=algorithms)
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.endpoint.start(HOST, 0, loss=self._loss)
        self.media.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.media.stop()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for leg in self.legs:
            leg.rtp.close()
        await self.endpoint.close()

    @property
    def address(self) -> str:
        """Where it is called, as a trunk has it."""
        return f"{HOST}:{self.endpoint.port}"

    def _on_invite(self, invite: IncomingInvite) -> None:
        self.invites += 1
        if self._username and not self._is_authorized(invite):
            challenges = self._authenticator.challenges()
            invite.respond(407, headers=[("Proxy-Authenticate", str(one)) for one in challenges])
            return
        self.tasks.append(asyncio.create_task(self._come(invite, self.clock.now())))

    def _is_authorized(self, invite: IncomingInvite) -> bool:
        given = invite.request.headers.get("Proxy-Authorization")
        if given is None:
            return False
        verdict = self._authenticator.judge(
            given, method="INVITE", username=self._username, password=self._password
        )
        return verdict is Verdict.ACCEPTED

    async def _come(self, invite: IncomingInvite, invited_at: float) -> None:
        rtp = await RtpSession.open(address=HOST, ports=self._ports, clock=self.clock)
        self.legs.append(CalledLeg(self, invite, rtp, invited_at))

    async def rung(self, number: int = 1, timeout_s: float = 10.0) -> CalledLeg:
        """Wait for the nth call."""
        await until(lambda: len(self.legs) >= number, timeout_s)
        return self.legs[number - 1]
