"""INVITEs as text."""

from __future__ import annotations

from telephony.sip.message import SipRequest, parse_message


def offer(
    formats: str = "0 8 101", direction: str = "sendrecv", port: int = 4000, host: str = "192.0.2.7"
) -> bytes:
    """A phone's offer."""
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {formats}",
        "a=rtpmap:101 telephone-event/8000",
        f"a={direction}",
    ]
    return ("\r\n".join(lines) + "\r\n").encode()


def invite(
    *headers: str, sender: str = "<sip:+15550199@carrier.example>", to: str = "+15550100"
) -> SipRequest:
    """An INVITE from ``sender`` with further header lines."""
    lines = [
        f"INVITE sip:{to}@198.51.100.2:5060 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK1",
        "Max-Forwards: 70",
        f"From: {sender};tag=abc",
        f"To: <sip:{to}@198.51.100.2>",
        "Call-ID: call-1",
        "CSeq: 1 INVITE",
        "Contact: <sip:+15550199@192.0.2.7:5062>",
        *headers,
    ]
    message = parse_message(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert isinstance(message, SipRequest)
    return message
