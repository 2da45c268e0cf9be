from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf.json_format import MessageToJson
from livekit.protocol.models import DisconnectReason

from tests.api.asking import LIVEKIT_KEY, LIVEKIT_SECRET
from tests.webhooks.test_livekit import INBOUND, hook, signed

if TYPE_CHECKING:
    from livekit.protocol.webhook import WebhookEvent

    from tests.api.asking import Asking

pytestmark = pytest.mark.component


async def post(api: Asking, event: WebhookEvent, path: str = "/livekit/webhook") -> int:
    body = MessageToJson(event).encode()
    token = signed(body, secret=LIVEKIT_SECRET, key=LIVEKIT_KEY)
    answer = await api.http.post(
        path, content=body, headers={"Authorization": token, "Content-Type": "application/webhook+json"}
    )
    return int(answer.status_code)


def numbered(event: WebhookEvent, number: int) -> WebhookEvent:
    event.id = f"EV_{number}"
    return event


async def test_a_call_of_which_only_livekit_tells_has_a_record(api: Asking) -> None:
    """Joined twice, left, finished: one call with its numbers, room and events."""
    left = hook("participant_left", attributes=INBOUND, disconnect_reason=DisconnectReason.CLIENT_INITIATED)
    events = [
        numbered(hook("room_started"), 1),
        numbered(hook("participant_joined", attributes=INBOUND), 2),
        numbered(hook("participant_joined", attributes=INBOUND), 2),
        numbered(left, 4),
        numbered(hook("room_finished"), 5),
    ]
    for event in events:
        assert await post(api, event) == 204
    call = await api.get("/v1/calls/call_abcDEF123456")
    assert (call["from"]["e164"], call["to"]["e164"], call["room"]) == (
        "+15550100123",
        "+15550100100",
        "call_room",
    )
    page = await api.get("/v1/calls/call_abcDEF123456/events")
    assert [each["type"] for each in page["events"]] == ["call.ringing", "participant.left", "room.finished"]


@pytest.mark.parametrize("path", ["/livekit/webhook", "/webhooks/livekit"])
async def test_both_paths_take_only_what_is_signed(api: Asking, path: str) -> None:
    """A forged webhook is refused with 401 and leaves nothing, on either path."""
    event = hook("participant_joined", attributes=INBOUND)
    body = MessageToJson(event).encode()
    for token in ("", "x.y.z", signed(body, secret="another-secret-that-is-long-enough")):
        answer = await api.http.post(path, content=body, headers={"Authorization": token})
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed")
    await api.get("/v1/calls/call_abcDEF123456", 404)
    assert await post(api, event, path) == 204
    await api.get("/v1/calls/call_abcDEF123456")


async def test_rooms_that_are_no_calls_are_ignored(api: Asking) -> None:
    """A room without a call of ours is answered with 204 and leaves nothing."""
    assert await post(api, hook("room_finished")) == 204
    assert (await api.get("/v1/calls"))["calls"] == []
