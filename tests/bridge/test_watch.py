"""What ends a call that nobody hangs up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.bridge import ending
from telephony.bridge.ending import Ending
from telephony.bridge.people import People
from telephony.bridge.watch import CallWatch, Limits
from telephony.calls.outcomes import CAUSES
from telephony.clock import ManualClock

pytestmark = pytest.mark.pure

AGENT = People(agents=1, audible=1)
PERSON = People(others=1, audible=1)
LISTENER = People(others=1)
NOBODY = People()

LIMITS = Limits(media_initial_s=30, media_s=15, max_duration_s=3600, server_loss_s=10, agent_grace_s=0.5)


class WatchedCall:
    """A watch, its clock, the phone's last packet, and what was ended."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.clock = ManualClock(100.0)
        self.heard_at: float | None = None
        self.endings: list[Ending] = []
        self.watch = CallWatch(
            self.clock, limits, heard_at=lambda: self.heard_at, on_ending=self.endings.append
        )

    def talk(self, seconds: float) -> None:
        """Let the phone send for so long."""
        steps = int(seconds / 0.25)
        for _ in range(steps):
            self.clock.advance(0.25)
            self.heard_at = self.clock.now()

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)


def test_a_call_with_audio_and_an_agent_goes_on() -> None:
    """Nothing ends it before its longest duration does."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.talk(3599)
    assert call.endings == []
    call.talk(2)
    assert call.endings == [ending.MAX_DURATION]
    assert call.clock.pending == 0


def test_no_first_packet_ends_it_after_the_initial_time_out() -> None:
    """30 s without any RTP."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.wait(29.9)
    assert call.endings == []
    call.wait(0.2)
    assert call.endings == [ending.MEDIA_TIMEOUT]


def test_silence_after_audio_ends_it_after_the_shorter_time_out() -> None:
    """15 s after the last packet, also when the first one came within the initial time."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.talk(2)
    call.wait(14.9)
    assert call.endings == []
    call.wait(0.2)
    assert call.endings == [ending.MEDIA_TIMEOUT]


def test_a_held_call_may_be_silent() -> None:
    """While it is on hold the media time-out rests; it starts anew when the hold ends."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.talk(2)
    call.watch.held(True)
    call.wait(600)
    assert call.endings == []
    call.watch.held(False)
    call.wait(14)
    assert call.endings == []
    call.wait(15)
    assert call.endings == [ending.MEDIA_TIMEOUT]


def test_an_agent_that_is_lost_ends_it_within_a_second() -> None:
    """Half a second is left for another agent, then the caller is let go."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.talk(5)
    call.watch.people(NOBODY)
    call.talk(1)
    assert call.endings == [ending.AGENT_LEFT]


@pytest.mark.parametrize("there", [AGENT, PERSON, People(sip=1, audible=1), People(agents=1)])
def test_whoever_else_can_talk_keeps_it_up(there: People) -> None:
    """Another agent, a person with audio, another caller: the call lives on without its first agent."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.watch.people(NOBODY)
    call.talk(0.25)
    call.watch.people(there)
    call.talk(60)
    assert call.endings == []


def test_somebody_who_only_listens_does_not_keep_it_up() -> None:
    """A supervisor without audio is no company."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.watch.people(LISTENER)
    call.talk(1)
    assert call.endings == [ending.AGENT_LEFT]


def test_a_lost_server_that_comes_back_in_time_is_forgiven() -> None:
    """While it is away nobody can be seen, which is not taken for an agent's leaving."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.watch.server_lost()
    call.watch.people(NOBODY)
    call.talk(9)
    call.watch.server_back(AGENT)
    call.talk(60)
    assert call.endings == []


def test_a_lost_server_that_stays_away_ends_it() -> None:
    """Audio goes on for ten seconds, however often the loss is told."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.watch.server_lost()
    call.talk(5)
    call.watch.server_lost()
    call.talk(6)
    assert call.endings == [ending.SERVER_LOST]


def test_a_server_that_comes_back_without_the_agent_ends_it() -> None:
    """After the reconnection the room is looked at anew; an agent's own may take some seconds more."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.watch.server_lost()
    call.talk(2)
    call.watch.server_back(NOBODY)
    call.watch.people(NOBODY)
    call.talk(7)
    assert call.endings == []
    call.talk(2)
    assert call.endings == [ending.AGENT_LOST]


def test_an_agent_that_comes_back_after_the_server_is_in_time() -> None:
    """From then on its leaving is as any other."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.watch.server_lost()
    call.watch.server_back(NOBODY)
    call.talk(5)
    call.watch.people(AGENT)
    call.talk(60)
    assert call.endings == []
    call.watch.people(NOBODY)
    call.talk(1)
    assert call.endings == [ending.AGENT_LEFT]


def test_a_server_that_is_seen_may_be_joined_after_the_time_is_over() -> None:
    """Seen at the last moment it is given some seconds more, and no longer."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.watch.server_lost()
    call.talk(9.5)
    call.watch.server_seen()
    call.talk(5)
    assert call.endings == []
    call.talk(2)
    assert call.endings == [ending.SERVER_LOST]


def test_a_closed_watch_ends_nothing() -> None:
    """After close no timer is left, and what is told later starts none."""
    call = WatchedCall()
    call.watch.start(AGENT)
    call.watch.close()
    call.watch.people(NOBODY)
    call.watch.server_lost()
    call.wait(10_000)
    assert call.endings == []
    assert call.clock.pending == 0


@given(
    st.lists(
        st.tuples(st.floats(0, 30), st.sampled_from([AGENT, PERSON, LISTENER, NOBODY]), st.booleans()),
        max_size=30,
    )
)
def test_every_call_ends_once(steps: list[tuple[float, People, bool]]) -> None:
    """Whatever is told, the longest duration bounds it and there is exactly one ending."""
    call = WatchedCall()
    call.watch.start(AGENT)
    for seconds, people, speaks in steps:
        call.wait(seconds)
        if speaks:
            call.heard_at = call.clock.now()
        call.watch.people(people)
    call.wait(3601)
    assert len(call.endings) == 1
    assert call.clock.pending == 0


@pytest.mark.parametrize(
    ("reason", "how"),
    [
        (5, ending.ROOM_DELETED),
        (10, ending.ROOM_DELETED),
        (4, ending.CALLER_REMOVED),
        (2, ending.CALLER_REPLACED),
        (3, ending.SERVER_LOST),
        (9, ending.SERVER_LOST),
        (999, ending.SERVER_LOST),
    ],
)
def test_a_disconnect_reason_is_an_ending(reason: int, how: Ending) -> None:
    """LiveKit's reasons by number; what is unknown is a lost server."""
    assert ending.by_room(reason) is how


@pytest.mark.parametrize(
    ("reason", "how"),
    [
        (None, ending.AGENT_LEFT),
        (1, ending.AGENT_LEFT),
        (4, ending.AGENT_LEFT),
        (9, ending.AGENT_LOST),
        (14, ending.AGENT_LOST),
        (0, ending.AGENT_LOST),
    ],
)
def test_an_agent_that_leaves_is_told_from_one_that_is_lost(reason: int | None, how: Ending) -> None:
    """By LiveKit's reason: its own leave or a removal is a leave, a broken connection is a loss."""
    assert ending.by_agent(reason) is how


def test_codes_are_those_of_the_record_of_calls() -> None:
    """Every code is a known cause, and the record's causes of the line are the line's here."""
    endings = [value for value in vars(ending).values() if isinstance(value, Ending)]
    assert len(endings) > 12
    assert {one.code for one in endings if one.code} <= set(CAUSES)
    assert len({one.name for one in endings}) == len(endings)
