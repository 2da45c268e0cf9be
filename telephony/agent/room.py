"""Ending a room, which ends the call for everybody in it."""

from __future__ import annotations

from livekit import api


async def delete_room(client: api.LiveKitAPI, name: str) -> None:
    """Delete a room; one that is gone already is no error.

    Raises:
        livekit.api.ServerError: the server refused.
        aiohttp.ClientError: the server did not answer.
    """
    try:
        await client.room.delete_room(api.DeleteRoomRequest(room=name))
    except api.ServerError as error:
        # The second message is what v1.13.5 says of a room that is just being deleted.
        if error.code != api.ServerErrorCode.NOT_FOUND and "could not find object" not in error.message:
            raise
