"""livekit-server's side of a call's room: making it, letting the caller in, who is there, deleting it.

Mirrors livekit/protocol ``sip/token.go`` for the grants and claims of a SIP participant.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

import aiohttp
from livekit import api
from livekit.protocol.models import TrackType

from telephony.bridge.people import People, count_people
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.bridge.io_service import Dispatch

log = get_logger(__name__)

_TOKEN_LIFETIME = datetime.timedelta(hours=24)
_IO_TIMEOUT_S = 3.0
_LOOK_TIMEOUT_S = 1.0
_SERVER_ERROR = 500
_LEFT_LOOKS = 300
_LEFT_PAUSE_S = 1.0
_AUDIO = TrackType.AUDIO


class LiveKitRooms:
    """One livekit-server, one key.

    Args:
        url: ``ws://`` or ``wss://``.
    """

    def __init__(self, url: str, api_key: str, api_secret: str) -> None:
        self.url = url
        self._api_key = api_key
        self._api_secret = api_secret
        self._left: set[asyncio.Task[None]] = set()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_IO_TIMEOUT_S))
        self._rooms = api.room_service.RoomService(
            self._session, "http" + url.removeprefix("ws"), api_key, api_secret
        )

    def token(self, dispatch: Dispatch, attributes: Mapping[str, str]) -> str:
        """Let the caller into its room as a SIP participant; the room is made as the rule says."""
        if dispatch.token:
            return dispatch.token
        token = (
            api.AccessToken(self._api_key, self._api_secret)
            .with_identity(dispatch.identity)
            .with_name(dispatch.name)
            .with_metadata(dispatch.metadata)
            .with_attributes(dict(attributes))
            .with_kind("sip")
            .with_ttl(_TOKEN_LIFETIME)
            .with_grants(
                api.VideoGrants(
                    room_join=True,
                    room=dispatch.room_name,
                    can_subscribe=True,
                    can_publish=True,
                    can_publish_data=True,
                    can_update_own_metadata=True,
                )
            )
        )
        if dispatch.room_preset:
            token = token.with_room_preset(dispatch.room_preset)
        if dispatch.room_config is not None:
            token = token.with_room_config(dispatch.room_config)
        return token.to_jwt()

    async def create(self, dispatch: Dispatch) -> str:
        """Make the call's room as its rule says; a failure is logged, since joining makes it too.

        The server sends for the agents when a room is made: this call is there 20 to 40 ms before the SDK's
        connection is.

        Returns:
            The room's sid; empty where it was not made here.
        """
        if dispatch.token:
            return ""
        try:
            return str((await self._rooms.create_room(room_request(dispatch))).sid)
        except (api.TwirpError, aiohttp.ClientError, TimeoutError) as error:
            log.info("room_not_created_ahead", room=dispatch.room_name, reason=type(error).__name__)
            return ""

    async def sid(self, room_name: str) -> str | None:
        """The sid of a room; empty where there is none, None where the server does not say."""
        try:
            listed = await self._rooms.list_rooms(api.ListRoomsRequest(names=[room_name]))
        except (api.TwirpError, aiohttp.ClientError, TimeoutError) as error:
            log.info("room_not_listed", room=room_name, reason=type(error).__name__)
            return None
        return str(listed.rooms[0].sid) if listed.rooms else ""

    async def people(self, room_name: str, *, but: str) -> People:
        """Who is in a room, as the server knows it; nobody if it does not say.

        Args:
            but: the identity of our own participant.
        """
        return await self._people(room_name, but) or People()

    async def _people(self, room_name: str, but: str) -> People | None:
        """The same; None if the server does not say."""
        try:
            listed = await self._rooms.list_participants(api.ListParticipantsRequest(room=room_name))
        except (api.TwirpError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("room_not_listed", room=room_name, reason=type(error).__name__)
            return None
        return count_people(
            (one.kind, any(track.type == _AUDIO for track in one.tracks))
            for one in listed.participants
            if one.identity != but
        )

    async def is_left(self, room_name: str, *, but: str) -> bool:
        """Whether livekit-server says that nobody but agents, which came for a call, is in a room."""
        people = await self._people(room_name, but)
        return people is not None and not people.sip and not people.others

    async def answers(self) -> bool:
        """Whether livekit-server is there at all."""
        try:
            timeout = aiohttp.ClientTimeout(total=_LOOK_TIMEOUT_S)
            async with self._session.get("http" + self.url.removeprefix("ws"), timeout=timeout) as response:
                return response.status < _SERVER_ERROR
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def delete_once_back(self, room_name: str, *, but: str) -> None:
        """Delete a room of a server that is away, once it is back, unless somebody else is in it then."""
        task = asyncio.get_running_loop().create_task(self._delete_once_back(room_name, but))
        self._left.add(task)
        task.add_done_callback(self._left.discard)

    async def _delete_once_back(self, room_name: str, but: str) -> None:
        for _ in range(_LEFT_LOOKS):
            if await self.answers() and await self._wake(room_name):
                if await self.is_left(room_name, but=but):
                    await self.delete(room_name)
                return
            await asyncio.sleep(_LEFT_PAUSE_S)
        log.warning("room_not_deleted", room=room_name, reason="livekit-server stays away")

    async def _wake(self, room_name: str) -> bool:
        """Have a room of the server's former life taken over by its present one, which knows it by name only.

        For about five seconds the server asks the node that died, and can neither make nor delete it.
        """
        try:
            await self._rooms.create_room(api.CreateRoomRequest(name=room_name))
        except (api.TwirpError, aiohttp.ClientError, TimeoutError) as error:
            log.debug("room_not_woken", room=room_name, reason=type(error).__name__)
            return False
        return True

    async def delete(self, room_name: str) -> None:
        """Delete a room that nobody needs any more; a failure is logged, the server empties it in time."""
        try:
            await self._rooms.delete_room(api.DeleteRoomRequest(room=room_name))
        except api.TwirpError as error:
            if error.code != "not_found":
                log.warning("room_not_deleted", room=room_name, reason=error.code)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("room_not_deleted", room=room_name, reason=type(error).__name__)

    async def close(self) -> None:
        """Close the connection."""
        for task in self._left:
            task.cancel()
        await asyncio.gather(*self._left, return_exceptions=True)
        await self._session.close()


def room_request(dispatch: Dispatch) -> api.CreateRoomRequest:
    """What joining with the rule's configuration in the token would make."""
    request = api.CreateRoomRequest(name=dispatch.room_name, room_preset=dispatch.room_preset)
    if dispatch.room_config is None:
        return request
    for field, value in dispatch.room_config.ListFields():
        if field.name == "egress":
            request.egress.CopyFrom(value)
        elif field.name in request.DESCRIPTOR.fields_by_name and field.name != "name":
            target = getattr(request, field.name)
            if field.is_repeated:
                target.MergeFrom(value)
            else:
                setattr(request, field.name, value)
    return request
