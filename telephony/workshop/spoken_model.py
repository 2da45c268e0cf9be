"""Ears and voice of the simulated model that hears and speaks: the engine of the line that is tried.

What the model is told to answer then comes as words that a caller can understand, and the record has what was
said to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.errors import SpeechError
from telephony.speech.client import SpeechClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class SpokenModel:
    """Asks an engine that is known once the line has started.

    Attributes:
        socket: the engine's; None until then.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self.socket: Path | None = None

    async def hear(self, samples: NDArray[np.int16], rate: int) -> str:
        """What was said; empty when nobody spoke."""
        async with await self._engine() as engine:
            return (await engine.transcribe(samples, rate, language=self._language)).text

    async def speak(self, text: str, rate: int) -> AsyncIterator[NDArray[np.int16]]:
        """The sound of a text, sentence by sentence."""
        async with await self._engine() as engine:
            async for piece in engine.synthesize(text, rate=rate, language=self._language):
                yield piece

    async def _engine(self) -> SpeechClient:
        if self.socket is None:
            raise SpeechError("The simulated model was asked before its line had started.")
        return await SpeechClient.connect(self.socket)
