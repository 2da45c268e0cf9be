"""What a bridge and the dispatcher say to each other: one JSON object a datagram.

Pure. Guarantee: ``decode`` gives back what ``encode`` was given and raises LinkError for anything else.
A bridge says ``Hello`` first; whoever does not speak ``VERSION`` is left. Any change here raises it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from telephony.errors import LinkError

VERSION = 2

SLOWEST_ANSWER_S = 3.0
"""How long the last worker that can be asked may take: one that starts ten jobs at once is slow, not gone."""

Reason = Literal["no_worker", "full", "away"]
"""Why no agent comes: no worker has that agent, all that have are full, or the dispatcher cannot be asked."""

JobState = Literal["failed", "succeeded", "worker_lost"]
"""How a job ended, as its worker says; ``worker_lost``: its worker is gone, and the job perhaps with it."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The bridge's first message."""

    version: int


@dataclass(frozen=True, slots=True)
class Launch:
    """Put a job on its way."""

    request: int
    """Any number that the bridge has under way once."""
    agent_name: str
    room: str
    metadata: str
    """For the job, as the dispatch rule has it."""
    attributes: dict[str, str]
    """For the job, from the bridge: see ``telephony.calls.job_attributes``."""
    room_config: str
    """What the room is made with if the job joins first: a RoomConfiguration in base64, or nothing."""
    patience_s: float
    """How long a worker is waited for when none is registered."""
    persistent: bool
    """Wait as long also where all are full: a call that is up needs an agent more than it needs an answer."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """The request is not wanted any more: its job is ended, or never begun."""

    request: int


@dataclass(frozen=True, slots=True)
class Welcome:
    """The dispatcher's first message."""

    version: int


@dataclass(frozen=True, slots=True)
class Agents:
    """The agents that are served here: those that workers are registered for, and those expected."""

    names: list[str]


@dataclass(frozen=True, slots=True)
class Reserved:
    """A worker has a place free by the dispatcher's own count, and it is kept for this: the call may ring.

    ``Launched`` or ``Refused`` still follows, since the worker has the last word.
    """

    request: int


@dataclass(frozen=True, slots=True)
class Launched:
    """A worker has taken the job, and its process is told."""

    request: int
    job_id: str
    worker_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody takes it."""

    request: int
    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True)
class JobOver:
    """A job that was launched has ended."""

    request: int
    state: JobState


ToDispatcher = Hello | Launch | Abandon
ToBridge = Welcome | Agents | Reserved | Launched | Refused | JobOver
Message = ToDispatcher | ToBridge

_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (Hello, Launch, Abandon, Welcome, Agents, Reserved, Launched, Refused, JobOver)
}
_REASONS = ("no_worker", "full", "away")
_STATES = ("failed", "succeeded", "worker_lost")


def encode(message: Message) -> bytes:
    """One message as a datagram."""
    return json.dumps({"is": type(message).__name__, **asdict(message)}, separators=(",", ":")).encode()


def decode(data: bytes) -> Message:
    """The message in a datagram.

    Raises:
        LinkError: it is none of ours, or a field is missing or of another type.
    """
    try:
        raw = json.loads(data)
        kind = _KINDS[raw.pop("is")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LinkError("a message of no known kind came to or from the dispatcher.") from None
    declared = {field.name: str(field.type) for field in fields(kind)}
    if raw.keys() != declared.keys() or not all(_fits(raw[name], declared[name]) for name in declared):
        raise LinkError(f"{kind.__name__} with other fields came to or from the dispatcher.")
    message: Message = kind(**raw)
    return message


def _fits(value: Any, declared: str) -> bool:
    match declared:
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "dict[str, str]":
            return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
        case "list[str]":
            return isinstance(value, list) and all(isinstance(each, str) for each in value)
        case "Reason":
            return value in _REASONS
        case "JobState":
            return value in _STATES
    return isinstance(value, str)
