"""What a job says while its call moves from the socket to the room."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.clock import ManualClock
from telephony.link.detour import Detour
from telephony.link.messages import Finished, Pause, Report, Resume, ToBridge, ToPlayout
from telephony.link.playout import Playout
from telephony.link.segments import Segments

pytestmark = pytest.mark.pure

FRAME = b"\1\0" * 160


class Move:
    """A session, its bridge and its room, and the switch between them."""

    def __init__(self) -> None:
        self.finished: list[int] = []
        self.drained = 0
        self.detour: Detour | None = None
        self.segments = Segments(self._say, self._tell)
        self.segments.open_gate()
        self.bridge = Playout(ManualClock(), self._bridge_reports)
        self.room = Playout(ManualClock(), self.segments.told)
        self.heard: dict[str, int] = {"bridge": 0, "room": 0}

    def move(self) -> None:
        if self.detour is None:
            self.detour = Detour(
                self.segments.newest, self.segments.pending, self._to_bridge, self.room, self._drained
            )

    def tick(self) -> None:
        self.heard["bridge"] += bool(self.bridge.take().any())
        self.heard["room"] += bool(self.room.take().any())

    def pause(self, message: Pause | Resume) -> None:
        self._say(message)

    def _drained(self) -> None:
        self.drained += 1

    def _say(self, message: ToBridge) -> None:
        if self.detour is not None:
            self.detour.send(message)
        else:
            self._to_bridge(message)

    def _to_bridge(self, message: ToBridge) -> None:
        if isinstance(message, ToPlayout):
            self.bridge.obey(message)

    def _bridge_reports(self, report: Report) -> None:
        self.segments.told(report)
        if self.detour is not None:
            self.detour.told(report)

    def _tell(self, report: Report) -> None:
        if isinstance(report, Finished):
            self.finished.append(report.segment)


def test_what_was_begun_is_finished_on_the_old_way() -> None:
    """The sentence during which a call moves is heard whole, from the socket; the next from the room."""
    move = Move()
    move.segments.capture(FRAME * 2)
    move.move()
    move.segments.capture(FRAME * 2)
    move.segments.flush()
    assert move.drained == 0
    for _ in range(5):
        move.tick()
    assert (move.heard, move.finished, move.drained) == ({"bridge": 4, "room": 0}, [1], 1)
    move.segments.capture(FRAME * 3)
    move.segments.flush()
    for _ in range(5):
        move.tick()
    assert (move.heard, move.finished, move.drained) == ({"bridge": 4, "room": 3}, [1, 2], 1)


def test_with_nothing_to_say_the_old_way_is_left_at_once() -> None:
    """A call that moves in a pause does not keep its socket."""
    move = Move()
    move.move()
    assert move.drained == 1


def test_an_interruption_reaches_both_ways() -> None:
    """What is cleared or paused is silent wherever it is being played."""
    move = Move()
    move.segments.capture(FRAME * 9)
    move.segments.flush()
    move.move()
    move.segments.capture(FRAME * 9)
    move.pause(Pause())
    move.tick()
    move.segments.clear()
    move.pause(Resume())
    move.tick()
    assert move.heard == {"bridge": 0, "room": 0}
    assert (move.finished, move.drained) == ([1, 2], 1)


def test_the_new_way_waits_for_the_old_one() -> None:
    """A sentence that is begun after the move is not heard into the one before it."""
    move = Move()
    move.segments.capture(FRAME * 3)
    move.segments.flush()
    move.move()
    move.segments.capture(FRAME * 1)
    move.segments.flush()
    for _ in range(2):
        move.tick()
    assert move.heard == {"bridge": 2, "room": 0}
    for _ in range(2):
        move.tick()
    assert (move.heard, move.finished) == ({"bridge": 3, "room": 1}, [1, 2])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["capture", "flush", "clear", "pause", "resume", "tick", "tick", "move"]), max_size=60
    )
)
def test_every_segment_ends_once_whenever_the_call_moves(steps: list[str]) -> None:
    """Whatever is being said when the call moves, each utterance ends once and the socket is left once."""
    move = Move()
    captured, capturing = 0, False
    for step in steps:
        match step:
            case "capture":
                captured += not capturing
                capturing = True
                move.segments.capture(FRAME * 3)
            case "flush":
                capturing = False
                move.segments.flush()
            case "clear":
                move.segments.clear()
            case "pause":
                move.pause(Pause())
            case "resume":
                move.pause(Resume())
            case "tick":
                move.tick()
            case "move":
                move.move()
    move.segments.flush()
    move.pause(Resume())
    for _ in range(400):
        move.tick()
    assert move.finished == list(range(1, captured + 1))
    assert move.drained == (move.detour is not None)
