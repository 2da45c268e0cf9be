"""What one call's job saw, as events on disk.

Each turn is written when it is over, with when it began and ended and how long the caller waited for
it, so the record of a call is complete up to the moment at which anything dies.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telephony.assistants.turns import Pressed
from telephony.speech.dialogue import caller_turn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit.agents import llm

    from telephony.agent.ending import Ending
    from telephony.recording.recorder import RecordedFile
    from telephony.spool import EventSpool

_PARTS = {
    "end_of_turn_delay": "end_of_turn",
    "transcription_delay": "transcription",
    "llm_node_ttft": "llm_first_token",
    "tts_node_ttfb": "tts_first_audio",
}


class CallRecord:
    """Writes one call's events.

    Args:
        spool: where they go.
    """

    def __init__(self, spool: EventSpool) -> None:
        self._spool = spool
        self._caller_parts: dict[str, int] = {}

    @property
    def call_id(self) -> str:
        """The call that is written about."""
        return self._spool.call_id

    def started(self, **facts: Any) -> None:
        """The agent is in the room."""
        self._spool.emit("agent.started", **facts)

    def message(self, message: llm.ChatMessage) -> None:
        """One side has finished an utterance; keys are no utterance."""
        text = (message.text_content or "").strip()
        if not text or message.role not in {"user", "assistant"}:
            return
        if message.role == "user" and isinstance(caller_turn(text), Pressed):
            return
        metrics: Mapping[str, Any] = message.metrics or {}
        ended = metrics.get("stopped_speaking_at") or message.created_at
        turn: dict[str, Any] = {
            "who": "caller" if message.role == "user" else "agent",
            "text": text,
            "started_at": _utc(metrics.get("started_speaking_at") or message.created_at),
            "ended_at": _utc(ended),
            "interrupted": bool(message.interrupted),
        }
        if message.role == "user":
            self._caller_parts = _milliseconds(metrics)
        else:
            turn.update(self._latency(metrics))
        self._spool.emit("turn.completed", **turn)
        if message.role == "assistant" and message.interrupted:
            self._spool.emit("agent.interrupted", text=text, at=_utc(ended))

    def tool(self, name: str, arguments: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """A tool was called and has answered."""
        self._spool.emit("tool.called", name=name, arguments=dict(arguments), result=dict(result))

    def collected(self, fields: dict[str, Any]) -> None:
        """The call has brought something in."""
        self._spool.emit("fields.collected", fields=fields)

    def key(self, digit: str) -> None:
        """The caller pressed a key."""
        self._spool.emit("dtmf.received", digit=digit)

    def transferred(self, to: str, outcome: str) -> None:
        """The call was to be handed over."""
        self._spool.emit("call.transferred", to=to, outcome=outcome)

    def recorded(self, file: RecordedFile) -> None:
        """The call's recording is complete."""
        self._spool.emit("recording.ready", **file.to_event())

    def ended(self, ending: Ending, *, outcome: str) -> None:
        """The call is over; nothing is written after this."""
        self._spool.emit("call.ended", outcome=outcome, ended_by=ending.by, cause=ending.cause)
        self._spool.close()

    def _latency(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        parts = self._caller_parts | _milliseconds(metrics)
        self._caller_parts = {}
        latency = metrics.get("e2e_latency")
        if latency is None:
            return {}
        return {"latency_ms": round(latency * 1000), "parts_ms": parts}


def _milliseconds(metrics: Mapping[str, Any]) -> dict[str, int]:
    return {name: round(metrics[key] * 1000) for key, name in _PARTS.items() if metrics.get(key) is not None}


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
