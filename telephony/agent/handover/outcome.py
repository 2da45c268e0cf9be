"""What became of an attempt to hand a caller over, in one word, from what livekit-server says. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from telephony.calls.outcomes import Outcome, sip_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

TransferOutcome = Literal[
    "completed", "busy", "no_answer", "refused", "declined", "unreachable", "abandoned", "failed"
]
"""``refused`` is the network's or the telephone's word, ``declined`` the person's who was told of the caller;
``abandoned``: the caller hung up first."""

TransferKind = Literal["cold", "warm", "second_leg"]

_BY_VERDICT: Final[dict[Outcome, TransferOutcome]] = {
    Outcome.BUSY: "busy",
    Outcome.NO_ANSWER: "no_answer",
    Outcome.CANCELLED: "no_answer",
    Outcome.REJECTED: "refused",
    Outcome.UNREACHABLE: "unreachable",
    Outcome.INVALID_NUMBER: "unreachable",
}
_RANG_OUT: Final = frozenset({"canceled", "deadline_exceeded"})

REFER_REFUSED: Final = "REFER refused"
"""Stands in the bridge's error where the caller's telephone or carrier took no REFER at all."""

_NO_REFER: Final = frozenset({400, 403, 405, 420, 421, 481, 489, 501})
"""Statuses that say so at a bridge which does not; those of a called party, such as 486, are not here."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a caller was not handed over.

    Attributes:
        outcome: in one word.
        cause: a sentence.
        sip_status: the final one, where there was one.
        not_supported: nobody was rung, since the caller's side takes no REFER.
    """

    outcome: TransferOutcome
    cause: str
    sip_status: int | None = None
    not_supported: bool = False


def failure_of(code: str, message: str, details: Mapping[str, str]) -> Failure:
    """What an error of livekit-server's SIP service says.

    Args:
        code: Twirp's, such as ``resource_exhausted``.
        message: the error's words.
        details: its metadata; ``sip_status_code`` counts.
    """
    status = _status(details.get("sip_status_code", ""))
    not_supported = REFER_REFUSED in message or (status in _NO_REFER and code != "not_found")
    if status is None:
        outcome: TransferOutcome = "no_answer" if code in _RANG_OUT else "failed"
        cause = "Nobody answered in time." if outcome == "no_answer" else message
        return Failure(outcome, cause, None, not_supported)
    verdict = sip_verdict(status)
    return Failure(_BY_VERDICT.get(verdict.outcome, "failed"), verdict.sentence, status, not_supported)


def _status(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 300 <= int(text) <= 699 else None
