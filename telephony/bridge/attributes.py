"""Between SIP headers and participant attributes, both ways.

Pure. Guarantee: whatever a caller writes into headers, the attributes are bounded in number and size,
hold no control characters and no credentials, and never replace one of the ``sip.*`` attributes that
the call is known by. Mirrors livekit/sip v1.11.0 ``pkg/sip/protocol.go`` and its attribute names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.bridge.io_service import IncludeHeaders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CALL_STATUS = "sip.callStatus"
CALL_TAG = "sip.callTag"
CALL_ID_FULL = "sip.callIDFull"
CALL_ID = "sip.callID"
PHONE_NUMBER = "sip.phoneNumber"
TRUNK_PHONE_NUMBER = "sip.trunkPhoneNumber"

TAPS = "trunkline.taps"
"""Set to anything by the server API: put both sides of a direct call into its room, for hidden listeners."""

EARLY_MEDIA = "trunkline.early_media"
"""Of a call of ours: ``true`` or ``false`` in place of the setting ``early_media``."""

MAX_VALUE = 1024
"""Characters of one attribute; a longer value is cut."""

MAX_HEADERS = 64
"""How many headers become ``sip.h.*`` attributes."""

MAX_TOTAL = 32 * 1024
"""Characters of all header attributes, half of livekit-server's limit for attributes."""

_OWN_PREFIX = "sip."
_HEADER_PREFIX = "sip.h."
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization"})

_PROVIDER_ATTRIBUTES = {
    "x-twilio-callsid": "sip.twilio.callSid",
    "x-twilio-accountsid": "sip.twilio.accountSid",
    "x-call_leg_id": "sip.telnyx.callLegID",
    "x-call_session_id": "sip.telnyx.callSessionID",
}
_AMAZON_PREFIX = "x-amzn-"


def clean(value: str) -> str:
    """A header value that is safe to keep: no control characters, at most ``MAX_VALUE`` characters."""
    return "".join(character for character in value if character.isprintable())[:MAX_VALUE]


def header_attributes(
    headers: Iterable[tuple[str, str]], *, mapping: Mapping[str, str], include: int
) -> dict[str, str]:
    """Attributes made from an INVITE's headers; the first of several lines of one name counts.

    Args:
        mapping: the trunk's ``headers_to_attributes``, header names in any case.
        include: the trunk's ``include_headers``.
    """
    first: dict[str, str] = {}
    for name, value in headers:
        if name.lower() not in _SECRET_HEADERS:
            first.setdefault(name.lower(), clean(value))
    wanted = {header.lower(): attribute for header, attribute in mapping.items()}
    pairs = [(wanted[name], value) for name, value in first.items() if name in wanted]
    pairs += [(attribute, value) for name, value in first.items() if (attribute := _provider(name))]
    included = [name for name in first if _is_included(name, include)]
    pairs += [(_HEADER_PREFIX + name, first[name]) for name in included[:MAX_HEADERS]]
    return _bounded(pairs)


def _provider(name: str) -> str | None:
    if name.startswith(_AMAZON_PREFIX):
        return "sip.amazon." + clean(name.removeprefix(_AMAZON_PREFIX))[:64]
    return _PROVIDER_ATTRIBUTES.get(name)


def _is_included(name: str, include: int) -> bool:
    if include == IncludeHeaders.ALL:
        return True
    return include == IncludeHeaders.X_HEADERS and name.startswith("x-")


def _bounded(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    kept: dict[str, str] = {}
    left = MAX_TOTAL
    for key, value in pairs:
        size = len(key) + len(value)
        if key in kept or size > left:
            continue
        kept[key] = value
        left -= size
    return kept


def call_attributes(
    given: Mapping[str, str], from_headers: Mapping[str, str], *, status: str, call_tag: str, sip_call_id: str
) -> dict[str, str]:
    """All attributes with which the caller joins the room.

    Args:
        given: those of livekit-server: ids, numbers and the rule's own.
        from_headers: those of ``header_attributes``; they may replace a rule's own, never a ``sip.*`` one.
        status: ``ringing``, ``active``, …
        call_tag: the far end's tag.
        sip_call_id: the Call-ID header.
    """
    own = {key: value for key, value in given.items() if key.startswith(_OWN_PREFIX)}
    return {
        **given,
        **from_headers,
        **own,
        CALL_STATUS: status,
        CALL_TAG: clean(call_tag),
        CALL_ID_FULL: clean(sip_call_id),
    }


def attribute_headers(
    attributes: Mapping[str, str], mapping: Mapping[str, str], fixed: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """Headers for our 200 and BYE: the trunk's fixed ones, then those made from attributes.

    Args:
        attributes: of the caller's participant, as they are now.
        mapping: the trunk's ``attributes_to_headers``.
        fixed: the trunk's ``headers``.
    """
    headers = {name: clean(value) for name, value in (fixed or {}).items()}
    for attribute, name in mapping.items():
        if value := clean(attributes.get(attribute, "")):
            headers[name] = value
    return list(headers.items())
