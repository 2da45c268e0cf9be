"""The job's end of the direct line, as livekit-agents wants audio: an ``AudioInput`` and an ``AudioOutput``.

The only module of this package that knows LiveKit. What to send and what to report is decided by
``segments``; here is the connection and the two classes. Guarantee: whatever becomes of the bridge, no
segment stays unreported and nobody waits for audio that will not come.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from livekit import rtc
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities

from telephony.audio.frame import RATE
from telephony.errors import LinkError
from telephony.link import messages
from telephony.link.channel import Channel
from telephony.link.detour import Detour
from telephony.link.listener import connect
from telephony.link.messages import (
    SAMPLE_BYTES,
    VERSION,
    Answered,
    Finished,
    HangUp,
    Heard,
    Hello,
    HungUp,
    KeyPressed,
    Leave,
    Pause,
    Played,
    PressKeys,
    Ready,
    Resume,
    RoomReady,
    Started,
    ToRoom,
    Welcome,
    clip_messages,
)
from telephony.link.segments import Segments
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telephony.link.messages import Clip, Report, ToBridge
    from telephony.link.playout import Playout

log = get_logger(__name__)

WELCOME_S = 2.0
"""How long the bridge is waited for."""

UNHEARD_FRAMES = 100
"""Frames of the caller that may wait while the session does not take any: two seconds, the newest."""

_WAITING_BYTES = 16_000_000


class LinkInput(AudioInput):
    """The caller's voice: 20 ms at 8 kHz, mono."""

    def __init__(self) -> None:
        super().__init__(label="direct line")
        self._frames: deque[rtc.AudioFrame] = deque(maxlen=UNHEARD_FRAMES)
        self._came = asyncio.Event()
        self._attached = False
        self._ended = False

    def push(self, pcm: bytes) -> None:
        """The next frame; nobody hears it while the session has switched its input off."""
        if not self._attached or self._ended:
            return
        self._frames.append(rtc.AudioFrame(pcm, RATE, 1, len(pcm) // SAMPLE_BYTES))
        self._came.set()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._came.set()

    async def __anext__(self) -> rtc.AudioFrame:
        while not self._frames:
            if self._ended:
                raise StopAsyncIteration
            self._came.clear()
            await self._came.wait()
        return self._frames.popleft()

    def on_attached(self) -> None:
        self._attached = True

    def on_detached(self) -> None:
        self._attached = False
        self._frames.clear()


class LinkOutput(AudioOutput):
    """The agent's voice, at 8 kHz; the session resamples what comes at another rate.

    Args:
        send: to the bridge.
    """

    def __init__(self, send: Callable[[ToBridge], None]) -> None:
        super().__init__(
            label="direct line", capabilities=AudioOutputCapabilities(pause=True), sample_rate=RATE
        )
        self._to_bridge = send
        self.segments = Segments(send, self._tell)

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.segments.capture(bytes(frame.data))

    def flush(self) -> None:
        super().flush()
        self.segments.flush()

    def clear_buffer(self) -> None:
        self.segments.clear()

    def pause(self) -> None:
        super().pause()
        self._to_bridge(Pause())

    def resume(self) -> None:
        super().resume()
        self._to_bridge(Resume())

    def _tell(self, report: Report) -> None:
        match report:
            case Started():
                self.on_playback_started(created_at=wall_time(report.at))
            case Played():
                self.on_playback_progressed(
                    started_at=wall_time(report.at),
                    offset=report.offset / RATE,
                    duration=report.samples / RATE,
                )
            case Finished():
                self.on_playback_finished(
                    playback_position=report.samples / RATE, interrupted=report.interrupted
                )


class JobEnd:
    """One job's connection to its call.

    Attributes:
        input: for ``session.input.audio``.
        output: for ``session.output.audio``.
        call_id: the call's, once connected.
        answered: whether the call was answered.
        on_key: the caller pressed a key.
        on_answered: the call was answered.
        on_hung_up: the call is over, with the bridge's word for why.
        on_lost: the connection ended without that.
        on_room_ready: the caller's audio is in the room: ``detour`` may follow.
    """

    def __init__(self) -> None:
        self.input = LinkInput()
        self.output = LinkOutput(self._say)
        self.call_id = ""
        self.answered = False
        self.on_key: Callable[[str], None] | None = None
        self.on_answered: Callable[[], None] | None = None
        self.on_hung_up: Callable[[str], None] | None = None
        self.on_lost: Callable[[], None] | None = None
        self.on_room_ready: Callable[[], None] | None = None
        self._channel: Channel | None = None
        self._welcome: asyncio.Future[None] | None = None
        self._detour: Detour | None = None
        self._moved = False
        self._over = False

    async def connect(self, path: Path, job_id: str) -> None:
        """Connect to the call's socket and say hello.

        Raises:
            LinkError: there is no such socket any more, or its bridge is of another version.
        """
        channel = self._channel = Channel(connect(path), self._message, self._ended, limit=_WAITING_BYTES)
        self._welcome = asyncio.get_running_loop().create_future()
        self._send(Hello(VERSION, job_id))
        try:
            async with asyncio.timeout(WELCOME_S):
                await self._welcome
        except TimeoutError:
            raise LinkError("the bridge did not answer the job.", field=path.name) from None
        finally:
            self._welcome.cancel()
            if not self.call_id:
                self._over = True
                channel.close()

    @property
    def connected(self) -> bool:
        """Whether the bridge is there."""
        return self._channel is not None and self._channel.is_open

    def ready(self) -> None:
        """The agent can talk and listen: the bridge may answer the call."""
        self._send(Ready())

    def started(self) -> None:
        """The session has started and is in the room: it may be told what is being played."""
        self.output.segments.open_gate()

    def press(self, keys: str) -> None:
        """Send keys to the telephone."""
        self._send(PressKeys(keys))

    def hand_over_clip(self, clip: Clip, pcm: bytes) -> None:
        """Let the bridge keep a clip for when this job dies; PCM, 16 bit, 8 kHz, mono."""
        for message in clip_messages(clip, pcm):
            self._send(message)

    def to_room(self) -> None:
        """Ask for the call's audio to go through the room; ``on_room_ready`` follows."""
        self._send(ToRoom())

    def detour(self, playout: Playout) -> None:
        """Speak into the room from the next segment on, and go from the socket when the last one has ended.

        The caller's voice is taken from ``push_heard`` alone from now on.
        """
        segments = self.output.segments
        self._moved = True
        self._detour = Detour(segments.newest, segments.pending, self._send, playout, self._drained)

    def push_heard(self, pcm: bytes) -> None:
        """The caller's voice as it came through the room."""
        if self._moved:
            self.input.push(pcm)

    def hang_up(self) -> None:
        """End the call."""
        self._send(HangUp())

    def leave(self) -> None:
        """Go, which is no death: the bridge need not look for somebody else."""
        self._over = True
        self._send(Leave())
        if self._channel is not None:
            self._channel.finish()
        self._close()

    def drop(self) -> None:
        """Be gone without a word, which the bridge takes for a death."""
        self._over = True
        if self._channel is not None:
            self._channel.close()
        self._close()

    def _say(self, message: ToBridge) -> None:
        if self._detour is not None:
            self._detour.send(message)
        else:
            self._send(message)

    def _drained(self) -> None:
        self._over = True
        self._send(Leave())
        if self._channel is not None:
            self._channel.finish()

    def _send(self, message: ToBridge) -> None:
        if self._channel is not None:
            self._channel.send(messages.encode(message))

    def _message(self, data: bytes) -> None:
        message = messages.to_job(data)
        match message:
            case Heard():
                if not self._moved:
                    self.input.push(message.pcm)
            case Started() | Played() | Finished():
                self.output.segments.told(message)
                if self._detour is not None:
                    self._detour.told(message)
            case Welcome():
                self._welcomed(message)
            case KeyPressed() if self.on_key is not None:
                self.on_key(message.key)
            case Answered():
                self.answered = True
                if self.on_answered is not None:
                    self.on_answered()
            case RoomReady() if self.on_room_ready is not None:
                self.on_room_ready()
            case HungUp():
                self._hung_up(message.cause)

    def _welcomed(self, message: Welcome) -> None:
        if message.version != VERSION:
            raise LinkError(
                f"the bridge speaks version {message.version} of the direct line, the job {VERSION}.",
                fix="Start bridge and worker from the same installation.",
            )
        self.call_id = message.call_id
        if self._welcome is not None and not self._welcome.done():
            self._welcome.set_result(None)

    def _hung_up(self, cause: str) -> None:
        if self._over:
            return
        self._over = True
        self._close()
        if self.on_hung_up is not None:
            self.on_hung_up(cause)

    def _ended(self, reason: str) -> None:
        if self._welcome is not None and not self._welcome.done():
            self._welcome.set_exception(LinkError("the bridge did not want the job.", field=reason))
        if self._over:
            return
        self._over = True
        self._close()
        log.warning("link_lost", reason=reason)
        if self.on_lost is not None:
            self.on_lost()

    def _close(self) -> None:
        self.input.end()
        self.output.segments.lost()


def wall_time(at: float) -> float:
    """Seconds since 1970 for a time on the machine's monotonic clock."""
    return time.time() - (time.monotonic() - at)
