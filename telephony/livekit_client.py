"""The product's one client of livekit-server's API: pooled, counted, patient where that is safe.

What may be asked twice is asked again with growing pauses while the server does not answer; a dial or
a transfer never is, since the phone might ring twice. Each request carries a token with just the
rights it needs, for ten minutes. With a token given from outside, its rights are checked before the
request is made, so that a missing one is named here and not as a refusal from there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar

import aiohttp
from google.protobuf.message import Message
from livekit.api import AccessToken, ServerError, SIPGrants, TokenVerifier, VideoGrants
from livekit.api.twirp_client import TwirpClient
from livekit.protocol import agent_dispatch as proto_dispatch
from livekit.protocol import room as proto_room
from livekit.protocol import sip as proto_sip
from livekit.protocol.models import ParticipantInfo, Room
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from telephony.errors import LiveKitError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from livekit.protocol.sip import SIPParticipantInfo

log = get_logger(__name__)

TOKEN_TTL_S = 600.0
"""How long a token of ours is valid; it is used for half of that."""

_ATTEMPTS = 4
_TIMEOUT_S = 5.0
_CONNECTIONS = 32
_PASSING = frozenset({"unavailable", "deadline_exceeded", "resource_exhausted", "aborted"})

Reply = TypeVar("Reply", bound=Message)
Right = Literal["room_create", "room_list", "room_admin", "sip_admin", "sip_call"]


class Counts(Protocol):
    """Whoever counts requests."""

    def asked_livekit(self, method: str, result: str, seconds: float) -> None:
        """One request: ``result`` is ok or Twirp's error code."""


@dataclass(frozen=True, slots=True)
class _Operation:
    service: str
    method: str
    right: Right
    repeatable: bool


_LIST_ROOMS = _Operation("RoomService", "ListRooms", "room_list", repeatable=True)
_CREATE_ROOM = _Operation("RoomService", "CreateRoom", "room_create", repeatable=True)
_DELETE_ROOM = _Operation("RoomService", "DeleteRoom", "room_create", repeatable=True)
_LIST_PARTICIPANTS = _Operation("RoomService", "ListParticipants", "room_admin", repeatable=True)
_REMOVE = _Operation("RoomService", "RemoveParticipant", "room_admin", repeatable=True)
_UPDATE_METADATA = _Operation("RoomService", "UpdateRoomMetadata", "room_admin", repeatable=True)
_LIST_DISPATCHES = _Operation("AgentDispatchService", "ListDispatch", "room_admin", repeatable=True)
_CREATE_DISPATCH = _Operation("AgentDispatchService", "CreateDispatch", "room_admin", repeatable=False)
_DELETE_DISPATCH = _Operation("AgentDispatchService", "DeleteDispatch", "room_admin", repeatable=True)
_LIST_OUTBOUND = _Operation("SIP", "ListSIPOutboundTrunk", "sip_admin", repeatable=True)
_DIAL = _Operation("SIP", "CreateSIPParticipant", "sip_call", repeatable=False)
_TRANSFER = _Operation("SIP", "TransferSIPParticipant", "sip_call", repeatable=False)


class LiveKit:
    """One livekit-server, or one cluster of them.

    Args:
        url: ws(s):// or http(s)://.
        token: a token made elsewhere, in place of key and secret; used as it is.
        counts: told of every request.
    """

    def __init__(
        self,
        url: str,
        api_key: str = "",
        api_secret: str = "",
        *,
        token: str | None = None,
        counts: Counts | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self.url = url
        self._key, self._secret = api_key, api_secret
        self._token = token
        self._counts = counts
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._tokens: dict[tuple[str, str], tuple[float, str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def list_rooms(self, names: Sequence[str] = ()) -> list[Room]:
        """The open rooms, or those of the given names."""
        asked = proto_room.ListRoomsRequest(names=list(names))
        return list((await self._ask(_LIST_ROOMS, asked, proto_room.ListRoomsResponse)).rooms)

    async def create_room(self, request: proto_room.CreateRoomRequest) -> Room:
        """Open a room, or find the one that has the name."""
        return await self._ask(_CREATE_ROOM, request, Room)

    async def delete_room(self, room: str) -> bool:
        """End a room and everybody's stay in it; False when there was none."""
        asked = proto_room.DeleteRoomRequest(room=room)
        return await self._unless_missing(_DELETE_ROOM, asked, proto_room.DeleteRoomResponse)

    async def list_participants(self, room: str) -> list[ParticipantInfo]:
        """Who is in a room; nobody when there is no such room."""
        asked = proto_room.ListParticipantsRequest(room=room)
        try:
            reply = await self._ask(_LIST_PARTICIPANTS, asked, proto_room.ListParticipantsResponse, room=room)
        except LiveKitError as error:
            if error.code == "not_found":
                return []
            raise
        return list(reply.participants)

    async def remove_participant(self, room: str, identity: str) -> bool:
        """Take somebody out of a room, which hangs a phone up; False when they were not there."""
        asked = proto_room.RoomParticipantIdentity(room=room, identity=identity)
        return await self._unless_missing(_REMOVE, asked, proto_room.RemoveParticipantResponse, room=room)

    async def update_room_metadata(self, room: str, metadata: str) -> Room:
        """Replace a room's metadata."""
        asked = proto_room.UpdateRoomMetadataRequest(room=room, metadata=metadata)
        return await self._ask(_UPDATE_METADATA, asked, Room, room=room)

    async def dispatch_anew(self, room: str, agent_name: str, metadata: str) -> None:
        """Send for a room's agent once more, and for none of those that were sent for before."""
        asked = proto_dispatch.ListAgentDispatchRequest(room=room)
        reply = await self._ask(_LIST_DISPATCHES, asked, proto_dispatch.ListAgentDispatchResponse, room=room)
        for earlier in reply.agent_dispatches:
            gone = proto_dispatch.DeleteAgentDispatchRequest(dispatch_id=earlier.id, room=room)
            await self._unless_missing(_DELETE_DISPATCH, gone, proto_dispatch.AgentDispatch, room=room)
        new = proto_dispatch.CreateAgentDispatchRequest(room=room, agent_name=agent_name, metadata=metadata)
        await self._ask(_CREATE_DISPATCH, new, proto_dispatch.AgentDispatch, room=room)

    async def list_outbound_trunks(self) -> list[proto_sip.SIPOutboundTrunkInfo]:
        """Every trunk that calls may go out through."""
        asked = proto_sip.ListSIPOutboundTrunkRequest()
        return list((await self._ask(_LIST_OUTBOUND, asked, proto_sip.ListSIPOutboundTrunkResponse)).items)

    async def dial(
        self, request: proto_sip.CreateSIPParticipantRequest, *, timeout_s: float
    ) -> SIPParticipantInfo:
        """Place a call; asked once, whatever happens.

        Raises:
            LiveKitError: it was refused, or nobody knows: then ``retryable`` is False all the same. The code
                ``not_connected`` says that the request has not left, ``no_answer`` that it may have arrived.
        """
        return await self._ask(_DIAL, request, proto_sip.SIPParticipantInfo, timeout_s=timeout_s)

    async def transfer(self, request: proto_sip.TransferSIPParticipantRequest, *, timeout_s: float) -> None:
        """Hand a caller over by REFER; asked once."""
        from google.protobuf.empty_pb2 import Empty

        await self._ask(_TRANSFER, request, Empty, room=request.room_name, timeout_s=timeout_s)

    def join_token(
        self,
        identity: str,
        room: str,
        *,
        name: str = "",
        attributes: dict[str, str] | None = None,
        grants: VideoGrants | None = None,
        ttl_s: float = TOKEN_TTL_S,
    ) -> str:
        """A token with which one participant may join one room.

        ``grants`` default to hearing and speaking there, and nothing else.
        """
        self._require_secret("a token for a participant")
        wanted = grants or VideoGrants(can_publish=True, can_subscribe=True, can_publish_data=True)
        wanted.room_join, wanted.room = True, room
        token = AccessToken(self._key, self._secret).with_identity(identity).with_grants(wanted)
        token = token.with_ttl(timedelta(seconds=ttl_s)).with_name(name)
        if attributes:
            token = token.with_attributes(attributes)
        return str(token.to_jwt())

    async def _unless_missing(
        self, operation: _Operation, asked: Message, reply: type[Message], *, room: str = ""
    ) -> bool:
        try:
            await self._ask(operation, asked, reply, room=room)
        except LiveKitError as error:
            if error.code == "not_found":
                return False
            raise
        return True

    async def _ask(
        self,
        operation: _Operation,
        asked: Message,
        reply: type[Reply],
        *,
        room: str = "",
        timeout_s: float | None = None,
    ) -> Reply:
        token = self._authorise(operation.right, room)
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS if operation.repeatable else 1),
            wait=wait_random_exponential(multiplier=0.1, max=2.0),
            retry=retry_if_exception(lambda error: isinstance(error, LiveKitError) and error.retryable),
            reraise=True,
        )
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        result: Reply = await retrying(self._once, operation, asked, reply, token, limit_s)
        return result

    async def _once(
        self, operation: _Operation, asked: Message, reply: type[Reply], token: str, timeout_s: float
    ) -> Reply:
        started, result = time.monotonic(), "ok"
        try:
            client = TwirpClient(self._open_session(), self.url, "livekit", failover=False)
            return await client.request(
                operation.service,
                operation.method,
                asked,
                {"authorization": f"Bearer {token}"},
                reply,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            )
        except ServerError as error:
            result = error.code
            raise _refused(operation, error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            result = "not_connected" if isinstance(error, aiohttp.ClientConnectorError) else "no_answer"
            raise LiveKitError(
                f"livekit-server did not answer {operation.method}: {type(error).__name__}.",
                code=result,
                fix="See that it runs and that livekit.url leads to it.",
                retryable=operation.repeatable,
            ) from error
        finally:
            if self._counts is not None:
                self._counts.asked_livekit(operation.method, result, time.monotonic() - started)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        return self._session

    def _authorise(self, right: Right, room: str) -> str:
        """A token with the right for one operation."""
        if self._token is not None:
            _require_right(self._token, right, room)
            return self._token
        self._require_secret(f"the right {right}")
        kept = self._tokens.get((right, room))
        now = time.monotonic()
        if kept is not None and now - kept[0] < TOKEN_TTL_S / 2:
            return kept[1]
        if len(self._tokens) > 1000:
            self._tokens.clear()
        token = AccessToken(self._key, self._secret).with_ttl(timedelta(seconds=TOKEN_TTL_S))
        token = _with_right(token, right, room)
        text = str(token.to_jwt())
        self._tokens[(right, room)] = (now, text)
        return text

    def _require_secret(self, what: str) -> None:
        if not (self._key and self._secret):
            raise LiveKitError(
                f"There is no API key and secret to make {what} with.",
                field="livekit.api_key",
                fix="Set LIVEKIT_API_KEY and LIVEKIT_API_SECRET.",
            )


def _with_right(token: AccessToken, right: Right, room: str) -> AccessToken:
    match right:
        case "room_create":
            return token.with_grants(VideoGrants(room_create=True))
        case "room_list":
            return token.with_grants(VideoGrants(room_list=True))
        case "room_admin":
            return token.with_grants(VideoGrants(room_admin=True, room=room))
        case "sip_admin":
            return token.with_sip_grants(SIPGrants(admin=True))
        case "sip_call":
            with_call = token.with_sip_grants(SIPGrants(call=True))
            return with_call.with_grants(VideoGrants(room_admin=True, room=room)) if room else with_call


def _require_right(token: str, right: Right, room: str) -> None:
    try:
        claims = TokenVerifier("unused", "unused").verify(token, verify_signature=False)
    except Exception as error:
        raise LiveKitError("The LiveKit token cannot be read.", field="LIVEKIT_TOKEN") from error
    video, sip = claims.video, claims.sip
    has: dict[Right, Any] = {
        "room_create": video and video.room_create,
        "room_list": video and video.room_list,
        "room_admin": video and video.room_admin and video.room in ("", room),
        "sip_admin": sip and sip.admin,
        "sip_call": sip and sip.call,
    }
    if not has[right]:
        raise LiveKitError(
            f"The LiveKit token lacks the right {right}{f' for the room {room}' if room else ''}.",
            field="LIVEKIT_TOKEN",
            fix="Give a token with that right, or an API key and secret.",
        )


def _refused(operation: _Operation, error: ServerError) -> LiveKitError:
    passing = error.code in _PASSING or error.status >= 502
    return LiveKitError(
        f"livekit-server refused {operation.method}: {error.message or error.code}.",
        code=error.code,
        details=error.metadata,
        retryable=passing and operation.repeatable,
    )
