"""Speech for simulated voices by the program espeak-ng, where it is installed: words, not a tone."""

from __future__ import annotations

import asyncio
import io
import shutil
import wave
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.resample import resample
from telephony.errors import DependencyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from numpy.typing import NDArray

    from telephony.speech.simulators.cartesia import Speak

PROGRAM = "espeak-ng"
_LIMIT_S = 10.0


def espeak(language: str = "en") -> Speak:
    """A voice for a language.

    Raises:
        DependencyError: the program is not installed.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise DependencyError(f"{PROGRAM} is not installed.", fix="Install it, or take --voice tone.")

    async def speak(text: str, rate: int) -> AsyncIterator[NDArray[np.int16]]:
        process = await asyncio.create_subprocess_exec(
            program,
            "-v",
            language,
            "--stdout",
            "--",
            text,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        sound, _ = await asyncio.wait_for(process.communicate(), _LIMIT_S)
        with wave.open(io.BytesIO(_mended(sound))) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").copy()
            yield resample(samples, file.getframerate(), rate)

    return speak


def _mended(sound: bytes) -> bytes:
    """Written to a pipe, the file says that it is endless."""
    size = len(sound)
    whole, data = (size - 8).to_bytes(4, "little"), (size - 44).to_bytes(4, "little")
    return sound[:4] + whole + sound[8:40] + data + sound[44:]
