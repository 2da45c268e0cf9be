"""What a message must have before anything acts on it (RFC 3261 sections 8.1.1, 8.2 and 16.3).

Pure. ``check_request`` says with which status a request is refused; ``response_to`` writes a
response that the sender's transaction will recognise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from telephony.errors import SipParseError
from telephony.sip.grammar import is_token
from telephony.sip.message import RawMessage, SipRequest, SipResponse
from telephony.sip.status import reason_of
from telephony.sip.uri import NameAddr
from telephony.sip.via import Via

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telephony.sip.headers import Headers

_REQUEST_LINE = re.compile(r"([A-Za-z0-9\-.!%*_+`'~]+)[ \t].*SIP/[0-9]+\.[0-9]+[ \t]*\Z", re.IGNORECASE)
_COPIED = ("Via", "From", "To", "Call-ID", "CSeq")


def check_request(request: SipRequest) -> None:
    """Read every header that the layers above rely on, once.

    Raises:
        SipParseError: with the status to refuse it by: 400, or 416 for a URI scheme that is not ours.
    """
    _check_message(request)
    if request.cseq.method != request.method:
        raise SipParseError("its method is not that of the request line", field="CSeq")
    if not request.from_.tag and request.via.is_rfc3261:
        raise SipParseError("it has no tag", field="From")
    _ = request.max_forwards, request.routes
    if not request.uri.is_sip and request.uri.scheme != "tel":
        raise SipParseError(f"the scheme {request.uri.scheme[:16]} is not served", field="uri", status=416)
    if request.method in ("INVITE", "SUBSCRIBE") and request.contact is None:
        raise SipParseError("it is missing", field="Contact")


def check_response(response: SipResponse) -> None:
    """Read every header that matching a response relies on.

    Raises:
        SipParseError: it is to be dropped.
    """
    _check_message(response)


def _check_message(message: SipRequest | SipResponse) -> None:
    _ = message.vias, message.via, message.from_, message.to, message.call_id, message.cseq
    _ = message.contact, message.record_routes
    length = message.content_length
    if length is not None and length > len(message.body):
        raise SipParseError("it promises more than was sent", field="Content-Length")


def response_to(
    request: SipRequest,
    status: int,
    reason: str = "",
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
) -> SipResponse:
    """A response with the headers that identify its transaction copied (section 8.2.6.2).

    Args:
        to_tag: added to To unless the request has one there or the status is 100.
        headers: further lines.
        content_type: written when there is a body.

    Raises:
        SipParseError: a header would break its line.
    """
    response = _echo(request.headers, status, reason, to_tag if status > 100 else None)
    if status == 100:
        response.headers.extend(("Timestamp", value) for value in request.headers.get_all("Timestamp"))
    response.headers.extend(headers)
    if body:
        response.body = body
        if content_type:
            response.headers.set("Content-Type", content_type)
    return response


def _echo(headers: Headers, status: int, reason: str, to_tag: str | None) -> SipResponse:
    response = SipResponse(status, reason or reason_of(status))
    for name in _COPIED:
        response.headers.extend((name, value) for value in headers.get_all(name))
    if to_tag:
        to = NameAddr.parse(response.headers.get("To") or "")
        if to.tag is None:
            response.headers.set("To", str(to.with_tag(to_tag)))
    return response


def refusal(raw: RawMessage, error: SipParseError) -> tuple[SipResponse, Via] | None:
    """The response to a request that could not be read, and the Via that it is sent by.

    None where the message is no request, is an ACK, or lacks what its sender knows a response by: Via and
    CSeq. Of the other headers whatever there is goes back.
    """
    match = _REQUEST_LINE.match(raw.start_line)
    if match is None or match.group(1) == "ACK":
        return None
    vias = raw.headers.get_all("Via")
    if not vias or raw.headers.get("CSeq") is None:
        return None
    try:
        via = Via.parse(raw.headers.elements("Via")[0])
        response = _echo(raw.headers, error.status, "", None)
    except (SipParseError, IndexError):
        return None
    # The phrase names the header only when it is one of ours to name: never the sender's own text.
    where = f" ({error.field})" if error.field and is_token(error.field) else ""
    response.reason = reason_of(error.status) + where
    return response, via
