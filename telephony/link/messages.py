"""What a job and the bridge say to each other about one call, and how it looks on the wire.

Pure. One message is one datagram: a byte that names it, fixed fields in network order, and at most one
field of any length at its end. Audio is PCM, 16 bit in the machine's order, 8 kHz mono. Times are the
machine's monotonic clock in seconds, which all its processes share.

Guarantee: ``decode`` gives back what ``encode`` was given, and raises LinkError for anything else. A job
says ``Hello`` first and the bridge answers ``Welcome``; each names ``VERSION``, and an end that does
not speak the other's goes away before any audio. Any change here raises it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, ClassVar, TypeVar

from telephony.errors import LinkError

VERSION = 1
"""Of all messages together."""

MAX_MESSAGE = 60_000
"""Bytes of one message; longer audio goes in several."""

MAX_PCM = 32_000
"""Bytes of audio in one message: two seconds."""

SAMPLE_BYTES = 2


class Clip(IntEnum):
    """What the bridge may have to say by itself; it knows no words, only which of them to play when."""

    MOMENT = 1
    """Somebody takes over, in a moment."""
    GOODBYE = 2
    """Nobody does: an apology, and the end of the call."""


@dataclass(frozen=True, slots=True)
class Message:
    """Base of all; the last field may be of any length, as ``TAIL`` says."""

    CODE: ClassVar[int]
    HEAD: ClassVar[struct.Struct] = struct.Struct("!")
    TAIL: ClassVar[str] = ""
    """``pcm``, ``text`` or nothing."""


_M = TypeVar("_M", bound=type[Message])


def _message(code: str, head: str = "", tail: str = "") -> Any:
    def declare(kind: _M) -> _M:
        kind.CODE, kind.HEAD, kind.TAIL = ord(code), struct.Struct("!" + head), tail
        return kind

    return declare


# From the job to the bridge


@_message("V", "H", "text")
@dataclass(frozen=True, slots=True)
class Hello(Message):
    """The job's first message."""

    version: int
    job_id: str


@_message("A", "I", "pcm")
@dataclass(frozen=True, slots=True)
class Speech(Message):
    """The next audio of a segment; segments are numbered from 1 and come one after the other."""

    segment: int
    pcm: bytes


@_message("F", "I")
@dataclass(frozen=True, slots=True)
class Flush(Message):
    """The segment has no more audio than came."""

    segment: int


@_message("C", "I")
@dataclass(frozen=True, slots=True)
class Clear(Message):
    """Forget this segment and all before it, played or not, at once."""

    segment: int


@_message("P")
@dataclass(frozen=True, slots=True)
class Pause(Message):
    """From the next tick on play silence and keep everything."""


@_message("R")
@dataclass(frozen=True, slots=True)
class Resume(Message):
    """Go on where ``Pause`` stopped."""


@_message("Y")
@dataclass(frozen=True, slots=True)
class Ready(Message):
    """The agent can talk and listen: the call may be answered."""


@_message("H")
@dataclass(frozen=True, slots=True)
class HangUp(Message):
    """End the call now; what must be heard was waited for by the job."""


@_message("D", "", "text")
@dataclass(frozen=True, slots=True)
class PressKeys(Message):
    """Send keys to the telephone: ``0-9 * # A-D`` and ``w`` for a pause."""

    keys: str


@_message("K", "B?", "pcm")
@dataclass(frozen=True, slots=True)
class ClipAudio(Message):
    """A piece of a rescue clip; the last one completes it."""

    clip: int
    last: bool
    pcm: bytes


@_message("S")
@dataclass(frozen=True, slots=True)
class ToRoom(Message):
    """Carry the call's audio through the room from now on; answered by ``RoomReady``."""


@_message("L")
@dataclass(frozen=True, slots=True)
class Leave(Message):
    """The job goes of its own will: the end of the connection is no death."""


# From the bridge to the job


@_message("v", "H", "text")
@dataclass(frozen=True, slots=True)
class Welcome(Message):
    """The bridge's first message."""

    version: int
    call_id: str


@_message("a", "Id", "pcm")
@dataclass(frozen=True, slots=True)
class Heard(Message):
    """The caller's next 20 ms; ``at`` is when the bridge took them over, ``sequence`` counts from 1."""

    sequence: int
    at: float
    pcm: bytes


@_message("s", "Id")
@dataclass(frozen=True, slots=True)
class Started(Message):
    """The segment's first sample goes to the telephone."""

    segment: int
    at: float


@_message("p", "IIId")
@dataclass(frozen=True, slots=True)
class Played(Message):
    """A stretch of a segment was played without a break: ``samples`` from ``offset`` on, begun at ``at``."""

    segment: int
    offset: int
    samples: int
    at: float


@_message("f", "II?")
@dataclass(frozen=True, slots=True)
class Finished(Message):
    """A segment is over: so many of its samples were played; said exactly once of each."""

    segment: int
    samples: int
    interrupted: bool


@_message("d", "", "text")
@dataclass(frozen=True, slots=True)
class KeyPressed(Message):
    """The caller pressed a key."""

    key: str


@_message("o")
@dataclass(frozen=True, slots=True)
class Answered(Message):
    """The call was answered."""


@_message("r")
@dataclass(frozen=True, slots=True)
class RoomReady(Message):
    """The caller's audio is in the room: segments begun from now on go there, others end here."""


@_message("h", "", "text")
@dataclass(frozen=True, slots=True)
class HungUp(Message):
    """The call is over; ``cause`` is the bridge's word for why, such as ``caller_hung_up``."""

    cause: str


_TO_BRIDGE = (
    Hello, Speech, Flush, Clear, Pause, Resume, Ready, HangUp, PressKeys, ClipAudio, ToRoom, Leave,
)  # fmt: skip
_TO_JOB = (Welcome, Heard, Started, Played, Finished, KeyPressed, Answered, RoomReady, HungUp)

ToBridge = (
    Hello | Speech | Flush | Clear | Pause | Resume | Ready | HangUp | PressKeys | ClipAudio | ToRoom | Leave
)
ToPlayout = Speech | Flush | Clear | Pause | Resume
"""What the job asks of what is played."""
ToJob = Welcome | Heard | Started | Played | Finished | KeyPressed | Answered | RoomReady | HungUp
Report = Started | Played | Finished
"""What the bridge tells of segments."""

_KINDS: dict[int, type[Message]] = {kind.CODE: kind for kind in (*_TO_BRIDGE, *_TO_JOB)}
_FIELDS = {kind: [field.name for field in fields(kind)] for kind in _KINDS.values()}


def encode(message: Message) -> bytes:
    """One message as a datagram.

    Raises:
        LinkError: a field does not fit, such as audio longer than ``MAX_PCM``.
    """
    kind = type(message)
    values = [getattr(message, name) for name in _FIELDS[kind]]
    tail = b""
    if kind.TAIL:
        last = values.pop()
        tail = last if kind.TAIL == "pcm" else last.encode()
        _check_tail(kind, tail)
    try:
        return bytes((kind.CODE,)) + kind.HEAD.pack(*values) + tail
    except struct.error as error:
        raise LinkError(f"{kind.__name__} cannot be sent: {error}.") from None


def decode(data: bytes) -> Message:
    """The message in a datagram.

    Raises:
        LinkError: it is none of ours, or cut.
    """
    kind = _KINDS.get(data[0]) if data else None
    if kind is None:
        raise LinkError(f"a message of no known kind came, {len(data)} bytes long.")
    end = 1 + kind.HEAD.size
    head, tail = data[1:end], data[end:]
    if len(head) != kind.HEAD.size or (tail and not kind.TAIL):
        raise LinkError(f"{kind.__name__} of {len(data)} bytes came.")
    values: list[Any] = list(kind.HEAD.unpack(head))
    if kind.TAIL:
        _check_tail(kind, tail)
        values.append(tail if kind.TAIL == "pcm" else _text(kind, tail))
    return kind(*values)


def to_bridge(data: bytes) -> ToBridge:
    """The job's message in a datagram. Raises LinkError as ``decode`` does, also for one of the bridge's."""
    message = decode(data)
    if not isinstance(message, _TO_BRIDGE):
        raise LinkError(f"{type(message).__name__} came from a job.")
    return message


def to_job(data: bytes) -> ToJob:
    """The bridge's message in a datagram. Raises LinkError as ``decode`` does, also for one of a job's."""
    message = decode(data)
    if not isinstance(message, _TO_JOB):
        raise LinkError(f"{type(message).__name__} came from the bridge.")
    return message


def clip_messages(clip: Clip, pcm: bytes) -> list[ClipAudio]:
    """A rescue clip in pieces that can be sent."""
    pieces = [pcm[at : at + MAX_PCM] for at in range(0, len(pcm), MAX_PCM)] or [b""]
    return [ClipAudio(clip, piece is pieces[-1], piece) for piece in pieces]


def _check_tail(kind: type[Message], tail: bytes) -> None:
    if kind.TAIL == "pcm" and (len(tail) > MAX_PCM or len(tail) % SAMPLE_BYTES):
        raise LinkError(f"{kind.__name__} has {len(tail)} bytes of audio.")
    if len(tail) > MAX_MESSAGE:
        raise LinkError(f"{kind.__name__} has {len(tail)} bytes of text.")


def _text(kind: type[Message], tail: bytes) -> str:
    try:
        return tail.decode()
    except UnicodeDecodeError:
        raise LinkError(f"{kind.__name__} holds no text.") from None
