"""A room made ahead is the room that joining would make, and the token is a SIP participant's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit import api
from livekit.protocol.egress import RoomCompositeEgressRequest
from livekit.protocol.room import CreateRoomRequest, RoomConfiguration, RoomEgress

from telephony.bridge.io_service import Dispatch
from telephony.bridge.livekit_rooms import LiveKitRooms, room_request
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.pure

SECRET = "secret-of-more-than-thirty-two-characters"

CONFIG = RoomConfiguration(
    name="preset name",
    empty_timeout=5,
    departure_timeout=7,
    max_participants=3,
    metadata="m",
    egress=RoomEgress(room=RoomCompositeEgressRequest(room_name="r")),
    min_playout_delay=1,
    max_playout_delay=2,
    sync_streams=True,
    agents=[api.RoomAgentDispatch(agent_name="trunkline", metadata='{"assistant": "reception"}')],
)


@pytest.fixture
async def rooms() -> AsyncIterator[LiveKitRooms]:
    """A client of a server that is not there."""
    rooms = LiveKitRooms("ws://127.0.0.1:1", "key", SECRET)
    yield rooms
    await rooms.close()


def test_every_setting_of_the_rule_is_in_the_request() -> None:
    """All of RoomConfiguration but its name, which is that of the preset."""
    request = room_request(Dispatch(room_name="call_1", room_preset="phone", room_config=CONFIG))
    assert (request.name, request.room_preset) == ("call_1", "phone")
    assert request.agents[0].metadata == '{"assistant": "reception"}'
    shared = {field.name for field in CONFIG.DESCRIPTOR.fields} - {"name"}
    assert shared <= {field.name for field in CreateRoomRequest.DESCRIPTOR.fields}
    for name in shared - {"tags"}:
        assert getattr(request, name) == getattr(CONFIG, name), name


def test_a_rule_without_settings_makes_a_plain_room() -> None:
    """Only the name."""
    assert room_request(Dispatch(room_name="call_1")) == CreateRoomRequest(name="call_1")


async def test_the_token_is_that_of_a_sip_participant(rooms: LiveKitRooms) -> None:
    """Kind, identity, name, metadata, attributes, grants, and the rule's room configuration."""
    dispatch = Dispatch(
        room_name="call_1",
        identity="sip_1",
        name="Phone 1",
        metadata="m",
        room_preset="p",
        room_config=CONFIG,
    )
    claims = api.TokenVerifier("key", SECRET).verify(rooms.token(dispatch, {"sip.callID": "SCL_1"}))
    assert (claims.kind, claims.identity, claims.name, claims.metadata) == ("sip", "sip_1", "Phone 1", "m")
    assert claims.attributes == {"sip.callID": "SCL_1"}
    assert claims.video is not None
    assert claims.video.room == "call_1"
    assert claims.video.room_join
    assert claims.video.can_publish
    assert claims.video.can_subscribe
    assert claims.video.can_publish_data
    assert claims.video.can_update_own_metadata
    assert not claims.video.room_admin
    assert (claims.room_preset, claims.room_config) == ("p", CONFIG)


async def test_a_token_of_the_server_is_used_as_it_is(rooms: LiveKitRooms) -> None:
    """Where livekit-server gives a token, nothing of ours replaces it."""
    assert rooms.token(Dispatch(token="given"), {}) == "given"


async def test_a_server_that_is_away_raises_nothing(rooms: LiveKitRooms) -> None:
    """What is asked on the side never ends a call."""
    async with limit(10):
        await rooms.create(Dispatch(room_name="call_1"))
        await rooms.delete("call_1")
        assert not (await rooms.people("call_1", but="me")).anybody
