"""LiveKit's webhooks, read as hints about calls.

livekit-server drops webhooks that are older than 30 s or too many, and they come in any order
(livekit/protocol webhook/resource_url_notifier.go), so nothing is concluded from them alone: they are
accounts of the source ``livekit``, known by their event id, and the reconciler finds what they missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from livekit.api import TokenVerifier, WebhookReceiver
from livekit.protocol.models import DisconnectReason, ParticipantInfo

from telephony.calls.events import Event
from telephony.calls.ids import call_id_from_attributes
from telephony.errors import LiveKitError
from telephony.store.stored import Incoming

if TYPE_CHECKING:
    from livekit.protocol.webhook import WebhookEvent

    from telephony.calls.events import EventType

_KINDS = {
    ParticipantInfo.Kind.STANDARD: "STANDARD",
    ParticipantInfo.Kind.SIP: "SIP",
    ParticipantInfo.Kind.AGENT: "AGENT",
    ParticipantInfo.Kind.EGRESS: "EGRESS",
    ParticipantInfo.Kind.INGRESS: "INGRESS",
}
_DESCRIPTION = {
    "sip.trunkID": "trunk_id",
    "sip.ruleID": "rule_id",
    "sip.callID": "sip_call_id",
    "sip.callIDFull": "sip_call_id_full",
}


@dataclass(frozen=True, slots=True)
class Hint:
    """What a webhook says of a call.

    ``call_id`` is None where only the room is known; the record knows whose room it is.
    """

    call_id: str | None
    room: str
    type: EventType
    data: dict[str, Any]
    time: datetime
    key: str

    def account(self, call_id: str) -> Incoming:
        """The hint as an account of one call."""
        return Incoming(Event(call_id, "livekit", 0, self.type, self.time, self.data), self.key)


def verify(body: bytes, authorization: str, *, api_key: str, api_secret: str) -> WebhookEvent:
    """Read a webhook, after checking that livekit-server signed exactly these bytes.

    Raises:
        LiveKitError: the token or its hash of the body is wrong, or the body is not a webhook.
    """
    receiver = WebhookReceiver(TokenVerifier(api_key, api_secret))
    try:
        return receiver.receive(body.decode(), authorization)
    except Exception as error:
        # The library raises bare exceptions of several libraries for what is one fact to us.
        raise LiveKitError(
            "The webhook is not signed by our LiveKit server.",
            field="Authorization",
            fix="Give livekit-server's webhook.api_key the key and secret that this api has.",
        ) from error


def read(event: WebhookEvent) -> Hint | None:
    """What a webhook says of a call; None when it says nothing that the record keeps."""
    if event.event in ("room_started", "room_finished"):
        return _of_room(event)
    if event.event in ("participant_joined", "participant_left", "participant_connection_aborted"):
        return _of_participant(event)
    return None


def _of_room(event: WebhookEvent) -> Hint:
    return Hint(
        call_id=None,
        room=event.room.name,
        type="room.started" if event.event == "room_started" else "room.finished",
        data={"room": event.room.name, "sid": event.room.sid},
        time=_time(event),
        key=event.id,
    )


def _of_participant(event: WebhookEvent) -> Hint:
    participant = event.participant
    joined = event.event == "participant_joined"
    data = describe(participant, event.room.name)
    return Hint(
        call_id=call_id_from_attributes(participant.attributes) if data["kind"] == "SIP" else None,
        room=event.room.name,
        type=arrival_type(data) if joined else "participant.left",
        data=data if joined else {**data, "reason": reason(participant)},
        time=_time(event),
        key=event.id,
    )


def describe(participant: ParticipantInfo, room: str) -> dict[str, Any]:
    """A participant as ``telephony.calls.shapes.ParticipantFact``; its attributes are the caller's words."""
    attributes = participant.attributes
    data: dict[str, Any] = {
        "identity": participant.identity,
        "kind": _KINDS.get(participant.kind, str(participant.kind)),
        "sid": participant.sid,
        "room": room,
    }
    if data["kind"] != "SIP":
        return data
    far, ours = attributes.get("sip.phoneNumber", ""), attributes.get("sip.trunkPhoneNumber", "")
    # A dispatch rule is what an inbound call came in by, so its absence means outbound.
    inbound = bool(attributes.get("sip.ruleID"))
    data["direction"] = "inbound" if inbound else "outbound"
    data["from"], data["to"] = (far, ours) if inbound else (ours, far)
    data["status"] = attributes.get("sip.callStatus", "")
    data |= {name: attributes[key] for key, name in _DESCRIPTION.items() if attributes.get(key)}
    return data


def arrival_type(data: dict[str, Any]) -> EventType:
    """What a participant's presence proves: of a SIP leg how far the call is, of others only that."""
    if data["kind"] != "SIP":
        return "participant.joined"
    if data["status"] in ("active", "automation"):
        return "call.answered"
    if data["status"] == "ringing" or data["direction"] == "inbound":
        return "call.ringing"
    return "call.dialling"


def reason(participant: ParticipantInfo) -> str:
    """The name of a disconnect reason."""
    try:
        return str(DisconnectReason.Name(participant.disconnect_reason))
    except ValueError:
        return f"REASON_{participant.disconnect_reason}"


def _time(event: WebhookEvent) -> datetime:
    return datetime.fromtimestamp(event.created_at, UTC)
