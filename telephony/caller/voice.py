"""The caller's lines as samples, made before the call so that every cue is exact.

A line is trimmed to its first and last sound, filtered to the telephone band, levelled to -20 dBFS and filled
up to whole frames at its front: its last packet has speech in it. The same text and settings give the same
samples, and what an engine has spoken once is kept on disk under the hash of all that it depends on.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from telephony.audio.frame import FRAME_SAMPLES, RATE, to_int16
from telephony.audio.level import rms
from telephony.audio.resample import resample
from telephony.audio.tones import sine
from telephony.audio.wav import read_wav, write_wav
from telephony.errors import AudioError, ScriptError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.audio.frame import Samples
    from telephony.caller.script import VoiceSettings

log = get_logger(__name__)

LEVEL_DBFS = -20.0
_PEAK = 0.9
_BAND_HZ = (250.0, 3500.0)
_EDGE_HZ = 100.0
_SILENT_BELOW = 0.02
"""Share of the loudest moment under which the ends of a line count as silence."""
_TRIM_WINDOW = 80
_RINGING = 800
_ENGINE_RATE = 16_000
_MADE = "1"
"""Changes whenever the same engine output would be shaped into other samples: old files are not used then."""


def default_cache() -> Path:
    """Where spoken lines are kept for this user: ``trunkline/lines`` below the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "trunkline" / "lines"


class Voice(Protocol):
    """Turns a line into samples."""

    async def speak(self, text: str) -> Samples:
        """One line: 8 kHz mono, whole frames of 160 samples, speech in the last one."""


class Engine(Protocol):
    """What this needs of ``telephony.speech.client.SpeechClient``."""

    voice: str

    def synthesize(
        self, text: str, *, rate: int = 8000, speed: float = 1.0, seed: int = 0
    ) -> AsyncIterator[Samples]: ...


class EngineVoice:
    """A person spoken by a speech engine.

    Args:
        engine: an open connection to it.
        settings: pace and pitch.
        seed: the same seed gives the same samples.
        cache: directory for lines already spoken; None keeps none.
    """

    def __init__(
        self, engine: Engine, settings: VoiceSettings, *, seed: int = 1, cache: Path | None = None
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._seed = seed
        self._cache = cache

    async def speak(self, text: str) -> Samples:
        """One line.

        Raises:
            SpeechError: the engine failed.
            ScriptError: there is nothing in the text that can be spoken.
        """
        kept = await asyncio.to_thread(self._kept, text)
        if kept is not None:
            return kept
        spoken = await self._synthesize(text)
        line = await asyncio.to_thread(shape_line, spoken, LEVEL_DBFS)
        if line.size == 0:
            raise ScriptError(f"nothing can be spoken in the line {text!r}.", fix="Write it in words.")
        await asyncio.to_thread(self._keep, text, line)
        return line

    async def _synthesize(self, text: str) -> Samples:
        """Pitch is a change of rate, and the engine speaks faster or slower to make up for it."""
        settings = self._settings
        speed = min(2.0, max(0.5, settings.speed / settings.pitch))
        chunks = [
            chunk
            async for chunk in self._engine.synthesize(text, rate=_ENGINE_RATE, speed=speed, seed=self._seed)
        ]
        spoken = np.concatenate(chunks) if chunks else np.zeros(0, np.int16)
        return resample(spoken, round(_ENGINE_RATE * settings.pitch), RATE)

    def _path(self, text: str) -> Path | None:
        if self._cache is None:
            return None
        settings = self._settings
        depends_on = [_MADE, self._engine.voice, settings.speed, settings.pitch, self._seed, text]
        return self._cache / f"{hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:32]}.wav"

    def _kept(self, text: str) -> Samples | None:
        path = self._path(text)
        if path is None or not path.exists():
            return None
        try:
            [line], rate = read_wav(path)
        except (AudioError, OSError, ValueError) as error:
            log.info("kept_line_unreadable", file=path.name, reason=str(error))
            return None
        return line if rate == RATE and line.size and line.size % FRAME_SAMPLES == 0 else None

    def _keep(self, text: str, line: Samples) -> None:
        path = self._path(text)
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Two callers may speak the same line at once: whoever renames last wins, with the same samples.
            fresh = path.with_suffix(f".{id(line)}.tmp")
            write_wav(fresh, [line], RATE)
            fresh.replace(path)
        except OSError as error:
            log.info("line_not_kept", file=path.name, reason=str(error))


class ToneVoice:
    """A voice without an engine: every word a tone burst, so that SIP and RTP can be tried alone.

    Args:
        frequency_hz: of all tones; the other side can tell the caller by it.
    """

    def __init__(self, frequency_hz: float = 600.0) -> None:
        self._frequency_hz = frequency_hz

    async def speak(self, text: str) -> Samples:
        """200 ms of tone and 100 ms of silence for each word."""
        burst = sine(self._frequency_hz, 0.2, amplitude=0.14)
        pause = np.zeros(RATE // 10, np.int16)
        words = max(1, len(text.split()))
        return shape_line(np.concatenate([burst, pause] * words), LEVEL_DBFS)


def shape_line(spoken: Samples, level_dbfs: float) -> Samples:
    """Make a line ready to be sent: band, ends, level, whole frames.

    Args:
        spoken: 8 kHz mono, shape (n,).
        level_dbfs: RMS of the result in dBFS; peaks are kept below 0.9 of full scale.

    Returns:
        Shape (160 * k,); empty when there was no sound.
    """
    line = _trim(_telephone_band(spoken))
    if line.size == 0:
        return line
    wished = 32768.0 * 10 ** (level_dbfs / 20)
    peak = float(np.abs(line.astype(np.float64)).max())
    gain = min(wished / rms(line), _PEAK * 32767 / peak)
    padding = -line.size % FRAME_SAMPLES
    return np.concatenate([np.zeros(padding, np.int16), to_int16(line * gain)])


def _telephone_band(samples: Samples) -> Samples:
    """Keep 250 to 3500 Hz with soft edges, all moved by the same padding."""
    if samples.size == 0:
        return samples
    low, high = _BAND_HZ
    # The filter rings, and its transform is a circle: without room the beginning would ring at the end.
    signal = np.pad(samples.astype(np.float64), _RINGING)
    frequencies = np.fft.rfftfreq(signal.size, 1 / RATE)
    below = np.clip((frequencies - (low - _EDGE_HZ)) / _EDGE_HZ, 0.0, 1.0)
    above = np.clip(((high + _EDGE_HZ) - frequencies) / _EDGE_HZ, 0.0, 1.0)
    return to_int16(np.fft.irfft(np.fft.rfft(signal) * below * above, signal.size))


def _trim(samples: Samples) -> Samples:
    """Cut silence off both ends, in steps of 10 ms."""
    windows = samples.size // _TRIM_WINDOW
    if windows == 0:
        return samples[:0]
    levels = np.abs(samples[: windows * _TRIM_WINDOW].astype(np.int32)).reshape(windows, -1).max(axis=1)
    if levels.max() < 16:
        return samples[:0]
    loud = np.flatnonzero(levels >= levels.max() * _SILENT_BELOW)
    return samples[loud[0] * _TRIM_WINDOW : (loud[-1] + 1) * _TRIM_WINDOW]
