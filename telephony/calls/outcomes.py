"""What became of a call, in the words of a business, and why, in a sentence.

Pure tables. SIP codes are those of RFC 3261 section 21 (607 and 608: RFC 8197, RFC 8688), read as a
calling party reads them; disconnect reasons are those of livekit/protocol livekit_models.proto as
livekit-server v1.13.5 passes them on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a call; exactly one for each call that ended."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    INVALID_NUMBER = "invalid_number"
    BLOCKED = "blocked"
    FAILED = "failed"
    REFUSED_BY_US = "refused_by_us"
    UNKNOWN = "unknown"


class AnsweredBy(StrEnum):
    """Who or what answered an outbound call."""

    HUMAN = "human"
    VOICEMAIL = "voicemail"
    SCREENER = "screener"
    IVR = "ivr"
    UNKNOWN = "unknown"


class EndedBy(StrEnum):
    """Whose act ended the call; ``line`` is our own system, ``callee`` the far end of an outbound call."""

    CALLER = "caller"
    CALLEE = "callee"
    AGENT = "agent"
    OPERATOR = "operator"
    LINE = "line"
    CARRIER = "carrier"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a call ended: who ended it and one sentence; the code is the key in ``CAUSES``."""

    ended_by: EndedBy
    sentence: str


CAUSES: dict[str, Cause] = {
    "caller_hung_up": Cause(EndedBy.CALLER, "The caller hung up."),
    "callee_hung_up": Cause(EndedBy.CALLEE, "The called party hung up."),
    "abandoned": Cause(EndedBy.CALLER, "The caller hung up before the call was answered."),
    "agent_finished": Cause(EndedBy.AGENT, "The agent said goodbye and hung up."),
    "operator_ended": Cause(EndedBy.OPERATOR, "An operator ended the call."),
    "transferred": Cause(EndedBy.AGENT, "The call was handed over to another party."),
    "cancelled": Cause(EndedBy.OPERATOR, "The call was called off before it was answered."),
    "no_answer": Cause(EndedBy.LINE, "Nobody answered within the ring time."),
    "blocked": Cause(EndedBy.LINE, "The call was not allowed, so it was not dialled."),
    "refused": Cause(EndedBy.LINE, "The call was refused before it was answered."),
    "no_agent": Cause(EndedBy.LINE, "No agent was there to take the call."),
    "silence": Cause(EndedBy.LINE, "Nobody spoke for too long, so the line ended the call."),
    "max_duration": Cause(EndedBy.LINE, "The call reached its longest allowed duration."),
    "media_timeout": Cause(EndedBy.LINE, "No audio arrived from the other side, so the line ended the call."),
    "agent_lost": Cause(EndedBy.LINE, "The agent's process stopped without a word during the call."),
    "bridge_lost": Cause(EndedBy.LINE, "The SIP bridge stopped without a word during the call."),
    "server_lost": Cause(EndedBy.LINE, "The LiveKit server stopped, and the room of the call with it."),
    "line_ended": Cause(EndedBy.LINE, "The line ended the call."),
    "shutdown": Cause(EndedBy.LINE, "The line was shut down during the call."),
    "replaced": Cause(EndedBy.LINE, "Another participant of the same identity took the call's place."),
    "carrier": Cause(EndedBy.CARRIER, "The carrier ended the call."),
    "dial_unknown": Cause(
        EndedBy.LINE, "It is not known whether the call was dialled, so it is not dialled again."
    ),
    "not_dialled": Cause(EndedBy.LINE, "The call could not be begun, so nobody was rung."),
    "too_late": Cause(EndedBy.LINE, "The call was not dialled before its deadline, so nobody was rung."),
    "vanished": Cause(EndedBy.UNKNOWN, "The call was gone when it was looked for; nobody reported its end."),
}


@dataclass(frozen=True, slots=True)
class SipVerdict:
    """What a final SIP status of the other side means for a call that we dialled."""

    outcome: Outcome
    ended_by: EndedBy
    sentence: str


_BUSY = "The called party is busy."
_INVALID = "The number does not exist or is not complete."
_DECLINED = "The called party or its network declined the call."
_CREDENTIALS = "The carrier refused our credentials."
_CODEC = "The other side supports none of our codecs."
_CARRIER_FAILED = "The carrier could not complete the call."

SIP_VERDICTS: dict[int, SipVerdict] = {
    401: SipVerdict(Outcome.FAILED, EndedBy.CARRIER, _CREDENTIALS),
    403: SipVerdict(Outcome.REJECTED, EndedBy.CARRIER, "The carrier or the called party forbids this call."),
    404: SipVerdict(Outcome.INVALID_NUMBER, EndedBy.CARRIER, _INVALID),
    407: SipVerdict(Outcome.FAILED, EndedBy.CARRIER, _CREDENTIALS),
    408: SipVerdict(Outcome.NO_ANSWER, EndedBy.CARRIER, "Nobody answered in time."),
    410: SipVerdict(Outcome.INVALID_NUMBER, EndedBy.CARRIER, "The number is no longer in service."),
    415: SipVerdict(Outcome.FAILED, EndedBy.CARRIER, _CODEC),
    480: SipVerdict(Outcome.UNREACHABLE, EndedBy.CARRIER, "The called phone is off or out of reach."),
    484: SipVerdict(Outcome.INVALID_NUMBER, EndedBy.CARRIER, _INVALID),
    485: SipVerdict(Outcome.INVALID_NUMBER, EndedBy.CARRIER, "The number is ambiguous."),
    486: SipVerdict(Outcome.BUSY, EndedBy.CALLEE, _BUSY),
    487: SipVerdict(Outcome.CANCELLED, EndedBy.LINE, "The call was called off before it was answered."),
    488: SipVerdict(Outcome.FAILED, EndedBy.CARRIER, _CODEC),
    600: SipVerdict(Outcome.BUSY, EndedBy.CALLEE, _BUSY),
    603: SipVerdict(Outcome.REJECTED, EndedBy.CALLEE, _DECLINED),
    604: SipVerdict(Outcome.INVALID_NUMBER, EndedBy.CARRIER, _INVALID),
    606: SipVerdict(Outcome.FAILED, EndedBy.CARRIER, _CODEC),
    607: SipVerdict(Outcome.REJECTED, EndedBy.CALLEE, "The called party marked the call as unwanted."),
    608: SipVerdict(Outcome.REJECTED, EndedBy.CARRIER, "The network took the call for spam and blocked it."),
}
"""What each final status of an unanswered outbound call means; others by their class."""


def sip_verdict(status: int) -> SipVerdict:
    """The meaning of a final SIP status for a call that we dialled and nobody answered.

    Args:
        status: 300 to 699.
    """
    if status in SIP_VERDICTS:
        return SIP_VERDICTS[status]
    if 300 <= status < 400:
        return SipVerdict(
            Outcome.FAILED, EndedBy.CARRIER, "The carrier redirected the call, which is not followed."
        )
    if 500 <= status < 600:
        return SipVerdict(Outcome.FAILED, EndedBy.CARRIER, _CARRIER_FAILED)
    if 600 <= status < 700:
        return SipVerdict(Outcome.REJECTED, EndedBy.CALLEE, _DECLINED)
    return SipVerdict(Outcome.REJECTED, EndedBy.CARRIER, "The carrier rejected the call.")


@dataclass(frozen=True, slots=True)
class Departure:
    """What LiveKit's reason says of a SIP participant that left: a cause code, by direction and answer.

    ``unanswered`` is an outcome for an outbound call that nobody had answered.
    """

    answered_code: str
    unanswered: Outcome


DEPARTURES: dict[str, Departure] = {
    "CLIENT_INITIATED": Departure("caller_hung_up", Outcome.FAILED),
    "DUPLICATE_IDENTITY": Departure("replaced", Outcome.FAILED),
    "SERVER_SHUTDOWN": Departure("server_lost", Outcome.FAILED),
    "PARTICIPANT_REMOVED": Departure("line_ended", Outcome.CANCELLED),
    "ROOM_DELETED": Departure("line_ended", Outcome.CANCELLED),
    "ROOM_CLOSED": Departure("line_ended", Outcome.CANCELLED),
    "USER_UNAVAILABLE": Departure("callee_hung_up", Outcome.NO_ANSWER),
    "USER_REJECTED": Departure("callee_hung_up", Outcome.REJECTED),
    "SIP_TRUNK_FAILURE": Departure("carrier", Outcome.FAILED),
    "CONNECTION_TIMEOUT": Departure("bridge_lost", Outcome.FAILED),
    "SIGNAL_CLOSE": Departure("bridge_lost", Outcome.FAILED),
    "STATE_MISMATCH": Departure("server_lost", Outcome.FAILED),
    "MEDIA_FAILURE": Departure("media_timeout", Outcome.FAILED),
    "AGENT_ERROR": Departure("agent_lost", Outcome.FAILED),
}
"""What each disconnect reason says; one that is not here says nothing (``vanished``)."""
