"""INVITEs that come back, and how often things may be written down."""

from __future__ import annotations

import pytest

from telephony.bridge import refusal
from telephony.bridge.allowance import Allowance
from telephony.bridge.recent import MAX_KEPT, RecentInvites
from telephony.calls.ids import call_id_from_sip
from telephony.clock import ManualClock

pytestmark = pytest.mark.pure

KEY = ("call-1", "tag")


def test_a_call_that_comes_back_keeps_its_id() -> None:
    """The INVITE with credentials is the call of the one without; another tag is another call."""
    recent = RecentInvites(ManualClock())
    first = recent.call_id(KEY)
    assert recent.call_id(KEY) == first
    assert recent.call_id(("call-1", "other")) != first
    assert call_id_from_sip(first).startswith("call_")


def test_after_its_end_or_a_minute_it_is_a_new_call() -> None:
    """Neither a finished call's id nor an old one is used again."""
    clock = ManualClock()
    recent = RecentInvites(clock)
    first = recent.call_id(KEY)
    recent.forget(KEY)
    second = recent.call_id(KEY)
    clock.advance(61)
    assert len({first, second, recent.call_id(KEY)}) == 3


def test_a_refusal_that_stands_is_repeated_for_a_minute() -> None:
    """404 is kept; 503 and 401 may pass and are not."""
    clock = ManualClock()
    recent = RecentInvites(clock)
    recent.refuse(KEY, refusal.draining())
    recent.refuse(KEY, refusal.wrong_credentials("ST_1", username_matches=True))
    assert recent.refused(KEY) is None
    no_trunk = refusal.no_trunk("100")
    recent.refuse(KEY, no_trunk)
    assert recent.refused(KEY) is no_trunk
    clock.advance(61)
    assert recent.refused(KEY) is None


def test_the_memory_is_bounded() -> None:
    """A flood pushes the oldest out."""
    recent = RecentInvites(ManualClock())
    for number in range(MAX_KEPT + 10):
        recent.refuse((str(number), ""), refusal.no_trunk("100"))
    assert recent.refused(("0", "")) is None
    assert recent.refused((str(MAX_KEPT + 9), "")) is not None


def test_an_allowance_refills_with_time() -> None:
    """A burst, then so many a second; what was not allowed is counted once."""
    clock = ManualClock()
    allowance = Allowance(clock, burst=3, per_s=2.0)
    assert [allowance.take() for _ in range(5)] == [True, True, True, False, False]
    assert (allowance.take_refused(), allowance.take_refused()) == (2, 0)
    clock.advance(1.0)
    assert [allowance.take() for _ in range(3)] == [True, True, False]
    clock.advance(1000)
    assert sum(allowance.take() for _ in range(10)) == 3
