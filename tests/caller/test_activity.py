"""Speech and silence from the levels of packets."""

from __future__ import annotations

import pytest

from telephony.caller.activity import Speech, SpeechActivity, find_speech

pytestmark = pytest.mark.pure

LOUD, QUIET, BETWEEN = -20.0, -70.0, -47.0


def packets(*runs: tuple[float, int]) -> list[tuple[float, float]]:
    """(level, number of packets) as (time, level), 20 ms apart."""
    levels = [level for level, count in runs for _ in range(count)]
    return [(round(0.02 * index, 2), level) for index, level in enumerate(levels)]


def test_speech_lies_between_its_first_and_last_packet() -> None:
    """Neither the onset nor the end is moved by the time it takes to be sure."""
    found = find_speech(packets((QUIET, 10), (LOUD, 50), (QUIET, 60)))
    assert found == [Speech(0.2, 1.18)]


def test_a_short_pause_does_not_end_an_utterance() -> None:
    """Half a second does, less does not."""
    assert len(find_speech(packets((LOUD, 20), (QUIET, 20), (LOUD, 20), (QUIET, 40)))) == 1
    assert len(find_speech(packets((LOUD, 20), (QUIET, 30), (LOUD, 20), (QUIET, 40)))) == 2


def test_a_click_is_no_speech() -> None:
    """One or two loud packets alone do not count."""
    assert find_speech(packets((QUIET, 10), (LOUD, 2), (QUIET, 40))) == []
    assert find_speech(packets((QUIET, 10), (LOUD, 1), (QUIET, 3), (LOUD, 1), (QUIET, 40))) == []


def test_one_weak_packet_does_not_delay_the_onset() -> None:
    """Three loud packets out of four are speech from the first of them on."""
    found = find_speech(packets((QUIET, 5), (LOUD, 2), (BETWEEN, 1), (LOUD, 5), (QUIET, 40)))
    assert found == [Speech(0.1, 0.24)]


def test_the_threshold_to_go_on_is_lower_than_the_one_to_begin() -> None:
    """Weak sound carries speech on, and does not begin it."""
    assert find_speech(packets((BETWEEN, 50), (QUIET, 40))) == []
    assert find_speech(packets((LOUD, 10), (BETWEEN, 10), (QUIET, 40))) == [Speech(0.0, 0.38)]


def test_no_packets_are_silence_too() -> None:
    """A stream that stops in the middle of a word ends the speech as silence would."""
    activity = SpeechActivity()
    for at_s, level in packets((LOUD, 10)):
        activity.feed(at_s, level)
    activity.tick(0.6)
    assert activity.finished == []
    activity.tick(0.7)
    assert activity.finished == [Speech(0.0, 0.18)]
    assert activity.speeches == [Speech(0.0, 0.18)]


def test_what_goes_on_is_known_while_it_does() -> None:
    """The current stretch is there from its third packet on, with its true beginning."""
    activity = SpeechActivity()
    for at_s, level in packets((QUIET, 5), (LOUD, 2)):
        activity.feed(at_s, level)
    assert activity.current is None
    activity.feed(0.14, LOUD)
    assert activity.current == Speech(0.1, 0.14)


def test_the_end_of_the_call_ends_the_speech() -> None:
    """What was being said at the end is an utterance as well."""
    assert find_speech(packets((LOUD, 10))) == [Speech(0.0, 0.18)]
