"""One interruption of a real session: its detector, its handler, the phone's playout; in virtual time.

Guarantee: nothing of it depends on the machine but the detector's arithmetic. What is measured is what the
phone was sent: the agent's frames of 20 ms, and the caller's sound as it left the caller.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit import rtc
from livekit.agents import inference, llm
from livekit.agents.voice.io import AudioInput

from bench.interruptions.network import through
from bench.interruptions.recogniser import SimulatedStt, misheard
from telephony.agent.turn_taking import TurnTaking
from telephony.assistants.loader import load_assistant
from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, RATE
from telephony.speech.at_once import AtOnce
from telephony.speech.expectation import Expectation
from telephony.speech.providers import Providers
from telephony.speech.settings import BundledVadSettings, TimedLlmSettings, TimedTtsSettings
from telephony.speech.timed import TimedLlm, TimedTts
from tests.agent.talk import in_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from livekit.agents import AgentSession, stt

    from bench.interruptions.corpus import Interruption
    from telephony.audio.frame import Samples
    from tests.agent.talk import Phone

STATEMENT = {
    "en": "The office is at the corner of Park Lane and Fifth Avenue, opposite the bridge, third floor.",
    "ru": "Наш офис находится на углу Садовой улицы и Невского проспекта, напротив моста, на третьем этаже.",
}
QUESTION = {
    "en": "Shall I book the table by the window for you and your guests on Friday evening at eight then?",
    "ru": "Записать вас и трёх ваших гостей на пятницу вечером, столик у окна, рядом с выходом?",
}
SPEECH_S = 14.0
BEFORE_S = 0.6
"""Of the line alone before the agent speaks."""
WATCHED_S = 4.0
"""After the sound."""


@dataclass(slots=True)
class Outcome:
    """What became of one interruption; times in ms, None where it did not happen.

    Attributes:
        ended: the agent's utterance was ended for good.
        paused_ms: from the sound's first to the agent's last packet before it was silent.
        stopped_ms: the same, where it ended.
        resumed_ms: from the sound's end to the agent's next packet, at least 0; 0 too where it never paused.
        patient: the caller was granted a moment.
        turn: what became a turn of the caller's.
    """

    interruption: Interruption
    heard: str
    ended: bool = False
    paused_ms: float | None = None
    stopped_ms: float | None = None
    resumed_ms: float | None = None
    patient: bool = False
    turn: str = ""
    decisions: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether that was what the caller wanted."""
        match self.interruption.kind:
            case "backchannels" | "coughs" | "noise":
                return not self.ended
            case "holds":
                return self.patient and not self.turn
            case "stops":
                return self.ended
        return self.ended and bool(self.turn)


class CallerLine(AudioInput):
    """The caller's line, 20 ms at a time."""

    def __init__(self, frames: list[Samples]) -> None:
        super().__init__(label="caller")
        self._frames = frames
        self._at = 0
        self._began_at = asyncio.get_running_loop().time()

    async def __anext__(self) -> rtc.AudioFrame:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._began_at + (self._at + 1) * FRAME_S - loop.time()))
        if self._at >= len(self._frames):
            raise StopAsyncIteration
        frame = self._frames[self._at]
        self._at += 1
        return rtc.AudioFrame(frame.tobytes(), RATE, 1, FRAME_SAMPLES)


def detector(*, least_speech_ms: int = 0) -> inference.VAD:
    """The line's default detector, on the loop's own thread."""
    settings = BundledVadSettings()
    return inference.VAD(
        min_speech_duration=max(settings.min_speech_ms, least_speech_ms) / 1000,
        min_silence_duration=settings.min_silence_ms / 1000,
        prefix_padding_duration=settings.prefix_padding_ms / 1000,
        activation_threshold=settings.activation_threshold,
        executor=AtOnce(),
    )


async def interrupt(
    interruption: Interruption, recogniser: Callable[[str], stt.STT[Any]] | None = None
) -> Outcome:
    """Let an agent speak, interrupt it, and see what comes of it. To be run virtually.

    Args:
        recogniser: one that listens itself, made for a language; None for the simulated one.
    """
    rng = random.Random(interruption.seed)
    sound = interruption.samples()
    sound = np.concatenate([sound, np.zeros(-sound.size % FRAME_SAMPLES, np.int16)])
    begins = round((BEFORE_S + rng.uniform(1.2, 2.2)) / FRAME_S)
    ends = begins + sound.size // FRAME_SAMPLES
    frames = ends + round(WATCHED_S / FRAME_S)
    line = np.zeros(frames * FRAME_SAMPLES, np.int16)
    line[begins * FRAME_SAMPLES : ends * FRAME_SAMPLES] = sound
    heard = through(line, interruption.network, interruption.seed).frames
    understood = misheard(interruption.words, interruption.language, rng)
    simulated = SimulatedStt(interruption.language) if recogniser is None else None
    outcome = Outcome(interruption, " ".join(understood) if simulated is not None else "")
    listener = simulated if recogniser is None else recogniser(interruption.language)
    assert listener is not None, "one of both"
    async with _talking(interruption, listener, heard, outcome) as talk:
        loop = asyncio.get_running_loop()
        if simulated is not None:
            length_s, true = sound.size / RATE, interruption.words.split()
            loop.call_later(begins * FRAME_S, simulated.hear, understood, true, length_s, rng)
        await asyncio.sleep(BEFORE_S)
        text = (QUESTION if interruption.kind == "answers" else STATEMENT)[interruption.language]
        said = talk.session.say(text)
        await asyncio.sleep((frames - 1) * FRAME_S - BEFORE_S)
        talk.judge(outcome, begins, ends, ended=said.interrupted)
    return outcome


@asynccontextmanager
async def _talking(
    interruption: Interruption, listener: stt.STT[Any], heard: list[Samples], outcome: Outcome
) -> AsyncIterator[_Talk]:
    """A session whose caller's line is ``heard``; what it tells goes into the outcome."""
    assistant = load_assistant("reception")
    own = assistant.turns.model_copy(update={"language": interruption.language})
    assistant = assistant.model_copy(update={"turns": own})
    voice = TimedTts(TimedTtsSettings(provider="timed", tts_ms=20, duration_s=SPEECH_S))
    brain = TimedLlm(TimedLlmSettings(provider="timed", llm_ms=200, text="Very well."))
    providers = Providers(listener, brain, voice, detector(), Expectation())

    def told(event: str, data: dict[str, Any]) -> None:
        outcome.patient |= data.get("action") == "patience"
        if event == "interruption.ignored":
            outcome.decisions.append(f"{data['action']} by {data['policy']}: {data['reason']}")

    turns = TurnTaking(assistant, listener, tell=told)
    async with in_session(providers, assistant, turns, CallerLine(heard)) as (session, phone):
        yield _Talk(session, turns, phone)


@dataclass(frozen=True, slots=True)
class _Talk:
    """A session that is up."""

    session: AgentSession[None]
    turns: TurnTaking
    phone: Phone

    def judge(self, outcome: Outcome, begins: int, ends: int, *, ended: bool) -> None:
        """What the phone was sent; ``begins`` and ``ends`` are the sound's frames."""
        loud = self.phone.loud
        last = next((at for at in range(begins, len(loud)) if not any(loud[at : at + 3])), None)
        outcome.ended = ended
        if why := self.turns.interruption():
            outcome.decisions.append(f"yield by {why['policy']}: {why['reason']}")
        outcome.turn = " / ".join(
            item.text_content or ""
            for item in self.session.history.items
            if isinstance(item, llm.ChatMessage) and item.role == "user"
        )
        if last is not None:
            outcome.paused_ms = max(0.0, 1000 * FRAME_S * (last - begins))
        if ended:
            outcome.stopped_ms = outcome.paused_ms
            return
        if last is None:
            outcome.resumed_ms = 0.0
            return
        # It may fall silent again: the last time it goes on counts.
        quiet = [at for at in range(last, len(loud)) if not loud[at]]
        again = quiet[-1] + 1
        if again < len(loud):
            outcome.resumed_ms = max(0.0, 1000 * FRAME_S * (again - ends))
