"""What flows through one call's pipeline, on disk: frames counted, texts, timings; no sound, nothing secret.

Switched on for callers by number (``logging.pipeline``), or for one call by its job's metadata
(``{"pipeline_log": true}``). One JSON object a line, ``at_ms`` since the job began with the call, in
``$TRUNKLINE_DATA/pipeline/<call_id>.jsonl``. Who calls is known a little after the call began; until then
lines are kept in memory.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from livekit.agents import AgentSession, llm
    from livekit.agents.voice.events import (
        AgentStateChangedEvent,
        ErrorEvent,
        UserInputTranscribedEvent,
        UserStateChangedEvent,
    )

log = get_logger(__name__)

MOST_KEPT = 5000
"""Lines that are kept in memory until it is known whether they are wanted."""
FOLDER = "pipeline"
ALL = "all"
_COUNTED = frozenset(
    {
        "input_audio_buffer.append",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "response.audio.delta",
        "response.audio_transcript.delta",
    }
)
"""Events of a realtime model that come too often to be told one by one."""


def is_wanted(metadata: str) -> bool:
    """Whether a job's metadata asks for the log."""
    try:
        told = json.loads(metadata or "{}")
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("pipeline_log") is True


class FlowLog:
    """One call's.

    Args:
        folder: the line's data.
        numbers: whose calls are wanted, or ``all``.
        wanted: whether this very call is.
        hide: takes what is secret out of a text.
    """

    def __init__(
        self, folder: Path, numbers: Sequence[str], *, wanted: bool, hide: Callable[[str], str]
    ) -> None:
        self._folder = folder / FOLDER
        self._numbers = numbers
        self._wanted = wanted or ALL in numbers
        self._hide = hide
        self._began = time.monotonic()
        self._kept: list[str] = []
        self._file: int | None = None
        self._over = False
        self._counts: Counter[str] = Counter()

    def begin(self, call_id: str, number: str | None) -> None:
        """It is known who calls: write, or forget."""
        if self._over or self._file is not None:
            return
        if not self._wanted and (number is None or number not in self._numbers):
            self.close()
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{call_id}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        log.info("pipeline_logged", path=str(path))
        kept, self._kept = self._kept, []
        for line in kept:
            self._write(line)

    def note(self, what: str, *, text: str | None = None, **fields: Any) -> None:
        """One thing flowed; ``text`` is what somebody said."""
        if self._over:
            return
        told: dict[str, Any] = {
            "at_ms": round((time.monotonic() - self._began) * 1000),
            "what": what,
            **fields,
        }
        if text is not None:
            told["text"] = self._hide(text)
        line = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        if self._file is not None:
            self._write(line)
        elif len(self._kept) < MOST_KEPT:
            self._kept.append(line)

    def close(self) -> None:
        """Nothing more is written; harmless when repeated."""
        self._over = True
        self._kept.clear()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def follow(self, session: AgentSession[Any]) -> None:
        """Note what a session tells."""
        session.on("user_state_changed", self._on_caller)
        session.on("agent_state_changed", self._on_agent)
        session.on("user_input_transcribed", self._on_words)
        session.on("error", self._on_error)

    def follow_model(self, session: llm.RealtimeSession[Any]) -> None:
        """Note what goes to a realtime model, and what comes from it."""
        session.on("openai_server_event_received", lambda event: self._realtime("from_model", event))
        session.on("openai_client_event_queued", lambda event: self._realtime("to_model", event))

    def _on_caller(self, event: UserStateChangedEvent) -> None:
        self.note("caller", state=event.new_state)

    def _on_agent(self, event: AgentStateChangedEvent) -> None:
        self.note("agent", state=event.new_state)

    def _on_words(self, event: UserInputTranscribedEvent) -> None:
        if event.transcript:
            self.note("words", text=event.transcript, final=event.is_final)

    def _on_error(self, event: ErrorEvent) -> None:
        self.note("error", kind=getattr(event.error, "type", "error"))

    def _realtime(self, way: str, event: dict[str, Any]) -> None:
        kind = str(event.get("type", ""))
        if kind in _COUNTED:
            self._counts[kind] += 1
            return
        counted = {name: count for name, count in self._counts.items() if count}
        self._counts.clear()
        self.note(way, event=kind, since=counted)

    def _write(self, line: str) -> None:
        if self._file is None:
            return
        try:
            os.write(self._file, line.encode("utf-8", "replace") + b"\n")
        except OSError as error:
            log.warning("pipeline_log_ended", reason=error.strerror or str(error))
            self.close()
