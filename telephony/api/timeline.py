"""A call as a person wants to read it: when who spoke, what happened between, how long it took.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    _Teller = Callable[[Mapping[str, Any]], str]

Kind = Literal["caller", "agent", "sip", "note", "end"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline: seconds since the call began, who or what, the text, and a remark."""

    at_s: float
    kind: Kind
    who: str
    text: str
    remark: str = ""


def timeline(call: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The lines of a call, in the order in which things happened.

    Args:
        call: as ``GET /v1/calls/{id}`` answers.
        events: as ``GET /v1/calls/{id}/events`` answers.
    """
    start = datetime.fromisoformat(call.get("started_at") or call["created_at"])
    lines = []
    for event in events:
        shown = _show(event)
        if shown is None:
            continue
        kind, who, text, remark = shown
        data = event["data"]
        when = (data.get("started_at") if event["type"] == "turn.completed" else None) or event["timestamp"]
        at_s = (datetime.fromisoformat(when) - start).total_seconds()
        late = "late" if event["late"] and event["type"] != "call.amended" else ""
        lines.append(
            Line(at_s, kind, who, printable(text), ", ".join(part for part in (remark, late) if part))
        )
    return sorted(lines, key=lambda line: (line.kind == "end", line.at_s))


def _show(event: Mapping[str, Any]) -> tuple[Kind, str, str, str] | None:
    """How an event is told; None for what only machines want to know."""
    data, event_type = event["data"], event["type"]
    if event_type == "turn.completed":
        who = data.get("who", "unknown")
        kind: Kind = "agent" if who == "agent" else "caller"
        return kind, who, str(data.get("text", "")), _turn_remark(data)
    if event_type in _SIP:
        return "sip", "sip", _SIP[event_type](data), ""
    if event_type in _NOTES:
        return "note", "·", _NOTES[event_type](data), ""
    if event_type == "call.ended":
        return "end", "end", f"{data['cause']}", f"{data['outcome']}, by {data['ended_by']}"
    return None


def _turn_remark(data: Mapping[str, Any]) -> str:
    parts = []
    if data.get("latency_ms") is not None:
        parts.append(f"after {data['latency_ms']:.0f} ms")
        split = data.get("latency") or {}
        named = (
            ("end_of_turn_ms", "turn"),
            ("transcription_ms", "stt"),
            ("llm_ms", "llm"),
            ("tts_ms", "tts"),
        )
        stages = [f"{name} {split[key]:.0f}" for key, name in named if split.get(key)]
        if stages:
            parts.append("(" + ", ".join(stages) + ")")
    if data.get("interrupted"):
        parts.append("interrupted")
    return " ".join(parts)


def _ringing(data: Mapping[str, Any]) -> str:
    return f"rings: {data.get('from', 'unknown')} → {data.get('to', 'unknown')}"


def _answered(data: Mapping[str, Any]) -> str:
    return " ".join(["answered", *(str(data[name]) for name in ("codec", "audio_path") if data.get(name))])


def _refused(data: Mapping[str, Any]) -> str:
    field = f" ({data['field']})" if data.get("field") else ""
    return f"refused with {data.get('sip_status', '?')}: {data.get('sentence', '')}{field}"


def _dialling(data: Mapping[str, Any]) -> str:
    return f"dials {data.get('to', 'unknown')}"


_SIP: dict[str, _Teller] = {
    "call.ringing": _ringing,
    "call.answered": _answered,
    "call.refused": _refused,
    "call.dialling": _dialling,
    "call.requested": lambda data: f"requested: {data.get('to', 'unknown')}",
}
_NOTES: dict[str, _Teller] = {
    "agent.started": lambda data: f"the agent is there: {data.get('assistant', 'unknown')}",
    "tool.called": lambda data: f"tool {data.get('name')} → {str(data.get('result'))[:120]}",
    "dtmf.received": lambda data: f"key {data.get('digit')}",
    "fields.collected": lambda data: (
        "got " + ", ".join(f"{name} = {value.get('value')}" for name, value in data.get("fields", {}).items())
    ),
    "call.transferred": lambda data: (
        f"handed over to {data.get('to')}"
        + ("" if data.get("ok") is not False else f", which failed: {data.get('cause', '')}")
    ),
    "recording.stored": lambda data: f"recording kept ({data.get('bytes', 0)} bytes)",
    "recording.refused": lambda data: "recording refused",
    "recording.deleted": lambda data: f"recording deleted ({data.get('reason')})",
    "call.amended": lambda data: "later known: " + ", ".join(sorted(data.get("changes", {}))),
}


def printable(text: str) -> str:
    """A text that cannot drive a terminal: control characters are shown as blanks."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def clock(seconds: float) -> str:
    """Seconds as ``mm:ss.t``; before the start with a minus."""
    sign, seconds = ("-" if seconds < 0 else " "), abs(seconds)
    minutes, rest = divmod(seconds, 60)
    return f"{sign}{int(minutes):02d}:{rest:04.1f}"
