"""A call that is dialled, from the ringing to the conversation: who answered, and what is done about it.

The job is in the room before the phone rings and says nothing while it does. Guarantees: nothing is said
before the call is answered; a person's first words are not talked over, unless the assistant is set to speak
at once; nothing that a machine says begins a turn of the conversation; a message is said to its end, after
the mailbox's beep wherever one is heard; every wait has its limit, and each machine's call is ended.
What is heard is judged by ``telephony.triage``; this is what is done about it, on both audio paths.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from livekit.agents import stt

from telephony.agent.amd import ModelJudge
from telephony.agent.dialled import answering_of
from telephony.agent.ending import Ending
from telephony.agent.triaged_input import TriagedInput, line_audio
from telephony.calls.outcomes import AnsweredBy
from telephony.logs import get_logger
from telephony.triage.rules import Limits
from telephony.triage.triage import REVISABLE_S, Triage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from livekit import rtc
    from livekit.agents import AgentSession, llm
    from livekit.agents.voice import SpeechHandle

    from telephony.assistants.answering import AnsweringSettings
    from telephony.assistants.schema import Assistant
    from telephony.audio.frame import Samples
    from telephony.triage.evidence import Decision

log = get_logger(__name__)

_WORDS = (
    stt.SpeechEventType.INTERIM_TRANSCRIPT,
    stt.SpeechEventType.PREFLIGHT_TRANSCRIPT,
    stt.SpeechEventType.FINAL_TRANSCRIPT,
)
_LATE_WORDS_S = 2.5
"""How long words of the greeting may come after it was decided on."""
_UNHEARD_S = 0.4
"""A line that brings no audio for so long is silent."""
_RINGS_ON_S = 6.0
"""Pause within a ringing tone: who answered is ringing somebody else."""
_PROMPT_OVER_S = 0.7
"""Silence after a screener's question, or a mailbox's greeting that began again."""
_NO_BEEP_S = 3.0
"""Silence after a mailbox's greeting after which it has no beep."""
_SPOKEN_S = 120.0
"""The longest message."""
_STATED = 2
"""How often a screener is told the purpose."""
_LOOK_S = 0.1
_SURE_S = 1.0

A_PERSON_BEHIND = Limits(short_silence_s=0.8, talks_on_s=3600.0, deadline_s=3600.0, needs_words=True)
"""Behind a screener short phrases are its own as often as a person's, so words are waited for; and music may
play."""


class Lead(Protocol):
    """What this needs of the call."""

    def begin(self, *, greet: bool) -> None:
        """Somebody is there to talk to: the conversation begins, with the greeting or without it."""

    def speak(self, text: str) -> SpeechHandle:
        """Say a text to its end."""

    def be_quiet(self) -> None:
        """Stop whatever is being said, and answer nobody for now."""

    def respond(self, text: str) -> None:
        """Answer what a menu has said."""

    def part(self, ending: Ending) -> None:
        """Hang up."""

    def tell(self, data: dict[str, Any]) -> None:
        """Write ``call.answered_by``."""

    def heard(self, text: str, began_ago_s: float) -> None:
        """What a person said before the conversation began."""


class Answering:
    """One call's.

    Args:
        settings: of this call.
        greeting: the assistant's, for a screener who is told no other purpose.
        lead: the call.
        reads: whether a recogniser's words will come.
        model: asked about the words; None where none is configured.
    """

    def __init__(
        self,
        settings: AnsweringSettings,
        greeting: str,
        lead: Lead,
        *,
        reads: bool = True,
        model: llm.LLM[Any] | None = None,
    ) -> None:
        self._settings = settings
        self._greeting = greeting
        self._lead = lead
        self._reads = reads
        self._model = model
        self.triage = Triage(reads=reads, asks=model is not None)
        self._judge: ModelJudge | None = None
        self._inputs: list[TriagedInput] = []
        self._open = False
        self._opened_at = self._opened_s = 0.0
        self._changed = asyncio.Event()
        self._answer = asyncio.Event()
        self._heard_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._settled = False

    @classmethod
    def of(
        cls, job_metadata: str, assistant: Assistant, lead: Lead, *, model: llm.LLM[Any] | None
    ) -> Answering | None:
        """For a call that is dialled, else None."""
        settings = answering_of(job_metadata, assistant)
        return None if settings is None else cls(settings, assistant.greeting, lead, model=model)

    @property
    def at_once(self) -> bool:
        """Whether the greeting begins with the answer."""
        return self._settings.first_word == "at_once"

    @property
    def is_answered(self) -> bool:
        """Whether the phone was answered."""
        return self._answer.is_set()

    # What the call tells

    def listen(self, session: AgentSession[Any]) -> None:
        """Hear the session's line before it does; harmless when repeated."""
        source = session.input.audio
        if source is None or isinstance(source, TriagedInput):
            return
        triaged = TriagedInput(source, self._hear)
        triaged.open = self._open
        self._inputs.append(triaged)
        session.input.audio = triaged

    def answered(self) -> None:
        """The phone was answered; harmless when repeated."""
        if self._answer.is_set():
            return
        log.info("callee_answered")
        self._heard_at = self._loop.time()
        self.triage.answered()
        if self._model is not None:
            self._judge = ModelJudge(self._model, self._model_says)
            self._judge.start()
        self._answer.set()

    async def recognised(
        self,
        recognise: Callable[[AsyncIterable[rtc.AudioFrame]], AsyncIterable[stt.SpeechEvent]],
        audio: AsyncIterable[rtc.AudioFrame],
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        """The recogniser's events as far as they are the conversation's; all words are evidence."""
        async for event in recognise(line_audio(audio)):
            text = event.alternatives[0].text.strip() if event.alternatives else ""
            if text and event.type in _WORDS:
                self._words(text, final=event.type == stt.SpeechEventType.FINAL_TRANSCRIPT)
            if self._is_for_session(event):
                yield event

    def _hear(self, samples: Samples, rate: int) -> None:
        if self._settled:
            return
        self.triage.hear(samples, rate)
        self._heard_at = self._loop.time()
        if self._judge is not None and self.triage.decision is None:
            silence_s = self.triage.evidence().silence_s
            self._judge.voice(self.triage.heard_anybody and silence_s < 0.3, silence_s)
        self._changed.set()

    def _words(self, text: str, *, final: bool) -> None:
        if self._settled:
            return
        self.triage.words(text, final=final)
        if final and self.is_answered and self._judge is not None:
            self._judge.words(text)
        self._changed.set()

    def _model_says(self, category: str, reason: str) -> None:
        log.info("model_judged", category=category, reason=reason)
        self.triage.model(category, reason)
        self._changed.set()

    def _is_for_session(self, event: stt.SpeechEvent) -> bool:
        """Not what was said while the gate was closed, though its words come after."""
        if not self._open:
            return False
        if event.type == stt.SpeechEventType.RECOGNITION_USAGE or self.at_once:
            return True
        spoke_at = self.triage.spoke_at_s
        spoken_since = spoke_at is not None and spoke_at >= self._opened_s
        return spoken_since or self._loop.time() - self._opened_at > _LATE_WORDS_S

    # The course of the call

    async def lead(self) -> None:
        """From the ringing to the conversation, or to the end of the call; cancelled with the call."""
        await self._answer.wait()
        if self.at_once:
            self._let_in(greet=False)
        else:
            await self._until(lambda: self.triage.decision is not None or self._nobody_speaks())
            if self.triage.decision is None:
                log.info("callee_silent")
                self._let_in(greet=True)
        await self._until(lambda: self.triage.decision is not None)
        decision = self.triage.decision
        if decision is not None:
            await self._act(decision)
        self._settled = True
        await self._close_judge()

    async def aclose(self) -> None:
        """Ask nobody any more."""
        await self._close_judge()

    async def _close_judge(self) -> None:
        judge, self._judge = self._judge, None
        if judge is not None:
            await judge.aclose()

    async def _act(self, decision: Decision) -> None:
        self._tell(decision)
        machine = await self._person(decision) if _is_person(decision) else decision
        if machine is None:
            return
        if machine is not decision:
            self._tell(machine, revised=True)
        await self._machine(machine)

    async def _person(self, decision: Decision) -> Decision | None:
        """Talk; returns what it turns out to be, if it is no person after all."""
        was_open = self._open
        evidence, decided_at = self.triage.evidence(), self._loop.time()
        self._let_in(greet=not was_open)
        if not was_open:
            await self._until(lambda: not self.triage.evidence().words_due, _LATE_WORDS_S)
            began_ago_s = evidence.greeting_s + evidence.silence_s + self._loop.time() - decided_at
            text = self.triage.text
            if text:
                self._lead.heard(text, began_ago_s)
        await self._until(lambda: self.triage.revised is not None, REVISABLE_S + _SURE_S)
        return self.triage.revised

    async def _machine(self, decision: Decision) -> None:
        self._shut_out()
        if decision.answered_by is AnsweredBy.VOICEMAIL:
            await self._mailbox()
        elif decision.answered_by is AnsweredBy.SCREENER:
            await self._screener()
        elif decision.answered_by is AnsweredBy.IVR:
            await self._menu()
        else:
            self._lead.part(Ending("agent", f"nobody can be reached: {decision.reason}"))

    # Machines

    async def _mailbox(self) -> None:
        text = self._settings.message
        if self._settings.voicemail == "hang_up" or text is None:
            self._lead.part(Ending("agent", "a mailbox answered"))
            return
        await self._until(self._may_leave_message, self._settings.beep_wait_s)
        complete = await self._leave(text, may_stop=True)
        if not complete:
            # It was said into the mailbox's own words: its beep came meanwhile, so all of it again.
            complete = await self._leave(text, may_stop=False)
        log.info("message_left", beeps=self.triage.beeps, complete=complete)
        self._lead.part(Ending("agent", "a message was left in the mailbox"))

    def _may_leave_message(self) -> bool:
        return self.triage.beep_is_last or self.triage.silence_s >= _NO_BEEP_S

    async def _leave(self, text: str, *, may_stop: bool) -> bool:
        """Say the message; False where a beep came into it, and it was stopped."""
        handle, beeps = self._lead.speak(text), self.triage.beeps
        said = asyncio.ensure_future(handle.wait_for_playout())
        await self._until(lambda: said.done() or (may_stop and self.triage.beeps > beeps), _SPOKEN_S)
        if said.done():
            return True
        self._lead.be_quiet()
        await asyncio.gather(said, return_exceptions=True)
        return False

    async def _screener(self) -> None:
        if self._settings.screener == "hang_up":
            self._lead.part(Ending("agent", "a call screener answered"))
            return
        until = self._loop.time() + self._settings.person_wait_s
        stated = 0
        state = True
        while self._loop.time() < until:
            await self._until(lambda: self.triage.silence_s >= _PROMPT_OVER_S, until - self._loop.time())
            if state and stated < _STATED:
                stated += 1
                await self._state_purpose()
            self.triage.again(A_PERSON_BEHIND)
            await self._until(lambda: self.triage.decision is not None, until - self._loop.time())
            decision = self.triage.decision
            if decision is None:
                break
            if decision.answered_by is not AnsweredBy.SCREENER:
                await self._act(decision)
                return
            state = decision.confidence > 0.9
        self._lead.part(Ending("agent", "nobody came behind the call screener"))

    async def _state_purpose(self) -> None:
        handle = self._lead.speak(self._settings.purpose or self._greeting)
        try:
            async with asyncio.timeout(_SPOKEN_S):
                await handle.wait_for_playout()
        except TimeoutError:
            log.warning("purpose_not_spoken")

    async def _menu(self) -> None:
        if self._settings.ivr == "hang_up":
            self._lead.part(Ending("agent", "a menu answered"))
            return
        await self._until(lambda: self.triage.silence_s >= _PROMPT_OVER_S, self._settings.person_wait_s)
        text = self.triage.text
        self._let_in(greet=False)
        self._lead.respond(text)

    # The gate

    def _let_in(self, *, greet: bool) -> None:
        """The conversation begins; harmless when it has begun."""
        if self._open:
            return
        self._open, self._opened_at, self._opened_s = True, self._loop.time(), self.triage.now_s
        for each in self._inputs:
            each.open = True
        self._lead.begin(greet=greet)

    def _shut_out(self) -> None:
        if self._open:
            self._lead.be_quiet()
        self._open = False
        for each in self._inputs:
            each.open = False

    # Waiting

    def _nobody_speaks(self) -> bool:
        if self.triage.heard_anybody:
            return False
        if self.triage.rings_on:
            return self.triage.silence_s >= _RINGS_ON_S
        # Where no audio comes, its clock stands still.
        stands_s = self._loop.time() - self._heard_at
        silence_s = self.triage.silence_s + (stands_s if stands_s > _UNHEARD_S else 0.0)
        return silence_s >= self._settings.patience_s

    async def _until(self, met: Callable[[], bool], within_s: float = REVISABLE_S * 10) -> bool:
        """Wait until something holds; whether it does in time."""
        deadline = self._loop.time() + within_s
        while not met():
            left_s = deadline - self._loop.time()
            if left_s <= 0:
                return False
            self._changed.clear()
            try:
                async with asyncio.timeout(min(_LOOK_S, left_s)):
                    await self._changed.wait()
            except TimeoutError:
                continue
        return True

    def _tell(self, decision: Decision, *, revised: bool = False) -> None:
        evidence = self.triage.evidence()
        log.info(
            "answered_by",
            answered_by=str(decision.answered_by),
            confidence=decision.confidence,
            reason=decision.reason,
        )
        self._lead.tell(
            {
                "answered_by": str(decision.answered_by),
                "confidence": decision.confidence,
                "reason": decision.reason,
                "decided_ms": round(evidence.answered_s * 1000),
                "revised": revised,
                "evidence": evidence.to_event(),
            }
        )


def _is_person(decision: Decision) -> bool:
    """Whether to talk to whoever it is."""
    if decision.answered_by is AnsweredBy.HUMAN:
        return True
    return decision.answered_by is AnsweredBy.UNKNOWN and not decision.unreachable
