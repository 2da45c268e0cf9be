"""What a call that came to nothing is called: the tables of livekit-sip."""

from __future__ import annotations

import pytest
from livekit import rtc
from livekit.protocol.models import DisconnectReason

from telephony.bridge import ending, outbound_failure
from telephony.bridge.outbound_failure import disconnect_reason, psrpc_code
from telephony.errors import LiveKitError, SdpError, SipError

pytestmark = pytest.mark.pure

REJECTED, UNAVAILABLE, PLAIN = (
    DisconnectReason.USER_REJECTED,
    DisconnectReason.USER_UNAVAILABLE,
    DisconnectReason.CLIENT_INITIATED,
)


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (300, "invalid_argument", PLAIN),
        (302, "not_found", PLAIN),
        (400, "invalid_argument", REJECTED),
        (403, "permission_denied", REJECTED),
        (404, "not_found", UNAVAILABLE),
        (408, "deadline_exceeded", UNAVAILABLE),
        (410, "not_found", REJECTED),
        (416, "out_of_range", REJECTED),
        (480, "resource_exhausted", UNAVAILABLE),
        (486, "resource_exhausted", REJECTED),
        (487, "aborted", REJECTED),
        (488, "invalid_argument", REJECTED),
        (499, "invalid_argument", REJECTED),
        (500, "failed_precondition", PLAIN),
        (503, "failed_precondition", PLAIN),
        (504, "deadline_exceeded", PLAIN),
        (599, "failed_precondition", PLAIN),
        (600, "resource_exhausted", REJECTED),
        (603, "permission_denied", REJECTED),
        (604, "not_found", REJECTED),
        (606, "invalid_argument", REJECTED),
        (608, "permission_denied", REJECTED),
        (699, "invalid_argument", REJECTED),
    ],
)
def test_a_sip_status_becomes_a_code_and_a_reason(status: int, code: str, reason: int) -> None:
    """As livekit-sip v1.11.0 does it; the status itself goes along."""
    failure = outbound_failure.refused(status, "Phrase")
    assert (failure.error.code, failure.reason) == (code, reason)
    assert failure.error.sip_status == (status, "Phrase")
    assert f"sip status {status}: Phrase" in failure.error.message
    assert failure.sip_status == status


@pytest.mark.parametrize("status", range(300, 700, 7))
def test_nothing_that_was_sent_may_be_tried_again(status: int) -> None:
    """A client that tries ``unavailable`` again would ring a phone twice."""
    assert psrpc_code(status) != "unavailable"
    assert rtc.DisconnectReason.Name(rtc.DisconnectReason.ValueType(disconnect_reason(status)))


def test_failures_without_a_sip_status() -> None:
    """No status is told where the other side gave none that counts."""
    cases = [
        (outbound_failure.rang_out(30), "canceled", UNAVAILABLE),
        (outbound_failure.no_response(0), "canceled", UNAVAILABLE),
        (outbound_failure.not_authenticated(407, has_credentials=False), "failed_precondition", REJECTED),
        (outbound_failure.no_codec(SdpError("x")), "failed_precondition", REJECTED),
        (outbound_failure.not_sent(SipError("x")), "invalid_argument", PLAIN),
        (outbound_failure.connection_failed(SipError("x")), "failed_precondition", PLAIN),
        (outbound_failure.no_room(LiveKitError("x")), "unavailable", PLAIN),
        (outbound_failure.called_off(ending.ROOM_DELETED), "canceled", PLAIN),
        (outbound_failure.failed(ValueError()), "internal", PLAIN),
    ]
    for failure, code, reason in cases:
        assert (failure.error.code, failure.reason, failure.error.sip_status) == (code, reason, None)
        assert failure.error.message
        assert failure.ending.sentence.endswith(".")
