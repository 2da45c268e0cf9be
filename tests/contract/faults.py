"""What livekit-sip v1.11.0 is known to do wrong, or v1.8.0 where it says so. The bridge must have none of it.

A test marked ``livekit_sip_fault("name")`` holds for the bridge, and is expected to fail where the suite runs
against a livekit-sip. The same table stands in docs/bridge.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Args:
        effect: what the other side notices; measured where figures stand.
        source: measured, a thread of livekit/sip, or the file of its source where it is read.
    """

    effect: str
    source: str


FAULTS: dict[str, Fault] = {
    "keys-add-delay": Fault(
        "a phone that sends no audio while a key is pressed: phone to agent 95 ms before, 464 to 867 ms after"
        " three keys, for the rest of the call",
        "measured, 3 of 3 calls",
    ),
    "no-rule-no-answer": Fault(
        "a call that no dispatch rule takes gets 180 and never a final response", "sip#362, sip#377, sip#477"
    ),
    "no-agent-rings-on": Fault(
        "a call whose agent does not come rings for 180 s, then 486", "measured; sip#370, sip#339"
    ),
    "hold-answered-sendrecv": Fault(
        "a hold is answered with the first answer, sendrecv: some carriers drop the call", "sip#779, sip#716"
    ),
    "hold-ends-the-call": Fault(
        "a held phone that sends nothing is hung up by the media time-out", "sip#443, sip#552"
    ),
    "update-refused": Fault(
        "UPDATE, which its Allow names, is answered 405", "pkg/sip/server.go, pkg/sip/inbound.go"
    ),
    "unusable-offer-is-400": Fault(
        "an offer without a common codec is answered 400 as if it were broken, not 488",
        "pkg/sip/inbound.go",
    ),
    "session-timer-ignored": Fault(
        "a phone that asks for a session timer (RFC 4028) gets none: it has to ask again and again by itself",
        "sip#494",
    ),
    "answer-repeated-twice": Fault(
        "a 200 whose ACK is lost is sent three times in all, within a second; the call goes on without",
        "pkg/sip/inbound.go",
    ),
    "drain-takes-calls": Fault(
        "while it drains it goes on taking calls in, so that it may never be done", "pkg/sip/service.go"
    ),
    "password-sent-again": Fault(
        "a password that was refused is sent up to five times, which locks accounts", "pkg/sip/outbound.go"
    ),
    "large-invite-lost": Fault(
        "an INVITE above about 1300 bytes cannot be sent by UDP: the call fails", "udp_max_payload"
    ),
    "media-on-every-address": Fault(
        "RTP is received on every address of the machine, whatever listen_ip says", "pkg/sip/media_port.go"
    ),
    "health-on-every-address": Fault(
        "health and metrics are told to whoever asks, on every address", "cmd/livekit-sip/main.go"
    ),
    "letter-keys": Fault(
        "keys A to D come to the agent as a to d, and those that an agent presses in capitals are not sent",
        "measured with v1.8.0; media-sdk dtmf/dtmf.go",
    ),
    "cancel-before-a-response": Fault(
        "CANCEL is sent to a phone that has answered nothing yet, which RFC 3261 9.1 forbids",
        "measured with v1.8.0; pkg/sip/outbound.go",
    ),
    "late-answer-left": Fault(
        "an answer that crosses the CANCEL gets no BYE: the phone stays in a call that is over",
        "measured with v1.8.0; pkg/sip/outbound.go",
    ),
    "longest-call-out-ignored": Fault(
        "the longest duration of an outbound call limits its dialling alone",
        "measured with v1.8.0; mended in v1.11.0",
    ),
    "unusable-answer-unacknowledged": Fault(
        "an answer without a common codec gets BYE and no ACK: the phone repeats it meanwhile",
        "measured with v1.8.0; pkg/sip/outbound.go",
    ),
    "transfer-waits-for-ringing": Fault(
        "a transfer that is asked for while the phone rings is answered once it has stopped ringing",
        "measured with v1.8.0; pkg/sip/outbound.go",
    ),
    "transfer-target-unread": Fault(
        "an address that is none goes out in a REFER, and the phone's refusal comes back",
        "measured with v1.8.0",
    ),
}
