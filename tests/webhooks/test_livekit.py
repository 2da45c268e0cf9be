from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson
from livekit.api import AccessToken
from livekit.protocol.models import DisconnectReason, ParticipantInfo, Room
from livekit.protocol.webhook import WebhookEvent

from telephony.errors import LiveKitError
from telephony.webhooks.livekit import read, verify

pytestmark = pytest.mark.pure

KEY, SECRET = "devkey", "a-secret-that-is-long-enough-for-hs256"
INBOUND = {
    "sip.callID": "SCL_abcDEF123456",
    "sip.callIDFull": "x@y",
    "sip.phoneNumber": "+15550100123",
    "sip.trunkPhoneNumber": "+15550100100",
    "sip.trunkID": "ST_1",
    "sip.ruleID": "SDR_1",
    "sip.callStatus": "ringing",
}


def hook(name: str, *, attributes: dict[str, str] | None = None, **participant: Any) -> WebhookEvent:
    return WebhookEvent(
        event=name,
        id="EV_1",
        created_at=1_795_000_000,
        room=Room(name="call_room", sid="RM_1"),
        participant=ParticipantInfo(
            identity="sip_1", kind=ParticipantInfo.Kind.SIP, attributes=attributes or {}, **participant
        ),
    )


def signed(body: bytes, *, secret: str = SECRET, key: str = KEY) -> str:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = AccessToken(key, secret).with_sha256(digest).with_ttl(timedelta(minutes=5))
    return str(token.to_jwt())


def test_a_signed_webhook_is_read() -> None:
    """The body that livekit-server signed is accepted, unknown fields and all."""
    body = MessageToJson(hook("room_started")).replace("{", '{"new": 1, ', 1).encode()
    event = verify(body, signed(body), api_key=KEY, api_secret=SECRET)
    assert (event.event, event.id) == ("room_started", "EV_1")


@pytest.mark.parametrize("fault", ["body", "secret", "key", "token", "empty", "not json", "not utf-8"])
def test_a_forged_webhook_is_refused(fault: str) -> None:
    """A changed body, another key or secret, no token, or no webhook at all: one error, no traceback."""
    body = MessageToJson(hook("room_started")).encode()
    token = signed(body)
    match fault:
        case "body":
            body += b" "
        case "secret":
            token = signed(body, secret=SECRET[::-1])
        case "key":
            token = signed(body, key="other")
        case "token":
            token = "x.y.z"
        case "empty":
            token = ""
        case "not json":
            body = b"hello"
            token = signed(body)
        case "not utf-8":
            body = b"\xff\xfe"
            token = signed(body)
    with pytest.raises(LiveKitError, match="not signed"):
        verify(body, token, api_key=KEY, api_secret=SECRET)


def test_a_caller_that_joins_is_a_ringing_call() -> None:
    """The SIP participant's attributes say whose call it is, who calls whom, and by which trunk and rule."""
    hint = read(hook("participant_joined", attributes=INBOUND))
    assert hint is not None
    assert (hint.call_id, hint.type, hint.room) == ("call_abcDEF123456", "call.ringing", "call_room")
    assert (hint.data["from"], hint.data["to"]) == ("+15550100123", "+15550100100")
    assert (hint.data["trunk_id"], hint.data["rule_id"]) == ("ST_1", "SDR_1")
    account = hint.account("call_abcDEF123456")
    assert account.digest() == hint.account("call_abcDEF123456").digest()


@pytest.mark.parametrize(
    ("status", "event_type"),
    [("dialing", "call.dialling"), ("ringing", "call.ringing"), ("active", "call.answered")],
)
def test_an_outbound_leg_is_as_far_as_its_status_says(status: str, event_type: str) -> None:
    """Without a rule the call is ours, and the far number is the called one."""
    attributes = {**INBOUND, "sip.callStatus": status}
    del attributes["sip.ruleID"]
    hint = read(hook("participant_joined", attributes=attributes))
    assert hint is not None
    assert hint.type == event_type
    assert (hint.data["direction"], hint.data["to"]) == ("outbound", "+15550100123")


def test_a_caller_that_left_says_why() -> None:
    """The disconnect reason is kept by name; one that we do not know is kept by number."""
    left = hook("participant_left", attributes=INBOUND, disconnect_reason=DisconnectReason.CLIENT_INITIATED)
    hint = read(left)
    assert hint is not None
    assert (hint.type, hint.data["reason"]) == ("participant.left", "CLIENT_INITIATED")


def test_rooms_and_agents_are_known_by_their_room() -> None:
    """Of a room, or an agent in it, the record itself finds the call."""
    started = read(hook("room_finished"))
    agent = hook("participant_joined")
    agent.participant.kind = ParticipantInfo.Kind.AGENT
    joined = read(agent)
    assert started is not None
    assert joined is not None
    assert (started.call_id, started.type) == (None, "room.finished")
    assert (joined.call_id, joined.type, joined.data["kind"]) == (None, "participant.joined", "AGENT")


def test_what_says_nothing_of_a_call_is_passed_over() -> None:
    """Tracks, egress and events of the future are no accounts."""
    for name in ("track_published", "egress_started", "something_new"):
        assert read(hook(name)) is None
