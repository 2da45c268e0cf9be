"""What became of a dial that nobody answered for, by everything that others know of it. Pure.

For a dial whose api process died, or whose request to livekit-server broke: the bridge's own events, the
attributes of the phone's participant, LiveKit's reason when it left. Guarantee: as long as the phone may
still ring there is no verdict; where nothing can settle it the verdict is ``unknown``, and nobody dials
it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telephony.calls.outcomes import DEPARTURES, EndedBy, Outcome
from telephony.dialer.result import (
    ANSWERED,
    BRIDGE_LOST,
    CANCELLED,
    SILENT,
    UNKNOWN,
    DialResult,
    not_dialled,
    of_status,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

DIAL_BY_S = 12.0
"""How long after its permit was consumed the bridge lets an INVITE leave."""

SILENCE_S = 7.0
"""How long after that a bridge's word of the dial is waited for: its events are on disk before the INVITE."""

LEFT_S = 4.0
"""How long a better account is waited for once the phone has left the room."""

OVERTIME_S = 20.0
"""How long after the ring time the end of a dial is waited for that a bridge had."""

_RINGING = frozenset({"dialing", "ringing"})
_UP = frozenset({"automation", "active", "hangup"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one dial, by others than its dialler.

    Attributes:
        answered: whether the record has the call as answered.
        rang: whether the record has it as ringing.
        bridge_had_it: whether a bridge has said anything of it.
        bridge_report: the bridge's account of the end.
        left_reason: LiveKit's reason with which the phone left the room; None while it did not.
        left_s: seconds since then.
        phone_status: ``sip.callStatus`` of the phone that is in the room now; None where there is none.
    """

    answered: bool = False
    rang: bool = False
    bridge_had_it: bool = False
    bridge_report: Mapping[str, Any] = field(default_factory=dict)
    left_reason: str | None = None
    left_s: float = 0.0
    phone_status: str | None = None


def judge(
    evidence: Evidence, *, age_s: float, ringing_timeout_s: float, cancelled: bool
) -> DialResult | None:
    """The verdict, or None while it is too early for one.

    Args:
        age_s: seconds since the permit was consumed.
        ringing_timeout_s: how long the phone may ring.
        cancelled: whether the call was called off by us meanwhile.
    """
    if evidence.answered or evidence.phone_status in _UP:
        return ANSWERED
    if evidence.bridge_report:
        return _by_bridge(evidence.bridge_report, rang=evidence.rang, cancelled=cancelled)
    if evidence.left_reason is not None and evidence.left_s >= LEFT_S:
        return _by_departure(evidence, cancelled=cancelled)
    if age_s > ringing_timeout_s + OVERTIME_S:
        return BRIDGE_LOST if evidence.rang else UNKNOWN
    if evidence.bridge_had_it or evidence.phone_status in _RINGING:
        return None
    return UNKNOWN if age_s > DIAL_BY_S + SILENCE_S else None


def _by_bridge(report: Mapping[str, Any], *, rang: bool, cancelled: bool) -> DialResult:
    """A bridge's own account: the status it saw, or why it saw none."""
    status, code = int(report.get("sip_status") or 0), report.get("code")
    if code == "bridge_lost":
        # It was about to send the INVITE when it died, or had: only ringing proves that it left.
        return BRIDGE_LOST if rang else UNKNOWN
    if cancelled and status in (0, 487):
        return CANCELLED
    if code == "carrier" and status in (0, 408, 503):
        return SILENT
    if status >= 300:
        return of_status(status)
    cause = report.get("cause")
    return not_dialled(str(cause) if cause else None)


def _by_departure(evidence: Evidence, *, cancelled: bool) -> DialResult:
    """Only LiveKit's reason is known: it tells who gave up, not always why."""
    if cancelled:
        return CANCELLED
    departure = DEPARTURES.get(evidence.left_reason or "")
    if departure is None or departure.answered_code in ("bridge_lost", "server_lost"):
        return BRIDGE_LOST if evidence.rang else UNKNOWN
    ended_by = EndedBy.LINE if departure.unanswered is Outcome.CANCELLED else EndedBy.CALLEE
    sentences = {
        Outcome.NO_ANSWER: "Nobody answered.",
        Outcome.REJECTED: "The called party or its network declined the call.",
        Outcome.CANCELLED: "The call was called off before it was answered.",
    }
    sentence = sentences.get(departure.unanswered, "The carrier could not complete the call.")
    return DialResult(departure.unanswered, ended_by, departure.unanswered, sentence)
