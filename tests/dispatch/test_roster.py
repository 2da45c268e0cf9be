"""Which worker is asked."""

from __future__ import annotations

import pytest

from telephony.dispatch.roster import Roster, Worker

pytestmark = pytest.mark.pure


def _roster(*workers: Worker) -> Roster:
    roster = Roster()
    for worker in workers:
        roster.add(worker)
    return roster


def test_the_worker_with_the_fewest_calls_is_asked_first() -> None:
    """Calls that were just given count before the worker has told of them; then what it says of its load."""
    busy = Worker("AW_1", "a", given={"AJ_1"})
    loaded, idle = Worker("AW_2", "a", load=0.5), Worker("AW_3", "a", load=0.1)
    roster = _roster(busy, loaded, idle)
    assert roster.choose("a", ()) is idle
    assert roster.choose("a", {"AW_3"}) is loaded
    assert roster.choose("a", {"AW_3", "AW_2"}) is busy
    assert roster.choose("a", {"AW_3", "AW_2", "AW_1"}) is None


def test_only_available_workers_of_the_agent_are_asked() -> None:
    """A full or draining worker, and one of another agent, never hear of the call."""
    roster = _roster(Worker("AW_1", "a", available=False), Worker("AW_2", "b"))
    assert roster.choose("a", ()) is None
    assert roster.has("a"), "it is served, only not now"
    assert roster.agent_names == {"a", "b"}


def test_a_worker_that_came_back_is_not_removed_by_its_old_connection() -> None:
    """The end of a connection forgets the worker that it brought, not its successor."""
    old, new = Worker("AW_1", "a"), Worker("AW_1", "a")
    roster = _roster(old, new)
    roster.remove(old)
    assert roster.choose("a", ()) is new
    roster.remove(new)
    assert not roster.has("a")


def test_a_place_is_certain_only_where_the_limit_is_known() -> None:
    """Calls given and jobs of livekit-server's count alike; without a limit nothing is promised."""
    assert not Worker("AW_1", "a").has_place
    assert Worker("AW_1", "a", limit=2, given={"AJ_1"}).has_place
    assert not Worker("AW_1", "a", limit=2, given={"AJ_1"}, relayed={"AJ_2"}).has_place
