"""The interrupt handler, joined to one ``AgentSession``: the only module that knows both.

What livekit-agents does about interruptions by itself is switched off (``session``): its detector stops
nothing, its output cannot pause, and words that the caller says into the agent's speech reach it only
when the handler passes them on. So a backchannel never becomes a turn, and words that yielded the floor
become one as any others do. It sees the detector's windows (``watched_vad``), the recogniser's words
(``stt_node``) and the agent's own (``transcription_node``), and holds the agent's voice
(``held_output``); all four are public parts of livekit-agents.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from livekit.agents import Agent, llm, stt, utils
from livekit.agents.voice.events import (
    SpeechCreatedEvent,
    ToolCallEnded,
    ToolCallStarted,
    ToolExecutionUpdatedEvent,
)

from telephony.agent.asked import digits_asked, question_kind
from telephony.agent.held_output import HeldOutput
from telephony.agent.must_hear import is_wanted, say_to_the_end, span_of, spoken_event
from telephony.agent.watched_vad import WatchedVad
from telephony.assistants.tools.registry import TOOLS
from telephony.clock import LoopClock
from telephony.logs import get_logger
from telephony.turns.endpointing import Asked, Endpointing
from telephony.turns.handler import Effects, InterruptHandler, Situation
from telephony.turns.hold_music import HoldMusic
from telephony.turns.judge import judge_for
from telephony.turns.spoken import asks, heard_part, last_words

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from livekit import rtc
    from livekit.agents import AgentSession, ModelSettings, vad
    from livekit.agents.voice import SpeechHandle
    from livekit.agents.voice.io import TimedString

    from telephony.assistants.schema import Assistant
    from telephony.assistants.turns import FlowState
    from telephony.calls.events import EventType
    from telephony.turns.decision import Decision
    from telephony.turns.evidence import AgentState, Evidence, Question, Span, SpanKind, Transcripts

log = get_logger(__name__)

_WORDS = (
    stt.SpeechEventType.INTERIM_TRANSCRIPT,
    stt.SpeechEventType.PREFLIGHT_TRANSCRIPT,
    stt.SpeechEventType.FINAL_TRANSCRIPT,
)
_ASKED_S = 15.0
"""How long a question that was asked may wait for its answer."""
_CUT_OFF_S = 0.6
"""A caller who speaks on so shortly after the end of a turn had not ended it."""
_REMEMBERED_S = 5.0
"""How long the agent's last utterance may be what the caller answers, or what the line echoes."""


class TurnTaking:
    """Who has the floor in one call.

    Args:
        assistant: whose phrases and settings.
        recogniser: what its words are to be expected of; None where the model itself hears the caller.
        state: where the flow stands; None where no flow leads the call.
        tell: writes an event of the call's.

    Attributes:
        on_patience: told that the caller asked for so many seconds.
        on_hold: told when the caller begins to play music in place of speaking, and when that is over.
        on_key: told of a key that could not be acted on when it was pressed.
    """

    def __init__(
        self,
        assistant: Assistant,
        recogniser: stt.STT[Any] | None,
        *,
        state: Callable[[], FlowState | None] = lambda: None,
        tell: Callable[[EventType, dict[str, Any]], None] = lambda *_: None,
    ) -> None:
        self._assistant = assistant
        self._settings = assistant.turns
        self._state = state
        self._tell = tell
        self.on_patience: Callable[[float], None] | None = None
        self.on_key: Callable[[str], None] | None = None
        self.on_hold: Callable[[bool], None] | None = None
        self._music = HoldMusic()
        self._session: AgentSession[Any] | None = None
        self._output: HeldOutput | None = None
        self._heard: utils.aio.Chan[stt.SpeechEvent] | None = None
        self._text = ""
        self._share = 1.0
        self._ended_at = float("-inf")
        self._span: Span | None = None
        self._promised: dict[str, SpanKind] = {}
        self._prompts: set[str] = set()
        self._closing: SpanKind | None = None
        self._talked_over = False
        self._settled_at = float("-inf")
        self._yielded: dict[str, Any] = {}
        self._turn_began_at: float | None = None
        self._sounded_at: float | None = None
        self._transcripts = _expected_of(recogniser)
        self._ends = Endpointing(
            assistant.endpointing,
            self._settings.language or assistant.language,
            self._settings.phrases,
            final_only=self._transcripts == "final",
        )
        self._said: list[str] = []
        self._partial = False
        self._silence_s = 0.0
        self._turn_taken_at = float("-inf")
        self._answer = self._answered = ""
        self._answered_at = float("-inf")
        self._handler: InterruptHandler[stt.SpeechEvent] = InterruptHandler(
            LoopClock(),
            judge_for(self._settings, assistant.language),
            self,
            Effects(self._pass_on, self._decided, self._patient, self._press),
            settings=self._settings,
            situation=self._situation,
            transcripts=self._transcripts,
        )

    # Joining a session

    def watching(self, detector: vad.VAD) -> vad.VAD:
        """The detector for the session, which the handler sees too."""
        if not self._settings.enabled:
            return detector
        return WatchedVad(detector, self._onset, self._window, self._assistant.endpointing.gate_db)

    def attach(self, session: AgentSession[Any]) -> None:
        """Take hold of the voice of a session whose outputs are there; before its first word."""
        self._session = session
        session.on("tool_execution_updated", self._on_tool)
        session.on("speech_created", self._on_speech)
        if self._settings.enabled and session.output.audio is not None and self._output is None:
            self._output = HeldOutput(session.output.audio, self._began, self._ended)
            session.output.audio = self._output

    def close(self) -> None:
        """The call is over: nothing is held any more."""
        self._handler.close()

    # Speech that must be heard

    def say(self, session: AgentSession[Any], text: str, must_hear: SpanKind) -> SpeechHandle:
        """Speak a text to its end, though the caller talks over it; what is said meanwhile is heard after."""
        handle = say_to_the_end(session, text)
        self._promised[handle.id] = must_hear
        return handle

    def promise(self, handle: SpeechHandle, must_hear: SpanKind) -> None:
        """What this handle says, or is saying, must be heard."""
        self._promised[handle.id] = must_hear
        if self._output is not None and self._output.speaking:
            self._look_what_must_be_heard()

    def closing(self, must_hear: SpanKind | None) -> None:
        """From now on everything that is said must be heard: the call is being handed over, or ended."""
        self._closing = must_hear if must_hear and is_wanted(self._settings.must_hear, must_hear) else None
        if self._output is not None and self._output.speaking:
            self._look_what_must_be_heard()

    # What the caller does

    def key(self, digit: str) -> bool:
        """A key was pressed; whether it may be acted on now, and else by ``on_key`` later."""
        return self._handler.key(digit)

    def model_heard(self) -> None:
        """A model that hears the caller by itself says that he has begun to speak: its word leads."""
        self._handler.yield_now("model", "the model hears the caller speak")

    def explains_silence(self, since: float) -> bool:
        """Whether a sound since then, in seconds since 1970, was understood for what it was: no answer."""
        return self._handler.overlapping or self._settled_at >= since

    async def hear(self, events: AsyncIterable[stt.SpeechEvent]) -> AsyncGenerator[stt.SpeechEvent, None]:
        """What the recogniser tells, as far as it is for the session, and when."""
        heard = self._heard = utils.aio.Chan[stt.SpeechEvent]()

        async def sort() -> None:
            try:
                async for event in events:
                    text = event.alternatives[0].text if event.alternatives else ""
                    if event.type in _WORDS and text.strip():
                        final = event.type == stt.SpeechEventType.FINAL_TRANSCRIPT
                        self._listen_to(text.strip(), final=final)
                        self._handler.words(text, event, final=final)
                    else:
                        heard.send_nowait(event)
            finally:
                heard.close()

        sorting = asyncio.create_task(sort(), name="sort_words")
        try:
            async for event in heard:
                yield event
            await sorting
        finally:
            await utils.aio.cancel_and_wait(sorting)

    @property
    def holding(self) -> bool:
        """Whether the agent's voice is held for the caller."""
        return self._handler.paused

    @property
    def silence_s(self) -> float:
        """Silence that ends the caller's turn, by what was asked and said so far."""
        return self._ends.silence_s(" ".join(self._said), self._asked())

    def turn_taken(self) -> float | None:
        """The caller's turn is complete: when it began, in seconds since 1970; None where nobody knows."""
        self._answered = self._answer
        self._forget_words()
        self._turn_taken_at = self._answered_at = time.monotonic()
        began_at, self._turn_began_at = self._turn_began_at, None
        return began_at

    @property
    def last_sounded_at(self) -> float | None:
        """When the caller's voice was heard last, in seconds since 1970; None before it was."""
        return self._sounded_at

    def spoken(self, text: str) -> None:
        """More of what the agent is saying."""
        self._text += text

    def speaks_next(self) -> None:
        """What follows is another utterance."""
        self._text = ""

    # What the record asks

    def interruption(self) -> dict[str, Any]:
        """Why the agent was interrupted last, for ``agent.interrupted``; told once."""
        told, self._yielded = self._yielded, {}
        return told

    # The end of the caller's turn

    def _listen_to(self, text: str, *, final: bool) -> None:
        if self._music.words():
            self._tell_hold()
        if self._partial and self._said:
            self._said.pop()
        self._said.append(text)
        self._partial = not final
        # Asked now: the reply is begun, and is what the agent says, before the turn is taken.
        self._answer = self._ends.answer(" ".join(self._said), self._asked())
        self._tune()

    def _forget_words(self) -> None:
        self._said.clear()
        self._partial = False
        self._answer = ""

    def _tune(self) -> None:
        """Have the session wait as long as the text so far wants it; read when the caller falls silent."""
        session, silence_s = self._session, round(self.silence_s, 2)
        if session is None or silence_s == self._silence_s:
            return
        self._silence_s = silence_s
        session.update_options(
            endpointing_opts={"mode": "fixed", "min_delay": silence_s, "max_delay": silence_s}
        )

    def _asked(self) -> Asked:
        remembered = time.monotonic() - self._ended_at < _ASKED_S
        if not remembered or not asks(self._text, self._share):
            return Asked()
        state = self._state()
        return Asked(question_kind(self._assistant, state), digits_asked(self._assistant, state))

    # Floor

    def hold(self) -> None:
        if self._output is not None:
            self._output.hold()

    def release(self) -> None:
        if self._output is not None:
            self._output.release()

    def interrupt(self) -> None:
        session = self._session
        try:
            done = session.interrupt() if session is not None else None
        except RuntimeError as error:
            log.info("speech_not_interrupted", reason=str(error))
            done = None
        if done is None:
            self._handler.interrupted()
        else:
            done.add_done_callback(lambda _: self._handler.interrupted())

    # The handler's effects

    def _window(self, level_dbfs: float, sounding: bool) -> None:
        if sounding:
            self._sounded_at = time.time()
        self._handler.hear(level_dbfs, sounding=sounding)
        if self._music.hear(time.monotonic(), level_dbfs):
            self._tell_hold()

    def _tell_hold(self) -> None:
        playing = self._music.playing
        log.info("caller_on_hold", on=playing)
        self._tell("caller.on_hold", {"on": playing})
        if self.on_hold is not None:
            self.on_hold(playing)

    def _onset(self, lead_s: float) -> None:
        if time.monotonic() - self._turn_taken_at < _CUT_OFF_S + lead_s:
            # Nobody answers that fast: the caller had not finished.
            self._ends.cut_off()
            self._turn_taken_at = float("-inf")
        if self._turn_began_at is None:
            self._turn_began_at = time.time() - lead_s
        self._handler.onset(lead_s)

    def _pass_on(self, event: stt.SpeechEvent) -> None:
        if self._heard is not None and not self._heard.closed:
            self._heard.send_nowait(event)

    def _decided(self, decision: Decision, evidence: Evidence) -> None:
        told = {
            "policy": decision.policy,
            "reason": decision.reason,
            "evidence": evidence.to_event(),
        }
        log.info("overlap_decided", action=decision.action, policy=decision.policy)
        if decision.action == "yield":
            self._yielded = told
            if decision.spent:
                self._settled_at = time.time()
                self._turn_began_at = None
            return
        self._settled_at = time.time()
        if decision.spent:
            self._turn_began_at = None
            self._forget_words()
        self._talked_over = self._talked_over or evidence.must_hear is not None
        self._tell("interruption.ignored", {"action": decision.action, **told})

    def _patient(self, seconds: float) -> None:
        if self.on_patience is not None:
            self.on_patience(seconds)

    def _press(self, digit: str) -> None:
        if self.on_key is not None:
            self.on_key(digit)

    # The agent's side

    def _on_speech(self, event: SpeechCreatedEvent) -> None:
        """A prompt repeats what the flow has asked; what must be heard of it was heard."""
        if event.source == "say":
            self._prompts.add(event.speech_handle.id)

    def _on_tool(self, event: ToolExecutionUpdatedEvent) -> None:
        """A tool that waits for its words has them heard, such as the notice of a transfer."""
        update = event.update
        if isinstance(update, ToolCallStarted):
            tool = TOOLS.get(update.function_call.name)
            if tool is not None and tool.after_speaking and self._closing is None:
                self.closing("transfer")
        elif isinstance(update, ToolCallEnded) and self._closing == "transfer":
            self.closing(None)

    def _began(self) -> None:
        self._talked_over = False
        self._look_what_must_be_heard()
        self._handler.agent_began()

    def _look_what_must_be_heard(self) -> None:
        handle = self._speech()
        self._span = self._promised_span(handle)
        if self._span is None and (handle is None or handle.id not in self._prompts):
            self._span = span_of(self._settings.must_hear, None, self._state())

    def _speech(self) -> SpeechHandle | None:
        """What is being said, or will be next; None where it is over."""
        handle = self._session.current_speech if self._session is not None else None
        return None if handle is None or handle.done() else handle

    def _promised_span(self, handle: SpeechHandle | None) -> Span | None:
        promised = self._promised.get(handle.id) if handle is not None else None
        return span_of(self._settings.must_hear, promised or self._closing, None)

    def _ended(self, played_s: float, cut: bool) -> None:
        output = self._output
        assert output is not None, "it tells"
        span, handle = self._span, self._speech()
        if handle is None or handle.id not in self._promised:
            self._span = None
        self._share = min(1.0, played_s / output.pushed_s) if cut and output.pushed_s else 1.0
        self._ended_at = time.monotonic()
        if not cut:
            self._ends.went_well()
        if span is not None:
            text = heard_part(self._text, self._share) if cut else self._text
            self._tell(
                "speech.heard",
                spoken_event(span, text.strip(), played_s, complete=not cut, talked_over=self._talked_over),
            )
        if handle is None:
            self._speech_done()
        else:
            # A speech ends a little later than its sound; till then no turn could take its place.
            handle.add_done_callback(self._speech_done)

    def _speech_done(self, _: SpeechHandle | None = None) -> None:
        if self._output is None or not self._output.speaking:
            self._span = None
            self._handler.agent_ended()
            self._tune()

    def _situation(self) -> Situation:
        output, handle, span = self._output, self._speech(), self._span
        if output is not None and output.speaking:
            agent: AgentState = "speaking"
            share = output.share
        elif handle is not None:
            agent, share, span = "preparing", self._share, span or self._promised_span(handle)
        else:
            agent, share, span = "listening", self._share, None
        remembered = agent == "speaking" or time.monotonic() - self._ended_at < _REMEMBERED_S
        return Situation(
            agent,
            last_words(self._text, share) if remembered else "",
            self._question(share),
            span,
            self._answered,
            time.monotonic() - self._answered_at,
        )

    def _question(self, share: float) -> Question | None:
        return question_kind(self._assistant, self._state()) if asks(self._text, share) else None


class TurnTakingAgent(Agent):
    """An agent whose ears and mouth the handler sees.

    Args:
        turns: the call's.
    """

    def __init__(self, turns: TurnTaking, **options: Any) -> None:
        super().__init__(**options)
        self._turns = turns

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        """Words said into the agent's speech wait for the handler."""
        async for event in self._turns.hear(Agent.default.stt_node(self, audio, model_settings)):
            yield event

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        """A turn began with its own first sound, not with a backchannel before it."""
        began_at = self._turns.turn_taken()
        told = new_message.metrics.get("started_speaking_at")
        if began_at is not None and told is not None and began_at > told:
            new_message.metrics["started_speaking_at"] = began_at

    async def transcription_node(
        self, text: AsyncIterable[str | TimedString], model_settings: ModelSettings
    ) -> AsyncGenerator[str | TimedString, None]:
        """What is being said is known to the handler."""
        self._turns.speaks_next()
        async for piece in text:
            self._turns.spoken(piece)
            yield piece


def _expected_of(recogniser: stt.STT[Any] | None) -> Transcripts:
    if recogniser is None:
        return "none"
    return "interim" if recogniser.capabilities.interim_results else "final"
