from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from telephony.calls.ending import (
    BRIDGE_WAIT_S,
    DEPARTURE_WAIT_S,
    REPORT_WAIT_S,
    conclude,
    settle_delay,
    was_answered,
)
from telephony.calls.outcomes import CAUSES, DEPARTURES, Outcome, sip_verdict
from tests.calls.calls import event, fold, good_call

if TYPE_CHECKING:
    from telephony.calls.events import Event

pytestmark = pytest.mark.pure

RANG = event("bridge", 1, "call.ringing", 0, **{"from": "+15550100123", "to": "+15550100100"})
ANSWERED = event("bridge", 2, "call.answered", 0.5, codec="PCMU")
STARTED = event("job", 1, "agent.started", 0.3)
DIALLED = event("dialer", 1, "call.dialling", 0, direction="outbound", to="+15550100123")


def left(reason: str) -> Event:
    return event("livekit", 3, "participant.left", 9, kind="SIP", reason=reason)


def bridge_end(**data: Any) -> Event:
    return event("bridge", 3, "call.ended", 9, **data)


def job_end(**data: Any) -> Event:
    return event("job", 9, "call.ended", 8.9, **data)


def reconciled(**data: Any) -> Event:
    return event("reconciler", 1, "call.ended", 20, **data)


ANSWERED_CALLS = [
    ([bridge_end(ended_by="caller")], "caller", "caller_hung_up"),
    ([bridge_end(ended_by="caller"), job_end(ended_by="agent")], "caller", "caller_hung_up"),
    ([bridge_end(ended_by="agent"), job_end(ended_by="agent")], "agent", "agent_finished"),
    ([bridge_end(ended_by="agent"), job_end(ended_by="operator")], "operator", "operator_ended"),
    ([bridge_end(ended_by="agent"), job_end(ended_by="line", code="silence")], "line", "silence"),
    ([bridge_end(ended_by="agent")], "agent", "agent_finished"),
    ([bridge_end(ended_by="line", code="media_timeout")], "line", "media_timeout"),
    ([bridge_end(ended_by="line"), reconciled(ended_by="line", code="agent_lost")], "line", "agent_lost"),
    ([job_end(outcome="answered", ended_by="caller")], "caller", "caller_hung_up"),
    ([job_end(ended_by="caller"), left("CONNECTION_TIMEOUT")], "line", "bridge_lost"),
    ([job_end(ended_by="caller"), left("SERVER_SHUTDOWN")], "line", "server_lost"),
    ([job_end(ended_by="caller"), left("CLIENT_INITIATED")], "caller", "caller_hung_up"),
    ([left("CLIENT_INITIATED")], "caller", "caller_hung_up"),
    ([left("ROOM_DELETED")], "line", "line_ended"),
    ([left("UNKNOWN_REASON")], "unknown", "vanished"),
    ([reconciled(code="vanished")], "unknown", "vanished"),
    ([], "unknown", "vanished"),
]


@pytest.mark.parametrize(("said", "ended_by", "code"), ANSWERED_CALLS)
def test_who_ended_an_answered_call_and_why(said: list[Event], ended_by: str, code: str) -> None:
    """Of an answered call the bridge knows which side hung up, and the job or reconciler knows why we did."""
    end = conclude(fold([RANG, STARTED, ANSWERED, *said]))
    assert (end.outcome, end.ended_by, end.code) == (Outcome.ANSWERED, ended_by, code)
    assert end.cause.endswith(".")


UNANSWERED = [
    ([bridge_end(ended_by="caller", sip_status=487)], Outcome.ABANDONED, "caller"),
    (
        [event("bridge", 2, "call.refused", 1, status=503, sentence="No agent.")],
        Outcome.REFUSED_BY_US,
        "line",
    ),
    ([bridge_end(ended_by="line", sip_status=486)], Outcome.REFUSED_BY_US, "line"),
    ([job_end(ended_by="caller")], Outcome.ABANDONED, "caller"),
    ([left("CLIENT_INITIATED")], Outcome.ABANDONED, "caller"),
    ([left("SERVER_SHUTDOWN")], Outcome.FAILED, "line"),
    ([reconciled(code="vanished")], Outcome.FAILED, "unknown"),
    ([], Outcome.UNKNOWN, "unknown"),
]


@pytest.mark.parametrize(("said", "outcome", "ended_by"), UNANSWERED)
def test_a_call_to_us_that_nobody_answered(said: list[Event], outcome: Outcome, ended_by: str) -> None:
    """A caller who gave up abandoned the call; one that we turned away was refused by us."""
    end = conclude(fold([RANG, *said]))
    assert (end.outcome, end.ended_by) == (outcome, ended_by)


OUTBOUND = [
    ({"sip_status": 486}, "busy", "callee"),
    ({"sip_status": 404}, "invalid_number", "carrier"),
    ({"sip_status": 480}, "unreachable", "carrier"),
    ({"sip_status": 408}, "no_answer", "carrier"),
    ({"sip_status": 603}, "rejected", "callee"),
    ({"sip_status": 403}, "rejected", "carrier"),
    ({"sip_status": 503}, "failed", "carrier"),
    ({"sip_status": 302}, "failed", "carrier"),
    ({"sip_status": 699}, "rejected", "callee"),
    ({"sip_status": 499}, "rejected", "carrier"),
    ({"outcome": "cancelled", "sip_status": 487}, "cancelled", "operator"),
    ({"outcome": "blocked"}, "blocked", "line"),
    ({"outcome": "no_answer", "sip_status": 487}, "no_answer", "line"),
    ({"outcome": "unknown", "code": "dial_unknown"}, "unknown", "line"),
]


@pytest.mark.parametrize(("said", "outcome", "ended_by"), OUTBOUND)
def test_a_call_from_us_that_nobody_answered(said: dict[str, Any], outcome: str, ended_by: str) -> None:
    """The far side's final SIP status, or the dialer's own decision, says what became of the call."""
    end = conclude(fold([DIALLED, event("dialer", 2, "call.ended", 5, **said)]))
    assert (end.outcome, end.ended_by) == (outcome, ended_by)


@pytest.mark.parametrize("reason", sorted(DEPARTURES))
def test_a_departure_alone_gives_an_outcome(reason: str) -> None:
    """Where only LiveKit's disconnect reason is known, it decides, and its cause is in the table."""
    assert DEPARTURES[reason].answered_code in CAUSES
    assert conclude(fold([DIALLED, left(reason)])).outcome == DEPARTURES[reason].unanswered


def test_the_far_end_of_a_call_from_us_is_the_callee() -> None:
    """A bridge that says "caller" of the far end means the callee when we dialled."""
    answered = event("bridge", 1, "call.answered", 2, direction="outbound")
    end = conclude(fold([DIALLED, answered, bridge_end(ended_by="caller")]))
    assert (end.ended_by, end.code, end.answered_by) == ("callee", "callee_hung_up", "unknown")


def test_a_greeting_spoken_into_a_call_that_was_given_up_is_no_answer() -> None:
    """The job's turn does not prove an answer against the bridge's 487."""
    spoke = event("job", 2, "turn.completed", 1, who="agent", text="Hello?")
    assert was_answered(fold([RANG, spoke]))
    assert not was_answered(fold([RANG, spoke, bridge_end(ended_by="caller", sip_status=487)]))


def test_the_end_waits_for_the_other_witnesses_and_no_longer_than_it_must() -> None:
    """One report starts a short wait, LiveKit's word a longer one, all reports together end it."""
    *talk, job, gone, bridge = good_call()
    assert settle_delay(fold(talk)) is None
    # The bridge has the caller, who may still be there when the job is gone.
    assert settle_delay(fold([*talk, job])) == BRIDGE_WAIT_S
    assert settle_delay(fold([*talk, gone])) == DEPARTURE_WAIT_S
    assert settle_delay(fold([*talk, bridge])) == REPORT_WAIT_S
    assert settle_delay(fold([*talk, bridge, job])) == 0


def test_an_answered_call_waits_for_its_job_though_it_was_never_heard_of() -> None:
    """An answer needs an agent, so its account is waited for even when nothing of it came yet."""
    assert settle_delay(fold([RANG, ANSWERED, bridge_end(ended_by="caller")])) == REPORT_WAIT_S


def test_a_refused_invite_ends_at_once() -> None:
    """Nobody but the bridge can say more about an INVITE that it refused."""
    refused = event("bridge", 1, "call.refused", 0, status=403, sentence="No trunk has this number.")
    end = conclude(fold([refused]))
    assert settle_delay(fold([refused])) == 0
    assert (end.outcome, end.sip_status, end.cause) == ("refused_by_us", 403, "No trunk has this number.")


def test_every_final_status_has_a_verdict() -> None:
    """No SIP status from 300 to 699 is left without outcome and sentence."""
    for status in range(300, 700):
        assert sip_verdict(status).sentence.endswith(".")


def dialler_end(**data: Any) -> Event:
    return event("dialer", 2, "call.ended", 5, **data)


def test_the_bridge_of_a_dialled_call_is_waited_for_a_moment() -> None:
    """The dialler may know first: the bridge's code is in the end all the same, and nothing is amended."""
    busy = dialler_end(outcome="busy", ended_by="callee", code="busy", cause="Busy.")
    assert settle_delay(fold([DIALLED, busy])) == REPORT_WAIT_S
    told = [DIALLED, event("bridge", 1, "call.dialling", 1), busy, bridge_end(sip_status=486)]
    record = fold(told)
    assert settle_delay(record) == 0
    assert (conclude(record).outcome, conclude(record).sip_status) == (Outcome.BUSY, 486)


def test_a_call_that_was_never_dialled_ends_at_once() -> None:
    """Of a call whose permit was not used nobody else has anything to say."""
    asked = event("dialer", 1, "call.requested", 0, direction="outbound", to="+15550100123")
    ended = dialler_end(outcome="failed", ended_by="line", code="no_agent", cause="No agent came.")
    assert settle_delay(fold([asked, ended])) == 0


def test_a_call_that_was_taken_does_not_wait_for_its_dialler() -> None:
    """Once somebody answered, the bridge and the job tell of the end, and the dialler has said all."""
    told = [DIALLED, RANG, ANSWERED, STARTED, bridge_end(ended_by="callee"), job_end(ended_by="caller")]
    assert settle_delay(fold(told)) == 0


@pytest.mark.parametrize("dials", [[DIALLED], []])
def test_a_call_that_somebody_hung_up_was_ended_by_an_operator(dials: list[Event]) -> None:
    """Asked for over the api, the line hangs up: the record says on whose word, whatever our parts say."""
    asked = dialler_end(ended_by="operator", code="operator_ended")
    ours = [bridge_end(ended_by="line", code="line_ended"), job_end(ended_by="line")]
    end = conclude(fold([*dials, RANG, ANSWERED, asked, *ours]))
    assert (end.ended_by, end.code) == ("operator", "operator_ended")
    theirs = conclude(fold([*dials, RANG, ANSWERED, asked, bridge_end(ended_by="callee")]))
    assert theirs.ended_by == "callee"
