"""Both ends over a real socket: conversation, hang-up, deaths, strangers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from livekit import rtc

from telephony.audio.frame import FRAME_SAMPLES, silence
from telephony.clock import LoopClock
from telephony.errors import LinkError
from telephony.link import channel, messages
from telephony.link.bridge_end import BridgeEnd
from telephony.link.channel import Channel
from telephony.link.job_end import UNHEARD_FRAMES, JobEnd
from telephony.link.listener import Listener, connect, is_name, new_name
from telephony.link.messages import Clip, Hello, Pause, encode
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from livekit.agents.voice.io import PlaybackFinishedEvent

pytestmark = pytest.mark.component

CALL = "call_abcDEF123456"


class Pair:
    """One call: the bridge's end and a job's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bridge = BridgeEnd(folder, LoopClock(), CALL)
        self.job = JobEnd()
        self.gone: list[bool] = []
        self.finished: list[PlaybackFinishedEvent] = []
        self.bridge.on_gone = self.gone.append
        self.job.output.on("playback_finished", self.finished.append)

    async def connect(self) -> None:
        await self.job.connect(self.folder / self.bridge.listen(), "AJ_test")
        self.job.input.on_attached()
        self.job.started()

    async def say(self, seconds: float) -> None:
        """The agent says something, all at once."""
        samples = np.full(int(seconds * 8000), 1000, np.int16)
        await self.job.output.capture_frame(rtc.AudioFrame(samples.tobytes(), 8000, 1, len(samples)))
        self.job.output.flush()

    async def close(self) -> None:
        self.bridge.close("over")
        self.job.leave()
        await asyncio.sleep(0)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    pair = Pair(tmp_path / "links")
    yield pair
    await pair.close()


async def test_a_call_goes_over_the_socket(pair: Pair) -> None:
    """Hello, the caller's voice up, the agent's down, keys both ways, the answer, and a hang-up."""
    told: list[str] = []
    pair.bridge.on_ready = lambda: told.append("ready")
    pair.bridge.on_keys = told.append
    pair.bridge.on_hang_up = lambda: told.append("hang up")
    pair.job.on_key = told.append
    pair.job.on_answered = lambda: told.append("answered")
    await pair.connect()
    assert pair.job.call_id == CALL
    pair.job.ready()
    pair.job.press("12#")
    await until(lambda: told == ["ready", "12#"])
    pair.bridge.answered()
    pair.bridge.press("5")
    pair.bridge.hear(np.full(FRAME_SAMPLES, 321, np.int16))
    frame = await asyncio.wait_for(anext(pair.job.input), PATIENCE * 5)
    assert (frame.sample_rate, frame.samples_per_channel, frame.data[0]) == (8000, FRAME_SAMPLES, 321)
    await pair.say(0.03)
    await until(lambda: pair.bridge.playout.speaking)
    assert [int(pair.bridge.playout.take()[0]) for _ in range(3)] == [1000, 1000, 0]
    await until(lambda: bool(pair.finished))
    assert pair.finished[0].playback_position == pytest.approx(0.03)
    pair.job.hang_up()
    await until(lambda: told[-1] == "hang up")
    assert told[2:] == ["answered", "5", "hang up"]


async def test_a_long_utterance_passes_a_small_socket(pair: Pair) -> None:
    """A minute of speech pushed at once arrives whole, although no socket holds it."""
    await pair.connect()
    for _ in range(60):
        samples = np.ones(8000, np.int16)
        await pair.job.output.capture_frame(rtc.AudioFrame(samples.tobytes(), 8000, 1, 8000))
    pair.job.output.flush()
    heard = 0

    def all_came() -> bool:
        nonlocal heard
        while pair.bridge.playout.take().any():
            heard += FRAME_SAMPLES
        return bool(pair.finished)

    await until(all_came)
    assert heard == 60 * 8000
    assert pair.finished[0].playback_position == pytest.approx(60.0)


async def test_the_socket_is_private_and_gone_once_used(pair: Pair) -> None:
    """Folder 0700, socket 0600, and no second job can come by the same name."""
    name = pair.bridge.listen()
    path = pair.folder / name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await pair.job.connect(path, "AJ_1")
    assert not path.exists()
    with pytest.raises(LinkError):
        await JobEnd().connect(path, "AJ_2")


async def test_a_stranger_is_left_before_a_byte_is_read(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of another user gets nothing, even where the folder's mode was opened."""
    name = pair.bridge.listen()
    monkeypatch.setattr("telephony.link.listener.os.getuid", lambda: os.geteuid() + 1)
    with pytest.raises(LinkError):
        await pair.job.connect(pair.folder / name, "AJ_1")
    assert not pair.bridge.connected
    assert pair.gone == []


def test_names_cannot_lead_out_of_their_folder() -> None:
    """Only names as they are made here are used."""
    assert is_name(new_name())
    assert not any(
        is_name(name) for name in ("../x.call", "/etc/passwd", "", ".call", "a.call", "ü" * 12 + ".call")
    )


async def test_a_path_that_is_too_long_is_said_so(tmp_path: Path) -> None:
    """A socket's path has 107 bytes at most, which the error says."""
    with pytest.raises(LinkError, match="107 bytes"):
        BridgeEnd(tmp_path / ("x" * 120), LoopClock(), CALL).listen()


async def test_an_interrupted_utterance_reports_what_was_heard(pair: Pair) -> None:
    """clear_buffer is answered with the samples that really went to the telephone."""
    await pair.connect()
    await pair.say(1.0)
    await until(lambda: pair.bridge.playout.speaking)
    for _ in range(5):
        pair.bridge.playout.take()
    pair.job.output.clear_buffer()
    await until(lambda: bool(pair.finished))
    assert pair.finished[0].interrupted
    assert pair.finished[0].playback_position == pytest.approx(0.1)
    assert not pair.bridge.playout.take().any()


async def test_the_caller_hangs_up(pair: Pair) -> None:
    """The job learns why, everything it was saying ends, and its going is no death."""
    causes: list[str] = []
    pair.job.on_hung_up = causes.append
    await pair.connect()
    await pair.say(1.0)
    waiting = asyncio.create_task(pair.job.output.wait_for_playout())
    await until(lambda: pair.bridge.playout.speaking)
    pair.bridge.close("caller_hung_up")
    event = await asyncio.wait_for(waiting, PATIENCE * 5)
    assert event.interrupted
    assert causes == ["caller_hung_up"]
    with pytest.raises(StopAsyncIteration):
        await anext(pair.job.input)
    assert pair.gone == []


async def test_a_word_for_the_end_arrives_although_the_job_was_talking(pair: Pair) -> None:
    """What the job sent and the bridge never read does not swallow the bridge's last word."""
    causes: list[str] = []
    pair.job.on_hung_up = causes.append
    await pair.connect()
    await pair.say(0.5)
    pair.bridge.close("max_duration")
    await until(lambda: causes == ["max_duration"])


async def test_a_job_that_leaves_is_not_dead(pair: Pair) -> None:
    """A job that says goodbye to the bridge is not looked for."""
    await pair.connect()
    pair.job.leave()
    await until(lambda: pair.gone == [False])


async def test_a_killed_job_is_noticed_at_once(tmp_path: Path) -> None:
    """kill -9 of the process is the end of its connection, in milliseconds."""
    pair = Pair(tmp_path / "links")
    path = pair.folder / pair.bridge.listen()
    program = (
        "import asyncio, sys, pathlib\n"
        "from telephony.link.job_end import JobEnd\n"
        "async def main():\n"
        "    job = JobEnd()\n"
        "    await job.connect(pathlib.Path(sys.argv[1]), 'AJ_1')\n"
        "    job.ready()\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    ready = asyncio.Event()
    pair.bridge.on_ready = ready.set
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(path))
    try:
        await asyncio.wait_for(ready.wait(), PATIENCE * 30)
        at = asyncio.get_running_loop().time()
        process.send_signal(signal.SIGKILL)
        await until(lambda: pair.gone == [True])
        assert asyncio.get_running_loop().time() - at < 1.0
        assert pair.bridge.job_id == "AJ_1"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_job_that_does_not_read_counts_as_dead(pair: Pair) -> None:
    """A job that hangs is replaced like one that died."""
    pair.bridge.listen()
    assert pair.bridge._listener is not None
    hanging = connect(pair.bridge._listener.path)
    hanging.send(encode(Hello(messages.VERSION, "AJ_1")))
    await until(lambda: pair.bridge.connected)
    for _ in range(3000):
        pair.bridge.hear(silence())
    assert pair.gone == [True]
    hanging.close()


async def test_clips_outlive_the_job_that_brought_them(pair: Pair) -> None:
    """After a death the bridge still has the clips, whole."""
    await pair.connect()
    pcm = np.arange(40_000, dtype=np.int16).tobytes()
    pair.job.hand_over_clip(Clip.MOMENT, pcm)
    pair.job.hand_over_clip(Clip.GOODBYE, b"\1\0")
    await until(lambda: pair.bridge.clip(Clip.GOODBYE) == b"\1\0")
    assert pair.job._channel is not None
    pair.job._channel.close()
    await until(lambda: pair.gone == [True])
    assert pair.bridge.clip(Clip.MOMENT) == pcm


async def test_a_second_job_takes_the_call_over(pair: Pair) -> None:
    """After the first is gone another may come, by another name, and speaks from segment 1."""
    await pair.connect()
    await pair.say(1.0)
    await until(lambda: pair.bridge.playout.speaking)
    assert pair.job._channel is not None
    pair.job._channel.close()
    await until(lambda: pair.gone == [True])
    second = JobEnd()
    await second.connect(pair.folder / pair.bridge.listen(), "AJ_2")
    assert pair.bridge.connected
    assert pair.bridge.job_id == "AJ_2"
    assert not pair.bridge.playout.speaking
    second.leave()
    await until(lambda: pair.gone == [True, False])


async def test_another_version_is_turned_away(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends of different installations part before any audio, and both say why."""
    monkeypatch.setattr("telephony.link.job_end.VERSION", 2)
    with pytest.raises(LinkError, match=r"version|did not want"):
        await pair.connect()
    await until(lambda: pair.gone == [True])


@pytest.mark.parametrize("said", [encode(Pause()), b"garbage", encode(messages.Answered())])
async def test_who_does_not_say_hello_is_put_out(pair: Pair, said: bytes) -> None:
    """A job must introduce itself before it is listened to."""
    pair.bridge.listen()
    assert pair.bridge._listener is not None
    other = connect(pair.bridge._listener.path)
    other.send(said)
    await until(lambda: pair.gone == [True])
    other.close()


async def test_the_callers_voice_waits_for_the_session_within_bounds(pair: Pair) -> None:
    """Before a session takes frames the newest two seconds are kept; switched off, none are."""
    await pair.connect()
    for number in range(UNHEARD_FRAMES + 20):
        pair.bridge.hear(np.full(FRAME_SAMPLES, number, np.int16))
    pair.bridge.press("1")
    keys: list[str] = []
    pair.job.on_key = keys.append
    await until(lambda: bool(keys))
    assert (await anext(pair.job.input)).data[0] == 20
    pair.job.input.on_detached()
    pair.bridge.hear(np.full(FRAME_SAMPLES, 7, np.int16))
    pair.bridge.press("2")
    await until(lambda: len(keys) == 2)
    pair.job.input.on_attached()
    pair.bridge.hear(np.full(FRAME_SAMPLES, 8, np.int16))
    assert (await asyncio.wait_for(anext(pair.job.input), PATIENCE * 5)).data[0] == 8


async def test_a_channel_tells_its_end_once() -> None:
    """Closing twice, and the other end's going, are one end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ends: list[str] = []
    one = Channel(ours, lambda _: None, ends.append, limit=1000)
    theirs.close()
    await until(lambda: bool(ends))
    one.close()
    one.finish()
    one.send(b"x")
    assert ends == [channel.GONE]


async def test_a_channel_survives_its_reader() -> None:
    """What fails in taking a message ends this connection and nothing else."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ends: list[str] = []

    def fail(_: bytes) -> None:
        raise ValueError("no")

    Channel(ours, fail, ends.append, limit=1000)
    theirs.send(b"x")
    await until(lambda: ends == [channel.CONFUSED])
    theirs.close()


async def test_a_listener_takes_many_when_told_to(tmp_path: Path) -> None:
    """A listener that is not for one call stays."""
    came: list[socket.socket] = []
    listener = Listener(tmp_path / "many.sock", came.append)
    others = [connect(listener.path) for _ in range(3)]
    await until(lambda: len(came) == 3)
    listener.close()
    listener.close()
    assert not listener.path.exists()
    for each in (*came, *others):
        each.close()


def test_nothing_but_the_jobs_end_imports_livekit() -> None:
    """The bridge loads the link without an agent in it."""
    program = (
        "import sys, telephony.link.bridge_end, telephony.link.playout, telephony.link.segments\n"
        "assert not [name for name in sys.modules if name.startswith('livekit')], sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
