"""What one call's job saw, as events on disk.

Each turn is written when it is over, with when it began and ended and how long the caller waited for
it, so the record of a call is complete up to the moment at which anything dies. What a caller answers
where a secret is asked for, by keys or by voice, is never written.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telephony.agent.questionnaire import HIDDEN
from telephony.assistants.turns import Pressed
from telephony.speech.dialogue import caller_turn
from telephony.spool import read_events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from livekit.agents import llm

    from telephony.agent.ending import Ending
    from telephony.agent.questionnaire import Questionnaire
    from telephony.assistants.turns import FlowState
    from telephony.calls.events import EventType
    from telephony.errors import TransferError
    from telephony.recording.recorder import RecordedFile
    from telephony.spool import EventSpool

_PARTS = {
    "end_of_turn_delay": "end_of_turn",
    "transcription_delay": "transcription",
    "llm_node_ttft": "llm_first_token",
    "tts_node_ttfb": "tts_first_audio",
    # From the first sound handed over to the packet with it; the bridge tells when that went out.
    "playback_latency": "transport",
}


class CallRecord:
    """Writes one call's events.

    Args:
        spool: where they go.
        questionnaire: what the call is to bring in.
        state: where the flow stands; None where no flow leads the call.
    """

    def __init__(
        self,
        spool: EventSpool,
        questionnaire: Questionnaire | None = None,
        state: Callable[[], FlowState | None] = lambda: None,
    ) -> None:
        self._spool = spool
        self._questionnaire = questionnaire
        self._state = state
        self.interruption: Callable[[], dict[str, Any]] = dict
        """Why the agent was interrupted last, where somebody can tell."""
        self._caller_parts: dict[str, int] = {}
        self._waits: dict[str, list[int]] = {}
        self._secret_asked = False
        # A job that takes over goes on counting where the one before it stopped.
        self._turns = sum(event.type == "turn.completed" for event in read_events(spool.path))

    @property
    def call_id(self) -> str:
        """The call that is written about."""
        return self._spool.call_id

    def started(self, **facts: Any) -> None:
        """The agent is in the room."""
        if self._questionnaire is not None:
            facts["declared_fields"] = self._questionnaire.declared()
        self._spool.emit("agent.started", **facts)
        # What a job before this one has told already is no news.
        self._changed_fields(None, None)

    def message(self, message: llm.ChatMessage) -> None:
        """One side has finished an utterance; keys are no utterance."""
        text = (message.text_content or "").strip()
        if not text or message.role not in {"user", "assistant"}:
            return
        if message.role == "user" and isinstance(caller_turn(text), Pressed):
            self._collect(None, None)
            return
        self._turns += 1
        by_caller = message.role == "user"
        text = HIDDEN if by_caller and self._secret_asked else self._without_secrets(text)
        metrics: Mapping[str, Any] = message.metrics or {}
        ended = metrics.get("stopped_speaking_at") or message.created_at
        turn: dict[str, Any] = {
            "turn": self._turns,
            "who": "caller" if by_caller else "agent",
            "text": text,
            "started_at": _utc(metrics.get("started_speaking_at") or message.created_at),
            "ended_at": _utc(ended),
            "interrupted": bool(message.interrupted),
        }
        confidence = message.transcript_confidence if by_caller else None
        if confidence is not None:
            turn["confidence"] = round(min(1.0, max(0.0, confidence)), 3)
        if by_caller:
            self._caller_parts = _milliseconds(metrics)
        else:
            turn.update(self._latency(metrics))
        cut = not by_caller and message.interrupted
        if cut:
            turn["interrupted_at"] = text.split()[-1]
        self._spool.emit("turn.completed", **turn)
        if cut:
            why = self._without_secrets(self.interruption())
            self._spool.emit("agent.interrupted", text=text, word=text.split()[-1], at=_utc(ended), **why)
        self._collect(self._turns if by_caller else None, confidence)

    def answered_by(self, data: Mapping[str, Any]) -> None:
        """Who answered the call is known, or known better."""
        self._spool.emit("call.answered_by", **data)

    def turn_taking(self, event_type: EventType, data: Mapping[str, Any]) -> None:
        """Something was decided, or guaranteed, about who speaks; without what the caller keeps secret."""
        evidence = dict(data.get("evidence") or {})
        if self._secret_asked and "words" in evidence:
            evidence["words"] = HIDDEN
        told = dict(data) | ({"evidence": evidence} if evidence else {})
        if self._secret_asked and evidence:
            told.pop("reason", None)
        self._spool.emit(event_type, **self._without_secrets(told))

    def hidden(self, text: str) -> str:
        """A text as others may read it: without what the caller keeps secret."""
        return HIDDEN if self._secret_asked else str(self._without_secrets(text))

    def tool(self, name: str, arguments: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """A tool was called and has answered."""
        told = self._without_secrets({"arguments": dict(arguments), "result": dict(result)})
        self._spool.emit("tool.called", name=name, ok="error" not in result, **told)

    def collected(self, fields: dict[str, Any]) -> None:
        """The call has brought something in."""
        values = {name: {"value": value} for name, value in fields.items()}
        if self._questionnaire is not None:
            values = self._questionnaire.settle(fields)
        self._spool.emit("fields.collected", fields=values)

    def key(self, digit: str) -> None:
        """The caller pressed a key."""
        if self._secret_asked:
            self._spool.emit("dtmf.received", secret=True)
        else:
            self._spool.emit("dtmf.received", digit=digit)

    def transferred(self, to: str, kind: str, failure: TransferError | None = None) -> None:
        """The call was to be handed over; one attempt of one kind, and what it failed of."""
        told: dict[str, Any] = {"outcome": "completed" if failure is None else failure.outcome}
        if failure is not None:
            told["cause"] = failure.cause
            if failure.sip_status is not None:
                told["sip_status"] = failure.sip_status
        self._spool.emit("call.transferred", to=to, kind=kind, ok=failure is None, **told)

    def no_more_calls(self, phrase: str, language: str, number: str) -> None:
        """The caller does not want to be called again, and said so by these words."""
        told = {"phrase": phrase, "language": language} | ({"number": number} if number else {})
        self._spool.emit("do_not_call.requested", **told)

    def recording_refused(self) -> None:
        """The caller does not want to be recorded."""
        self._spool.emit("recording.refused", by="caller")

    def recorded(self, file: RecordedFile) -> None:
        """The call's recording is complete."""
        self._spool.emit("recording.ready", **file.to_event())

    def ended(
        self, ending: Ending, *, outcome: str | None, usage: list[dict[str, Any]] | None = None
    ) -> None:
        """The call is over; nothing is written after this. ``outcome``: None where others know it."""
        if usage:
            self._spool.emit("usage.reported", usage=usage)
        told = {} if outcome is None else {"outcome": outcome}
        self._spool.emit("call.ended", **told, ended_by=ending.by, cause=ending.cause)
        self._spool.close()

    def _collect(self, turn: int | None, confidence: float | None) -> None:
        changed = self._changed_fields(turn, confidence)
        if changed:
            self._spool.emit("fields.collected", fields=changed)

    def _changed_fields(self, turn: int | None, confidence: float | None) -> dict[str, Any]:
        state = self._state()
        if state is None or self._questionnaire is None:
            return {}
        self._secret_asked = self._questionnaire.is_secret(state)
        return self._questionnaire.after(state, turn=turn, confidence=confidence)

    def _without_secrets(self, value: Any) -> Any:
        return value if self._questionnaire is None else self._questionnaire.without_secrets(value)

    def _latency(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        parts = self._caller_parts | _milliseconds(metrics)
        self._caller_parts = {}
        latency = metrics.get("e2e_latency")
        if latency is None:
            return {}
        total = round(latency * 1000)
        for name, value in (parts | {"total": total}).items():
            self._waits.setdefault(name, []).append(value)
        average = {name: round(sum(values) / len(values)) for name, values in self._waits.items()}
        return {"latency_ms": total, "parts_ms": parts, "average_ms": average}


def _milliseconds(metrics: Mapping[str, Any]) -> dict[str, int]:
    return {name: round(metrics[key] * 1000) for key, name in _PARTS.items() if metrics.get(key) is not None}


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
