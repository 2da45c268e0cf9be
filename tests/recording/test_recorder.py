"""Stereo recordings as they are written, closed, and cut off by a kill."""

from __future__ import annotations

import asyncio
import signal
import stat
import sys
import threading
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.tones import sine
from telephony.recording import recorder as module
from telephony.recording.container import CONTAINERS
from telephony.recording.recorder import Recorder
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telephony.audio.frame import Samples

pytestmark = pytest.mark.component

LEFT_HZ, RIGHT_HZ = 400.0, 700.0


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A recorder whose thread ends with the test."""
    recorder = Recorder()
    yield recorder
    recorder.close()


def frames(frequency_hz: float, seconds: float) -> list[Samples]:
    """A tone in frames of 20 ms."""
    return list(sine(frequency_hz, seconds).reshape(-1, 160))


def read(path: Path) -> tuple[list[Samples], int]:
    """Both channels as any player hears them."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        parts = [frame.to_ndarray() for frame in container.decode(stream)]
        rate, planar = stream.rate, stream.format.is_planar
    joined = np.concatenate(parts, axis=1)
    channels = list(joined) if planar else [joined[0][0::2], joined[0][1::2]]
    if channels[0].dtype != np.int16:
        channels = [(channel * 32767).astype(np.int16) for channel in channels]
    return channels, rate


def check(path: Path, seconds: float, *, lost_s: float = 0.0) -> None:
    """Caller left, agent right, and as long as it was."""
    (left, right), rate = read(path)
    assert seconds - lost_s - 0.05 <= len(left) / rate <= seconds + 0.05
    middle = slice(len(left) // 4, 3 * len(left) // 4)
    assert dominant_frequency(left[middle], rate) == pytest.approx(LEFT_HZ, abs=10)
    assert dominant_frequency(right[middle], rate) == pytest.approx(RIGHT_HZ, abs=10)


@pytest.mark.parametrize("kind", sorted(CONTAINERS))
async def test_both_legs_are_recorded(recorder: Recorder, tmp_path: Path, kind: str) -> None:
    """The file holds both voices in step, is private, and says how long it is."""
    recording = recorder.open(tmp_path / "calls", "call_abc123", kind)
    assert recording is not None
    for left, right in zip(frames(LEFT_HZ, 3.0), frames(RIGHT_HZ, 3.0), strict=True):
        recording.add(left, right)
    done = await recording.close()
    assert done is not None
    check(done.path, 3.0)
    assert done.duration_s == pytest.approx(3.0)
    assert done.path == tmp_path / "calls" / f"call_abc123.{kind}"
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    assert done.to_event()["channels"] == 2
    assert await recording.close() is None


@pytest.mark.parametrize("kind", sorted(CONTAINERS))
async def test_a_kill_loses_less_than_half_a_second(tmp_path: Path, kind: str) -> None:
    """A process that is killed while it records leaves a file that any player reads up to the moment."""
    program = (
        "import asyncio, sys, time, pathlib\n"
        "from tests.recording.test_recorder import frames, LEFT_HZ, RIGHT_HZ\n"
        "from telephony.recording.recorder import Recorder\n"
        "async def main():\n"
        "    recording = Recorder().open(pathlib.Path(sys.argv[1]), 'call_abc123', sys.argv[2])\n"
        "    for left, right in zip(frames(LEFT_HZ, 4.0), frames(RIGHT_HZ, 4.0)):\n"
        "        recording.add(left, right)\n"
        "    await asyncio.sleep(0.5)\n"
        "    print('fed', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), kind, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), PATIENCE * 60) == b"fed\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    check(tmp_path / f"call_abc123.{kind}", 4.0, lost_s=0.5)


async def test_a_second_recording_of_a_call_does_not_replace_the_first(
    recorder: Recorder, tmp_path: Path
) -> None:
    """A job that took over records into a file of its own."""
    paths = []
    for _ in range(2):
        recording = recorder.open(tmp_path, "call_abc123", "wav")
        assert recording is not None
        recording.add(np.ones(160, np.int16), np.ones(160, np.int16))
        done = await recording.close()
        assert done is not None
        paths.append(done.path.name)
    assert paths == ["call_abc123.wav", "call_abc123-2.wav"]


async def test_a_call_without_a_word_leaves_no_file(recorder: Recorder, tmp_path: Path) -> None:
    """Nothing fed, nothing kept."""
    recording = recorder.open(tmp_path, "call_abc123", "ogg")
    assert recording is not None
    assert await recording.close() is None
    assert not list(tmp_path.iterdir())


async def test_a_folder_that_cannot_be_written_costs_the_call_nothing(
    recorder: Recorder, tmp_path: Path
) -> None:
    """A wrong folder is a log line, and no recording."""
    (tmp_path / "file").write_text("")
    assert recorder.open(tmp_path / "file" / "calls", "call_abc123", "ogg") is None


async def test_a_disk_that_stands_still_ends_the_recording_and_not_the_call(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for the disk is bounded, and feeding never blocks."""
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    go = threading.Event()
    first = recorder.open(tmp_path, "first", "wav")
    assert first is not None
    recorder.submit(lambda: _wait(go))
    recording = recorder.open(tmp_path, "second", "wav")
    assert recording is not None
    for _ in range(200):
        recording.add(np.ones(160, np.int16), np.ones(160, np.int16))
    assert recording._failed
    go.set()
    await recording.close()
    await first.close()


def _wait(event: threading.Event) -> None:
    event.wait(10)


async def test_many_calls_share_one_thread(recorder: Recorder, tmp_path: Path) -> None:
    """Recordings side by side do not mix."""
    names = [f"call_abc12{number}" for number in range(4)]
    recordings = [recorder.open(tmp_path, name, "ogg") for name in names]
    for number in range(100):
        for at, recording in enumerate(recordings):
            assert recording is not None
            tone = frames(300.0 + 200 * at, 2.0)[number]
            recording.add(tone, tone)
    for at, recording in enumerate(recordings):
        assert recording is not None
        done = await recording.close()
        assert done is not None
        (left, _), rate = read(done.path)
        assert dominant_frequency(left[rate // 2 : rate], rate) == pytest.approx(300.0 + 200 * at, abs=10)
