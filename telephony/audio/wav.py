"""WAV files of 16-bit PCM, any number of channels and any rate."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import numpy as np

from telephony.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from telephony.audio.frame import Samples


def write_wav(path: Path, channels: Sequence[Samples], rate: int) -> None:
    """Write one file; shorter channels are filled up with silence at their end.

    Args:
        path: the file, replaced if it exists.
        channels: at least one array of shape (n,), left first.
        rate: sample rate in Hz.

    Raises:
        AudioError: there is no channel.
        OSError: the file cannot be written.
    """
    if not channels:
        raise AudioError("A WAV file needs at least one channel.", field="channels")
    interleaved = np.zeros((max(len(channel) for channel in channels), len(channels)), "<i2")
    for index, channel in enumerate(channels):
        interleaved[: len(channel), index] = channel
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(interleaved.tobytes())


def read_wav(path: Path) -> tuple[list[Samples], int]:
    """Read a file as one array of shape (n,) a channel, and its rate in Hz.

    Raises:
        AudioError: it is not a WAV file of 16-bit PCM.
        OSError: it cannot be opened.
    """
    try:
        with wave.open(str(path), "rb") as file:
            width, count, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise AudioError(
            f"{path.name} is not a WAV file of PCM: {error}.",
            field=str(path),
            fix="Convert it to 16-bit PCM.",
        ) from error
    if width != 2:
        raise AudioError(
            f"{path.name} has {8 * width}-bit samples.", field=str(path), fix="Convert it to 16-bit PCM."
        )
    # A file cut off while it was written can end inside a sample.
    whole = len(data) - len(data) % (2 * count)
    interleaved = np.frombuffer(data[:whole], "<i2").reshape(-1, count)
    return [np.ascontiguousarray(interleaved[:, index], np.int16) for index in range(count)], rate
