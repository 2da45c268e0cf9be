"""A call as a person wants to read it: when who spoke, what happened between, how long it took.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    _Teller = Callable[[Mapping[str, Any]], str]

Kind = Literal["caller", "agent", "sip", "note", "end"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline.

    ``at_s``: seconds since the call began. ``wait``: how long it was waited for. ``remark``: the rest.
    """

    at_s: float
    kind: Kind
    who: str
    text: str
    wait: str = ""
    remark: str = ""


def timeline(call: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The lines of a call, in the order in which things happened.

    Args:
        call: as ``GET /v1/calls/{id}`` answers.
        events: as ``GET /v1/calls/{id}/events`` answers.
    """
    start = datetime.fromisoformat(call.get("started_at") or call["created_at"])
    lines = []
    for event in _one_invite(events):
        for shown in _show(event):
            when = datetime.fromisoformat(shown.at or event["timestamp"])
            late = "late" if event["late"] and event["type"] != "call.amended" else ""
            remark = ", ".join(part for part in (shown.remark, late) if part)
            at_s = (when - start).total_seconds()
            wait = f"{1000 * at_s:.0f} ms" if shown.since_start else shown.wait
            lines.append(Line(at_s, shown.kind, shown.who, printable(shown.text), wait, remark))
    return sorted(lines, key=lambda line: (line.kind == "end", line.at_s))


@dataclass(frozen=True, slots=True)
class _Shown:
    kind: Kind
    who: str
    text: str
    wait: str = ""
    remark: str = ""
    at: str | None = None
    """When it was, where that is not the event's own time."""
    since_start: bool = False
    """Whether the time since the call's start is what was waited."""


def _one_invite(events: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """One account of the ringing: the bridge's, also where LiveKit's, in whole seconds, came first."""
    seen = [each for each in events if _tells_of_ringing(each)]
    exact = next((each for each in seen if each["data"].get("invite_at")), None)
    for event in events:
        if event is exact:
            yield {**event, "type": "call.ringing"}
        elif exact is None or not _tells_of_ringing(event):
            yield event


def _tells_of_ringing(event: Mapping[str, Any]) -> bool:
    return "call.ringing" in (event["type"], event["data"].get("fact"))


def _show(event: Mapping[str, Any]) -> Iterator[_Shown]:
    """How an event is told; not at all what only machines want to know."""
    data, event_type = event["data"], event["type"]
    if event_type == "turn.completed":
        yield _turn(data)
    elif event_type == "call.ringing":
        if data.get("invite_at"):
            yield _Shown("sip", "sip", f"INVITE {_ends(data)}", at=data["invite_at"])
            yield _Shown("sip", "sip", "180 Ringing", since_start=True)
        else:
            yield _Shown("sip", "sip", f"rings: {_ends(data)}")
    elif event_type == "call.answered":
        how = ", ".join(str(data[name]) for name in ("codec", "audio_path") if data.get(name))
        yield _Shown("sip", "sip", f"200 OK: {how}" if how else "200 OK", since_start=True)
    elif event_type == "call.reported" and event.get("source") == "bridge":
        yield from _hung_up(data)
    elif event_type in _SIP:
        yield _Shown("sip", "sip", _SIP[event_type](data))
    elif event_type in _NOTES:
        text = _NOTES[event_type](data)
        if text:
            yield _Shown("note", "·", text)
    elif event_type == "call.ended":
        yield _Shown("end", "end", f"{data['cause']}", remark=f"{data['outcome']}, by {data['ended_by']}")


def _turn(data: Mapping[str, Any]) -> _Shown:
    who = data.get("who", "unknown")
    parts = []
    if data.get("interrupted"):
        word = data.get("interrupted_at")
        parts.append(f"interrupted at “{printable(str(word))}”" if word else "interrupted")
    split = data.get("latency") or {}
    named = (
        ("end_of_turn_ms", "turn"),
        ("transcription_ms", "stt"),
        ("llm_ms", "llm"),
        ("tts_ms", "tts"),
        ("transport_ms", "line"),
    )
    stages = [f"{name} {split[key]:.0f}" for key, name in named if split.get(key) is not None]
    if stages:
        parts.append(" ".join(stages))
    latency = data.get("latency_ms")
    return _Shown(
        "agent" if who == "agent" else "caller",
        who,
        str(data.get("text", "")),
        "" if latency is None else f"{latency:.0f} ms",
        ", ".join(parts),
        data.get("started_at"),
    )


def _hung_up(data: Mapping[str, Any]) -> Iterator[_Shown]:
    if data.get("fact") != "call.ended":
        return
    status, ended_by = data.get("sip_status") or 0, data.get("ended_by")
    if status == 487:
        by = "from the caller" if ended_by == "caller" else "to the called phone"
        yield _Shown("sip", "sip", f"CANCEL {by}, 487")
    elif ended_by == "caller":
        yield _Shown("sip", "sip", "BYE from the caller")
    elif ended_by == "callee" and status < 300:
        yield _Shown("sip", "sip", "BYE from the called phone")
    elif status >= 300:
        yield _Shown("sip", "sip", f"{status}")
    else:
        yield _Shown("sip", "sip", "BYE to the caller")


def _ends(data: Mapping[str, Any]) -> str:
    return f"{data.get('from', 'unknown')} → {data.get('to', 'unknown')}"


def _refused(data: Mapping[str, Any]) -> str:
    field = f" ({data['field']})" if data.get("field") else ""
    return f"refused with {data.get('sip_status', '?')}: {data.get('sentence', '')}{field}"


def _agent(data: Mapping[str, Any]) -> str:
    if data.get("resumed"):
        return "another agent takes over"
    version = f" ({data['config_version']})" if data.get("config_version") else ""
    return f"the agent is there: {data.get('assistant', 'unknown')}{version}"


def _fields(data: Mapping[str, Any]) -> str:
    told = []
    for name, field in data.get("fields", {}).items():
        if field.get("value") is None:
            told.append(f"{name} is open again")
        else:
            sure = f" ({100 * field['confidence']:.0f} %)" if field.get("confidence") is not None else ""
            told.append(f"{name} = {field['value']}{sure}")
    return "noted " + ", ".join(told) if told else ""


def _tool(data: Mapping[str, Any]) -> str:
    result = data.get("result")
    if isinstance(result, dict):
        result = ", ".join(f"{name}: {value}" for name, value in result.items() if name != "text")
    return f"tool {data.get('name')}" + (f" → {str(result)[:120]}" if result else "")


def _transferred(data: Mapping[str, Any]) -> str:
    if data.get("ok") is False:
        return f"not handed over to {data.get('to')}: {data.get('cause', 'it failed')}"
    return f"handed over to {data.get('to')}"


def _answered_by(data: Mapping[str, Any]) -> str:
    """Who answered; how sure that is, how soon it was known, and why."""
    who = data.get("answered_by", "unknown")
    sure = f"{100 * data['confidence']:.0f} %" if data.get("confidence") is not None else ""
    after = f"after {data['decided_ms']:.0f} ms" if data.get("decided_ms") is not None else ""
    details = ", ".join(part for part in (sure, after, str(data.get("reason") or "")) if part)
    told = "after all answered by" if data.get("revised") else "answered by"
    return f"{told} {who}" + (f" ({details})" if details else "")


_SIP: dict[str, _Teller] = {
    "call.refused": _refused,
    "call.dialling": lambda data: f"INVITE to {data.get('to', 'unknown')}",
    "call.requested": lambda data: f"requested: {data.get('to', 'unknown')}",
}
_NOTES: dict[str, _Teller] = {
    "agent.started": _agent,
    "call.answered_by": _answered_by,
    "tool.called": _tool,
    "dtmf.received": lambda data: "secret key" if data.get("secret") else f"key {data.get('digit')}",
    "fields.collected": _fields,
    "call.transferred": _transferred,
    "recording.stored": lambda data: f"recording kept ({data.get('bytes', 0)} bytes)",
    "recording.refused": lambda data: "recording refused",
    "do_not_call.requested": lambda data: "does not want to be called again: on the do-not-call list",
    "recording.deleted": lambda data: f"recording deleted ({data.get('reason')})",
    "call.amended": lambda data: "later known: " + ", ".join(sorted(data.get("changes", {}))),
    "participant.joined": lambda data: (
        f"{data.get('identity')} joins the room" if data.get("kind") == "STANDARD" else ""
    ),
}


def printable(text: str) -> str:
    """A text that cannot drive a terminal: control characters are shown as blanks."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def clock(seconds: float) -> str:
    """Seconds as ``mm:ss.t``; before the start with a minus."""
    sign, seconds = ("-" if seconds < 0 else " "), abs(seconds)
    minutes, rest = divmod(seconds, 60)
    return f"{sign}{int(minutes):02d}:{rest:04.1f}"
