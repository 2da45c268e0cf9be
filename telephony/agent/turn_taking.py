"""The interrupt handler, joined to one ``AgentSession``: the only module that knows both.

What livekit-agents does about interruptions by itself is switched off (``session``): its detector stops
nothing, its output cannot pause, and words that the caller says into the agent's speech reach it only
when the handler passes them on. So a backchannel never becomes a turn, and words that yielded the floor
become one as any others do. It sees the detector's windows (``watched_vad``), the recogniser's words
(``stt_node``) and the agent's own (``transcription_node``), and holds the agent's voice
(``held_output``); all four are public parts of livekit-agents.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from livekit.agents.voice.events import (
    SpeechCreatedEvent,
    ToolCallEnded,
    ToolCallStarted,
    ToolExecutionUpdatedEvent,
)

from telephony.agent.agents_words import AgentsWords
from telephony.agent.callers_turn import CallersTurn
from telephony.agent.held_output import HeldOutput
from telephony.agent.must_hear import Promises, say_to_the_end, spoken_event
from telephony.agent.watched_vad import WatchedVad
from telephony.agent.word_gate import WordGate
from telephony.assistants.tools.registry import TOOLS
from telephony.clock import LoopClock
from telephony.logs import get_logger
from telephony.turns.evidence import Situation
from telephony.turns.floor import Effects
from telephony.turns.handler import InterruptHandler
from telephony.turns.hold_music import HoldMusic
from telephony.turns.judge import judge_for

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from livekit.agents import AgentSession, stt, vad
    from livekit.agents.voice import SpeechHandle

    from telephony.assistants.schema import Assistant
    from telephony.assistants.turns import FlowState
    from telephony.calls.events import EventType
    from telephony.turns.decision import Decision
    from telephony.turns.evidence import AgentState, Evidence, SpanKind, Transcripts

log = get_logger(__name__)


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
        self._tell = tell
        self.on_patience: Callable[[float], None] | None = None
        self.on_key: Callable[[str], None] | None = None
        self.on_hold: Callable[[bool], None] | None = None
        self._music = HoldMusic()
        self._session: AgentSession[Any] | None = None
        self._output: HeldOutput | None = None
        self._gate = WordGate(self._heard)
        self._settled_at = float("-inf")
        self._yielded: dict[str, Any] = {}
        transcripts = _expected_of(recogniser)
        self._words = AgentsWords(assistant, state)
        self._turn = CallersTurn(assistant, final_only=transcripts == "final", asked=self._words.asked)
        self._promises = Promises(self._settings.must_hear, state)
        self._handler: InterruptHandler[stt.SpeechEvent] = InterruptHandler(
            LoopClock(),
            judge_for(self._settings, assistant.language),
            self,
            Effects(self._gate.pass_on, self._decided, self._patient, self._press),
            settings=self._settings,
            situation=self._situation,
            transcripts=transcripts,
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
        self._turn.attach(session)
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
        self._promises.promise(handle, must_hear)
        return handle

    def promise(self, handle: SpeechHandle, must_hear: SpanKind) -> None:
        """What this handle says, or is saying, must be heard."""
        self._promises.promise(handle, must_hear)
        self._look_again()

    def closing(self, must_hear: SpanKind | None) -> None:
        """From now on everything that is said must be heard: the call is being handed over, or ended."""
        self._promises.close(must_hear)
        self._look_again()

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

    def hear(self, events: AsyncIterable[stt.SpeechEvent]) -> AsyncGenerator[stt.SpeechEvent, None]:
        """What the recogniser tells, as far as it is for the session, and when."""
        return self._gate.sort(events)

    @property
    def holding(self) -> bool:
        """Whether the agent's voice is held for the caller."""
        return self._handler.paused

    @property
    def silence_s(self) -> float:
        """Silence that ends the caller's turn, by what was asked and said so far."""
        return self._turn.silence_s

    def turn_taken(self) -> float | None:
        """The caller's turn is complete: when it began, in seconds since 1970; None where nobody knows."""
        return self._turn.taken()

    @property
    def last_sounded_at(self) -> float | None:
        """When the caller's voice was heard last, in seconds since 1970; None before it was."""
        return self._turn.sounded_at

    def spoken(self, text: str) -> None:
        """More of what the agent is saying."""
        self._words.add(text)

    def speaks_next(self) -> None:
        """What follows is another utterance."""
        self._words.begin()

    # What the record asks

    def interruption(self) -> dict[str, Any]:
        """Why the agent was interrupted last, for ``agent.interrupted``; told once."""
        told, self._yielded = self._yielded, {}
        return told

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
            self._turn.sounded()
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
        self._turn.onset(lead_s)
        self._handler.onset(lead_s)

    def _heard(self, event: stt.SpeechEvent, text: str, final: bool) -> None:
        if self._music.words():
            self._tell_hold()
        self._turn.said(text.strip(), final=final)
        self._handler.words(text, event, final=final)

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
                self._turn.not_begun()
            return
        self._settled_at = time.time()
        if decision.spent:
            self._turn.not_begun()
            self._turn.forget_words()
        if evidence.must_hear is not None:
            self._promises.talked_over = True
        self._tell("interruption.ignored", {"action": decision.action, **told})

    def _patient(self, seconds: float) -> None:
        if self.on_patience is not None:
            self.on_patience(seconds)

    def _press(self, digit: str) -> None:
        if self.on_key is not None:
            self.on_key(digit)

    # The agent's side

    def _on_speech(self, event: SpeechCreatedEvent) -> None:
        if event.source == "say":
            self._promises.prompt(event.speech_handle)

    def _on_tool(self, event: ToolExecutionUpdatedEvent) -> None:
        """A tool that waits for its words has them heard, such as the notice of a transfer."""
        update = event.update
        if isinstance(update, ToolCallStarted):
            tool = TOOLS.get(update.function_call.name)
            if tool is not None and tool.after_speaking and self._promises.closing is None:
                self.closing("transfer")
        elif isinstance(update, ToolCallEnded) and self._promises.closing == "transfer":
            self.closing(None)

    def _look_again(self) -> None:
        if self._output is not None and self._output.speaking:
            self._promises.look(self._speech())

    def _began(self) -> None:
        self._promises.began(self._speech())
        self._handler.agent_began()

    def _speech(self) -> SpeechHandle | None:
        """What is being said, or will be next; None where it is over."""
        handle = self._session.current_speech if self._session is not None else None
        return None if handle is None or handle.done() else handle

    def _ended(self, played_s: float, cut: bool) -> None:
        output = self._output
        assert output is not None, "it tells"
        handle = self._speech()
        span = self._promises.ended(handle)
        self._words.over(min(1.0, played_s / output.pushed_s) if cut and output.pushed_s else 1.0)
        if not cut:
            self._turn.went_well()
        if span is not None:
            over = self._promises.talked_over
            self._tell(
                "speech.heard",
                spoken_event(span, self._words.heard, played_s, complete=not cut, talked_over=over),
            )
        if handle is None:
            self._speech_done()
        else:
            # A speech ends a little later than its sound; till then no turn could take its place.
            handle.add_done_callback(self._speech_done)

    def _speech_done(self, _: SpeechHandle | None = None) -> None:
        if self._output is None or not self._output.speaking:
            self._promises.done()
            self._handler.agent_ended()
            self._turn.tune()

    def _situation(self) -> Situation:
        output, handle, span = self._output, self._speech(), self._promises.span
        share = self._words.share
        if output is not None and output.speaking:
            agent: AgentState = "speaking"
            share = output.share
        elif handle is not None:
            agent, span = "preparing", span or self._promises.of(handle)
        else:
            agent, span = "listening", None
        return Situation(
            agent,
            self._words.last(share, speaking=agent == "speaking"),
            self._words.question(share),
            span,
            self._turn.answered,
            self._turn.since_answer_s,
        )


def _expected_of(recogniser: stt.STT[Any] | None) -> Transcripts:
    if recogniser is None:
        return "none"
    return "interim" if recogniser.capabilities.interim_results else "final"
