"""The record of one call: what is known of it, folded from events in any order, repeated or missing.

Pure. ``apply`` may be given the events of a call in every order and more than once: the facts that
stand at the end are the same, and so is the ending that ``telephony.calls.ending`` concludes from
them. What is told to the world keeps its promise too: a milestone is told once, every further account
of it as ``call.reported``; ``call.ended`` is told by ``settle`` alone, which refuses a second time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telephony.calls.facts import Known, merge
from telephony.calls.seen import add, missing
from telephony.calls.states import PROVES, Direction, State, further

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.calls.events import Event, EventType, Source
    from telephony.calls.seen import Ranges

MILESTONES: dict[str, str] = {
    "call.requested": "requested_at",
    "call.permitted": "permitted_at",
    "call.dialling": "dialling_at",
    "call.ringing": "ringing_at",
    "call.answered": "answered_at",
    "call.refused": "refused_at",
}
"""The types of which the first account is told under its own name, and the fact its time becomes."""

_DESCRIBES = (
    "direction",
    "from",
    "to",
    "trunk_id",
    "rule_id",
    "room",
    "sip_call_id",
    "sip_call_id_full",
    "assistant",
    "config_version",
    "language",
    "codec",
    "audio_path",
    "providers",
    "declared_fields",
    "metadata",
    "usage",
    "quality",
    "answered_by",
)
"""Data fields that are facts of the call under the same name, whatever event carries them."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call.

    ``facts``: name to the account that stands. ``seen``: which numbers of each source were read.
    ``told``: milestones told to the world. ``ended``: the summary told as ``call.ended``, once.
    ``state`` is the furthest that any account proves.
    """

    call_id: str
    state: State = State.REQUESTED
    facts: Mapping[str, Known] = field(default_factory=dict)
    seen: Mapping[str, Ranges] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    ended: Mapping[str, Any] | None = None

    def value(self, name: str) -> Any:
        """What stands for one fact; None when nothing is known."""
        known = self.facts.get(name)
        return None if known is None else known.value

    @property
    def direction(self) -> Direction:
        """Inbound unless an account says otherwise, or the call was requested of us."""
        stated = self.value("direction")
        if stated in ("inbound", "outbound"):
            return "outbound" if stated == "outbound" else "inbound"
        return "outbound" if self.value("requested_at") or self.value("dialling_at") else "inbound"

    @property
    def shown_state(self) -> State:
        """The state as it is told: a call to us rings at least, whatever its first account was."""
        return self.state if self.direction == "outbound" else further(self.state, State.RINGING)

    def missing_events(self) -> dict[str, list[list[int]]]:
        """Which numbers of each source were never read: source to ranges, first and last included."""
        gaps = {source: missing(ranges) for source, ranges in self.seen.items()}
        return {source: found for source, found in gaps.items() if found}

    def to_json(self) -> dict[str, Any]:
        """The JSON shape that the store keeps."""
        return {
            "state": self.state,
            "facts": {name: [known.value, known.source, known.seq] for name, known in self.facts.items()},
            "seen": {source: [list(pair) for pair in ranges] for source, ranges in self.seen.items()},
            "told": sorted(self.told),
            "ended": self.ended,
        }

    @classmethod
    def from_json(cls, call_id: str, raw: Mapping[str, Any]) -> CallRecord:
        """Read the shape of ``to_json`` back."""
        return cls(
            call_id=call_id,
            state=State(raw["state"]),
            facts={name: Known(*known) for name, known in raw["facts"].items()},
            seen={source: tuple((low, high) for low, high in pairs) for source, pairs in raw["seen"].items()},
            told=frozenset(raw["told"]),
            ended=raw["ended"],
        )


@dataclass(frozen=True, slots=True)
class Applied:
    """The record after an event, and under which type with which data the event is told."""

    record: CallRecord
    type: EventType
    data: dict[str, Any]


def apply(record: CallRecord, event: Event) -> Applied:
    """Fold one event, its data already read by ``telephony.calls.reading``, into the record."""
    numbered = event.source_seq > 0
    seen = dict(record.seen)
    if numbered:
        seen[event.source] = add(record.seen.get(event.source, ()), event.source_seq)
    state = record.state
    if state is not State.ENDED and event.type in PROVES:
        state = further(state, PROVES[event.type])
    changed = replace(record, facts=merge(record.facts, _facts_of(event)), seen=seen, state=state)
    if event.type == "call.ended" or event.type in record.told:
        return Applied(changed, "call.reported", {**event.data, "fact": event.type})
    if event.type in MILESTONES:
        changed = replace(changed, told=changed.told | {event.type})
    return Applied(changed, event.type, event.data)


def settle(record: CallRecord, summary: Mapping[str, Any]) -> CallRecord:
    """End the call with what is told as ``call.ended``.

    Raises:
        ValueError: the call ended before; a call ends once.
    """
    if record.ended is not None:
        raise ValueError(f"{record.call_id} has ended already")
    return replace(record, state=State.ENDED, ended=dict(summary))


def amend(record: CallRecord, changes: Mapping[str, Any]) -> CallRecord:
    """Correct the summary of a call that has ended, by accounts that came later.

    Raises:
        ValueError: the call has not ended.
    """
    if record.ended is None:
        raise ValueError(f"{record.call_id} has not ended")
    return replace(record, ended={**record.ended, **changes})


def instant(time: datetime) -> str:
    """An instant as the facts keep it: RFC 3339, UTC, microseconds, so that text order is time order."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _facts_of(event: Event) -> dict[str, Known]:
    told: dict[str, Any] = {
        name: event.data[name] for name in _DESCRIBES if event.data.get(name) not in (None, "")
    }
    at = instant(event.time)
    if event.data.get("invite_at"):
        told["invite_at"] = _stated(event.data["invite_at"], at)
    if event.type in MILESTONES:
        told[MILESTONES[event.type]] = at
    elif PROVES.get(event.type) is State.ANSWERED:
        told["answered_at"] = at
    if event.type in _TELLS:
        told.update(_TELLS[event.type](event, at))
    source: Source = event.source
    return {name: Known(value, source, event.source_seq) for name, value in told.items()}


def _end(event: Event, at: str) -> dict[str, Any]:
    names = ("outcome", "ended_by", "code", "cause", "sip_status", "duration_s")
    report = {name: event.data[name] for name in names if event.data.get(name) is not None}
    return {f"report.{event.source}": {**report, "at": at}}


def _refusal(event: Event, at: str) -> dict[str, Any]:
    names = ("sip_status", "field", "sentence")
    told = {name: event.data[name] for name in names if event.data.get(name) is not None}
    return {"refusal": {**told, "at": at}}


def _departure(event: Event, at: str) -> dict[str, Any]:
    if event.type == "participant.left" and event.data.get("kind") != "SIP":
        return {"agent_left": at} if event.data.get("kind") == "AGENT" else {}
    return {f"gone.{event.source}": {"reason": event.data.get("reason", ""), "at": at}}


def _turn(event: Event, at: str) -> dict[str, Any]:
    name = {"agent": "first_agent_audio_at", "caller": "first_caller_speech_at"}.get(
        event.data.get("who", "")
    )
    return {name: _stated(event.data.get("started_at"), at)} if name else {}


def _stated(text: str | None, otherwise: str) -> str:
    return instant(datetime.fromisoformat(text)) if text else otherwise


def _fields(event: Event, _at: str) -> dict[str, Any]:
    told: dict[str, Any] = {f"field.{name}": value for name, value in event.data.get("fields", {}).items()}
    if event.data.get("declared"):
        told["declared_fields"] = event.data["declared"]
    return told


def _transfer(event: Event, _at: str) -> dict[str, Any]:
    names = ("to", "kind", "ok", "outcome", "sip_status", "cause")
    return {"transfer": {name: event.data[name] for name in names if name in event.data}}


def _recording_refused(_event: Event, at: str) -> dict[str, Any]:
    return {"recording_refused_at": at}


_TELLS = {
    "call.ended": _end,
    "call.refused": _refusal,
    "room.finished": _departure,
    "participant.left": _departure,
    "turn.completed": _turn,
    "fields.collected": _fields,
    "call.transferred": _transfer,
    "recording.refused": _recording_refused,
}
