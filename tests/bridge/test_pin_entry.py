"""What counts as a PIN that was entered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.frame import FRAME_SAMPLES
from telephony.audio.tones import sine
from telephony.audio.wav import write_wav
from telephony.bridge.pin_entry import MOST_KEYS, PinEntry
from telephony.bridge.pin_sounds import Announcement, PinSounds
from telephony.clock import ManualClock
from telephony.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("pressed", "pin"),
    [("1234#", "1234"), ("#", ""), ("12*34#", "34"), ("1" * MOST_KEYS, "1" * MOST_KEYS), ("1234#99", "1234")],
)
def test_a_hash_ends_it(pressed: str, pin: str) -> None:
    """Or the sixteenth key; a star starts again, what comes later is dropped, and no timer is left."""
    clock = ManualClock()
    entry = PinEntry(clock, 10.0)
    for key in pressed:
        entry.press(key)
    assert entry.result.value == pin
    assert clock.pending == 0


def test_who_stops_pressing_has_entered_it() -> None:
    """The time counts from each key; who never began has entered nothing."""
    clock = ManualClock()
    entry, nobody = PinEntry(clock, 10.0), PinEntry(clock, 10.0)
    clock.advance(9)
    entry.press("1")
    assert entry.begun
    clock.advance(9)
    entry.press("2")
    clock.advance(9)
    assert not entry.result.done
    clock.advance(1)
    assert entry.result.value == "12"
    assert nobody.result.done
    assert nobody.result.value is None


@given(keys=st.text("0123456789*#ABCD", max_size=40), closes=st.booleans())
def test_there_is_always_one_result_and_no_timer(keys: str, closes: bool) -> None:
    """Whatever is pressed, and whether or not the call is over in the middle."""
    clock = ManualClock()
    entry = PinEntry(clock, 10.0)
    for key in keys:
        entry.press(key)
    if closes:
        entry.close()
    clock.advance(10)
    assert entry.result.done
    assert clock.pending == 0
    assert len(entry.result.value or "") <= MOST_KEYS


def test_clips_are_played_frame_by_frame_and_cut_short() -> None:
    """Silence follows the last frame; an empty clip is silence at once."""
    announcement = Announcement()
    clip = sine(440, 0.05)
    announcement.play(clip)
    played = np.concatenate([announcement.take() for _ in range(3)])
    assert np.array_equal(played[: len(clip)], clip)
    assert not played[len(clip) :].any()
    announcement.play(clip)
    announcement.play(clip[:0])
    assert announcement.take().shape == (FRAME_SAMPLES,)


def test_the_operators_clips_replace_the_tones(tmp_path: Path) -> None:
    """At any rate; one that cannot be read, or is endless, is named at the start."""
    write_wav(tmp_path / "ask.wav", [sine(440, 1.0, rate=16000)], 16000)
    sounds = PinSounds.load(tmp_path / "ask.wav")
    assert len(sounds.ask) == 8000
    assert len(sounds.wrong) > 0
    (tmp_path / "bad.wav").write_bytes(b"no")
    with pytest.raises(ConfigError, match="cannot be read"):
        PinSounds.load(None, tmp_path / "bad.wav")
    write_wav(tmp_path / "long.wav", [np.zeros(8000 * 61, np.int16)], 8000)
    with pytest.raises(ConfigError, match="longer"):
        PinSounds.load(tmp_path / "long.wav")
