"""Each refusal has a status, the field at fault and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telephony.bridge import refusal
from telephony.bridge.ending import ROOM_DELETED, SERVER_LOST
from telephony.bridge.io_service import AuthError, Dispatch, DispatchResult, TrunkAuthentication
from telephony.errors import BusError, RtpError, SdpError, SipParseError

if TYPE_CHECKING:
    from telephony.bridge.refusal import Refusal

pytestmark = pytest.mark.pure

NUMBER = "+15550100200"


@pytest.mark.parametrize(
    ("made", "status", "field", "says"),
    [
        (refusal.no_trunk(NUMBER), 404, "sip_trunks[].numbers", "No inbound trunk"),
        (refusal.no_trunk(""), 404, "sip_trunks[].numbers", "an empty number"),
        (
            refusal.by_dispatch(Dispatch(DispatchResult.DROP, trunk_id="ST_1"), NUMBER),
            404,
            "routing.inbound_rules[].trunks",
            "Trunk ST_1",
        ),
        (
            refusal.by_dispatch(Dispatch(DispatchResult.DROP), NUMBER),
            404,
            "sip_trunks[].numbers",
            "No inbound trunk",
        ),
        (
            refusal.by_dispatch(Dispatch(DispatchResult.REJECT, trunk_id="ST_1"), NUMBER),
            404,
            "routing.inbound_rules[].trunks",
            "no dispatch rule",
        ),
        (refusal.by_dispatch(Dispatch(99), NUMBER), 501, "routing.inbound_rules", "99"),
        (
            refusal.by_dispatch(Dispatch(DispatchResult.ACCEPT, encryption_required=True), NUMBER),
            488,
            "sip_trunks[].media_encryption",
            "SRTP",
        ),
        (
            refusal.by_trunk(TrunkAuthentication(error=AuthError.QUOTA_EXCEEDED), NUMBER),
            503,
            "livekit.quota",
            "quota",
        ),
        (
            refusal.by_trunk(TrunkAuthentication(error=AuthError.NO_TRUNK_FOUND), NUMBER),
            404,
            "sip_trunks[].numbers",
            "No inbound trunk",
        ),
        (refusal.by_trunk(TrunkAuthentication(drop=True), NUMBER), 404, "sip_trunks[].numbers", "No inbound"),
        (
            refusal.wrong_credentials("ST_1", username_matches=True),
            401,
            "sip_trunks[].auth_password",
            "password is wrong",
        ),
        (
            refusal.wrong_credentials("ST_1", username_matches=False),
            401,
            "sip_trunks[].auth_username",
            "username is wrong",
        ),
        (refusal.bus_failed(BusError("gone", code="unavailable")), 503, "redis", "gone"),
        (
            refusal.bus_failed(BusError("Multiple SIP Trunks matched", code="failed_precondition")),
            503,
            "sip_trunks[].numbers",
            "Multiple",
        ),
        (refusal.malformed(SipParseError("it has no tag", field="From")), 400, "From", "no tag"),
        (
            refusal.no_media(SdpError("no common codec", field="a=rtpmap")),
            488,
            "a=rtpmap",
            "no common codec.",
        ),
        (refusal.no_port(RtpError("No free media port.")), 503, "rtp_port", "No free"),
        (refusal.room_failed("refused"), 503, "livekit.url", "refused"),
        (refusal.no_agent(503, 4.5), 503, "agent.name", "4.5 s"),
        (refusal.no_agent(486, 4.5), 486, "agent.name", "4.5 s"),
        (refusal.agent_silent(180), 480, "ringing_timeout", "180 s"),
        (refusal.room_closed(ROOM_DELETED), 486, "room", "deleted"),
        (refusal.room_closed(SERVER_LOST), 503, "livekit.url", "lost"),
        (refusal.at_capacity(3), 503, "max_active_calls", "3 calls"),
        (refusal.at_capacity(3, 486), 486, "max_active_calls", "3 calls"),
        (refusal.trunk_at_capacity(3, "ST_1"), 503, "max_calls_per_trunk", "trunk ST_1"),
        (refusal.source_at_capacity(3, "192.0.2.1", 486), 486, "max_calls_per_source", "192.0.2.1"),
        (refusal.draining(), 503, "bridge", "stopping"),
        (refusal.internal(RuntimeError("secret text")), 500, "bridge", "RuntimeError"),
    ],
)
def test_a_refusal_names_status_field_and_reason(made: Refusal, status: int, field: str, says: str) -> None:
    """The caller gets the status, the operator the field and a sentence."""
    assert (made.status, made.field) == (status, field)
    assert says in made.sentence
    assert made.sentence.endswith(".")
    assert NUMBER not in made.sentence
    assert "secret text" not in made.sentence
    # Whoever may come back is told when: with every 503, and never with an answer that stands.
    assert (made.retry_after_s is not None) == (status == 503 or made.field == "agent.name")


def test_a_call_that_is_let_in_has_no_refusal() -> None:
    """Neither the trunk nor the rule stands in the way."""
    assert refusal.by_trunk(TrunkAuthentication("ST_1"), NUMBER) is None
    assert refusal.by_dispatch(Dispatch(DispatchResult.ACCEPT), NUMBER) is None
    assert refusal.by_dispatch(Dispatch(DispatchResult.REQUEST_PIN), NUMBER) is None


def test_retry_after_becomes_a_header() -> None:
    """Seconds, as RFC 3261 section 20.33 has it."""
    assert refusal.draining().headers() == [("Retry-After", "5")]
    assert refusal.no_trunk(NUMBER).headers() == []
