"""What the caller hears."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from telephony.audio.frame import FRAME_SAMPLES, Samples, silence
from telephony.audio.g711 import PCMU
from telephony.audio.tones import sine
from telephony.caller.ears import Ears
from telephony.clock import ManualClock
from telephony.errors import SpeechError
from telephony.rtp.packet import RtpPacket
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.pure

LOUD = sine(400, 0.02)


@dataclass(frozen=True)
class Understood:
    text: str


@dataclass
class Recogniser:
    """Understands what it is told to, in order; None fails."""

    texts: list[str | None]
    lengths: list[int] = field(default_factory=list)

    async def transcribe(
        self, samples: Samples, rate: int, *, hint: str = "", language: str = "en"
    ) -> Understood:
        self.lengths.append(samples.size)
        await asyncio.sleep(0)
        text = self.texts.pop(0)
        if text is None:
            raise SpeechError("the engine broke")
        return Understood(text)


class Line:
    """Feeds ears with packets, 20 ms apart, on a clock turned by hand."""

    def __init__(self, recogniser: Recogniser | None = None) -> None:
        self.clock = ManualClock()
        self.ears = Ears(self.clock, PCMU, recogniser)
        self._number = 0

    def hear(self, samples: Samples, packets: int) -> None:
        for _ in range(packets):
            payload = PCMU.encode(samples)
            packet = RtpPacket(0, self._number, self._number * FRAME_SAMPLES, 1, False, payload)
            self.ears.hear(packet, self.clock.now())
            self.ears.tick()
            self._number += 1
            self.clock.advance(0.02)


async def settled(condition: Callable[[], bool]) -> None:
    async with limit(2):
        while not condition():
            await asyncio.sleep(0)


async def test_an_utterance_is_transcribed_when_it_has_ended() -> None:
    """The recogniser gets it with a little of what lies around it, once."""
    recogniser = Recogniser(["Hello there."])
    line = Line(recogniser)
    line.ears.start()
    line.hear(silence(), 20)
    line.hear(LOUD, 50)
    assert line.ears.waiting_for_text()
    line.hear(silence(), 30)
    await settled(lambda: not line.ears.waiting_for_text())
    assert line.ears.text_since(0.0) == "Hello there."
    assert line.ears.text_since(1.0) == ""
    assert recogniser.lengths[0] / 8000 == pytest.approx(0.98 + 0.7, abs=0.03)
    await line.ears.finish(1.0)


async def test_speaking_and_silence_are_told_as_they_happen() -> None:
    """Beginning and end of each utterance come once, with their true times."""
    line = Line()
    told: list[tuple[str, float]] = []
    line.ears.on_speaking = lambda speech: told.append(("speaking", speech.start_s))
    line.ears.on_silent = lambda speech: told.append(("silent", speech.end_s))
    line.hear(silence(), 10)
    line.hear(LOUD, 10)
    assert line.ears.current is not None
    assert line.ears.silent_for(line.clock.now()) == pytest.approx(0.02)
    line.hear(silence(), 40)
    assert [kind for kind, _ in told] == ["speaking", "silent"]
    assert [at_s for _, at_s in told] == pytest.approx([0.2, 0.38])
    assert line.ears.spoken_since(0.1)
    assert not line.ears.spoken_since(0.2)


async def test_silence_is_noticed_without_packets() -> None:
    """A stream that stops ends the utterance."""
    line = Line()
    line.hear(LOUD, 10)
    line.clock.advance(1.0)
    line.ears.tick()
    assert line.ears.current is None
    assert len(line.ears.utterances) == 1
    assert not line.ears.waiting_for_text()


async def test_the_end_of_the_call_ends_what_is_being_said() -> None:
    """The last words are transcribed although no silence followed them."""
    line = Line(Recogniser(["Goodbye."]))
    line.ears.start()
    line.hear(LOUD, 20)
    line.ears.end()
    await line.ears.finish(2.0)
    assert [item.text for item in line.ears.utterances] == ["Goodbye."]


async def test_a_recogniser_that_fails_is_told_of_and_not_the_end() -> None:
    """The utterance stays without text, and the next one is understood."""
    line = Line(Recogniser([None, "Goodbye."]))
    failures: list[str] = []
    line.ears.on_failed = failures.append
    line.ears.start()
    for _ in range(2):
        line.hear(LOUD, 20)
        line.hear(silence(), 30)
    await line.ears.finish(2.0)
    assert [item.text for item in line.ears.utterances] == [None, "Goodbye."]
    assert failures == ["the recogniser failed: the engine broke"]


async def test_other_payload_types_are_not_heard() -> None:
    """Keys and comfort noise are no audio of the agreed codec."""
    line = Line()
    line.ears.hear(RtpPacket(101, 0, 0, 1, True, b"\x01\x0a\x00\xa0"), 0.0)
    assert line.ears.track.packets == []


async def test_never_having_spoken_is_silence_without_end() -> None:
    """No utterance is needed to ask for how long there has been silence."""
    assert Line().ears.silent_for(5.0) == float("inf")
