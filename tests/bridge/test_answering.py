"""While it rings: who answers, and when it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.bridge import refusal
from telephony.bridge.answering import AnswerGate
from telephony.bridge.ending import ROOM_DELETED
from telephony.bridge.people import People
from telephony.clock import ManualClock

pytestmark = pytest.mark.pure

NOBODY = People()
AGENT = People(agents=1)


def _gate(clock: ManualClock, *, agent_wait_s: float = 4.5, ringing_s: float = 180.0) -> AnswerGate:
    return AnswerGate(
        clock,
        invited_at=clock.now(),
        agent_wait_s=agent_wait_s,
        ringing_s=ringing_s,
        refuse_status=503,
    )


def _refused_status(gate: AnswerGate) -> int | None:
    assert gate.decision.done
    return gate.decision.value.status if gate.decision.value else None


def test_a_subscribed_track_answers() -> None:
    """Audio means yes, and nothing is left waiting."""
    clock = ManualClock()
    gate = _gate(clock)
    gate.start(AGENT)
    assert not gate.decision.done
    gate.audible()
    assert _refused_status(gate) is None
    assert clock.pending == 0


def test_a_track_that_was_there_before_answers_at_once() -> None:
    """Audio before the caller's own track is up is remembered."""
    clock = ManualClock()
    gate = _gate(clock)
    gate.audible()
    gate.start(AGENT)
    assert _refused_status(gate) is None
    assert clock.pending == 0


def test_another_caller_in_the_room_answers() -> None:
    """Two phones may talk without an agent."""
    gate = _gate(ManualClock())
    gate.start(People(sip=1))
    assert _refused_status(gate) is None


def test_nobody_within_the_agents_wait_is_refused() -> None:
    """The wait counts from the INVITE, not from when the room was joined."""
    clock = ManualClock()
    gate = _gate(clock)
    clock.advance(1.0)
    gate.start(NOBODY)
    clock.advance(3.4)
    assert not gate.decision.done
    clock.advance(0.2)
    assert _refused_status(gate) == 503
    assert gate.decision.value is not None
    assert gate.decision.value.field == "agent.name"


def test_an_agent_that_came_may_take_its_time() -> None:
    """With an agent there it rings on, up to the ringing time-out, then it is 480."""
    clock = ManualClock()
    gate = _gate(clock, ringing_s=30)
    gate.start(NOBODY)
    clock.advance(2)
    gate.people(AGENT)
    clock.advance(27.9)
    assert not gate.decision.done
    clock.advance(0.2)
    assert _refused_status(gate) == 480


def test_an_agent_that_leaves_again_is_not_waited_for() -> None:
    """What is left of the wait, at least a second for another one, then it is refused."""
    clock = ManualClock()
    gate = _gate(clock)
    gate.start(AGENT)
    clock.advance(10)
    gate.people(NOBODY)
    clock.advance(0.9)
    assert not gate.decision.done
    clock.advance(0.2)
    assert _refused_status(gate) == 503


def test_an_agent_that_is_replaced_in_time_answers() -> None:
    """The second agent's audio counts like the first one's."""
    clock = ManualClock()
    gate = _gate(clock)
    gate.start(AGENT)
    clock.advance(10)
    gate.people(NOBODY)
    clock.advance(0.5)
    gate.people(AGENT)
    clock.advance(20)
    gate.audible()
    assert _refused_status(gate) is None


def test_without_an_agents_wait_it_rings_as_long_as_it_may() -> None:
    """0 switches the wait off."""
    clock = ManualClock()
    gate = _gate(clock, agent_wait_s=0, ringing_s=60)
    gate.start(NOBODY)
    clock.advance(59)
    assert not gate.decision.done
    clock.advance(2)
    assert _refused_status(gate) == 480


def test_the_first_decision_stands() -> None:
    """A refusal is not turned round by audio that comes later, nor an answer by a refusal."""
    clock = ManualClock()
    gate = _gate(clock)
    gate.start(NOBODY)
    gate.refuse(refusal.room_closed(ROOM_DELETED))
    gate.audible()
    assert _refused_status(gate) == 486


def test_a_caller_who_gives_up_wakes_whoever_waits() -> None:
    """Abandoning decides without a refusal and leaves no timer."""
    clock = ManualClock()
    gate = _gate(clock)
    gate.start(NOBODY)
    gate.abandon()
    assert gate.decision.done
    assert clock.pending == 0


def test_before_nobody_is_believed_the_server_is_asked() -> None:
    """A silent agent that we were not told of yet keeps it ringing, and is looked for again."""
    clock = ManualClock()
    gate = _gate(clock)
    looks: list[float] = []
    gate.look = lambda: looks.append(clock.now())
    gate.start(NOBODY)
    clock.advance(4.5)
    assert looks == [4.5]
    gate.looked(AGENT)
    clock.advance(3.5)
    assert looks == [4.5, 8.0]
    assert not gate.decision.done
    gate.looked(NOBODY)
    assert _refused_status(gate) == 503
    assert clock.pending == 0


def test_a_server_that_does_not_say_who_is_there_is_not_waited_for() -> None:
    """After a second and a half nobody is nobody."""
    clock = ManualClock()
    gate = _gate(clock)
    gate.look = lambda: None
    gate.start(NOBODY)
    clock.advance(6.1)
    assert _refused_status(gate) == 503
    gate.looked(AGENT)
    assert clock.pending == 0


def test_an_agent_that_shows_itself_while_the_server_is_asked_is_believed() -> None:
    """The answer of the server, older by then, changes nothing."""
    clock = ManualClock()
    gate = _gate(clock)
    gate.look = lambda: None
    gate.start(NOBODY)
    clock.advance(4.6)
    gate.people(AGENT)
    gate.looked(NOBODY)
    clock.advance(20)
    assert not gate.decision.done


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 2), st.integers(0, 1)), max_size=30))
def test_there_is_always_a_decision(steps: list[tuple[float, int, int]]) -> None:
    """Whoever comes and goes, when the ringing time is over it is decided and nothing is left."""
    clock = ManualClock()
    gate = _gate(clock, ringing_s=20)
    gate.start(NOBODY)
    for seconds, agents, others in steps:
        clock.advance(seconds)
        gate.people(People(agents=agents, others=others))
    clock.advance(21)
    assert gate.decision.done
    assert clock.pending == 0
