from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.calls.outcomes import Outcome
from telephony.dialer.evidence import DIAL_BY_S, LEFT_S, OVERTIME_S, SILENCE_S, Evidence, judge

pytestmark = pytest.mark.pure

RING_S = 30.0


def verdict(
    age_s: float = 1.0, *, cancelled: bool = False, **known: Any
) -> tuple[Outcome, int | None] | None:
    found = judge(Evidence(**known), age_s=age_s, ringing_timeout_s=RING_S, cancelled=cancelled)
    return None if found is None else (found.outcome, found.sip_status)


@pytest.mark.parametrize(
    ("known", "outcome"),
    [
        ({"answered": True}, Outcome.ANSWERED),
        ({"phone_status": "active"}, Outcome.ANSWERED),
        ({"phone_status": "automation"}, Outcome.ANSWERED),
        ({"bridge_had_it": True, "bridge_report": {"sip_status": 486}}, Outcome.BUSY),
        ({"bridge_had_it": True, "bridge_report": {"sip_status": 408}}, Outcome.NO_ANSWER),
        (
            {"bridge_had_it": True, "bridge_report": {"sip_status": 408, "code": "carrier"}},
            Outcome.FAILED,
        ),
        ({"bridge_had_it": True, "bridge_report": {"cause": "no room"}}, Outcome.FAILED),
        ({"bridge_had_it": True, "bridge_report": {"code": "bridge_lost"}}, Outcome.UNKNOWN),
        ({"bridge_had_it": True, "rang": True, "bridge_report": {"code": "bridge_lost"}}, Outcome.FAILED),
        ({"left_reason": "USER_UNAVAILABLE", "left_s": LEFT_S}, Outcome.NO_ANSWER),
        ({"left_reason": "USER_REJECTED", "left_s": LEFT_S}, Outcome.REJECTED),
        ({"left_reason": "SIGNAL_CLOSE", "left_s": LEFT_S}, Outcome.UNKNOWN),
        ({"left_reason": "SIGNAL_CLOSE", "left_s": LEFT_S, "rang": True}, Outcome.FAILED),
    ],
)
def test_what_others_saw_is_the_outcome(known: dict[str, Any], outcome: Outcome) -> None:
    """The bridge's own account, the phone's status and LiveKit's reason each settle a dial."""
    found = verdict(**known)
    assert found is not None
    assert found[0] is outcome


@pytest.mark.parametrize("report", [{"sip_status": 487}, {"code": "line_ended"}])
def test_what_we_called_off_is_cancelled(report: dict[str, Any]) -> None:
    """A phone that stopped ringing because somebody asked for it was cancelled."""
    assert verdict(cancelled=True, bridge_report=report) == (Outcome.CANCELLED, None)


@pytest.mark.parametrize(
    ("age_s", "known"),
    [
        (1.0, {}),
        (DIAL_BY_S + SILENCE_S, {}),
        (25.0, {"bridge_had_it": True}),
        (25.0, {"phone_status": "ringing"}),
        (RING_S + OVERTIME_S, {"phone_status": "dialing"}),
        (1.0, {"left_reason": "USER_REJECTED", "left_s": LEFT_S - 0.1}),
    ],
)
def test_there_is_no_verdict_while_the_phone_may_ring(age_s: float, known: dict[str, Any]) -> None:
    """Until an INVITE can leave no more, and while a bridge has the call, it is waited for."""
    assert verdict(age_s, **known) is None


def test_what_nobody_saw_is_unknown() -> None:
    """Once no INVITE can leave any more and no bridge has said a word, it is unknown, not failed."""
    assert verdict(DIAL_BY_S + SILENCE_S + 0.1) == (Outcome.UNKNOWN, None)
    assert verdict(RING_S + OVERTIME_S + 0.1, bridge_had_it=True) == (Outcome.UNKNOWN, None)


@given(
    evidence=st.builds(
        Evidence,
        answered=st.booleans(),
        rang=st.booleans(),
        bridge_had_it=st.booleans(),
        bridge_report=st.fixed_dictionaries(
            {},
            optional={
                "sip_status": st.sampled_from([0, 302, 404, 408, 486, 487, 503]),
                "code": st.sampled_from(["carrier", "bridge_lost", "line_ended"]),
            },
        ),
        left_reason=st.none() | st.sampled_from(["", "USER_REJECTED", "ROOM_DELETED", "REASON_77"]),
        left_s=st.floats(0, 100),
        phone_status=st.none() | st.sampled_from(["dialing", "ringing", "active", "hangup", ""]),
    ),
    cancelled=st.booleans(),
)
def test_every_dial_ends_in_one_outcome(evidence: Evidence, cancelled: bool) -> None:
    """Whatever is known, there is a verdict after the ring time, with a sentence; and it stays the same."""
    age_s = RING_S + OVERTIME_S + 1
    found = judge(evidence, age_s=age_s, ringing_timeout_s=RING_S, cancelled=cancelled)
    assert found is not None
    assert found.answered or found.cause.endswith(".")
    assert found == judge(evidence, age_s=2 * age_s, ringing_timeout_s=RING_S, cancelled=cancelled)
