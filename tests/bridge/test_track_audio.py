"""The audio of one track: a stream is not woken by the frames of others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit.rtc import _ffi_client
from livekit.rtc._proto import ffi_pb2

from telephony.bridge.room import CallerInRoom
from telephony.bridge.room_media import RoomMedia
from tests.bridge.agent_double import RoomPerson
from tests.waiting import until

if TYPE_CHECKING:
    from livekit import rtc

    from tests.bridge.servers import Server

pytestmark = pytest.mark.component


def _takes(stream: rtc.AudioStream, of: rtc.AudioStream) -> bool:
    """Whether the SDK would hand a stream the frames of another."""
    events = _ffi_client.FfiClient.instance.queue
    event = ffi_pb2.FfiEvent()
    event.audio_stream_event.stream_handle = of._ffi_handle.handle
    (takes,) = [takes for queue, _, takes in events._subscribers if queue is stream._ffi_queue]
    return takes is None or takes(event)


async def test_a_stream_is_told_of_its_own_frames_alone(livekit: Server) -> None:
    url = f"ws://127.0.0.1:{livekit.port}"
    async with (
        RoomPerson(url, "three", identity="ear", kind="standard") as ear,
        RoomPerson(url, "three", identity="one", kind="standard") as one,
        RoomPerson(url, "three", identity="other", kind="standard") as other,
    ):
        await one.speak()
        await other.speak()
        await until(lambda: len(ear.streams) == 2 and len(ear.heard) > 20)
        first, second = ear.streams.values()
        assert [_takes(first, first), _takes(first, second)] == [True, False]
        assert [_takes(second, second), _takes(second, first)] == [True, False]


async def test_a_stream_ends_with_its_track(livekit: Server) -> None:
    url = f"ws://127.0.0.1:{livekit.port}"
    async with RoomPerson(url, "two", identity="ear", kind="standard") as ear:
        async with RoomPerson(url, "two", identity="one", kind="standard") as one:
            await one.speak()
            await until(lambda: ear.heard)
        await until(lambda: not ear.streams)


@pytest.mark.parametrize("turns_of_the_loop", [0, 1, 5])
async def test_a_track_that_goes_at_once_leaves_no_stream(livekit: Server, turns_of_the_loop: int) -> None:
    """Nor one whose frames nobody had begun to take."""
    url = f"ws://127.0.0.1:{livekit.port}"
    async with (
        RoomPerson(url, "brief", identity="ear", kind="standard") as ear,
        RoomPerson(url, "brief", identity="one", kind="standard") as one,
    ):
        await one.speak()
        await until(lambda: ear.heard)
        (participant,) = ear.room.remote_participants.values()
        (publication,) = participant.track_publications.values()
        track = publication.track
        assert track is not None
        before = len(_ffi_client.FfiClient.instance.queue._subscribers)
        media = RoomMedia(CallerInRoom())
        media.add_track(track)  # type: ignore[arg-type]
        for _ in range(turns_of_the_loop):
            await asyncio.sleep(0)
        media.remove_track(track.sid)
        await media.close()
        assert len(_ffi_client.FfiClient.instance.queue._subscribers) == before
