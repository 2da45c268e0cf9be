"""The queue of frames between two clocks: whole words, short delay, no clicks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.frame import FRAME_SAMPLES, Samples, silence
from telephony.audio.level import dbfs
from telephony.bridge.delay import SPEECH_EXCESS, WINDOW, DelayTrim
from telephony.bridge.playout import CAP, Mixer, PlayoutQueue

pytestmark = pytest.mark.pure

LOUD_LEVEL = 8000


def loud(level: int = LOUD_LEVEL) -> Samples:
    return np.full(FRAME_SAMPLES, level, np.int16)


def levels(frames: list[Samples | None]) -> list[int]:
    return [0 if frame is None else int(frame[0]) for frame in frames]


def test_frames_come_out_in_order() -> None:
    """First in, first out, and nothing when there is nothing."""
    queue = PlayoutQueue()
    for level in (1000, 2000):
        queue.push(loud(level))
    assert levels([queue.pull(), queue.pull()]) == [1000, 2000]


def test_before_the_first_frame_nothing_counts_as_starved() -> None:
    """A track that has not begun is not late."""
    queue = PlayoutQueue()
    assert queue.pull() is None
    assert queue.starved == 0


def test_nothing_said_before_the_answer_is_lost() -> None:
    """Silence before the first word is left out while collecting, all from the first word on is kept."""
    queue = PlayoutQueue(released=False)
    for _ in range(40):
        queue.push(silence())
    word = [loud(1000 + 10 * step) for step in range(40)]
    for frame in word:
        queue.push(frame)
    assert queue.pull() is None
    queue.release()
    heard = [queue.pull() for _ in range(40)]
    assert levels(heard) == levels(list(word))
    assert queue.dropped == 0


def test_a_pause_within_the_first_words_is_kept() -> None:
    """Only silence at the head of the queue is left out."""
    queue = PlayoutQueue(released=False)
    for frame in (silence(), loud(1000), silence(), silence(), loud(2000)):
        queue.push(frame)
    queue.release()
    assert levels([queue.pull() for _ in range(4)]) == [1000, 0, 0, 2000]


def test_the_frame_missing_in_speech_fades() -> None:
    """A gap in speech begins with the last frame fading out, then is silent; a gap in silence is silent."""
    queue = PlayoutQueue()
    queue.push(loud())
    queue.pull()
    faded = queue.pull()
    assert faded is not None
    assert faded[0] == LOUD_LEVEL
    assert faded[-1] == 0
    assert queue.pull() is None
    assert queue.starved == 2


def test_delay_left_by_a_hiccup_is_taken_back_in_silence() -> None:
    """Three frames too many are gone within three seconds of quiet, and no speech is touched."""
    queue = PlayoutQueue()
    for _ in range(3):
        queue.push(silence())
    heard: list[Samples | None] = []
    for step in range(4 * WINDOW):
        queue.push(loud() if step < WINDOW else silence())
        heard.append(queue.pull())
    assert queue.depth == 0
    assert queue.dropped == 3
    assert sum(level == LOUD_LEVEL for level in levels(heard)) == WINDOW


def test_great_delay_is_taken_back_in_speech_too() -> None:
    """When no pause comes, one frame a second is left out until the rest can wait for one."""
    queue = PlayoutQueue()
    for _ in range(8):
        queue.push(loud())
    for _ in range(10 * WINDOW):
        queue.push(loud())
        queue.pull()
    assert 0 < queue.depth < SPEECH_EXCESS
    assert queue.dropped == 8 - queue.depth


def test_a_little_delay_is_never_taken_back_in_speech() -> None:
    """Two frames of delay are better than a click."""
    queue = PlayoutQueue()
    for _ in range(2):
        queue.push(loud())
    for _ in range(10 * WINDOW):
        queue.push(loud())
        queue.pull()
    assert queue.depth == 2


def test_after_starving_in_speech_one_frame_may_wait() -> None:
    """The frame that came late is kept as a reserve for ten seconds, so that the next hiccup is not heard."""
    queue = PlayoutQueue()
    queue.push(loud())
    queue.pull()
    queue.pull()
    queue.push(loud())
    for _ in range(3 * WINDOW):
        queue.push(silence())
        queue.pull()
    assert queue.depth == 1
    for _ in range(14 * WINDOW):
        queue.push(silence())
        queue.pull()
    assert queue.depth == 0


def test_a_stalled_consumer_is_at_most_a_second_behind() -> None:
    """Beyond the cap the oldest frames go."""
    queue = PlayoutQueue()
    for level in range(1, CAP + 11):
        queue.push(loud(level * 100))
    assert queue.depth == CAP
    assert levels([queue.pull()]) == [1100]
    assert queue.overflowed == 10


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=400))
def test_the_queue_never_grows_or_invents(steps: list[tuple[bool, bool, bool]]) -> None:
    """Whatever comes and goes: bounded depth, and pushed = pulled + dropped + waiting."""
    queue = PlayoutQueue()
    pushed = pulled = 0
    for pushes, pulls, speaks in steps:
        if pushes:
            queue.push(loud() if speaks else silence())
            pushed += 1
        if pulls:
            before = queue.starved
            queue.pull()
            pulled += queue.starved == before and (queue.depth > 0 or pushed > pulled + queue.dropped)
    assert queue.depth <= CAP
    assert pushed == pulled + queue.dropped + queue.depth


def test_two_tracks_are_added_and_clipped() -> None:
    """The sum of both, limited to what int16 can hold."""
    mixer = Mixer()
    first, second = mixer.add("a"), mixer.add("b")
    mixer.release()
    first.push(loud(1000))
    second.push(loud(-3000))
    assert int(mixer.pull()[0]) == -2000
    first.push(loud(30000))
    second.push(loud(30000))
    assert int(mixer.pull()[0]) == 32767


def test_a_mixer_without_tracks_is_silent() -> None:
    """A frame always comes, and one that cannot be changed by its reader."""
    mixer = Mixer()
    frame = mixer.pull()
    assert len(frame) == FRAME_SAMPLES
    assert dbfs(frame) == -96.0


def test_a_track_that_comes_after_the_answer_is_heard_at_once() -> None:
    """Only tracks before the answer wait for it; one that goes takes its counters along, not away."""
    mixer = Mixer()
    mixer.release()
    queue = mixer.add("late")
    queue.push(loud())
    assert int(mixer.pull()[0]) == LOUD_LEVEL
    mixer.pull()
    mixer.remove("late")
    mixer.remove("never there")
    assert mixer.starved == 1


def test_delay_is_measured_where_it_is_lowest() -> None:
    """A queue that falls to its wanted depth once a second is left alone, however deep it gets between."""
    trim = DelayTrim(wanted=1.0)
    for step in range(5 * WINDOW):
        trim.observe(1.0 if step % WINDOW == 7 else 4.0)
        assert not trim.leaves_out(silence())
    for _ in range(WINDOW):
        trim.observe(3.2)
    assert [trim.leaves_out(silence()) for _ in range(4)] == [True, True, False, False]
    assert trim.trimmed == 2
