"""An agent made of tones: a callee on real sockets that greets, replies, yields and hangs up.

Every sentence is a tone of its own frequency, so that ``ToneRecogniser`` can say which one was heard, and a
test can tell what arrived without any speech model.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.detect import dominant_frequency
from telephony.audio.frame import FRAME_SAMPLES, silence
from telephony.audio.g711 import CODECS
from telephony.audio.level import dbfs
from telephony.audio.tones import sine
from telephony.clock import LoopClock
from telephony.rtp.clock import MediaClock
from telephony.rtp.ports import PortPool
from telephony.rtp.session import RtpSession
from telephony.sip.digest import Challenge, verify
from telephony.sip.endpoint import SipEndpoint
from telephony.sip.sdp import negotiate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from telephony.audio.frame import Samples
    from telephony.sip.incoming import IncomingInvite
    from telephony.sip.session import DialogSession

GREETING, DAY, HOURS, GOODBYE = 440.0, 550.0, 700.0, 900.0
SENTENCES = {
    GREETING: "Hello, Riverside Clinic.",
    DAY: "Which day would you like?",
    HOURS: "We are open from nine to five.",
    GOODBYE: "Goodbye.",
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A tone; ``last`` hangs up after it."""

    frequency_hz: float
    duration_s: float = 0.5
    last: bool = False


@dataclass(frozen=True, slots=True)
class Transcript:
    text: str


class ToneRecogniser:
    """Knows each sentence by its frequency; anything else is not understood."""

    def __init__(self, sentences: dict[float, str] = SENTENCES) -> None:
        self._sentences = sentences

    async def transcribe(
        self, samples: Samples, rate: int, *, hint: str = "", language: str = "en"
    ) -> Transcript:
        await asyncio.sleep(0.02)
        heard = dominant_frequency(samples, rate)
        near = min(self._sentences, key=lambda frequency: abs(frequency - heard))
        return Transcript(self._sentences[near] if abs(near - heard) < 15 else "")


@dataclass
class ToneAgent:
    """What it does with a call."""

    sentences: Sequence[Sentence] = ()
    """The greeting, then a reply to each turn of the caller: a line or a key."""
    ring_after_s: float | None = 0.0
    answer_after_s: float | None = 0.02
    """None: rings for ever."""
    refuse: int | None = None
    password: str | None = None
    yields: bool = True
    """Whether it falls silent when it is talked over."""
    reply_after_s: float = 0.3
    codec: str = "PCMU"
    heard: list[Samples] = field(default_factory=list)
    """Each frame that arrived, in order."""
    digits: str = ""
    ended_by: str | None = None
    cancelled: bool = False
    calls: int = 0

    def __post_init__(self) -> None:
        self._endpoint = SipEndpoint(LoopClock(), "Tone agent")
        self._endpoint.on_invite = self._invited
        self._media_clock = MediaClock()
        self._rtp: RtpSession | None = None
        self._session: DialogSession | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._next = 0
        self._speaking: list[Samples] = []
        self._hang_up_after = False
        self._caller_spoke = False
        self._quiet_ticks = 0

    @property
    def in_call(self) -> bool:
        """Whether a call is up."""
        return self._session is not None and self.ended_by is None

    @property
    def address(self) -> str:
        """The SIP URI to call."""
        return f"sip:clinic@127.0.0.1:{self._endpoint.port}"

    async def start(self) -> None:
        await self._endpoint.start("127.0.0.1")
        self._media_clock.start()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._media_clock.stop()
        if self._rtp is not None:
            self._rtp.close()
        await self._endpoint.close()

    async def hang_up(self) -> None:
        """End the call from this side."""
        assert self._session is not None
        await self._session.bye()

    def _invited(self, invite: IncomingInvite) -> None:
        if self.password is not None and not self._knows(invite):
            challenge = Challenge("tones", "a-nonce")
            invite.respond(401, headers=[("WWW-Authenticate", str(challenge))])
            return
        self.calls += 1
        invite.on_cancelled = self._on_cancelled
        self._tasks.append(asyncio.create_task(self._take(invite)))

    def _knows(self, invite: IncomingInvite) -> bool:
        header = invite.request.headers.get("Authorization")
        if header is None:
            return False
        assert self.password is not None
        return verify(header, method="INVITE", username="anna", password=self.password, realm="tones")

    def _on_cancelled(self) -> None:
        self.cancelled = True

    async def _take(self, invite: IncomingInvite) -> None:
        if self.ring_after_s is None:
            invite.forget()
            return
        invite.respond(100)
        await asyncio.sleep(self.ring_after_s)
        if self.refuse is not None:
            invite.respond(self.refuse)
            return
        invite.respond(180)
        if self.answer_after_s is None:
            return
        await asyncio.sleep(self.answer_after_s)
        self._rtp = await RtpSession.open(address="127.0.0.1", ports=PortPool("127.0.0.1", 0, 0))
        answer = negotiate(invite.request.body, codecs=[self.codec], address="127.0.0.1", port=self._rtp.port)
        self._rtp.set_codec(CODECS[answer.codec])
        self._rtp.set_dtmf_payload_type(answer.dtmf_payload_type)
        self._rtp.set_remote(answer.remote)
        self._rtp.on_digit = self._on_digit
        self._session = invite.accept(answer.body)
        self._media_clock.add(self._tick)
        self._say_next()
        await self._session.ended.wait()
        self.ended_by = self._session.ended_by
        self._media_clock.remove(self._tick)

    def _on_digit(self, digit: str) -> None:
        self.digits += digit
        self._say_next()

    def _say_next(self) -> None:
        if self._next < len(self.sentences):
            sentence = self.sentences[self._next]
            self._next += 1
            tone = sine(sentence.frequency_hz, sentence.duration_s)
            self._speaking = list(tone.reshape(-1, FRAME_SAMPLES))
            self._hang_up_after = sentence.last

    def _tick(self) -> None:
        assert self._rtp is not None
        frame = self._rtp.receive_frame()
        self._listen(silence() if frame is None else frame)
        spoke = bool(self._speaking)
        self._rtp.send_frame(self._speaking.pop(0) if spoke else silence())
        if spoke and not self._speaking and self._hang_up_after:
            self._tasks.append(asyncio.create_task(self.hang_up()))

    def _listen(self, frame: Samples) -> None:
        self.heard.append(frame)
        if dbfs(frame) > -40:
            self._caller_spoke, self._quiet_ticks = True, 0
            if self.yields:
                self._speaking = []
            return
        self._quiet_ticks += 1
        if self._caller_spoke and self._quiet_ticks * 0.02 >= self.reply_after_s:
            self._caller_spoke = False
            self._say_next()

    def heard_frequency(self) -> float:
        """The tone that arrived most."""
        loud = [frame for frame in self.heard if dbfs(frame) > -40]
        return dominant_frequency(np.concatenate(loud)) if loud else 0.0


@asynccontextmanager
async def running(agent: ToneAgent) -> AsyncIterator[ToneAgent]:
    await agent.start()
    try:
        yield agent
    finally:
        await agent.close()
