"""Who a caller is, as far as it may be told: hidden numbers, asserted identities (RFC 3323, RFC 3325). Pure.

Guarantee: a caller who hides the number stays hidden: neither attributes nor events nor the log have it,
though the carrier tells it to us beside (P-Asserted-Identity, Remote-Party-ID). Where From names nobody
and no privacy is asked for, the asserted identity stands for it. livekit-sip v1.11.0 reads From alone, and
hands the asserted identity on with ``include_headers``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.errors import SipParseError
from telephony.sip.uri import NameAddr

if TYPE_CHECKING:
    from telephony.sip.headers import Headers
    from telephony.sip.message import SipRequest
    from telephony.sip.uri import SipUri

ANONYMOUS = "anonymous"
"""Stands for a caller without a number: livekit-server cuts identities out of it and must have one."""

_ASSERTED = "P-Asserted-Identity"
_NAMING = frozenset(
    {"p-asserted-identity", "p-preferred-identity", "remote-party-id", "diversion", "p-charge-info"}
)
"""Headers that may name a caller who hides in From."""
_HIDES_ASSERTED = frozenset({"id", "header", "user"})
_HIDES_FROM = frozenset({"user", "header"})
_NOBODY = frozenset({"", "anonymous", "unavailable", "restricted", "unknown", "private"})


def caller_user(request: SipRequest) -> str:
    """The caller's number as rules, room and record get it; ``anonymous`` where it is hidden or none."""
    privacy = _privacy(request)
    user = request.from_.uri.user or ""
    if is_nobody(request.from_.uri):
        asserted = None if privacy & _HIDES_ASSERTED else _asserted(request)
        return asserted or ANONYMOUS
    return ANONYMOUS if privacy & _HIDES_FROM else user


def is_hidden(request: SipRequest) -> bool:
    """Whether the caller's number is not told."""
    return caller_user(request) == ANONYMOUS


def told_headers(request: SipRequest) -> list[tuple[str, str]]:
    """The INVITE's headers without those that would name a caller who hides."""
    headers = list(request.headers)
    if not is_hidden(request) and not _privacy(request) & _HIDES_ASSERTED:
        return headers
    hides_from = bool(_privacy(request) & _HIDES_FROM)
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in _NAMING and not (hides_from and name.lower() in ("from", "contact"))
    ]


def is_nobody(uri: SipUri) -> bool:
    """Whether a From names nobody: anonymous@anonymous.invalid and what gateways write for it."""
    return (uri.user or "").lower() in _NOBODY or uri.host.lower() == "anonymous.invalid"


def _privacy(request: SipRequest) -> frozenset[str]:
    values = ";".join(request.headers.get_all("Privacy")).replace(",", ";")
    return frozenset(one.strip().lower() for one in values.split(";") if one.strip()) - {"none"}


def _asserted(request: SipRequest) -> str | None:
    for value in _elements(request.headers):
        try:
            uri = NameAddr.parse(value).uri
        except SipParseError:
            continue
        if uri.user and not is_nobody(uri):
            return uri.user
    return None


def _elements(headers: Headers) -> list[str]:
    try:
        return headers.elements(_ASSERTED)
    except SipParseError:
        return []
