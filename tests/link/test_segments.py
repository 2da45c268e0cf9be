"""The job's account of what it says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.clock import ManualClock
from telephony.link.messages import (
    MAX_PCM,
    Clear,
    Finished,
    Flush,
    Report,
    Speech,
    Started,
    ToBridge,
)
from telephony.link.playout import Playout
from telephony.link.segments import Segments

pytestmark = pytest.mark.pure

FRAME = b"\1\0" * 160


class Job:
    """A job's segments, with what they send and report."""

    def __init__(self, *, gate: bool = True) -> None:
        self.sent: list[ToBridge] = []
        self.reports: list[Report] = []
        self.segments = Segments(self.sent.append, self.reports.append)
        if gate:
            self.segments.open_gate()


def test_a_segment_goes_from_its_first_frame_to_its_flush() -> None:
    """Frames of one utterance share a number; the next utterance has the next one."""
    job = Job()
    job.segments.capture(FRAME)
    job.segments.capture(FRAME)
    job.segments.flush()
    job.segments.capture(FRAME)
    assert job.sent == [Speech(1, FRAME), Speech(1, FRAME), Flush(1), Speech(2, FRAME)]


def test_a_flush_without_audio_says_nothing() -> None:
    """livekit-agents flushes outputs that have captured nothing."""
    job = Job()
    job.segments.flush()
    assert job.sent == []


def test_clear_before_flush_drops_the_rest() -> None:
    """Frames between an interruption and the flush of the same utterance are stale."""
    job = Job()
    job.segments.capture(FRAME)
    job.segments.clear()
    job.segments.capture(FRAME)
    job.segments.flush()
    job.segments.capture(FRAME)
    assert job.sent == [Speech(1, FRAME), Clear(1), Speech(2, FRAME)]


def test_clear_after_flush_ends_what_plays() -> None:
    """An interruption while the complete utterance is still being played clears it."""
    job = Job()
    job.segments.capture(FRAME)
    job.segments.flush()
    job.segments.clear()
    job.segments.capture(FRAME)
    assert job.sent == [Speech(1, FRAME), Flush(1), Clear(1), Speech(2, FRAME)]


def test_clear_with_nothing_open_says_nothing() -> None:
    """An interruption of silence is no message."""
    job = Job()
    job.segments.capture(FRAME)
    job.segments.flush()
    job.segments.told(Finished(1, 160, interrupted=False))
    job.segments.clear()
    assert Clear(1) not in job.sent


def test_an_end_that_crossed_a_clear_counts_once() -> None:
    """The bridge finished the segment just before it was cleared: one report, and the true one."""
    job = Job()
    job.segments.capture(FRAME)
    job.segments.flush()
    job.segments.clear()
    job.segments.told(Finished(1, 160, interrupted=False))
    job.segments.told(Finished(1, 160, interrupted=True))
    assert job.reports == [Finished(1, 160, interrupted=False)]


def test_reports_wait_for_the_gate_in_order() -> None:
    """Audio goes out before the session has started; what became of it is told after that."""
    job = Job(gate=False)
    job.segments.capture(FRAME)
    job.segments.told(Started(1, 5.0))
    job.segments.flush()
    job.segments.told(Finished(1, 160, interrupted=False))
    assert job.sent == [Speech(1, FRAME), Flush(1)]
    assert job.reports == []
    job.segments.open_gate()
    job.segments.open_gate()
    assert job.reports == [Started(1, 5.0), Finished(1, 160, interrupted=False)]


def test_a_lost_bridge_ends_what_is_open_and_what_comes() -> None:
    """Nobody waits for a playout that no bridge will report."""
    job = Job()
    job.segments.capture(FRAME)
    job.segments.flush()
    job.segments.capture(FRAME)
    job.segments.lost()
    assert job.reports == [Finished(1, 0, interrupted=True), Finished(2, 0, interrupted=True)]
    job.segments.flush()
    job.segments.capture(FRAME)
    job.segments.flush()
    assert job.reports[2:] == [Finished(3, 0, interrupted=True)]


def test_a_long_frame_goes_in_pieces() -> None:
    """A voice may deliver seconds at once; a message holds two."""
    job = Job()
    job.segments.capture(b"\1\0" * MAX_PCM)
    assert [len(piece.pcm) for piece in job.sent if isinstance(piece, Speech)] == [MAX_PCM, MAX_PCM]


def test_a_frame_without_samples_still_opens_the_segment() -> None:
    """The bridge knows of every segment that the session waits for."""
    job = Job()
    job.segments.capture(b"")
    job.segments.flush()
    assert job.sent == [Speech(1, b""), Flush(1)]


_STEPS = st.lists(
    st.sampled_from(["capture", "empty", "flush", "clear", "pause", "resume", "tick", "cross", "lose"]),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(_STEPS, st.integers(0, 80))
def test_both_ends_agree_in_every_order(steps: list[str], gate_at: int) -> None:
    """With messages under way in both directions, each utterance ends exactly once for its session."""
    to_bridge: list[ToBridge] = []
    to_job: list[Report] = []
    finished: list[int] = []
    segments = Segments(to_bridge.append, lambda report: finished.append(report.segment)
                        if isinstance(report, Finished) else None)  # fmt: skip
    playout = Playout(ManualClock(), to_job.append)
    captured = 0
    capturing = alive = True

    def cross() -> None:
        for message in to_bridge:
            match message:
                case Speech():
                    playout.push(message.segment, message.pcm)
                case Flush():
                    playout.flush(message.segment)
                case Clear():
                    playout.clear(message.segment)
        to_bridge.clear()
        for report in to_job:
            segments.told(report)
        to_job.clear()

    capturing = False
    for at, step in enumerate(steps):
        if at == gate_at:
            segments.open_gate()
        match step:
            case "capture" | "empty":
                captured += not capturing
                capturing = True
                segments.capture(FRAME * 3 if step == "capture" else b"")
            case "flush":
                capturing = False
                segments.flush()
            case "clear":
                segments.clear()
            case "pause":
                playout.pause()
            case "resume":
                playout.resume()
            case "tick":
                playout.take()
            case "cross" if alive:
                cross()
            case "lose":
                alive = False
                segments.lost()
    segments.flush()
    segments.open_gate()
    playout.resume()
    for _ in range(2):
        if alive:
            cross()
        for _ in range(300):
            playout.take()
    assert finished == list(range(1, captured + 1))
    assert not segments.pending
