"""Music in place of a caller, and callers that are machines."""

from __future__ import annotations

import math
import random

import pytest

from telephony.turns.hold_music import LISTEN_S, HoldMusic
from telephony.turns.machine_talk import MachineTalk

pytestmark = pytest.mark.pure

WINDOW_S = 0.032


def music(at: float) -> float:
    return -22 + 6 * math.sin(2 * math.pi * at / 1.7) + 3 * math.sin(2 * math.pi * at / 0.4)


def speech(at: float) -> float:
    """Half a second of words, a fifth of pause."""
    return -20 + 8 * math.sin(40 * at) if at % 0.7 < 0.5 else -70.0


def noise(at: float) -> float:
    return -35 + random.Random(at).gauss(0, 0.6)


def changes(watch: HoldMusic, sound: object, seconds: float, start: float = 0.0) -> list[tuple[float, bool]]:
    assert callable(sound)
    told = []
    for step in range(round(seconds / WINDOW_S)):
        at = start + step * WINDOW_S
        if watch.hear(at, sound(at)):
            told.append((at, watch.playing))
    return told


def test_music_is_noticed_and_so_is_its_end() -> None:
    """After some seconds without a breath; over after a silence."""
    watch = HoldMusic()
    [(at, playing)] = changes(watch, music, 20.0)
    assert playing
    assert 0.9 * LISTEN_S < at < LISTEN_S + 1
    [(ended_at, playing)] = changes(watch, lambda _: -80.0, 5.0, start=20.0)
    assert not playing
    assert ended_at == pytest.approx(22.0, abs=0.2)


@pytest.mark.parametrize("sound", [speech, noise, lambda _: -80.0])
def test_nobody_else_is_taken_for_music(sound: object) -> None:
    """People breathe; a street is steady; silence is silent."""
    assert changes(HoldMusic(), sound, 60.0) == []


def test_words_end_the_hold_at_once() -> None:
    """Somebody is back."""
    watch = HoldMusic()
    changes(watch, music, 10.0)
    assert watch.words()
    assert not watch.playing
    assert not watch.words()


def test_a_machine_repeats_itself() -> None:
    """The same sentence six times in twelve is no person's; a short answer may be given at will."""
    watch = MachineTalk()
    lines = ["All our agents are busy, please hold the line.", "Your call is important to us, thank you."]
    assert [watch.heard(lines[turn % 2]) for turn in range(12)] == [False] * 10 + [True] * 2
    insistent = MachineTalk()
    assert not any(insistent.heard("I want to talk to somebody.") for _ in range(5))
    assert not any(MachineTalk().heard("Yes, please.") for _ in range(20))
