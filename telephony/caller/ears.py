"""What the caller hears: every packet placed in time, speech told from silence at once, utterances as text.

An utterance is handed to the recogniser as soon as it has ended; what it understood comes by ``on_heard``.
Without a recogniser everything but the text is still there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from telephony.audio.frame import RATE
from telephony.caller.activity import SpeechActivity
from telephony.caller.report import HeardUtterance
from telephony.caller.track import ReceivedTrack
from telephony.errors import SpeechError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.audio.frame import Samples
    from telephony.audio.g711 import Codec
    from telephony.caller.activity import Speech
    from telephony.clock import Clock
    from telephony.rtp.packet import RtpPacket

log = get_logger(__name__)

_LEAD_S = 0.3
"""Sound before the first packet with speech that the recogniser gets too: soft consonants lie there."""
_TAIL_S = 0.4
_LONGEST_S = 60.0
_TRANSCRIBE_TIMEOUT_S = 20.0


class Text(Protocol):
    """What a recogniser understood."""

    @property
    def text(self) -> str: ...


class Recogniser(Protocol):
    """What this needs of ``telephony.speech.client.SpeechClient``."""

    async def transcribe(
        self, samples: Samples, rate: int, *, hint: str = "", language: str = "en"
    ) -> Text: ...


class Ears:
    """Listens to one call.

    Attributes:
        track: every packet of audio that arrived.
        utterances: what the agent said, in order; ``text`` is None until it is known, "" if unintelligible.
        on_speaking: called with a stretch of speech when it has begun.
        on_silent: called with it when it has ended.
        on_heard: called with an utterance when its text is known.
        on_failed: called with a sentence when the recogniser failed.
    """

    def __init__(
        self, clock: Clock, codec: Codec, recogniser: Recogniser | None = None, *, language: str = "en"
    ) -> None:
        self.track = ReceivedTrack()
        self.utterances: list[HeardUtterance] = []
        self.on_speaking: Callable[[Speech], None] = _ignore
        self.on_silent: Callable[[Speech], None] = _ignore
        self.on_heard: Callable[[HeardUtterance], None] = _ignore
        self.on_failed: Callable[[str], None] = _ignore
        self._clock = clock
        self._codec = codec
        self._recogniser = recogniser
        self._language = language
        self._activity = SpeechActivity()
        self._was_speaking = False
        self._untranscribed: asyncio.Queue[HeardUtterance] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None

    @property
    def current(self) -> Speech | None:
        """The agent's speech that is going on."""
        return self._activity.current

    @property
    def speeches(self) -> list[Speech]:
        """All of the agent's speech so far, the current one included."""
        return self._activity.speeches

    def start(self) -> None:
        """Begin to transcribe; call it in the running loop."""
        if self._recogniser is not None and self._worker is None:
            self._worker = asyncio.create_task(self._transcribe_all(self._recogniser), name="caller-ears")

    def hear(self, packet: RtpPacket, arrival_s: float) -> None:
        """Take one packet in, at its arrival."""
        if packet.payload_type != self._codec.payload_type:
            return
        heard = self.track.add(packet, self._codec.decode(packet.payload), arrival_s)
        if heard is not None:
            self._activity.feed(arrival_s, heard.level_dbfs)
            self._notice()

    def tick(self) -> None:
        """Notice silence when nothing arrives; call it each 20 ms."""
        self._activity.tick(self._clock.now())
        self._notice()

    def end(self) -> None:
        """The call has ended: what the agent was saying ends with it."""
        self._activity.finish()
        self._notice()

    def spoken_since(self, since_s: float) -> bool:
        """Whether the agent has begun to speak after a moment."""
        return any(speech.start_s > since_s for speech in self.speeches)

    def silent_for(self, now_s: float) -> float:
        """Seconds since the agent's last packet with speech; infinity when it has never spoken."""
        speeches = self.speeches
        return now_s - speeches[-1].end_s if speeches else float("inf")

    def text_since(self, since_s: float) -> str:
        """What the agent was understood to say in utterances begun after a moment."""
        return " ".join(item.text for item in self.utterances if item.start_s > since_s and item.text)

    def waiting_for_text(self) -> bool:
        """Whether something the agent said is not transcribed yet, or it is still speaking."""
        if self.current is not None:
            return True
        return self._worker is not None and any(item.text is None for item in self.utterances)

    async def finish(self, within_s: float) -> None:
        """Transcribe what is left, at most ``within_s`` long, and stop."""
        self.end()
        worker, self._worker = self._worker, None
        if worker is None:
            return
        try:
            async with asyncio.timeout(within_s):
                await self._untranscribed.join()
        except TimeoutError:
            self.on_failed("the recogniser did not finish in time")
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    def _notice(self) -> None:
        current, finished = self._activity.current, self._activity.finished
        while len(self.utterances) < len(finished):
            speech = finished[len(self.utterances)]
            utterance = HeardUtterance(speech.start_s, speech.end_s)
            self.utterances.append(utterance)
            self._untranscribed.put_nowait(utterance)
            self._was_speaking = False
            self.on_silent(speech)
        if current is not None and not self._was_speaking:
            self._was_speaking = True
            self.on_speaking(current)

    async def _transcribe_all(self, recogniser: Recogniser) -> None:
        while True:
            utterance = await self._untranscribed.get()
            try:
                utterance.text = await self._transcribe(recogniser, utterance)
            finally:
                self._untranscribed.task_done()
            if utterance.text is not None:
                self.on_heard(utterance)

    async def _transcribe(self, recogniser: Recogniser, utterance: HeardUtterance) -> str | None:
        end_s = min(utterance.end_s, utterance.start_s + _LONGEST_S)
        samples = self.track.samples_between(utterance.start_s - _LEAD_S, end_s + _TAIL_S)
        try:
            async with asyncio.timeout(_TRANSCRIBE_TIMEOUT_S):
                transcript = await recogniser.transcribe(samples, RATE, language=self._language)
        except (SpeechError, TimeoutError) as error:
            log.warning("caller_recogniser_failed", reason=str(error) or "no answer in time")
            self.on_failed(f"the recogniser failed: {error or 'no answer in time'}")
            return None
        return transcript.text.strip()


def _ignore(_: object) -> None:
    """Nobody is interested."""
