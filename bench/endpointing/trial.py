"""One turn of a caller's to a real session that listens, in virtual time: when is it taken to be over?

The recogniser's words come 150 to 400 ms late; its final text 200 to 250 ms after each sound that a pause of
200 ms follows, one word in ten of it wrong. It sets a full stop where the sentence ends four times of five,
and at one other pause of three.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit.agents import Agent, LanguageCode, StopResponse, inference, stt

from bench.interruptions.network import through
from bench.interruptions.recogniser import INTERIM_S, SimulatedStt, misheard
from bench.interruptions.trial import CallerLine
from telephony.agent.session import ears_of, phone_session
from telephony.agent.turn_taking import TurnTaking
from telephony.agent.turn_taking_agent import TurnTakingAgent
from telephony.assistants.loader import load_assistant
from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, silence
from telephony.speech.at_once import AtOnce
from telephony.speech.expectation import Expectation
from telephony.speech.providers import Providers
from telephony.speech.settings import BundledVadSettings, TimedLlmSettings, TimedTtsSettings
from telephony.speech.timed import TimedLlm, TimedTts
from telephony.turns.endpointing import EndpointingSettings

if TYPE_CHECKING:
    from livekit.agents import llm

    from bench.endpointing.corpus import Utterance
    from telephony.assistants.schema import Assistant

FIXED_MS = 300
FINAL_S = (0.20, 0.25)
RIGHT_STOPS, WRONG_STOPS = 0.8, 0.33
_STT_PAUSE_S = 0.2
_BEFORE_S = 0.6
_AFTER_S = 3.0


@dataclass(slots=True)
class Ended:
    """When a turn was taken to be over.

    Attributes:
        cut_off: while the caller had more to say.
        decided_ms: after the last sound; None where it was cut off or never decided.
    """

    utterance: Utterance
    cut_off: bool
    decided_ms: float | None
    at_s: list[float] = field(default_factory=list)


class _Listener(Agent):
    """Takes turns and says nothing."""

    def __init__(self, at: list[float]) -> None:
        super().__init__(instructions="unused")
        self._at = at

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        self._at.append(asyncio.get_running_loop().time())
        raise StopResponse


class _HandledListener(TurnTakingAgent):
    """The same, with the handler in its ears."""

    def __init__(self, turns: TurnTaking, at: list[float]) -> None:
        super().__init__(turns, instructions="unused")
        self._at = at

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        self._at.append(asyncio.get_running_loop().time())
        await super().on_user_turn_completed(turn_ctx, new_message)
        raise StopResponse


def _assistant(language: str, *, fixed: bool) -> Assistant:
    assistant = load_assistant("reception")
    turns = assistant.turns.model_copy(update={"language": language})
    same = dict.fromkeys(("answer_ms", "sentence_ms", "silence_ms", "unfinished_ms", "digits_ms"), FIXED_MS)
    ends = EndpointingSettings(**same, learn=False) if fixed else assistant.endpointing
    return assistant.model_copy(update={"turns": turns, "endpointing": ends})


def _detector(assistant: Assistant, *, fixed: bool) -> inference.VAD:
    line, ears = BundledVadSettings(), ears_of(assistant)
    least_ms = line.min_silence_ms if fixed else ears.shortest_ms or line.min_silence_ms
    return inference.VAD(
        min_speech_duration=line.min_speech_ms / 1000,
        min_silence_duration=min(least_ms, line.min_silence_ms) / 1000,
        prefix_padding_duration=line.prefix_padding_ms / 1000,
        activation_threshold=line.activation_threshold,
        executor=AtOnce(),
    )


async def listen(utterance: Utterance, *, fixed: bool) -> Ended:
    """Say one utterance to a session. To be run virtually.

    Args:
        fixed: whether 300 ms of silence end every turn; else as an assistant has it by default.
    """
    rng = random.Random(utterance.seed)
    assistant = _assistant(utterance.language, fixed=fixed)
    recogniser = SimulatedStt(utterance.language)
    detector = _detector(assistant, fixed=fixed)
    voice = TimedTts(TimedTtsSettings(provider="timed"))
    providers = Providers(
        recogniser, TimedLlm(TimedLlmSettings(provider="timed")), voice, detector, Expectation()
    )
    turns = TurnTaking(assistant, recogniser)
    # Fixed silence is livekit-agents' own, counted from where the detector ends speech.
    session = phone_session(providers, assistant, None if fixed else turns)
    before, after = (round(seconds / FRAME_S) * FRAME_SAMPLES for seconds in (_BEFORE_S, _AFTER_S))
    line = np.concatenate([silence(before), utterance.samples, silence(after)])
    at: list[float] = []
    session.input.audio = CallerLine(through(line, "clean", utterance.seed).frames)
    if not fixed:
        turns.attach(session)
    began_at = asyncio.get_running_loop().time()
    _schedule(utterance, recogniser, rng)
    await session.start(_Listener(at) if fixed else _HandledListener(turns, at))
    await asyncio.sleep(max(0.0, line.size / 8000 - 2 * FRAME_S))
    turns.close()
    await session.aclose()
    over = began_at + _BEFORE_S + utterance.parts[-1].ends_s
    cut_off = any(each < over for each in at)
    last = None if cut_off or not at else 1000 * (at[0] - over)
    return Ended(utterance, cut_off, last, [each - began_at - _BEFORE_S for each in at])


def _schedule(utterance: Utterance, recogniser: SimulatedStt, rng: random.Random) -> None:
    """What the recogniser will tell, and when."""
    loop, said = asyncio.get_running_loop(), list[str]()
    for number, part in enumerate(utterance.parts):
        last = number == len(utterance.parts) - 1
        heard = misheard(" ".join(part.words), utterance.language, rng)
        length_s = part.ends_s - part.begins_s
        for count in range(1, len(heard) + 1):
            delay_s = _BEFORE_S + part.begins_s + length_s * count / len(heard) + rng.uniform(*INTERIM_S)
            text = " ".join([*said, *heard[:count]])
            loop.call_later(delay_s, recogniser.tell, _event(utterance.language, text, final=False))
        said += heard
        pause_s = 10.0 if last else utterance.parts[number + 1].begins_s - part.ends_s
        final_s = rng.uniform(*FINAL_S)
        if pause_s < _STT_PAUSE_S or not said:
            continue
        stops = rng.random() < (RIGHT_STOPS if last else WRONG_STOPS)
        text = " ".join(said) + ("." if stops else "")
        said = []
        delay_s = _BEFORE_S + part.ends_s + final_s
        loop.call_later(delay_s, recogniser.tell, _event(utterance.language, text, final=True))


def _event(language: str, text: str, *, final: bool) -> stt.SpeechEvent:
    kind = stt.SpeechEventType.FINAL_TRANSCRIPT if final else stt.SpeechEventType.INTERIM_TRANSCRIPT
    data: Any = stt.SpeechData(language=LanguageCode(language), text=text, confidence=0.9)
    return stt.SpeechEvent(type=kind, request_id="simulated", alternatives=[data])
