"""Who writes down what happens in one call: its events, and the log of its pipeline where that is wanted.

The job begins before it knows which call it has; what happens until then is in no event.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from telephony.agent.flow_log import FlowLog, is_wanted
from telephony.agent.pipeline import provider_names
from telephony.agent.questionnaire import Questionnaire
from telephony.agent.record import CallRecord
from telephony.logs import get_logger
from telephony.spool import EventSpool

if TYPE_CHECKING:
    from livekit.agents import JobContext, llm

    from telephony.agent.handover.outcome import TransferKind
    from telephony.agent.settings import AgentSettings
    from telephony.agent.talk import Talk
    from telephony.assistants.schema import Assistant
    from telephony.calls.events import EventType
    from telephony.errors import TransferError
    from telephony.recording.recorder import RecordedFile
    from telephony.turns.no_more_calls.matcher import Demand

log = get_logger(__name__)


class RecordKeeper:
    """One call's.

    Args:
        ctx: the job; its log lines carry the call's id once it is known.
        settings: the worker's.
        assistant: who answers.

    Attributes:
        record: None until the call's id is known.
        flow_log: None where nobody wants it.
        fields: what tools have collected so far.
    """

    def __init__(self, ctx: JobContext, settings: AgentSettings, assistant: Assistant) -> None:
        self._ctx = ctx
        self._settings = settings
        self._assistant = assistant
        self.record: CallRecord | None = None
        self.fields: dict[str, Any] = {}
        self.flow_log = self._wanted_log()

    def begin(self, call_id: str, talk: Talk, *, audio_path: str, resumed: bool) -> None:
        """The call's id is known: write from now on.

        Args:
            audio_path: the name of the way of its audio.
            resumed: whether the call was taken over from a job that died.
        """
        self._ctx.log_context_fields = {**self._ctx.log_context_fields, "call_id": call_id}
        spool = EventSpool(self._settings.events, call_id, "job")
        record = self.record = CallRecord(spool, Questionnaire(self._assistant), talk.flow_state)
        record.interruption = talk.turns.interruption
        record.started(
            assistant=self._assistant.name,
            config_version=self._assistant.version,
            language=self._assistant.language,
            room=self._ctx.room.name,
            job_id=self._ctx.job.id,
            providers=provider_names(talk.pipeline, self._settings.line.speech),
            audio_path=audio_path,
            resumed=resumed,
            pid=os.getpid(),
        )
        log.info("agent_started", assistant=self._assistant.name)

    def caller_known(self, number: str) -> None:
        """Whether the pipeline's log is wanted goes by the caller's number."""
        if self.flow_log is not None and self.record is not None:
            self.flow_log.begin(self.record.call_id, number)

    # What happens

    def message(self, message: llm.ChatMessage) -> None:
        """One side has finished an utterance."""
        if self.record is not None:
            self.record.message(message)

    def key(self, digit: str) -> None:
        """The caller pressed a key."""
        if self.record is not None:
            self.record.key(digit)

    def turn_taking(self, event_type: EventType, data: dict[str, Any]) -> None:
        """Something was decided about who speaks, or done about a provider."""
        if self.flow_log is not None:
            self.flow_log.note("event", type=event_type, kind=data.get("kind"), policy=data.get("policy"))
        if self.record is not None:
            self.record.turn_taking(event_type, data)

    def tool(self, name: str, arguments: dict[str, Any], result: dict[str, Any]) -> None:
        """A tool was called and has answered."""
        log.info("tool_called", tool=name)
        if self.record is not None:
            self.record.tool(name, arguments, result)

    def collected(self, fields: dict[str, Any]) -> None:
        """The call has brought something in."""
        self.fields.update(fields)
        if self.record is not None:
            self.record.collected(fields)

    def transferred(self, to: str, kind: TransferKind, failure: TransferError | None) -> None:
        """The call was to be handed over; one attempt of one kind, and what it failed of."""
        log.info("transfer_tried", kind=kind, outcome=failure.outcome if failure else "completed")
        if self.record is not None:
            self.record.transferred(to, kind, failure)

    def no_more_calls(self, demand: Demand, number: str) -> None:
        """The caller wants no calls any more; the number goes on the do-not-call list with the event."""
        if self.record is not None:
            self.record.no_more_calls(demand.phrase, demand.language, number)

    def recording_refused(self) -> None:
        """The caller does not want to be recorded."""
        if self.record is not None:
            self.record.recording_refused()

    def recorded(self, file: RecordedFile) -> None:
        """The call's recording is complete."""
        if self.record is not None:
            self.record.recorded(file)

    def close(self) -> None:
        """Nothing more is logged of the pipeline; the record was closed with the call's end."""
        if self.flow_log is not None:
            self.flow_log.close()

    def _wanted_log(self) -> FlowLog | None:
        numbers, wanted = self._settings.line.logging.pipeline, is_wanted(self._ctx.job.metadata)
        if not numbers and not wanted:
            return None
        return FlowLog(self._settings.data, numbers, wanted=wanted, hide=self._without_secrets)

    def _without_secrets(self, text: str) -> str:
        return text if self.record is None else self.record.hidden(text)
