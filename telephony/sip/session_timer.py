"""Session timers: how both ends learn that a call is over whose BYE was lost (RFC 4028). Pure.

One end, the refresher, repeats the session (UPDATE or re-INVITE) before the interval is over; the other
hangs up when nothing came. Guarantee: what is agreed follows table 2 of section 9, never falls below our
least interval where the peer can be told so, and a peer that knows no timers is refreshed by us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from telephony.sip.message import SipRequest, SipResponse

OPTION = "timer"
MIN_SE_S = 90
"""The least interval that section 4 allows, and ours."""
LONGEST_S = 24 * 3600
"""An interval above this is cut to it."""
_EXPIRY_MARGIN_S = 32.0

EXPIRED_REASON = ("Reason", 'SIP;cause=408;text="Session timer expired"')
"""Says in our BYE why it comes (RFC 3326)."""

Refresher = Literal["uac", "uas"]
Header = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed.

    Args:
        interval_s: after that long without a refresh the session is over.
        ours: whether this end refreshes.
        peer_knows: whether the peer supports timers; else its 2xx to a refresh need not repeat them.
    """

    interval_s: int
    ours: bool
    peer_knows: bool = True

    @property
    def refresh_after_s(self) -> float:
        """When the refresher repeats the session: half of the interval (section 7.2)."""
        return self.interval_s / 2

    @property
    def expire_after_s(self) -> float:
        """When either end hangs up: a third of the interval, at most 32 s, before its end (section 10)."""
        return self.interval_s - min(_EXPIRY_MARGIN_S, self.interval_s / 3)

    def request_headers(self) -> list[Header]:
        """For our request that refreshes the session."""
        refresher = "uac" if self.ours else "uas"
        return [
            ("Supported", OPTION),
            ("Session-Expires", f"{self.interval_s};refresher={refresher}"),
            ("Min-SE", str(min(self.interval_s, MIN_SE_S))),
        ]


@dataclass(frozen=True, slots=True)
class TooBrief:
    """The peer wants an interval below ours: it is answered 422 with this header (section 9)."""

    headers: tuple[Header, ...] = (("Min-SE", str(MIN_SE_S)),)


def supports_timer(message: SipRequest | SipResponse) -> bool:
    """Whether whoever sent this knows session timers."""
    named = ",".join(message.headers.get_all("Supported") + message.headers.get_all("Require"))
    return OPTION in {one.strip().lower() for one in named.split(",")}


def allows_update(message: SipRequest | SipResponse) -> bool:
    """Whether whoever sent this takes UPDATE, by which a refresh needs no session description."""
    named = ",".join(message.headers.get_all("Allow"))
    return "UPDATE" in {one.strip().upper() for one in named.split(",")}


def session_expires(message: SipRequest | SipResponse) -> tuple[int, Refresher | None] | None:
    """Interval in seconds and refresher as a message states them; None where none can be read."""
    value = message.headers.get("Session-Expires")
    if value is None:
        return None
    number, *params = (part.strip().lower() for part in value.split(";"))
    if not number.isascii() or not number.isdecimal() or len(number) > 10 or not int(number):
        return None
    refresher: Refresher | None = None
    for param in params:
        name, _, wanted = param.partition("=")
        if name.strip() == "refresher":
            refresher = "uac" if wanted.strip() == "uac" else "uas" if wanted.strip() == "uas" else None
    return min(int(number), LONGEST_S), refresher


def min_se(message: SipRequest | SipResponse) -> int:
    """The least interval that the other end, or a proxy on the way, accepts."""
    value = (message.headers.get("Min-SE") or "").partition(";")[0].strip()
    if not value.isascii() or not value.isdecimal() or len(value) > 10:
        return MIN_SE_S
    return min(LONGEST_S, max(MIN_SE_S, int(value)))


def accept(request: SipRequest, *, wanted_s: int = 0) -> Terms | TooBrief | None:
    """What to agree on with an INVITE or UPDATE of the peer; None for no timer.

    Args:
        wanted_s: the interval that we want where the peer asks for none; 0 = none.
    """
    knows = supports_timer(request)
    asked = session_expires(request)
    if asked is None:
        if not wanted_s:
            return None
        return Terms(max(wanted_s, min_se(request)), ours=True, peer_knows=knows)
    interval_s, refresher = asked
    if interval_s < MIN_SE_S and knows:
        return TooBrief()
    # A proxy asked in the name of a peer that would not understand a 422: our least interval stands.
    interval_s = max(interval_s, MIN_SE_S)
    return Terms(interval_s, ours=not knows or refresher == "uas", peer_knows=knows)


def answer_headers(terms: Terms | None) -> list[Header]:
    """For our 2xx to an INVITE or UPDATE of the peer."""
    if terms is None:
        return []
    refresher = "uas" if terms.ours else "uac"
    headers = [("Session-Expires", f"{terms.interval_s};refresher={refresher}")]
    if not terms.ours:
        # The peer must know that it is counted on (section 9).
        headers.append(("Require", OPTION))
    return [*headers, ("Supported", OPTION)]


def offer_headers(wanted_s: int, least_s: int = MIN_SE_S) -> list[Header]:
    """For the INVITE of a call of ours.

    Args:
        wanted_s: the interval that we ask for; 0 = none, and the callee may still ask for one.
        least_s: what a 422 or a proxy has told us.
    """
    if not wanted_s and least_s <= MIN_SE_S:
        return [("Supported", OPTION)]
    return [
        ("Supported", OPTION),
        ("Session-Expires", str(max(wanted_s, least_s))),
        ("Min-SE", str(least_s)),
    ]


def agreed(response: SipResponse, *, before: Terms | None = None) -> Terms | None:
    """What a 2xx to an INVITE or UPDATE of ours settles.

    Args:
        before: what held, where the request was a refresh: a peer that knows no timers does not repeat it.
    """
    told = session_expires(response)
    if told is None:
        return before if before is not None and before.ours and not before.peer_knows else None
    interval_s, refresher = told
    # Section 7.2 wants the refresher named; whoever leaves it out leaves the work to us.
    return Terms(max(interval_s, MIN_SE_S), ours=refresher != "uas", peer_knows=supports_timer(response))
