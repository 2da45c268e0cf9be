from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telephony.api.settings import RecordingOptions
from telephony.calls.events import Event
from telephony.store import recordings
from telephony.store.instants import utc_now
from tests.api.asking import asking, from_sources, settings
from tests.api.bucket import Bucket
from tests.calls.calls import at
from tests.waiting import limit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.asking import Asking

pytestmark = pytest.mark.component

SOUND = bytes(range(256)) * 2000


def ready(call_id: str, path: str, seq: int = 50) -> Event:
    data = {"path": path, "format": "wav", "channels": 2, "duration_s": 64.0}
    return Event(call_id, "job", seq, "recording.ready", at(11), data)


async def record(api: Asking, call_id: str = "call_abcdef", name: str = "a.wav") -> Path:
    """A call whose recording lies where the audio path left it."""
    source = api.service.settings.recordings.incoming / name
    source.write_bytes(SOUND)
    await api.hand_in([*from_sources(call_id), ready(call_id, str(source))])
    return source


async def until(api: Asking, status: str, call_id: str = "call_abcdef") -> None:
    async with limit(15):
        while True:
            call = await api.get(f"/v1/calls/{call_id}")
            if [each["status"] for each in call["recordings"]] == [status]:
                return
            await asyncio.sleep(0.05)


async def test_a_recording_is_moved_told_and_played_in_ranges(api: Asking) -> None:
    """The file goes into the store, its source is removed, and any range of it can be asked for."""
    source = await record(api)
    await until(api, "stored")
    assert not source.exists()
    path = "/v1/calls/call_abcdef/recording"
    whole = await api.http.get(path)
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, SOUND, "audio/wav")
    size = len(SOUND)
    for asked, expected in {
        "bytes=0-99": SOUND[:100],
        "bytes=300000-": SOUND[300000:],
        "bytes=-5": SOUND[-5:],
        f"bytes={size - 1}-{size + 50}": SOUND[-1:],
    }.items():
        part = await api.http.get(path, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, expected)
        assert part.headers["content-range"].endswith(f"/{size}")
    beyond = await api.http.get(path, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    odd = await api.http.get(path, headers={"Range": "lines=1-2"})
    assert (odd.status_code, odd.content) == (200, SOUND)
    events = await api.get("/v1/calls/call_abcdef/events")
    kinds = [each["type"] for each in events["events"]]
    assert "recording.stored" in kinds
    [told] = [each["data"] for each in events["events"] if each["type"] == "recording.ready"]
    assert told["path"] == "a.wav"


@pytest.mark.parametrize("path", ["/etc/hostname", "../../../../etc/hostname", "", ".", "a.wav/../../x"])
async def test_no_path_leads_out_of_the_folder(api: Asking, path: str, tmp_path: Path) -> None:
    """An event cannot make the api read or remove a file that is not a recording."""
    bait = tmp_path / "data" / "x"
    bait.write_bytes(b"precious")
    await api.hand_in([*from_sources("call_abcdef"), ready("call_abcdef", path)])
    await until(api, "failed")
    assert bait.read_bytes() == b"precious"
    await api.get("/v1/calls/call_abcdef/recording", 404)


async def test_a_link_out_of_the_folder_is_not_followed(api: Asking, tmp_path: Path) -> None:
    """A symbolic link among the recordings is no way to read another file."""
    bait = tmp_path / "secret.txt"
    bait.write_bytes(b"precious")
    link = api.service.settings.recordings.incoming / "a.wav"
    link.symlink_to(bait)
    await api.hand_in([*from_sources("call_abcdef"), ready("call_abcdef", str(link))])
    await until(api, "failed")
    assert bait.exists()


async def test_a_refusal_deletes_what_was_recorded_and_what_comes_later(api: Asking) -> None:
    """After recording.refused the stored file is gone, and a file that comes later is never stored."""
    await record(api)
    await until(api, "stored")
    kept = list((api.service.settings.data / "kept").rglob("*.wav"))
    assert len(kept) == 1
    await api.hand_in([Event("call_abcdef", "job", 60, "recording.refused", at(12), {"by": "caller"})])
    await until(api, "deleted")
    assert not kept[0].exists()
    await api.get("/v1/calls/call_abcdef/recording", 404)
    later = api.service.settings.recordings.incoming / "b.wav"
    later.write_bytes(SOUND)
    await api.hand_in([ready("call_abcdef", str(later), 61)])
    async with limit(10):
        while later.exists():
            await asyncio.sleep(0.05)
    assert list((api.service.settings.data / "kept").rglob("*.wav")) == []


async def test_a_recording_is_deleted_when_its_time_is_over(database_url: str, tmp_path: Path) -> None:
    """Retention deletes the file and says so."""
    given = settings(database_url, tmp_path)
    options = RecordingOptions(given.recordings.incoming, given.recordings.url, keep_days=0.00001)
    async with asking(settings(database_url, tmp_path, recordings=options)) as api:
        await record(api)
        await until(api, "stored")
        await asyncio.sleep(1)
        api.service.hub.files.set()
        await until(api, "deleted")
        events = await api.get("/v1/calls/call_abcdef/events")
        [told] = [each for each in events["events"] if each["type"] == "recording.deleted"]
        assert told["data"]["reason"] == "retention"


async def test_deleting_a_call_deletes_its_recording(api: Asking) -> None:
    """Erasure leaves no file, neither stored nor waiting."""
    await record(api)
    await until(api, "stored")
    await api.send("DELETE", "/v1/calls/call_abcdef", 204)
    assert list((api.service.settings.data / "kept").rglob("*.wav")) == []


async def test_an_expired_call_is_erased_whole(database_url: str, tmp_path: Path) -> None:
    """A call whose retention is over goes with everything it had."""
    async with asking(settings(database_url, tmp_path, keep_calls_days=0.0)) as api:
        await api.hand_in(from_sources("call_abcdef"))
        await api.get("/v1/calls/call_abcdef")
        await api.service._housekeep()
        await api.get("/v1/calls/call_abcdef", 404)


def kept_in(bucket: Bucket, url: str, folder: Path) -> RecordingOptions:
    """Recordings are taken from the folder's data into a bucket."""
    key = {"access_key_id": "id", "secret_access_key": "secret"}
    store = {"endpoint": bucket.url, "region": "us-east-1", **key}
    return RecordingOptions(folder / "data" / "incoming", url, store=store)


async def test_recordings_go_to_a_bucket_as_well(database_url: str, tmp_path: Path) -> None:
    """The same over the S3 protocol: stored, played in ranges, deleted."""
    async with Bucket() as bucket:
        options = kept_in(bucket, "s3://calls/line1", tmp_path)
        async with asking(settings(database_url, tmp_path, recordings=options)) as api:
            await record(api)
            await until(api, "stored")
            [name] = bucket.objects
            assert name.startswith("calls/line1/")
            part = await api.http.get("/v1/calls/call_abcdef/recording", headers={"Range": "bytes=10-19"})
            assert (part.status_code, part.content) == (206, SOUND[10:20])
            await api.hand_in([Event("call_abcdef", "job", 60, "recording.refused", at(12), {})])
            await until(api, "deleted")
            assert bucket.objects == {}
            assert bucket.unsigned == 0


async def test_a_store_that_is_away_loses_nothing(database_url: str, tmp_path: Path) -> None:
    """While the bucket fails the file stays where it is; when it works again it is stored."""
    async with Bucket() as bucket:
        options = kept_in(bucket, "s3://calls", tmp_path)
        bucket.failing = True
        async with asking(settings(database_url, tmp_path, recordings=options)) as api:
            source = await record(api)
            async with limit(20):
                while not (await api.get("/v1/calls/call_abcdef"))["recordings"][0]["reason"]:
                    await asyncio.sleep(0.1)
            assert source.exists()
            bucket.failing = False
            async with api.service.database.write() as connection:
                [row] = await recordings.of_call(connection, "call_abcdef")
                soon = utc_now() - timedelta(seconds=1)
                await recordings.update(connection, row["recording_id"], due_at=soon)
            api.service.hub.files.set()
            await until(api, "stored")
            assert not source.exists()
