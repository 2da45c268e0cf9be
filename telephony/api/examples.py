"""One example of each type of event, for the documentation: the story of one call."""

from __future__ import annotations

from typing import Any

from telephony.calls.events import LINE_EVENT_TYPES

_CALL = "call_abcDEF123456"
_CALLER = {"e164": "+15550100123", "as_sent": "+15550100123", "inferred": False, "masked": "+15*******23"}
_OURS = {"e164": "+15550100100", "as_sent": "15550100100", "inferred": True, "masked": "+15*******00"}
_DESCRIPTION = {
    "direction": "inbound",
    "from": "+15550100123",
    "to": "15550100100",
    "trunk_id": "ST_4mkKYWpQx8Ya",
    "rule_id": "SDR_7cKQpQx81Ya",
    "room": "call_+15550100123_x7Yq",
    "sip_call_id": "SCL_abcDEF123456",
}
_SUMMARY = {
    "outcome": "answered",
    "ended_by": "agent",
    "code": "agent_finished",
    "cause": "The visit is booked.",
    "direction": "inbound",
    "from": _CALLER,
    "to": _OURS,
    "started_at": "2026-11-21T10:00:00.000000Z",
    "answered_at": "2026-11-21T10:00:00.060000Z",
    "ended_at": "2026-11-21T10:00:45.310000Z",
    "duration_s": 45.31,
    "talk_s": 45.25,
    "assistant": "reception",
    "quality": {
        "packets_received": 2262,
        "packets_lost": 3,
        "loss_percent": 0.13,
        "jitter_ms": 1.9,
        "mos": 4.38,
    },
    "fields": {"day": {"value": "friday", "confidence": 0.97, "turn": 7}},
    "missing_fields": ["name"],
    "cost": {"currency": "USD", "total_micros": 11_000, "lines": []},
}

_BATCH = {
    "batch_id": "batch_01a1fd96744c737c8fa1fec7c94c83cf",
    "name": "november",
    "size": 40,
    "waiting": 40,
}

_DATA: dict[str, tuple[str, dict[str, Any]]] = {
    "call.requested": ("dialer", {"direction": "outbound", "to": "+15550100123", "assistant": "survey"}),
    "call.permitted": ("dialer", {}),
    "call.dialling": (
        "dialer",
        {"direction": "outbound", "to": "+15550100123", "trunk_id": "ST_4mkKYWpQx8Ya"},
    ),
    "call.ringing": ("bridge", {**_DESCRIPTION, "invite_at": "2026-11-21T10:00:00.000000Z"}),
    "call.answered": ("bridge", {"codec": "PCMU", "audio_path": "direct"}),
    "call.refused": (
        "bridge",
        {"sip_status": 404, "field": "sip_trunks[0].numbers", "sentence": "No trunk has the number +1555."},
    ),
    "call.ended": ("record", _SUMMARY),
    "call.reported": (
        "bridge",
        {"fact": "call.ended", "ended_by": "agent", "sip_status": 200, "duration_s": 45.25},
    ),
    "call.amended": ("record", {"changes": {"quality": _SUMMARY["quality"]}}),
    "call.transferred": ("job", {"to": "+15550100177", "kind": "cold", "ok": True, "outcome": "completed"}),
    "agent.started": (
        "job",
        {
            "assistant": "reception",
            "config_version": "3f2a9c",
            "language": "en",
            "audio_path": "direct",
            "providers": {"stt": {"provider": "deepgram", "model": "nova-3"}},
            "declared_fields": [{"name": "day", "type": "date", "prompt": "Which day?", "required": True}],
        },
    ),
    "agent.interrupted": (
        "job",
        {
            "text": "We are open from",
            "word": "from",
            "silence_ms": 96,
            "policy": "stop_words",
            "reason": "the caller said 'wait'",
            "evidence": {
                "onset_ms": 410,
                "sound_ms": 290,
                "silence_ms": 0,
                "paused_ms": 330,
                "words": "wait",
                "final": False,
                "agent": "speaking",
            },
        },
    ),
    "interruption.ignored": (
        "job",
        {
            "action": "resume",
            "policy": "backchannels",
            "reason": "'uh huh' only shows that the caller listens",
            "evidence": {
                "onset_ms": 690,
                "sound_ms": 310,
                "silence_ms": 380,
                "paused_ms": 610,
                "words": "uh huh",
                "final": True,
                "agent": "speaking",
            },
        },
    ),
    "speech.heard": (
        "job",
        {
            "kind": "read_back",
            "text": "Friday at ten, is that right?",
            "played_ms": 2140,
            "complete": True,
            "talked_over": True,
        },
    ),
    "provider.trouble": (
        "job",
        {"stage": "llm", "kind": "late", "provider": "openai/gpt-4.1-mini", "reason": "no token in time"},
    ),
    "caller.on_hold": ("job", {"on": True}),
    "filler.spoken": ("job", {"text": "One moment.", "stage": "llm"}),
    "turn.completed": (
        "job",
        {
            "turn": 2,
            "who": "agent",
            "text": "Which day suits you?",
            "started_at": "2026-11-21T10:00:04.120000Z",
            "ended_at": "2026-11-21T10:00:05.300000Z",
            "interrupted": False,
            "latency_ms": 620,
            "latency": {
                "end_of_turn_ms": 300,
                "transcription_ms": 120,
                "llm_ms": 110,
                "tts_ms": 60,
                "transport_ms": 14,
            },
            "latency_average": {"end_of_turn_ms": 280, "llm_ms": 120, "tts_ms": 65, "total_ms": 590},
        },
    ),
    "tool.called": (
        "job",
        {"name": "book_visit", "arguments": {"day": "friday"}, "result": {"booked": True}, "ok": True},
    ),
    "fields.collected": ("job", {"fields": {"day": {"value": "friday", "confidence": 0.97, "turn": 7}}}),
    "usage.reported": (
        "job",
        {"usage": [{"provider": "openai", "model": "gpt-4.1-mini", "kind": "llm", "input_tokens": 2100}]},
    ),
    "dtmf.received": ("job", {"digit": "5", "secret": False}),
    "recording.ready": ("job", {"path": "call_abcDEF123456.ogg", "format": "ogg", "duration_s": 45.2}),
    "recording.refused": ("job", {"by": "caller"}),
    "recording.stored": (
        "record",
        {"recording_id": "rec_01a1fd96744c737c8fa1fec7c94c83cf", "format": "ogg", "bytes": 182_400},
    ),
    "recording.deleted": (
        "record",
        {"recording_id": "rec_01a1fd96744c737c8fa1fec7c94c83cf", "reason": "retention"},
    ),
    "room.started": ("livekit", {"room": "call_+15550100123_x7Yq", "sid": "RM_9x"}),
    "room.finished": ("livekit", {"room": "call_+15550100123_x7Yq", "sid": "RM_9x"}),
    "participant.joined": ("livekit", {"identity": "agent-AJ_1", "kind": "AGENT", "room": "call_x"}),
    "participant.left": (
        "livekit",
        {"identity": "sip_+15550100123", "kind": "SIP", "reason": "CLIENT_INITIATED"},
    ),
    "endpoint.disabled": (
        "record",
        {"endpoint_id": "whe_01a1fd96744c737c8fa1fec7c94c83cf", "reason": "It answered 410 Gone."},
    ),
    "webhook.test": ("record", {"endpoint_id": "whe_01a1fd96744c737c8fa1fec7c94c83cf"}),
    "do_not_call.requested": (
        "job",
        {"phrase": "don't call me again", "language": "en", "number": "+15550100123"},
    ),
    "batch.created": ("record", {**_BATCH, "state": "running", "by": "operator"}),
    "batch.paused": (
        "record",
        {
            **_BATCH,
            "state": "paused",
            "by": "breaker",
            "reason": "5 calls in a row failed by the line's own fault; "
            "it waits until one call is tried at 10:01:00 UTC.",
            "waiting": 31,
            "done": 9,
            "outcomes": {"answered": 3, "busy": 1, "failed": 5},
        },
    ),
    "batch.resumed": ("record", {**_BATCH, "state": "running", "by": "operator", "waiting": 31, "done": 9}),
    "batch.cancelled": ("record", {**_BATCH, "state": "cancelled", "by": "operator", "waiting": 0}),
    "batch.finished": (
        "record",
        {**_BATCH, "state": "finished", "waiting": 0, "done": 40, "outcomes": {"answered": 33, "busy": 7}},
    ),
    "do_not_call.added": (
        "record",
        {"number": "+15550100123", "source": "call", "reason": "don't call me again", "call_id": _CALL},
    ),
    "do_not_call.removed": ("record", {"number": "+15550100123", "source": "api"}),
    "call.answered_by": (
        "job",
        {
            "answered_by": "voicemail",
            "confidence": 0.95,
            "reason": "asks for a message: “leave/record * message~”",
            "decided_ms": 4100,
            "revised": False,
            "evidence": {
                "answered_ms": 4100,
                "greeting_ms": 3520,
                "utterances": 2,
                "pauses_ms": [420],
                "silence_ms": 300,
                "words": "You have reached Ann. Please leave a message after the tone.",
                "cues": ["voicemail: leave/record * message~", "voicemail: after/at the tone/beep/tune"],
                "tones": [],
                "early_media": "ringback",
            },
        },
    ),
}


def _example(place: int, event_type: str, source: str, data: dict[str, Any]) -> dict[str, Any]:
    of_line = event_type in LINE_EVENT_TYPES
    call = "line" if of_line else _CALL.removeprefix("call_")
    seq = 0 if event_type == "webhook.test" else place
    return {
        "id": f"evt_{call}_{seq}",
        "type": event_type,
        "timestamp": "2026-11-21T10:00:05.300000+00:00",
        "call_id": None if of_line else _CALL,
        "seq": seq,
        "source": source,
        "late": event_type == "call.amended",
        "data": data,
    }


EXAMPLES: dict[str, dict[str, Any]] = {
    event_type: _example(place, event_type, source, data)
    for place, (event_type, (source, data)) in enumerate(_DATA.items(), start=1)
}
"""A whole payload of each type."""
