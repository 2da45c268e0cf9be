"""Messages as text, for tests that speak SIP without a user agent."""

from __future__ import annotations

from telephony.sip.message import SipRequest, SipResponse, parse_message


def request_bytes(
    method: str = "INVITE",
    *,
    uri: str = "sip:100@192.0.2.1",
    branch: str = "z9hG4bKa1",
    via: str | None = None,
    call_id: str = "call-1",
    from_tag: str | None = "ftag",
    to_tag: str | None = None,
    cseq: int = 1,
    cseq_method: str | None = None,
    contact: str | None = "<sip:caller@192.0.2.9:5070>",
    headers: tuple[str, ...] = (),
    body: str = "",
) -> bytes:
    """A complete request; ``via`` replaces the whole Via value."""
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: {via or f'SIP/2.0/UDP 192.0.2.9:5070;branch={branch}'}",
        "Max-Forwards: 70",
        f"From: <sip:caller@192.0.2.9>{f';tag={from_tag}' if from_tag else ''}",
        f"To: <sip:100@192.0.2.1>{f';tag={to_tag}' if to_tag else ''}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {cseq_method or method}",
        *([f"Contact: {contact}"] if contact else []),
        *headers,
        f"Content-Length: {len(body.encode())}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


def request(method: str = "INVITE", **parts: object) -> SipRequest:
    """The same, parsed."""
    message = parse_message(request_bytes(method, **parts))  # type: ignore[arg-type]  # the same keywords
    assert isinstance(message, SipRequest)
    return message


def response_bytes(
    request: SipRequest, status: int, *, to_tag: str | None = "ttag", headers: tuple[str, ...] = ()
) -> bytes:
    """A peer's response to a request of ours."""
    to = request.headers.get("To") or ""
    if to_tag and "tag=" not in to:
        to = f"{to};tag={to_tag}"
    lines = [
        f"SIP/2.0 {status} Whatever",
        *(f"Via: {value}" for value in request.headers.get_all("Via")),
        f"From: {request.headers.get('From')}",
        f"To: {to}",
        f"Call-ID: {request.call_id}",
        f"CSeq: {request.headers.get('CSeq')}",
        *headers,
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def response(
    request: SipRequest, status: int, *, to_tag: str | None = "ttag", headers: tuple[str, ...] = ()
) -> SipResponse:
    """The same, parsed."""
    message = parse_message(response_bytes(request, status, to_tag=to_tag, headers=headers))
    assert isinstance(message, SipResponse)
    return message
