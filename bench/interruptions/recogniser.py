"""A recogniser that knows what is said: the true words, late by 150 to 400 ms, one in ten of them wrong.

Of the errors seven in ten put another word in place of the right one, half of those one that is spelled
alike, two leave it out, one adds a word: about what recognisers do on a telephone. A word that is heard
wrongly stays wrong in the final text.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, LanguageCode, stt, utils

from bench.interruptions.corpus import vocabulary
from bench.speech_corpus.scoring import distance

if TYPE_CHECKING:
    import random

    from livekit.agents import APIConnectOptions

WORD_ERRORS = 0.10
INTERIM_S = (0.15, 0.40)
FINAL_S = (0.35, 0.45)
"""After the last sound: its own silence, and its work."""

_ALIKE = 4
"""Nearest words that one is misheard for."""


class SimulatedStt(stt.STT[Any]):
    """Tells what it is told to hear.

    Args:
        interim: whether words are to be expected while they are spoken.
    """

    def __init__(self, language: str, *, interim: bool = True) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=interim))
        self._language = language
        self._told: asyncio.Queue[stt.SpeechEvent] = asyncio.Queue()

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise AssertionError("it streams")

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS, **_: Any
    ) -> stt.RecognizeStream:
        return _Recognition(self, self._told, conn_options)

    def hear(self, words: list[str], true_words: list[str], length_s: float, rng: random.Random) -> None:
        """Begin to hear an utterance now.

        Args:
            words: as they are understood.
            true_words: as they are spoken; their spelling says when each is over.
            length_s: of the sound.
        """
        loop = asyncio.get_running_loop()
        if not words:
            return
        # A word is told when as much of the sound is over as of the words.
        letters = sum(map(len, true_words))
        for count in range(1, len(words) + 1):
            share = sum(map(len, true_words[: round(count * len(true_words) / len(words))])) / letters
            delay_s = length_s * share + rng.uniform(*INTERIM_S)
            self._later(loop, delay_s, stt.SpeechEventType.INTERIM_TRANSCRIPT, words[:count])
        self._later(loop, length_s + rng.uniform(*FINAL_S), stt.SpeechEventType.FINAL_TRANSCRIPT, words)

    def tell(self, event: stt.SpeechEvent) -> None:
        """Tell the session of it now."""
        self._told.put_nowait(event)

    def _later(
        self, loop: asyncio.AbstractEventLoop, delay_s: float, kind: stt.SpeechEventType, words: list[str]
    ) -> None:
        data = stt.SpeechData(language=LanguageCode(self._language), text=" ".join(words), confidence=0.9)
        event = stt.SpeechEvent(type=kind, request_id=utils.shortuuid("sim_"), alternatives=[data])
        loop.call_later(delay_s, self._told.put_nowait, event)


class _Recognition(stt.RecognizeStream):
    def __init__(
        self, recogniser: SimulatedStt, told: asyncio.Queue[stt.SpeechEvent], conn_options: APIConnectOptions
    ) -> None:
        self._told = told
        super().__init__(stt=recogniser, conn_options=conn_options)

    async def _run(self) -> None:
        latest = 0
        while True:
            event = await self._told.get()
            length = len(event.alternatives[0].text)
            final = event.type == stt.SpeechEventType.FINAL_TRANSCRIPT
            # Delays differ: an interim text that was overtaken by a longer one is not told any more.
            if final or length >= latest:
                latest = 0 if final else length
                self._event_ch.send_nowait(event)


def misheard(text: str, language: str, rng: random.Random, share: float = WORD_ERRORS) -> list[str]:
    """The words of a text as they are understood."""
    known = vocabulary(language)
    heard: list[str] = []
    for word in text.split():
        if rng.random() >= share:
            heard.append(word)
            continue
        draw = rng.random()
        if draw < 0.7:
            heard.append(_other(word, known, rng))
        elif draw >= 0.9:
            heard += [word, rng.choice(known)]
    return heard


def _other(word: str, known: tuple[str, ...], rng: random.Random) -> str:
    others = [each for each in known if each != word.casefold()]
    if rng.random() < 0.5:
        return rng.choice(others)
    nearest = sorted(others, key=lambda each: (distance(word.casefold(), each), each))
    return rng.choice(nearest[:_ALIKE])
