"""What to do after each answer of a registrar, and when. Pure.

RFC 3261 section 10.3 and 20.33, with three promises. After an outage of at most a minute a line is registered
within 5 s of the registrar's return, after a longer one within 60 s; a registrar that refuses us is asked
again no sooner than after ten minutes; nobody is asked more than once in half a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from telephony.errors import SipParseError
from telephony.sip.uri import NameAddr

if TYPE_CHECKING:
    from telephony.sip.message import SipResponse

ATTEMPT_S = 4.0
"""How long one REGISTER is repeated, at 0, 0.5, 1.5 and 3.5 s, before it counts as unanswered."""

EAGER_S = 66.0
"""How long after a loss it is tried again at once: a minute, and the attempt that noticed the loss."""

EAGER_PAUSE_S = 0.5
PAUSES_S = (5.0, 10.0, 20.0, 40.0, 52.0)
"""Between attempts after that; with an attempt the last makes less than a minute."""

REFUSED_PAUSE_S = 600.0
"""After a refusal that another try cannot change, such as a wrong password."""

_LONGEST_EXPIRY_S = 86_400
_LEAD_S = 30.0
_SHORTEST_REFRESH_S = 5.0
_PASSING = frozenset({408, 425, 429, 480, 491})


class State(StrEnum):
    """How one line is."""

    TRYING = "trying"
    """Not asked yet, or not answered."""
    REGISTERED = "registered"
    LOST = "lost"
    """It was registered; the registrar does not answer, or not as it should."""
    REFUSED = "refused"
    """The registrar does not want us: login, password or address are wrong."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from one answer.

    Args:
        state: of the line from now on.
        pause_s: until the next REGISTER; for REGISTERED the refresh.
        expiry_s: to ask for from now on.
        reason: one sentence, empty while registered.
    """

    state: State
    pause_s: float
    expiry_s: int
    reason: str = ""


def judge(response: SipResponse, *, expiry_s: int, contact: str, retries: int, lost_for_s: float) -> Verdict:
    """What follows from a final response.

    Args:
        expiry_s: what was asked for.
        contact: our Contact value, as sent.
        retries: attempts since the last success, this one included.
        lost_for_s: seconds since the first of them.
    """
    status = response.status
    if 200 <= status < 300:
        granted = granted_s(response, expiry_s, contact)
        return Verdict(State.REGISTERED, refresh_s(granted), expiry_s)
    if status == 423:
        least = _number(response.headers.get("Min-Expires"))
        if least is not None and expiry_s < least <= _LONGEST_EXPIRY_S:
            return Verdict(State.TRYING, EAGER_PAUSE_S, least)
    reason = f"the registrar answers {status} {response.reason}"
    if status in (401, 407):
        return Verdict(State.REFUSED, REFUSED_PAUSE_S, expiry_s, f"{reason}: login or password is wrong")
    if (400 <= status < 500 and status not in _PASSING and status != 423) or status >= 600:
        return Verdict(State.REFUSED, REFUSED_PAUSE_S, expiry_s, reason)
    pause_s = pause_after(retries, lost_for_s)
    asked = _number((response.headers.get("Retry-After") or "").partition(";")[0].partition("(")[0])
    if asked is not None:
        pause_s = max(pause_s, min(float(asked), REFUSED_PAUSE_S))
    return Verdict(State.LOST, pause_s, expiry_s, reason)


def unanswered(reason: str, *, expiry_s: int, retries: int, lost_for_s: float) -> Verdict:
    """What follows when nobody answers, or the registrar cannot be reached."""
    return Verdict(State.LOST, pause_after(retries, lost_for_s), expiry_s, reason)


def pause_after(retries: int, lost_for_s: float) -> float:
    """Until the next attempt."""
    if lost_for_s < EAGER_S:
        return EAGER_PAUSE_S
    # Of attempts of 4.5 s the eager time takes about fifteen.
    late = max(0, retries - round(EAGER_S / (ATTEMPT_S + EAGER_PAUSE_S)) - 1)
    return PAUSES_S[min(late, len(PAUSES_S) - 1)]


def refresh_s(granted: float) -> float:
    """When a registration is asked for again: half a minute before its end, not before half its time."""
    return max(granted / 2, granted - _LEAD_S, _SHORTEST_REFRESH_S)


def granted_s(response: SipResponse, asked: int, contact: str) -> float:
    """For how long the registrar keeps our address: by our Contact, by Expires, else as asked."""
    try:
        ours = NameAddr.parse(contact).uri
        for value in response.headers.elements("Contact"):
            if value.strip() == "*":
                continue
            told = NameAddr.parse(value)
            if (told.uri.user, told.uri.host, told.uri.port) == (ours.user, ours.host, ours.port):
                found = _number(told.params.get("expires"))
                if found is not None:
                    return float(found)
    except SipParseError:
        # What a registrar writes there is of no use then; Expires may be.
        return float(_number(response.headers.get("Expires")) or asked)
    return float(_number(response.headers.get("Expires")) or asked)


def _number(text: str | None) -> int | None:
    stripped = (text or "").strip()
    return int(stripped) if stripped.isdecimal() and len(stripped) < 10 else None
