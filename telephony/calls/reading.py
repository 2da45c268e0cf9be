"""Bring what a source sent into the published shape of its type of event.

Pure. Lenient, and loses nothing it can keep: a field of the wrong form is moved to ``unreadable``
instead of failing the event, unknown fields are kept, over-long texts are cut, and fields that had
to be emptied are named in ``truncated``. What comes out always matches the published schema, can be
stored by both databases, and keeps a webhook's payload under 20 kB (Standard Webhooks 1.0).
"""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic import ValidationError

from telephony.calls.shapes import (
    DATA,
    LONGEST_TEXT,
    SECRET_DIGIT,
    AgentStarted,
    CallTransferred,
    EndReport,
    EventData,
    FieldsCollected,
    TurnCompleted,
)

LARGEST_DATA = 16_000
"""Bytes of one event's data as JSON."""

_DEEPEST = 6
_LONGEST_LIST = 200
_LONGEST_NAME = 128
_LONGEST_NUMBER = 64
_SHORTENED = 2_000

_OTHER_NAMES = {
    "status": "sip_status",
    "sip_code": "sip_status",
    "duration": "duration_s",
    "from_number": "from",
    "to_number": "to",
    "caller": "from",
    "called": "to",
    "trunk": "trunk_id",
    "rule": "rule_id",
    "reason_code": "code",
}
_LATENCY_NAMES = {
    "end_of_turn": "end_of_turn_ms",
    "transcription": "transcription_ms",
    "llm_first_token": "llm_ms",
    "tts_first_audio": "tts_ms",
    "transport": "transport_ms",
    "total": "total_ms",
}
_QUALITY_NAMES = {
    "packets": "packets_received",
    "packets_received": "packets_received",
    "packets_sent": "packets_sent",
    "lost": "packets_lost",
    "packets_lost": "packets_lost",
    "late": "packets_late",
    "jitter_ms": "jitter_ms",
    "loss_percent": "loss_percent",
    "mos": "mos",
    "r_factor": "r_factor",
    "gaps": "gaps",
    "longest_gap_ms": "longest_gap_ms",
    "one_way": "one_way",
    "far_loss_percent": "far_loss_percent",
    "far_jitter_ms": "far_jitter_ms",
    "round_trip_ms": "round_trip_ms",
}


def read_data(event_type: str, raw: dict[str, Any]) -> dict[str, Any]:
    """Bring what a source sent into the published shape of its type; see the module's promise.

    Args:
        event_type: a key of ``DATA`` that is not ``OF_THE_RECORD``; a source's ``call.ended`` is read as
            an ``EndReport``.
        raw: JSON values, from outside and not to be trusted.
    """
    data = _clean(raw)
    if event_type == "dtmf.received" and data.get("secret"):
        data = {"digit": SECRET_DIGIT, "secret": True}
    model = EndReport if event_type == "call.ended" else DATA[event_type]
    return _bounded(model, _fit(model, _rename(model, data)))


def _rename(model: type[EventData], data: dict[str, Any]) -> dict[str, Any]:
    known = {info.alias or name for name, info in model.model_fields.items()}
    renamed = {}
    for name, value in data.items():
        target = _OTHER_NAMES.get(name, name)
        use = target if name not in known and target in known and target not in data else name
        renamed[use] = value
    if issubclass(model, EndReport) and "quality" not in renamed:
        measured = {
            _QUALITY_NAMES[name]: renamed.pop(name) for name in list(renamed) if name in _QUALITY_NAMES
        }
        if measured:
            renamed["quality"] = measured
    if model is TurnCompleted and isinstance(renamed.get("parts_ms"), dict) and "latency" not in renamed:
        parts = renamed.pop("parts_ms")
        renamed["latency"] = {_LATENCY_NAMES.get(name, name): value for name, value in parts.items()}
    if model is TurnCompleted and isinstance(renamed.get("average_ms"), dict):
        parts = renamed.pop("average_ms")
        renamed["latency_average"] = {_LATENCY_NAMES.get(name, name): value for name, value in parts.items()}
    if model is FieldsCollected and isinstance(renamed.get("fields"), dict):
        # A value alone is a field's value.
        renamed["fields"] = {
            name: field if isinstance(field, dict) and "value" in field else {"value": field}
            for name, field in renamed["fields"].items()
        }
    if model is AgentStarted and "providers" not in renamed:
        named = {kind: renamed.pop(kind) for kind in ("stt", "llm", "tts", "vad") if kind in renamed}
        if named:
            renamed["providers"] = named
    if model is CallTransferred and "ok" not in renamed and "outcome" in renamed:
        renamed["ok"] = renamed["outcome"] == "completed"
    return renamed


def _fit(model: type[EventData], data: dict[str, Any]) -> dict[str, Any]:
    unreadable: dict[str, Any] = {}
    while True:
        try:
            read = model.model_validate(data)
        except ValidationError as error:
            for name in {str(problem["loc"][0]) for problem in error.errors()}:
                unreadable[name] = data.pop(name)
        else:
            kept: dict[str, Any] = read.model_dump(mode="json", by_alias=True, exclude_none=True)
            return {**kept, "unreadable": unreadable} if unreadable else kept


def _clean(value: Any, depth: int = 0) -> Any:
    """JSON that every database and receiver can take: no NUL, no lone surrogate, no NaN, bounded depth."""
    if isinstance(value, str):
        text = value.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)[:_LONGEST_NUMBER]
    if depth >= _DEEPEST:
        return None
    if isinstance(value, dict):
        return {_clean(str(key))[:_LONGEST_NAME]: _clean(item, depth + 1) for key, item in value.items()}
    return [_clean(item, depth + 1) for item in value[:_LONGEST_LIST]]


def _bounded(model: type[EventData], data: dict[str, Any]) -> dict[str, Any]:
    if _size(data) <= LARGEST_DATA:
        return data
    typed = {info.alias or name for name, info in model.model_fields.items() if info.annotation is not Any}
    cut: list[str] = []
    for name in sorted(data, key=lambda name: _size(data[name]), reverse=True):
        if _size(data[name]) <= _SHORTENED:
            break
        data = {**data, name: _shortened(data[name], typed=name in typed)}
        cut.append(name[:_LONGEST_NAME])
        if _size({**data, "truncated": cut}) <= LARGEST_DATA:
            return {**data, "truncated": cut}
    kept = {name: data[name] for name in typed & set(data)}
    return {**kept, "truncated": ["*"]}


def _shortened(value: Any, *, typed: bool) -> Any:
    if isinstance(value, str):
        return value[:_SHORTENED] + "…"
    if typed:
        return {} if isinstance(value, dict) else [] if isinstance(value, list) else value
    return json.dumps(value, ensure_ascii=False)[:_SHORTENED] + "…"


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
