"""WAV files come back as they were written, and other files are refused in words."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.audio.tones import sine
from telephony.audio.wav import read_wav, write_wav
from telephony.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


def test_stereo_round_trip_pads_the_shorter_channel(tmp_path: Path) -> None:
    """Both channels come back at their rate, the shorter one followed by silence."""
    left, right = sine(440, 0.1), sine(880, 0.05)
    path = tmp_path / "call.wav"
    write_wav(path, [left, right], 8000)
    (first, second), rate = read_wav(path)
    assert rate == 8000
    assert np.array_equal(first, left)
    assert np.array_equal(second[: len(right)], right)
    assert not second[len(right) :].any()


def test_mono_round_trip(tmp_path: Path) -> None:
    """One channel at another rate comes back."""
    path = tmp_path / "voice.wav"
    write_wav(path, [sine(440, 0.1, rate=24000)], 24000)
    channels, rate = read_wav(path)
    assert (len(channels), rate) == (1, 24000)
    assert channels[0].dtype == np.int16


def test_empty_channel(tmp_path: Path) -> None:
    """A call in which nobody spoke is a valid file without samples."""
    path = tmp_path / "empty.wav"
    write_wav(path, [np.zeros(0, np.int16)], 8000)
    assert read_wav(path)[0][0].size == 0


def test_no_channel_is_refused(tmp_path: Path) -> None:
    """A file without channels cannot be written."""
    with pytest.raises(AudioError, match="at least one channel"):
        write_wav(tmp_path / "none.wav", [], 8000)


def test_file_that_is_no_wav_is_refused(tmp_path: Path) -> None:
    """The error names the file and what to convert it to."""
    path = tmp_path / "voice.wav"
    path.write_bytes(b"ID3\x03 not a wave file")
    with pytest.raises(AudioError, match=r"voice\.wav is not a WAV file.*Convert"):
        read_wav(path)


def test_other_sample_width_is_refused(tmp_path: Path) -> None:
    """8-bit samples are refused rather than read as noise."""
    path = tmp_path / "old.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes(100))
    with pytest.raises(AudioError, match="8-bit"):
        read_wav(path)


def test_file_cut_off_inside_a_sample(tmp_path: Path) -> None:
    """A file cut off while it was written gives its whole samples."""
    path = tmp_path / "cut.wav"
    write_wav(path, [sine(440, 0.01), sine(440, 0.01)], 8000)
    path.write_bytes(path.read_bytes()[:-3])
    channels, _ = read_wav(path)
    assert [len(channel) for channel in channels] == [79, 79]
