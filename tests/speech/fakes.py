"""Models with behaviour but without weights, and an engine's server that holds them."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.tones import sine
from telephony.speech.recogniser import Recognised
from telephony.speech.server import SpeechServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from numpy.typing import NDArray

PATIENCE_S = 20.0


class CountingRecogniser:
    """Understands how many samples it was given, and what it was told to expect.

    While ``gate`` is clear it keeps its caller waiting, as a busy model would.
    """

    name = "counting"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun: list[int] = []
        self.found_abandoned: list[int] = []

    def recognise(
        self,
        samples: NDArray[np.int16],
        rate: int,
        *,
        hint: str = "",
        language: str = "en",
        abandoned: Callable[[], bool] = lambda: False,
    ) -> Recognised:
        self.begun.append(len(samples))
        if not self.gate.wait(PATIENCE_S):
            raise TimeoutError("nobody opened the gate")
        if abandoned():
            self.found_abandoned.append(len(samples))
        text = f"{len(samples)} at {rate} {hint}".strip() if samples.any() else ""
        return Recognised(text, 0.9, 0.1, len(samples) / rate, 0.01, 10)


class ToneVoice:
    """Speaks every character as 10 ms of a tone; cannot say a text without letters, breaks on "boom"."""

    name = "tone"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.spoken: list[str] = []
        self.languages: list[str] = []

    def speak(
        self, text: str, *, rate: int, speed: float = 1.0, seed: int = 0, language: str = ""
    ) -> NDArray[np.int16]:
        self.spoken.append(text)
        self.languages.append(language)
        if not self.gate.wait(PATIENCE_S):
            raise TimeoutError("nobody opened the gate")
        if "boom" in text:
            raise RuntimeError("the model broke")
        if not any(char.isalnum() for char in text):
            return np.zeros(0, np.int16)
        return sine(440.0, len(text) * 0.01 / speed, rate=rate)


class FakeEngine:
    """A server over such models, listening on ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recogniser = CountingRecogniser()
        self.voice = ToneVoice()
        self.server = SpeechServer(self.recogniser, self.voice)


@contextlib.asynccontextmanager
async def fake_engine(path: Path) -> AsyncIterator[FakeEngine]:
    """Serve fake models on ``path`` for as long as the block lasts."""
    engine = FakeEngine(path)
    await engine.server.start(path)
    try:
        yield engine
    finally:
        engine.recogniser.gate.set()
        engine.voice.gate.set()
        await engine.server.close()
