from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from telephony.calls.cost import PriceTable
from telephony.calls.ending import conclude, settle_delay
from telephony.calls.record import CallRecord, amend, apply, settle
from telephony.calls.states import ORDER, State
from telephony.calls.summary import amendments, summarise
from tests.calls.calls import CALL, START, at, event, fold, good_call

if TYPE_CHECKING:
    from typing import Any

    from telephony.calls.events import Event

pytestmark = pytest.mark.pure

_ENDINGS: list[list[Event]] = [
    [event("bridge", 4, "call.ended", 9, ended_by="caller", sip_status=200, packets=10)],
    [event("bridge", 4, "call.ended", 9, ended_by="line", code="media_timeout")],
    [event("job", 5, "call.ended", 9, outcome="answered", ended_by="caller")],
    [event("job", 5, "call.ended", 9, outcome="answered", ended_by="operator", cause="Taken over.")],
    [event("livekit", 3, "room.finished", 9.5, room="r", reason="ROOM_DELETED")],
    [event("reconciler", 1, "call.ended", 12, ended_by="line", code="agent_lost")],
    [event("bridge", 2, "call.refused", 1, status=503, sentence="No agent is free.")],
    [event("bridge", 2, "call.ended", 2, ended_by="caller", sip_status=487)],
    [event("dialer", 4, "call.ended", 5, outcome="busy", sip_status=486)],
    [event("dialer", 1, "call.requested", -2, direction="outbound", to="+15550100123")],
    [event("job", 1, "fields.collected", 3, fields={"day": {"value": "monday"}})],
]
POOL: list[Event] = [*good_call(), *itertools.chain.from_iterable(_ENDINGS)]


def _summary(record: CallRecord) -> dict[str, Any]:
    return summarise(record, PriceTable(), first_seen=START, now=at(60))


@pytest.mark.exhaustive
@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(POOL), max_size=30), st.randoms(use_true_random=False))
def test_every_order_and_repetition_ends_in_the_same_facts(events: list[Event], random: Any) -> None:
    """Events of one call in any order, repeated, with gaps, leave the same facts and the same ending."""
    shuffled = [*events, *random.sample(events, len(events) // 2)]
    random.shuffle(shuffled)
    first, second = fold(events), fold(shuffled)
    assert first.facts == second.facts
    assert first.seen == second.seen
    assert first.state == second.state
    assert conclude(first) == conclude(second)
    assert settle_delay(first) == settle_delay(second)
    assert _summary(first) == _summary(second)


@given(st.lists(st.sampled_from(POOL), max_size=20))
def test_a_stored_record_is_the_record(events: list[Event]) -> None:
    """What the store keeps of a record reads back as the same record."""
    record = fold(events)
    assert CallRecord.from_json(CALL, record.to_json()) == record


class CallLife(RuleBasedStateMachine):
    """One call whose events come in any order, twice or never, while the api settles when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.record = CallRecord(CALL)
        self.told: list[str] = []
        self.given: list[Event] = []
        self.furthest = State.REQUESTED

    @rule(happened=st.sampled_from(POOL))
    def something_is_reported(self, happened: Event) -> None:
        applied = apply(self.record, happened)
        self.record = applied.record
        self.told.append(applied.type)
        self.given.append(happened)
        if self.record.ended is not None:
            changes = amendments(self.record.ended, _summary(self.record))
            if changes:
                self.record = amend(self.record, changes)
            assert not amendments(self.record.ended or {}, _summary(self.record))

    @precondition(lambda self: settle_delay(self.record) is not None)
    @rule()
    def the_wait_is_over(self) -> None:
        self.record = settle(self.record, _summary(self.record))
        self.told.append("call.ended")

    @precondition(lambda self: self.record.ended is not None)
    @rule()
    def somebody_settles_again(self) -> None:
        with pytest.raises(ValueError, match="ended already"):
            settle(self.record, _summary(self.record))

    @invariant()
    def the_state_never_goes_back(self) -> None:
        assert ORDER.index(self.record.state) >= ORDER.index(self.furthest)
        self.furthest = self.record.state

    @invariant()
    def an_end_is_told_at_most_once_and_milestones_too(self) -> None:
        once = [name for name in self.told if name.startswith("call.") and name != "call.reported"]
        milestones = [name for name in once if name not in ("call.amended", "call.transferred")]
        assert len(milestones) == len(set(milestones))
        assert ("call.ended" in self.told) == (self.record.state is State.ENDED)

    @invariant()
    def an_ended_call_asks_for_no_further_end(self) -> None:
        if self.record.ended is not None:
            assert settle_delay(self.record) is None

    def teardown(self) -> None:
        """However it went, the end that stands is the one of all events read in order."""
        canonical = fold(sorted(self.given, key=lambda each: (each.source, each.source_seq, each.time)))
        assert conclude(self.record) == conclude(canonical)
        if self.record.ended is not None:
            assert not amendments(self.record.ended, _summary(canonical))


TestCallLife = CallLife.TestCase
TestCallLife = pytest.mark.exhaustive(TestCallLife)
TestCallLife.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


def test_the_second_account_of_a_milestone_is_told_as_a_report() -> None:
    """LiveKit's account of a ringing call that the bridge told before becomes call.reported."""
    bridge, livekit = good_call()[:2]
    first = apply(CallRecord(CALL), bridge)
    second = apply(first.record, livekit)
    assert (first.type, second.type) == ("call.ringing", "call.reported")
    assert second.data["fact"] == "call.ringing"


def test_a_gap_in_a_sources_numbers_is_seen_until_it_is_filled() -> None:
    """An event that never came is named by its source and number, and no longer once it has come."""
    events = good_call()
    without = [each for each in events if (each.source, each.source_seq) != ("job", 3)]
    assert fold(without).missing_events() == {"job": [[3, 3]]}
    assert fold(events).missing_events() == {}


def test_a_better_witness_replaces_a_worse_one_even_when_it_spoke_earlier() -> None:
    """The bridge's time of the answer stands against the reconciler's, whichever came first."""
    seen = event("reconciler", 1, "call.answered", 4)
    heard = event("bridge", 2, "call.answered", 0.5)
    for order in ([seen, heard], [heard, seen]):
        assert fold(order).value("answered_at") == at(0.5).isoformat(timespec="microseconds")


def test_a_call_to_us_rings_at_least() -> None:
    """A call of which only the job spoke so far is shown as ringing, not as requested."""
    assert fold([event("job", 1, "agent.started")]).shown_state is State.RINGING
