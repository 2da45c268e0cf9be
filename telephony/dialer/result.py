"""What livekit-server's answer to a dial says became of the phone. Pure.

Mirrors livekit/protocol ``livekit/sip.go`` and the texts of livekit/sip v1.11.0, which the embedded bridge
gives too: a SIP status in the error's details where the far end refused; none where it rang out, where
nothing answered, or where nothing was sent. Guarantee: what does not prove an outcome gives None, and is
then looked for elsewhere, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from telephony.calls.outcomes import CAUSES, EndedBy, Outcome, sip_verdict

if TYPE_CHECKING:
    from telephony.errors import LiveKitError


@dataclass(frozen=True, slots=True)
class DialResult:
    """What became of a dial.

    Attributes:
        outcome: ``answered`` when somebody took the call; then the others are empty.
        code: a key of ``CAUSES``, or the outcome's own name.
        cause: one sentence.
        sip_status: the far end's final status, where it gave one.
    """

    outcome: Outcome
    ended_by: EndedBy = EndedBy.UNKNOWN
    code: str = ""
    cause: str = ""
    sip_status: int | None = None

    @property
    def answered(self) -> bool:
        """Whether somebody took the call."""
        return self.outcome is Outcome.ANSWERED

    def report(self) -> dict[str, Any]:
        """As a source's ``call.ended``."""
        told: dict[str, Any] = {
            "outcome": self.outcome.value,
            "ended_by": self.ended_by.value,
            "code": self.code,
            "cause": self.cause,
        }
        return told if self.sip_status is None else {**told, "sip_status": self.sip_status}


def of_code(code: str, outcome: Outcome, cause: str | None = None) -> DialResult:
    """The result that a cause of the table stands for."""
    known = CAUSES[code]
    return DialResult(outcome, known.ended_by, code, cause or known.sentence)


def of_status(status: int) -> DialResult:
    """The far end's final status of 300 and above."""
    verdict = sip_verdict(status)
    return DialResult(verdict.outcome, verdict.ended_by, verdict.outcome, verdict.sentence, status)


def not_dialled(cause: str | None = None) -> DialResult:
    """Nothing has left: nobody was rung."""
    return of_code("not_dialled", Outcome.FAILED, cause)


ANSWERED = DialResult(Outcome.ANSWERED)
CANCELLED = of_code("cancelled", Outcome.CANCELLED)
UNKNOWN = of_code("dial_unknown", Outcome.UNKNOWN)
BRIDGE_LOST = of_code("bridge_lost", Outcome.FAILED)
NO_AGENT = of_code("no_agent", Outcome.FAILED, "No agent came to take the call, so it was not dialled.")
AGENT_LOST = of_code("agent_lost", Outcome.FAILED, "The agent was gone before anybody answered.")
NO_ANSWER = of_code("no_answer", Outcome.NO_ANSWER)
SILENT = of_code("carrier", Outcome.FAILED, "The carrier's SIP server did not respond.")
TOO_LATE = of_code("too_late", Outcome.FAILED)

_NOT_SENT = frozenset({"unavailable", "not_connected"})
"""Nothing can have left: no bridge took the request, or it never reached livekit-server."""

_IN_WORDS = re.compile(r"\bsip status (\d{3})\b")

_PROVES_NOTHING = frozenset(
    {"no_answer", "deadline_exceeded", "internal", "unknown", "already_exists", "data_loss"}
)

_SENTENCES = (
    ("canceled", "no response at all", SILENT),
    ("canceled", "request timed out", NO_ANSWER),
    ("canceled", "transaction failed", SILENT),
    ("canceled", "called off", CANCELLED),
    ("failed_precondition", "authentication", of_code("carrier", Outcome.FAILED, sip_verdict(401).sentence)),
    ("failed_precondition", "media", of_code("carrier", Outcome.FAILED, sip_verdict(488).sentence)),
    (
        "failed_precondition",
        "connection",
        of_code("carrier", Outcome.FAILED, "The connection to the carrier failed."),
    ),
)


def of_error(error: LiveKitError) -> DialResult | None:
    """What an error of the dial request proves; None where the phone may be ringing for all that is known."""
    status = _status(error)
    if status >= 300:
        return of_status(status)
    if error.code in _NOT_SENT:
        return not_dialled(f"Nobody was rung: {_own_words(error)}")
    for code, words, result in _SENTENCES:
        if error.code == code and words in error.message:
            return replace(result, sip_status=_told_status(error))
    if error.code in _PROVES_NOTHING or error.code == "canceled":
        return None
    # livekit-server or the bridge refused the request itself: an unknown trunk, its limit, a wrong token.
    return not_dialled(f"Nobody was rung: {_own_words(error)}")


def _status(error: LiveKitError) -> int:
    text = error.details.get("sip_status_code", "")
    return int(text) if text.isdigit() else 0


def _told_status(error: LiveKitError) -> int | None:
    """A status that stands in the words alone, as of a challenge that was not met."""
    found = _IN_WORDS.search(error.message)
    return int(found.group(1)) if found else None


def _own_words(error: LiveKitError) -> str:
    words = error.message.partition(": ")[2] or error.message
    return words if words.endswith(".") else f"{words}."
