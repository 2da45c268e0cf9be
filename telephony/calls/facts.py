"""What is known of a call, and whose word counts where two sources disagree.

Pure. Merging is commutative, associative and idempotent: whatever order the accounts come in, and
however often, the same facts stand at the end. A fact is kept with who said it, so that a better
witness replaces a worse one even when the worse one spoke later.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.calls.events import Source

_ON_THE_WIRE: dict[str, int] = {
    "bridge": 7,
    "dialer": 6,
    "livekit": 5,
    "reconciler": 4,
    "dispatcher": 3,
    "job": 2,
    "record": 1,
}
"""Who knows best what happened on the telephone line: the bridge saw the messages themselves."""

_IN_THE_ROOM: dict[str, int] = {
    "job": 7,
    "dialer": 6,
    "dispatcher": 5,
    "bridge": 4,
    "livekit": 3,
    "reconciler": 2,
    "record": 1,
}
"""Who knows best what was said and with what: the job led the conversation."""

IN_THE_ROOM: frozenset[str] = frozenset(
    {
        "assistant",
        "config_version",
        "language",
        "providers",
        "usage",
        "answered_by",
        "declared_fields",
        "first_agent_audio_at",
        "first_caller_speech_at",
    }
)
"""The facts that the job knows best; a name that starts with ``field.`` is one of them too."""

EARLIEST: frozenset[str] = frozenset(
    {
        "requested_at",
        "permitted_at",
        "dialling_at",
        "invite_at",
        "ringing_at",
        "answered_at",
        "first_agent_audio_at",
        "first_caller_speech_at",
    }
)
"""The facts of which the earliest account of the best witness stands; of all others the latest."""


@dataclass(frozen=True, slots=True)
class Known:
    """A JSON value, who said it, and under which number of its own."""

    value: Any
    source: Source
    seq: int


def rank(name: str, source: str) -> int:
    """How much a source's word counts for one fact; higher wins."""
    order = _IN_THE_ROOM if name in IN_THE_ROOM or name.startswith("field.") else _ON_THE_WIRE
    return order[source]


def better(name: str, left: Known, right: Known) -> Known:
    """The account of one fact that stands; the same whichever way round they are given."""
    return max(left, right, key=lambda known: _weight(name, known))


def _weight(name: str, known: Known) -> tuple[int, str, int, str]:
    text = json.dumps(known.value, sort_keys=True)
    if name in EARLIEST:
        # Instants are all written in one form, so that the earlier one is the smaller text.
        return (rank(name, known.source), _inverted(text), -known.seq, "")
    return (rank(name, known.source), "", known.seq, text)


def _inverted(text: str) -> str:
    return "".join(chr(0x10FFFF - ord(character)) for character in text)


def merge(facts: Mapping[str, Known], told: Mapping[str, Known]) -> dict[str, Known]:
    """Facts known so far and facts told anew, as one."""
    merged = dict(facts)
    for name, known in told.items():
        merged[name] = better(name, merged[name], known) if name in merged else known
    return merged
