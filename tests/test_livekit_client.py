"""The product's client of livekit-server's API."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import jwt
import pytest
from livekit.api import AccessToken, LiveKitAPI, SIPGrants, VideoGrants
from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import CreateRoomRequest
from livekit.protocol.sip import CreateSIPParticipantRequest

from telephony.errors import LiveKitError
from telephony.livekit_client import LiveKit
from tests.api.asking import LIVEKIT_KEY, LIVEKIT_SECRET
from tests.api.rooms import LiveKitServer, livekit_with_webhooks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.component


class Counts:
    """What was asked, in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def asked_livekit(self, method: str, result: str, seconds: float) -> None:
        assert seconds >= 0
        self.asked.append((method, result))


class Unavailable:
    """A server that answers 503 to everything, and counts."""

    def __init__(self) -> None:
        self.requests = 0

    async def __aenter__(self) -> Unavailable:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        body = b'{"code": "unavailable", "msg": "not now"}'
        head = f"HTTP/1.1 503 x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitServer]:
    """A livekit-server."""
    with livekit_with_webhooks(tmp_path_factory.mktemp("livekit")) as running:
        yield running


async def test_rooms_are_made_listed_described_and_ended(server: LiveKitServer) -> None:
    """The everyday operations work against the real server, and what is not there is no error."""
    counts = Counts()
    async with LiveKit(server.url, LIVEKIT_KEY, LIVEKIT_SECRET, counts=counts) as livekit:
        await livekit.create_room(CreateRoomRequest(name="call_client"))
        assert [room.name for room in await livekit.list_rooms(["call_client"])] == ["call_client"]
        assert (await livekit.update_room_metadata("call_client", "{}")).metadata == "{}"
        assert await livekit.list_participants("call_client") == []
        assert await livekit.list_participants("call_nothing") == []
        assert not await livekit.remove_participant("call_client", "nobody")
        assert await livekit.delete_room("call_client")
        assert not await livekit.delete_room("call_client")
    assert ("CreateRoom", "ok") in counts.asked
    assert ("DeleteRoom", "not_found") in counts.asked


async def test_an_agent_is_sent_for_anew_and_once(server: LiveKitServer) -> None:
    """Whoever was sent for before is not any more, so that no two of them come."""
    async with LiveKit(server.url, LIVEKIT_KEY, LIVEKIT_SECRET) as livekit:
        first = [RoomAgentDispatch(agent_name="desk", metadata="first")]
        await livekit.create_room(CreateRoomRequest(name="call_agent", agents=first))
        for _ in range(2):
            await livekit.dispatch_anew("call_agent", "desk", "second")
        async with LiveKitAPI(server.url, LIVEKIT_KEY, LIVEKIT_SECRET) as client:
            left = await client.agent_dispatch.list_dispatch("call_agent")
        assert [(one.agent_name, one.metadata) for one in left] == [("desk", "second")]
        await livekit.delete_room("call_agent")


async def test_a_wrong_secret_is_an_error_that_does_not_pass(server: LiveKitServer) -> None:
    """A refusal is not asked again."""
    counts = Counts()
    async with LiveKit(server.url, LIVEKIT_KEY, LIVEKIT_SECRET[::-1], counts=counts) as livekit:
        with pytest.raises(LiveKitError) as caught:
            await livekit.list_rooms()
    assert not caught.value.retryable
    assert len(counts.asked) == 1


async def test_what_may_be_asked_twice_is_and_a_dial_never(server: LiveKitServer) -> None:
    """A read is tried four times while the server is unavailable; a dial and a transfer once."""
    del server
    async with Unavailable() as down, LiveKit(down.url, LIVEKIT_KEY, LIVEKIT_SECRET) as livekit:
        with pytest.raises(LiveKitError, match="not now"):
            await livekit.list_rooms()
        assert down.requests == 4
        request = CreateSIPParticipantRequest(sip_trunk_id="ST_1", sip_call_to="+1", room_name="r")
        with pytest.raises(LiveKitError) as caught:
            await livekit.dial(request, timeout_s=2)
        assert down.requests == 5
        assert not caught.value.retryable


async def test_a_server_that_is_away_is_named(server: LiveKitServer) -> None:
    """No connection is an error with a fix."""
    del server
    async with LiveKit("ws://127.0.0.1:1", LIVEKIT_KEY, LIVEKIT_SECRET) as livekit:
        with pytest.raises(LiveKitError, match=r"livekit\.url") as caught:
            await livekit.list_rooms()
    assert caught.value.code == "not_connected"


async def test_each_request_has_just_the_rights_it_needs() -> None:
    """A token for one kind of request carries that right, for ten minutes, and is used again."""
    livekit = LiveKit("ws://x", LIVEKIT_KEY, LIVEKIT_SECRET)
    tokens = {right: livekit._authorise(right, "r") for right in ("room_list", "room_admin", "sip_call")}
    claims = {
        right: jwt.decode(token, LIVEKIT_SECRET, algorithms=["HS256"]) for right, token in tokens.items()
    }
    assert claims["room_list"]["video"] == {
        "roomList": True,
        "canPublish": True,
        "canSubscribe": True,
        "canPublishData": True,
    } | {key: value for key, value in claims["room_list"]["video"].items() if key == "room"}
    assert claims["room_admin"]["video"]["roomAdmin"] is True
    assert claims["room_admin"]["video"]["room"] == "r"
    assert claims["sip_call"]["sip"] == {"admin": False, "call": True}
    assert all(580 < each["exp"] - each["nbf"] <= 600 for each in claims.values())
    assert livekit._authorise("room_list", "r") == tokens["room_list"]


async def test_a_given_token_is_checked_before_the_request() -> None:
    """A token that lacks a right is refused here, with the right's name, and nothing is sent."""
    token = AccessToken(LIVEKIT_KEY, LIVEKIT_SECRET).with_grants(VideoGrants(room_list=True))
    async with Unavailable() as down, LiveKit(down.url, token=str(token.to_jwt())) as livekit:
        with pytest.raises(LiveKitError, match="lacks the right room_create"):
            await livekit.delete_room("r")
        assert down.requests == 0
        with pytest.raises(LiveKitError, match="not now"):
            await livekit.list_rooms()
    other = AccessToken(LIVEKIT_KEY, LIVEKIT_SECRET).with_sip_grants(SIPGrants(admin=True))
    async with LiveKit("ws://x", token=str(other.to_jwt())) as livekit:
        with pytest.raises(LiveKitError, match="lacks the right sip_call"):
            await livekit.dial(CreateSIPParticipantRequest(), timeout_s=1)
    async with LiveKit("ws://x", token="nonsense") as livekit:
        with pytest.raises(LiveKitError, match="cannot be read"):
            await livekit.list_rooms()


async def test_without_key_and_secret_nothing_is_asked() -> None:
    """A client without credentials says which setting is missing."""
    async with LiveKit("ws://x") as livekit:
        with pytest.raises(LiveKitError, match="LIVEKIT_API_KEY"):
            await livekit.list_rooms()


def test_a_participants_token_opens_one_room() -> None:
    """A token to join names the room, the identity and what may be done there."""
    livekit = LiveKit("ws://x", LIVEKIT_KEY, LIVEKIT_SECRET)
    grants = VideoGrants(can_publish=False, hidden=True)
    text = livekit.join_token("listener", "call_r", grants=grants, attributes={"a": "b"}, ttl_s=60)
    claims = jwt.decode(text, LIVEKIT_SECRET, algorithms=["HS256"])
    assert claims["sub"] == "listener"
    assert claims["video"]["room"] == "call_r"
    assert claims["video"]["roomJoin"] is True
    assert claims["video"]["canPublish"] is False
    assert claims["exp"] - claims["nbf"] <= 60
