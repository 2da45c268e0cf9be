"""Never dead air: whoever waits for the agent hears something, whatever a provider does.

The providers replace each other by deadlines (``telephony.speech.guard``) and tell of it here. A deadline
that is missed while the caller waits is bridged with a filler, recorded beforehand. A turn that nobody could
answer is asked for again; after a second one, or a wait without any sound, the caller hears a recorded
apology and is handed over to a person, or told goodbye.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc
from livekit.agents.voice.events import ToolCallEnded, ToolCallStarted

from telephony.agent.must_hear import say_to_the_end
from telephony.audio.frame import RATE
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from livekit.agents import AgentSession
    from livekit.agents.voice import SpeechHandle
    from livekit.agents.voice.events import (
        AgentStateChangedEvent,
        ErrorEvent,
        ToolExecutionUpdatedEvent,
        UserInputTranscribedEvent,
        UserStateChangedEvent,
    )

    from telephony.agent.aside import AsideOutput
    from telephony.assistants.rescue import Rescue
    from telephony.calls.events import EventType
    from telephony.clock import Clock, TimerHandle
    from telephony.speech.guard.stt import GuardedStt
    from telephony.speech.guard.trouble import Stage, Trouble

log = get_logger(__name__)

SILENT_AGENT_S = 8.0
"""Longest wait for the agent without a sound of it, where no tool is at work."""
SECOND_FILLER_S = 4.0
"""Wait after which a filler is repeated."""
MOST_FAILED = 2
"""Turns in a row that nobody could answer; after these the call is given up."""
MOST_UNHEARD = 3
"""The same for speech that no recogniser understood in time."""
_COMMIT_S = 0.3
_STAGES: Final[dict[str, Stage]] = {"llm_error": "llm", "tts_error": "tts"}
_PIECE_BYTES = 2 * RATE // 10


class DeadAir:
    """Watches the agent of one call.

    Args:
        session: the call's.
        phone: where fillers are said; None to say none.
        rescue: the assistant's words for it.
        recorded: a text's sound, PCM, 16 bit, 8 kHz, mono; None where it was not recorded.
        give_up: told why, once, when nothing else helps.
        tell: writes an event of the call's.
        held: whether the agent is silent on purpose, since the caller has the floor.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        phone: AsideOutput | None,
        rescue: Rescue,
        recorded: Callable[[str], bytes | None],
        clock: Clock,
        *,
        give_up: Callable[[str], None],
        tell: Callable[[EventType, dict[str, Any]], None],
        held: Callable[[], bool] = lambda: False,
    ) -> None:
        self._session = session
        self._phone = phone
        self._rescue = rescue
        self._recorded = recorded
        self._clock = clock
        self._give_up = give_up
        self._tell = tell
        self._held = held
        self._late: Stage | None = None
        self._failing: Stage | None = None
        self._fillers = 0
        self._failed = 0
        self._asked_again = ""
        self._unheard = 0
        self._tools = 0
        self._timers: list[TimerHandle] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False
        session.on("agent_state_changed", self._on_agent)
        session.on("user_state_changed", self._on_caller)
        session.on("error", self._on_error)
        session.on("user_input_transcribed", self._on_words)
        session.on("tool_execution_updated", self._on_tool)

    def close(self) -> None:
        """The call is being ended by somebody else: say nothing more."""
        self._over = True
        self._stop_timers()

    async def aclose(self) -> None:
        """Wait for nothing any more."""
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def say(self, text: str) -> SpeechHandle:
        """Say a text as it was recorded, else by the agent's voice; nobody interrupts it."""
        pcm = self._recorded(text)
        return say_to_the_end(self._session, text, None if pcm is None else _frames(pcm))

    def unanswered(self, stage: Stage) -> None:
        """A turn of the caller's will not be answered any more."""
        if not self._over and self._session.agent_state != "speaking":
            self._answerless(stage)

    def lost(self, cause: str) -> None:
        """Nobody can answer any more."""
        self._end(cause)

    # What providers tell

    def trouble(self, trouble: Trouble) -> None:
        """A provider failed, was late, or was replaced."""
        told = {"stage": trouble.stage, "kind": trouble.kind, "provider": trouble.provider}
        self._tell("provider.trouble", told | ({"reason": trouble.reason} if trouble.reason else {}))
        if self._over:
            return
        if trouble.kind == "late":
            self._late = trouble.stage
            if trouble.stage == "stt":
                self._not_understood()
            elif trouble.stage == "realtime" or self._awaited():
                self._fill(trouble.stage)

    # What the session tells

    def _on_error(self, event: ErrorEvent) -> None:
        stage = _STAGES.get(getattr(event.error, "type", ""))
        if self._over or stage is None or getattr(event.error, "recoverable", True):
            return
        if self._awaited() and self._session.agent_state != "speaking":
            self._answerless(stage)
        else:
            # It was to be the answer to a turn that is not complete yet, or nobody's.
            self._failing = stage

    def _on_agent(self, event: AgentStateChangedEvent) -> None:
        self._stop_timers()
        if event.new_state == "speaking":
            self._late, self._failing, self._fillers = None, None, 0
            speech = self._session.current_speech
            if speech is None or speech.id != self._asked_again:
                self._failed = 0
        elif event.new_state == "thinking" and not self._over:
            self._after(SILENT_AGENT_S, self._silent)
            if self._late is not None:
                # It was late before the turn was even complete.
                self._after(_COMMIT_S, lambda: self._fill(self._late or "llm"))
        elif event.old_state == "thinking" and self._failing is not None and not self._over:
            self._answerless(self._failing)

    def _on_caller(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._fillers = 0
            if self._phone is not None:
                self._phone.hush()

    def _on_words(self, event: UserInputTranscribedEvent) -> None:
        if event.is_final and event.transcript.strip():
            self._unheard = 0

    def _on_tool(self, event: ToolExecutionUpdatedEvent) -> None:
        if isinstance(event.update, ToolCallStarted):
            self._tools += 1
        elif isinstance(event.update, ToolCallEnded):
            self._tools = max(0, self._tools - 1)

    # What is done about it

    def _awaited(self) -> bool:
        """Whether the caller waits for the agent's next word."""
        if self._session.user_state == "speaking":
            return False
        speech = self._session.current_speech
        return self._session.agent_state == "thinking" or (speech is not None and not speech.done())

    def _not_understood(self) -> None:
        self._unheard += 1
        if self._unheard >= MOST_UNHEARD:
            self._end("no recogniser understands the caller")
        elif self._session.user_state != "speaking":
            self._fill("stt")

    def _answerless(self, stage: Stage) -> None:
        self._failing = None
        self._failed += 1
        log.warning("turn_not_answered", stage=stage, failed=self._failed)
        if self._failed >= MOST_FAILED:
            self._end(f"no provider answers for {stage}")
        elif self._session.user_state != "speaking":
            self._spawn(self._ask_again())

    async def _ask_again(self) -> None:
        # The speech that failed is over a moment later than its provider.
        speech = self._session.current_speech
        if speech is not None and not speech.done():
            await asyncio.wait({asyncio.ensure_future(_done(speech))}, timeout=1.0)
        if not self._over and self._session.user_state != "speaking":
            pcm = self._recorded(self._rescue.again)
            audio = _frames(pcm) if pcm is not None else None
            again = self._rescue.again
            handle = self._session.say(again, audio=audio) if audio else self._session.say(again)
            self._asked_again = handle.id

    def _silent(self) -> None:
        if self._over or not self._awaited():
            return
        if self._tools or self._held() or (self._phone is not None and self._phone.busy):
            self._after(SILENT_AGENT_S, self._silent)
            return
        log.error("agent_silent", waited_s=SILENT_AGENT_S)
        self._end("the agent fell silent")

    def _fill(self, stage: Stage) -> None:
        if self._over or self._phone is None or self._held() or self._session.agent_state == "speaking":
            return
        texts = self._rescue.fillers
        text = texts[min(self._fillers, len(texts) - 1)] if texts else ""
        pcm = self._recorded(text) if text else None
        if pcm is None:
            log.info("filler_not_recorded", stage=stage)
            return
        self._fillers += 1
        self._spawn(self._say_aside(self._phone, pcm, text, stage))
        self._after(SECOND_FILLER_S, lambda: self._fill_again(stage))

    def _fill_again(self, stage: Stage) -> None:
        if self._awaited():
            self._fill(stage)

    async def _say_aside(self, phone: AsideOutput, pcm: bytes, text: str, stage: Stage) -> None:
        if await phone.say(pcm):
            self._tell("filler.spoken", {"text": text, "stage": stage})

    def _end(self, cause: str) -> None:
        if not self._over:
            self.close()
            self._give_up(cause)

    # Timers and tasks

    def _after(self, delay_s: float, call: Callable[[], None]) -> None:
        self._timers.append(self._clock.call_later(delay_s, call))

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def follow_caller(session: AgentSession[Any], recogniser: GuardedStt) -> None:
    """Have a recogniser told when the caller speaks: from then on its text is waited for."""

    def changed(event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            recogniser.speech_began()
        elif event.old_state == "speaking":
            recogniser.speech_ended()

    session.on("user_state_changed", changed)


def interrupt_all(session: AgentSession[Any]) -> None:
    """Nothing that was to be said is said any more."""
    try:
        session.interrupt(force=True)
    except RuntimeError as error:
        log.info("speech_not_interrupted", reason=str(error))


async def _done(speech: SpeechHandle) -> None:
    await speech.wait_for_playout()


async def _frames(pcm: bytes) -> AsyncIterator[rtc.AudioFrame]:
    for at in range(0, len(pcm), _PIECE_BYTES):
        piece = pcm[at : at + _PIECE_BYTES]
        yield rtc.AudioFrame(piece, RATE, 1, len(piece) // 2)
        await asyncio.sleep(0)
