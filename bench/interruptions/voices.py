"""Phrases as samples, by the voices that are installed: espeak-ng, which setup installs, and hibari.

A voice is ``espeak:<voice of espeak-ng>`` or ``hibari:<pitch>``. What it gives is shaped as the callers'
lines are: telephone band, no silence at its ends, -20 dBFS.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from functools import cache

import numpy as np

from telephony.audio.frame import RATE, Samples
from telephony.audio.resample import resample
from telephony.caller.voice import LEVEL_DBFS, shape_line
from telephony.errors import DependencyError
from telephony.speech.voice import HibariVoice

_PACE = "150"
_HIBARI_RATE = 16_000


@cache
def speak(voice: str, text: str, seed: int = 1) -> Samples:
    """One phrase at 8 kHz, shape (n,).

    Raises:
        DependencyError: the voice is not installed.
    """
    engine, _, name = voice.partition(":")
    if engine == "espeak":
        return shape_line(_espeak(name, text), LEVEL_DBFS)
    pitch = float(name)
    said = _hibari().speak(text, rate=_HIBARI_RATE, speed=min(2.0, max(0.5, 1 / pitch)), seed=seed)
    return shape_line(resample(said, round(_HIBARI_RATE * pitch), RATE), LEVEL_DBFS)


def _espeak(name: str, text: str) -> Samples:
    program = shutil.which("espeak-ng")
    if program is None:
        raise DependencyError("espeak-ng is not installed.", fix="Install the Debian package espeak-ng.")
    command = [program, "-v", name, "-s", _PACE, "--stdout", text]
    made = subprocess.run(command, check=True, capture_output=True, timeout=20).stdout
    with wave.open(io.BytesIO(made)) as file:
        # espeak-ng writes to a pipe before it knows the length.
        rate, pcm = file.getframerate(), made[44:]
    return resample(np.frombuffer(pcm[: len(pcm) // 2 * 2], np.int16), rate, RATE)


@cache
def _hibari() -> HibariVoice:
    return HibariVoice()
