"""What the caller hears, in every order of what a job may say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.frame import FRAME_S, FRAME_SAMPLES
from telephony.clock import ManualClock
from telephony.link.messages import Finished, Played, Report, Started
from telephony.link.playout import Playout

pytestmark = pytest.mark.pure


class Line:
    """A playout whose audio is counted: sample n of segment s has the value 100 s + n // 16 % 50 + 1."""

    def __init__(self) -> None:
        self.clock = ManualClock(start=100.0)
        self.reports: list[Report] = []
        self.playout = Playout(self.clock, self.reports.append)
        self.pushed: dict[int, int] = {}

    def push(self, number: int, samples: int) -> None:
        start = self.pushed.get(number, 0)
        self.pushed[number] = start + samples
        positions = np.arange(start, start + samples)
        self.playout.push(number, (100 * number + positions // 16 % 50 + 1).astype(np.int16).tobytes())

    def tick(self, count: int = 1) -> list[int]:
        """Take frames; returns the samples that are not silence."""
        heard: list[int] = []
        for _ in range(count):
            frame = self.playout.take()
            assert frame.shape == (FRAME_SAMPLES,)
            heard += [int(sample) for sample in frame if sample]
            self.clock.advance(FRAME_S)
        return heard

    def said(self, kind: type) -> list[Report]:
        return [report for report in self.reports if isinstance(report, kind)]


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_segment_is_started_played_and_finished(line: Line) -> None:
    """The report of a whole segment says when it began and how much of it was played."""
    line.push(1, 400)
    line.playout.flush(1)
    assert len(line.tick(3)) == 400
    assert line.reports == [Started(1, 100.0), Played(1, 0, 400, 100.0), Finished(1, 400, interrupted=False)]


def test_a_segment_is_played_while_it_is_still_being_pushed(line: Line) -> None:
    """The first 20 ms are heard before the voice has delivered the rest."""
    line.push(1, 200)
    assert len(line.tick(2)) == 160, "the 40 samples left wait for more"
    line.push(1, 120)
    assert len(line.tick()) == 160
    assert line.playout.starved == 1
    assert line.said(Finished) == []


def test_a_starved_segment_reports_its_stretches(line: Line) -> None:
    """Where the voice was late, what was played before and after are two stretches with their times."""
    line.push(1, 160)
    line.tick(3)
    line.push(1, 320)
    line.playout.flush(1)
    resumed_at = line.clock.now()
    line.tick(2)
    assert line.said(Played) == [Played(1, 0, 160, 100.0), Played(1, 160, 320, resumed_at)]


def test_pause_is_silence_at_the_next_tick_and_loses_nothing(line: Line) -> None:
    """A paused agent is silent at once and goes on at the sample where it stopped."""
    line.push(1, 480)
    line.playout.flush(1)
    before = line.tick()
    line.playout.pause()
    assert line.tick(5) == []
    line.playout.resume()
    after = line.tick(2)
    assert len(before + after) == 480
    assert line.said(Finished) == [Finished(1, 480, interrupted=False)]


def test_clear_ends_the_segment_with_what_was_heard(line: Line) -> None:
    """An interrupted segment is reported once, with the samples the caller heard, and is silent at once."""
    line.push(1, 1600)
    line.tick(3)
    line.playout.clear(1)
    assert line.tick(3) == []
    line.playout.flush(1)
    line.push(1, 160)
    assert line.tick() == []
    assert line.said(Finished) == [Finished(1, 480, interrupted=True)]


def test_clear_also_stops_what_waits_behind(line: Line) -> None:
    """Segments that were never begun are reported interrupted with nothing played."""
    line.push(1, 160)
    line.playout.flush(1)
    line.push(2, 160)
    line.playout.clear(2)
    assert line.reports == [Finished(1, 0, interrupted=True), Finished(2, 0, interrupted=True)]


def test_a_cleared_segment_does_not_hold_up_the_next(line: Line) -> None:
    """What is said after an interruption is heard, also when the job had paused in between and resumed."""
    line.push(1, 320)
    line.playout.pause()
    line.playout.clear(1)
    line.playout.resume()
    line.push(2, 160)
    line.playout.flush(2)
    assert set(line.tick()) <= set(range(200, 300))


def test_an_empty_segment_is_over_without_a_tick(line: Line) -> None:
    """A segment without audio never waits to be played."""
    line.playout.flush(1)
    assert line.reports == [Finished(1, 0, interrupted=False)]


def test_a_clip_is_heard_first_and_the_job_waits(line: Line) -> None:
    """While a clip plays the job's speech waits, and follows it whole."""
    line.push(1, 160)
    line.playout.flush(1)
    line.playout.play_clip(np.full(240, 7, np.int16).tobytes())
    assert line.tick(2) == [7] * 240
    assert not line.playout.clip_playing
    assert len(line.tick()) == 160


def test_a_paused_job_does_not_silence_a_clip(line: Line) -> None:
    """A job that died while it had paused does not keep the caller from hearing the clip."""
    line.playout.pause()
    line.playout.play_clip(np.full(160, 7, np.int16).tobytes())
    assert line.tick() == [7] * 160


def test_after_a_death_the_next_job_begins_anew(line: Line) -> None:
    """What the dead job had queued is never heard or reported, and its successor counts from 1 again."""
    line.push(4, 320)
    line.tick()
    line.playout.pause()
    line.reports.clear()
    line.playout.abandon()
    assert line.tick() == []
    line.pushed.clear()
    line.push(1, 160)
    line.playout.flush(1)
    assert len(line.tick()) == 160
    assert line.said(Finished) == [Finished(1, 160, interrupted=False)]


def test_the_queue_is_bounded(line: Line) -> None:
    """A job that pushes without end is not followed."""
    minute = bytes(60 * 16_000)
    for _ in range(12):
        line.playout.push(1, minute)
    assert line.playout.overflowed == 2 * len(minute)


def test_a_new_segment_completes_the_one_before(line: Line) -> None:
    """A job that forgot to flush does not block the line for ever."""
    line.push(1, 160)
    line.push(2, 160)
    line.playout.flush(2)
    assert len(line.tick(2)) == 320
    assert line.said(Finished) == [Finished(1, 160, interrupted=False), Finished(2, 160, interrupted=False)]


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(1, 500)),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("next"), st.integers(1, 500)),
        st.tuples(st.just("clear"), st.integers(0, 2)),
        st.tuples(st.just("pause"), st.just(0)),
        st.tuples(st.just("resume"), st.just(0)),
        st.tuples(st.just("tick"), st.integers(1, 4)),
        st.tuples(st.just("clip"), st.integers(1, 400)),
        st.tuples(st.just("die"), st.just(0)),
    ),
    max_size=60,
)


class Model:
    """What must be true of a playout whatever is done to it."""

    def __init__(self) -> None:
        self.line = Line()
        self.current = 0
        self.opened: set[int] = set()
        self.cleared = 0
        self.paused = False
        self.lives = 0

    def step(self, what: str, amount: int) -> None:
        line, playout = self.line, self.line.playout
        match what:
            case "push":
                self.current = self.current or 1
                if self.current > self.cleared:
                    self.opened.add(self.current)
                line.push(self.current, amount)
            case "next":
                self.current += 1
                self.opened.add(self.current)
                line.push(self.current, amount)
            case "flush" if self.current:
                playout.flush(self.current)
            case "clear" if self.current:
                number = max(0, self.current - amount)
                playout.clear(number)
                self.cleared = max(self.cleared, number)
            case "pause":
                playout.pause()
                self.paused = True
            case "resume":
                playout.resume()
                self.paused = False
            case "clip":
                playout.play_clip(np.full(amount, -1, np.int16).tobytes())
            case "tick":
                self.tick(amount)
            case "die":
                self.die()

    def tick(self, count: int) -> None:
        for _ in range(count):
            clip = self.line.playout.clip_playing
            heard = self.line.tick()
            if clip:
                assert set(heard) == {-1}
            elif self.paused:
                assert heard == []
            for sample in heard:
                assert sample == -1 or (sample - 1) // 100 > self.cleared

    def die(self) -> None:
        self.check()
        self.line.playout.abandon()
        self.line.reports.clear()
        self.line.pushed.clear()
        self.current = self.cleared = 0
        self.opened.clear()
        self.paused = False
        assert set(self.line.tick()) <= {-1}, "only a clip outlives a job"

    def check(self) -> None:
        """The reports of one job's life fit together."""
        finished = [report for report in self.line.reports if isinstance(report, Finished)]
        numbers = [report.segment for report in finished]
        assert len(numbers) == len(set(numbers)), "each segment finishes once"
        assert set(numbers) <= self.opened
        assert numbers == sorted(numbers)
        for report in finished:
            runs = [
                run for run in self.line.reports if isinstance(run, Played) and run.segment == report.segment
            ]
            assert sum(run.samples for run in runs) == report.samples
            at = 0
            for run in runs:
                assert run.offset == at
                at += run.samples
            started = Started in {type(each) for each in self.line.reports if each.segment == report.segment}
            assert started == (report.samples > 0)
            assert report.samples <= self.line.pushed.get(report.segment, 0)

    def end(self) -> None:
        """Let everything play out: then every segment that was opened has been reported."""
        self.line.playout.resume()
        self.paused = False
        if self.current:
            self.line.playout.flush(self.current)
        self.tick(2000 // 20 + sum(self.line.pushed.values()) // FRAME_SAMPLES + 60)
        self.check()
        assert {report.segment for report in self.line.said(Finished)} == self.opened
        assert not self.line.playout.speaking


@settings(max_examples=300, deadline=None)
@given(_STEPS)
def test_every_order_of_events_leaves_one_report_a_segment(steps: list[tuple[str, int]]) -> None:
    """Push, flush, pause, resume, clear, clips and deaths in any order: one end each, nothing stale heard."""
    model = Model()
    for what, amount in steps:
        model.step(what, amount)
        model.check()
    model.end()
