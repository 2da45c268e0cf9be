"""The bridge's end of the direct line: one call, one job at a time, one playout that outlives both.

Knows sockets and audio, no SIP and no LiveKit. Guarantees: each job that came is told at most one end,
and each end of a job is told to the owner exactly once, with whether it was a death; the rescue clips
that a job handed over stay when it dies. A job that stops reading for longer than ``STUCK_S`` counts as
dead.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.errors import LinkError
from telephony.link import messages
from telephony.link.channel import CLOSED, GONE, Channel
from telephony.link.listener import Listener, new_name
from telephony.link.messages import (
    VERSION,
    Answered,
    Clip,
    ClipAudio,
    HangUp,
    Heard,
    Hello,
    HungUp,
    KeyPressed,
    Leave,
    PressKeys,
    Ready,
    RoomReady,
    ToPlayout,
    ToRoom,
    Welcome,
)
from telephony.link.playout import Playout
from telephony.logs import get_logger

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from telephony.audio.frame import Samples
    from telephony.clock import Clock
    from telephony.link.messages import Report, ToBridge, ToJob

log = get_logger(__name__)

STUCK_S = 3.0
"""About how long a job may not read before it counts as dead, beyond what its socket holds (about 3 s)."""

_HEARD_BYTES = 333
_WAITING_BYTES = int(STUCK_S * 50) * _HEARD_BYTES
_HELLO_S = 2.0
_LONGEST_CLIP = 30 * 16_000


class BridgeEnd:
    """One call's end.

    Args:
        folder: where the call's sockets lie; private to the user.
        clock: the bridge's.
        call_id: told to the job.

    Attributes:
        playout: what the caller hears of the job.
        on_here: a job has come and said hello.
        on_ready: the job can talk and listen.
        on_hang_up: the job ends the call.
        on_keys: the job sends keys to the telephone.
        on_room_wanted: the job wants the audio to go through the room.
        on_gone: the job is gone; True if it died, False if it left of its own will.
        job_id: of the job that came last.
    """

    def __init__(self, folder: Path, clock: Clock, call_id: str) -> None:
        self.playout = Playout(clock, self._report)
        self.on_here: Callable[[], None] | None = None
        self.on_ready: Callable[[], None] | None = None
        self.on_hang_up: Callable[[], None] | None = None
        self.on_keys: Callable[[str], None] | None = None
        self.on_room_wanted: Callable[[], None] | None = None
        self.on_gone: Callable[[bool], None] | None = None
        self.job_id = ""
        self._folder = folder
        self._clock = clock
        self._call_id = call_id
        self._listener: Listener | None = None
        self._channel: Channel | None = None
        self._hello: asyncio.TimerHandle | None = None
        self._greeted = False
        self._leaving = False
        self._sequence = 0
        self._clips: dict[Clip, bytes] = {}
        self._arriving: dict[int, bytearray] = {}

    @property
    def connected(self) -> bool:
        """Whether a job is there that has said hello."""
        return self._channel is not None and self._channel.is_open and self._greeted

    def listen(self) -> str:
        """Let a job come; returns the name of the socket that it is to be told.

        Raises:
            LinkError: no socket can be made.
        """
        self.stop_listening()
        name = new_name()
        self._listener = Listener(self._folder / name, self._connected, once=True)
        return name

    def stop_listening(self) -> None:
        """Let nobody come any more."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def hear(self, frame: Samples) -> None:
        """The caller's next 20 ms."""
        self._sequence += 1
        if self.connected:
            self._send(Heard(self._sequence, self._clock.now(), frame.tobytes()))

    def press(self, key: str) -> None:
        """The caller pressed a key."""
        self._send(KeyPressed(key))

    def answered(self) -> None:
        """The call was answered."""
        self._send(Answered())

    def room_ready(self) -> None:
        """The caller's audio is in the room."""
        self._send(RoomReady())

    def clip(self, clip: Clip) -> bytes:
        """A rescue clip's audio; empty when no job has handed it over."""
        return self._clips.get(clip, b"")

    def cut(self) -> None:
        """Take the call from the job at once, and tell nobody of its end."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def close(self, cause: str) -> None:
        """The call is over: tell the job why, and be there for nobody; harmless when repeated."""
        self.stop_listening()
        channel, self._channel = self._channel, None
        self._stop_waiting()
        if channel is not None:
            channel.send(messages.encode(HungUp(cause)))
            channel.finish()

    def _send(self, message: ToJob) -> None:
        if self._channel is not None and self._greeted:
            self._channel.send(messages.encode(message))

    def _report(self, report: Report) -> None:
        self._send(report)

    def _connected(self, connection: socket.socket) -> None:
        self._listener = None
        self._greeted = self._leaving = False
        self._arriving.clear()
        channel: Channel | None = None

        def ended(reason: str) -> None:
            # A job that was cut off must not speak for the one that came after it.
            if channel is self._channel:
                self._ended(reason)

        channel = Channel(connection, self._message, ended, limit=_WAITING_BYTES)
        self._channel = channel
        self._hello = asyncio.get_running_loop().call_later(_HELLO_S, self._never_greeted)

    def _never_greeted(self) -> None:
        log.error("link_without_hello", call_id=self._call_id)
        if self._channel is not None:
            self._channel.close()

    def _ended(self, reason: str) -> None:
        self._channel = None
        self._stop_waiting()
        died = not (self._leaving and reason in (GONE, CLOSED))
        if died:
            log.error("job_gone", call_id=self._call_id, job_id=self.job_id, reason=reason)
        self.playout.abandon()
        if self.on_gone is not None:
            self.on_gone(died)

    def _stop_waiting(self) -> None:
        if self._hello is not None:
            self._hello.cancel()
            self._hello = None

    def _message(self, data: bytes) -> None:
        message = messages.to_bridge(data)
        if not self._greeted:
            self._greet(message)
        elif isinstance(message, ToPlayout):
            self.playout.obey(message)
        else:
            self._control(message)

    def _greet(self, message: ToBridge) -> None:
        if not isinstance(message, Hello) or self._channel is None:
            raise LinkError("a job said something before its hello.")
        self._stop_waiting()
        self.job_id = message.job_id
        self._greeted = True
        self._send(Welcome(VERSION, self._call_id))
        if message.version != VERSION:
            raise LinkError(
                f"the job speaks version {message.version} of the direct line, the bridge {VERSION}.",
                fix="Start bridge and worker from the same installation.",
            )
        _call(self.on_here)

    def _control(self, message: ToBridge) -> None:
        match message:
            case Ready():
                _call(self.on_ready)
            case HangUp():
                _call(self.on_hang_up)
            case PressKeys() if self.on_keys is not None:
                self.on_keys(message.keys)
            case ToRoom():
                _call(self.on_room_wanted)
            case Leave():
                self._leaving = True
            case ClipAudio():
                self._collect(message)

    def _collect(self, message: ClipAudio) -> None:
        try:
            clip = Clip(message.clip)
        except ValueError:
            raise LinkError(f"the job handed over clip {message.clip}, which nobody knows.") from None
        arriving = self._arriving.setdefault(clip, bytearray())
        arriving += message.pcm
        if len(arriving) > _LONGEST_CLIP:
            raise LinkError("the job handed over a clip of more than half a minute.")
        if message.last:
            self._clips[clip] = bytes(self._arriving.pop(clip))


def _call(callback: Callable[[], None] | None) -> None:
    if callback is not None:
        callback()
