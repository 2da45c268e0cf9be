"""Why a call of ours was not answered: for whoever asked for it, for the room, for the record. Pure.

The tables are livekit-sip's. psrpc codes by SIP status: livekit/protocol ``livekit/sip.go``; disconnect
reasons: livekit/sip v1.11.0 ``pkg/sip/outbound.go``. Guarantee: ``unavailable``, the one code that client
libraries may try again by themselves, is given only while no INVITE has left.
"""

from __future__ import annotations

from dataclasses import dataclass

from livekit.protocol.models import DisconnectReason

from telephony.bridge.ending import Ending
from telephony.calls.outcomes import sip_verdict
from telephony.errors import BusError, LinkError, LiveKitError, RtpError, SdpError, SipError

_CODES: dict[str, tuple[int, ...]] = {
    "invalid_argument": (
        *(300, 305, 400, 405, 406, 411, 413, 414, 415, 417, 420, 421, 422, 423),
        *(484, 485, 488, 489, 493, 505, 513, 606),
    ),
    "permission_denied": (401, 402, 403, 433, 470, 603, 607, 608),
    "unauthenticated": (407, 428, 436, 437, 438, 494),
    "not_found": (301, 302, 404, 410, 481, 604),
    "deadline_exceeded": (408, 504),
    "resource_exhausted": (440, 480, 486, 600),
    "aborted": (487, 491),
    "failed_precondition": (409, 412, 482, 483, 500, 501, 502, 503),
    "out_of_range": (416,),
}
_CODE_OF = {status: code for code, statuses in _CODES.items() for status in statuses}

_UNAVAILABLE = (404, 408, 480)

REQUEST_TIMEOUT = 408
"""Stands in the record for a phone that did not answer (RFC 3261 section 8.1.3.1)."""
REQUEST_TERMINATED = 487
"""Stands in the record for a call that was called off."""

_NO_RESPONSE = Ending("no_response", "carrier", "The other side's SIP server did not respond.", "carrier")


@dataclass(frozen=True, slots=True)
class DialFailure:
    """One call that came to nothing.

    Args:
        error: for whoever asked.
        reason: LiveKit's disconnect reason with which the participant leaves.
        ending: for the record.
        sip_status: for the record; 0 where nothing was sent.
    """

    error: BusError
    reason: int
    ending: Ending
    sip_status: int = 0


def psrpc_code(status: int) -> str:
    """The code that a final SIP status of 300 and above becomes."""
    known = _CODE_OF.get(status)
    if known is not None:
        return known
    return "failed_precondition" if 500 <= status < 600 else "invalid_argument"


def disconnect_reason(status: int) -> int:
    """The reason with which the participant of a call leaves that was refused by this status."""
    if status in _UNAVAILABLE:
        return DisconnectReason.USER_UNAVAILABLE
    if 500 <= status < 600 or status < 400:
        return DisconnectReason.CLIENT_INITIATED
    return DisconnectReason.USER_REJECTED


def refused(status: int, phrase: str) -> DialFailure:
    """The other side answered with a final status of 300 and above."""
    verdict = sip_verdict(status)
    error = BusError(
        f"the call was not answered: sip status {status}: {phrase}",
        code=psrpc_code(status),
        sip_status=(status, phrase),
    )
    ending = Ending(verdict.outcome.value, verdict.ended_by.value, verdict.sentence, verdict.outcome.value)
    return DialFailure(error, disconnect_reason(status), ending, status)


def not_authenticated(status: int, *, has_credentials: bool) -> DialFailure:
    """The other side wants credentials: there are none, or it does not take them."""
    sentence = (
        "the credentials of the trunk were refused" if has_credentials else "the trunk has no credentials"
    )
    error = BusError(
        f"authentication failed: sip status {status} asks for it, {sentence}", code="failed_precondition"
    )
    verdict = sip_verdict(status)
    ending = Ending("not_authenticated", verdict.ended_by.value, verdict.sentence, "carrier")
    return DialFailure(error, DisconnectReason.USER_REJECTED, ending, status)


def rang_out(seconds: float, provisionals: int = 1) -> DialFailure:
    """It rang, and nobody answered in the time that was given; or nothing at all came in that time."""
    if not provisionals:
        return DialFailure(
            BusError("sip request timed out with no response at all", code="canceled"),
            DisconnectReason.USER_UNAVAILABLE,
            _NO_RESPONSE,
            REQUEST_TIMEOUT,
        )
    return DialFailure(
        BusError("sip request timed out", code="canceled"),
        DisconnectReason.USER_UNAVAILABLE,
        Ending("no_answer", "line", f"Nobody answered within {seconds:g} s.", "no_answer"),
        REQUEST_TIMEOUT,
    )


def no_response(provisionals: int) -> DialFailure:
    """No final response ever came (Timer B)."""
    return DialFailure(
        BusError(f"transaction failed to complete ({provisionals} intermediate responses)", code="canceled"),
        DisconnectReason.USER_UNAVAILABLE,
        _NO_RESPONSE,
        REQUEST_TIMEOUT,
    )


def no_codec(error: SdpError) -> DialFailure:
    """The phone answered with media that is not ours."""
    return DialFailure(
        BusError(f"the answer's media cannot be used: {error}", code="failed_precondition"),
        DisconnectReason.USER_REJECTED,
        Ending("no_codec", "line", "The phone answered with no codec in common.", "line_ended"),
        488,
    )


def not_sent(error: SipError) -> DialFailure:
    """The address cannot be called from here; nothing was sent."""
    return DialFailure(
        BusError(f"the call could not be sent: {error}", code="invalid_argument"),
        DisconnectReason.CLIENT_INITIATED,
        Ending("not_sent", "line", "The address of the trunk cannot be reached.", "line_ended"),
    )


def connection_failed(error: SipError) -> DialFailure:
    """The way to the other side broke with the INVITE on it: it may have rung."""
    return DialFailure(
        BusError(f"the connection to the other side failed: {error}", code="failed_precondition"),
        DisconnectReason.CLIENT_INITIATED,
        Ending("connection_failed", "carrier", "The connection to the carrier failed.", "carrier"),
        503,
    )


def no_room(error: LiveKitError | LinkError | RtpError | str) -> DialFailure:
    """The call could not be begun on our side; nobody was rung."""
    sentence = error if isinstance(error, str) else error.message
    return DialFailure(
        BusError(f"the call could not be begun: {sentence}", code="unavailable", retryable=True),
        DisconnectReason.CLIENT_INITIATED,
        Ending("not_begun", "line", f"The call could not be begun: {sentence}.", "line_ended"),
    )


def called_off(ending: Ending) -> DialFailure:
    """The room was closed, the participant removed, or the bridge stopped before the answer."""
    return DialFailure(
        BusError(f"the call was called off: {ending.sentence}", code="canceled"),
        DisconnectReason.CLIENT_INITIATED,
        ending,
        REQUEST_TERMINATED,
    )


def failed(error: Exception) -> DialFailure:
    """A fault of the bridge itself."""
    return DialFailure(
        BusError(f"internal error: {type(error).__name__}", code="internal"),
        DisconnectReason.CLIENT_INITIATED,
        Ending("bridge_failed", "line", "The bridge failed on this call.", "line_ended"),
        500,
    )
