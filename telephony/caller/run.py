"""One scripted call, from synthesising its lines to the report on disk.

Guarantee: ``run_script`` comes back with a report whatever the other side does, and the call is hung up on
the wire by then. It raises only for what is wrong before the first packet: script, address, voice.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telephony.caller.call_clock import CallClock
from telephony.caller.conversation import Conversation, StepFailedError
from telephony.caller.ears import Ears
from telephony.caller.events import CallerEvent
from telephony.caller.measures import between_ms
from telephony.caller.phone import Phone
from telephony.caller.report import CallReport, Problem
from telephony.caller.results import complete_report
from telephony.caller.script import ExpectHangUpStep, ExpectStep
from telephony.caller.store import write_report
from telephony.caller.target import parse_target
from telephony.caller.voice import EngineVoice, default_cache
from telephony.clock import LoopClock
from telephony.errors import ScriptError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from telephony.audio.frame import Samples
    from telephony.caller.activity import Speech
    from telephony.caller.ears import Recogniser
    from telephony.caller.events import CallerEventKind
    from telephony.caller.phone import Dialled
    from telephony.caller.report import HeardUtterance, Outcome
    from telephony.caller.script import Script
    from telephony.caller.voice import Voice
    from telephony.sip.digest import Credentials
    from telephony.sip.uri import SipUri
    from telephony.speech.client import SpeechClient

log = get_logger(__name__)

_FINISH_S = 15.0
"""How long the last utterances may take to be transcribed."""


async def run_script(
    script: Script,
    to: str,
    *,
    speech: SpeechClient | None = None,
    voice: Voice | None = None,
    recogniser: Recogniser | None = None,
    report_dir: Path | None = None,
    on_event: Callable[[CallerEvent], None] | None = None,
    credentials: Credentials | None = None,
) -> CallReport:
    """Call somebody, follow a script, and say how it went.

    Args:
        script: what to do.
        to: a SIP URI, such as ``sip:+15550100100@127.0.0.1:5060``.
        speech: an open connection to a speech engine, for voice and recogniser.
        voice: speaks the lines, all of them before the call; the engine's where None.
        recogniser: understands the agent; the engine where None. Without any the script may expect no words.
        report_dir: where report.json, call.wav and report.html go; nothing is written without it.
        on_event: called with everything the caller notices, as it does.
        credentials: for digest authentication.

    Returns:
        The report; ``ok`` says whether the call went as scripted.

    Raises:
        ScriptError: the script needs a recogniser, or a line cannot be spoken.
        SipParseError: ``to`` is no SIP URI.
        SpeechError: the voice failed.
    """
    uri = parse_target(to)
    recogniser = recogniser or speech
    voice = voice or _engine_voice(script, speech)
    _check_recogniser(script, recogniser)
    lines = {text: await voice.speak(text) for text in script.spoken()}
    call = _Call(script, to, lines, recogniser, on_event or _ignore, credentials)
    report = await call.run(uri)
    await _store(call, report, report_dir)
    return report


async def answer_script(
    script: Script,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    wait_s: float = 600.0,
    speech: SpeechClient | None = None,
    voice: Voice | None = None,
    recogniser: Recogniser | None = None,
    report_dir: Path | None = None,
    on_event: Callable[[CallerEvent], None] | None = None,
) -> CallReport:
    """Be called once, follow a script, and say how it went; arguments as for ``run_script``.

    Args:
        host: the address to listen on.
        port: 0 for any; the event "listening" tells which.
        wait_s: how long the call is waited for.

    Raises:
        ScriptError: the script needs a recogniser, or a line cannot be spoken.
        SpeechError: the voice failed.
    """
    recogniser = recogniser or speech
    voice = voice or _engine_voice(script, speech)
    _check_recogniser(script, recogniser)
    lines = {text: await voice.speak(text) for text in script.spoken()}
    call = _Call(script, f"{host}:{port}", lines, recogniser, on_event or _ignore, None)
    report = await call.run_called(host, port, wait_s)
    await _store(call, report, report_dir)
    return report


def _check_recogniser(script: Script, recogniser: Recogniser | None) -> None:
    if recogniser is None and _needs_recogniser(script):
        raise ScriptError(
            "the script expects words, and nothing here understands speech.",
            field=script.name,
            fix="Give a speech engine, or take the words out of its expect steps.",
        )


async def _store(call: _Call, report: CallReport, report_dir: Path | None) -> None:
    if report_dir is not None:
        report.report = str(report_dir)
        recordings = call.recordings(report.duration_s)
        await asyncio.to_thread(write_report, report, recordings, report_dir)


def _engine_voice(script: Script, speech: SpeechClient | None) -> Voice:
    if speech is None:
        raise ScriptError("nothing here can speak.", field=script.name, fix="Give a speech engine.")
    settings = script.settings
    return EngineVoice(speech, settings.voice, seed=settings.seed, cache=default_cache())


def _needs_recogniser(script: Script) -> bool:
    return any(
        isinstance(step, ExpectStep)
        or (isinstance(step, ExpectHangUpStep) and (step.expect_hang_up.all or step.expect_hang_up.any))
        for step in script.steps
    )


@dataclass(slots=True)
class _Ending:
    outcome: Outcome
    problem: Problem | None = None


class _Call:
    """One call: its phone, its ears, and what is told about it."""

    def __init__(
        self,
        script: Script,
        to: str,
        lines: Mapping[str, Samples],
        recogniser: Recogniser | None,
        on_event: Callable[[CallerEvent], None],
        credentials: Credentials | None,
    ) -> None:
        clock = LoopClock()
        self._clock = CallClock(clock)
        self._script = script
        self._to = to
        self._on_event = on_event
        self._phone = Phone(clock, self._clock, script.settings, credentials)
        language = script.settings.language
        self._ears = Ears(self._clock, self._phone.codec, recogniser, language=language)
        self._talk = Conversation(script, lines, self._phone, self._ears, self._clock, self._emit)
        self._problems: list[Problem] = []
        self._connect()

    def _connect(self) -> None:
        phone, ears = self._phone, self._ears
        phone.on_ringing = self._ringing
        phone.on_packet = ears.hear
        phone.on_tick = self._tick
        phone.on_ended = self._ended
        ears.on_speaking = self._agent_speaking
        ears.on_silent = self._agent_silent
        ears.on_heard = self._heard
        ears.on_failed = self._ears_failed

    async def run(self, uri: SipUri) -> CallReport:
        """Call somebody."""
        self._on_event(CallerEvent("inviting", 0.0, self._to))
        return await self._run(lambda: self._phone.dial(uri))

    async def run_called(self, host: str, port: int, wait_s: float) -> CallReport:
        """Be called."""

        def listening(address: str) -> None:
            self._to = address
            self._on_event(CallerEvent("listening", 0.0, address))

        return await self._run(lambda: self._phone.answer(host, port, listening, wait_s))

    async def _run(self, connect: Callable[[], Awaitable[Dialled]]) -> CallReport:
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._ears.start()
        finish_s = 0.0
        try:
            ending = await self._converse(connect)
            finish_s = _FINISH_S
        finally:
            # The call is ended on the wire even when the run itself is cancelled.
            await self._phone.close()
            await self._ears.finish(finish_s)
        if ending.problem is not None:
            self._problem(ending.problem)
        report = CallReport(self._script.name, self._to, started_at, about=self._script.about.strip())
        report.outcome, report.problems = ending.outcome, self._problems
        report.ok = ending.outcome == "completed"
        complete_report(report, self._phone, self._ears, self._talk, self._script)
        self._emit("ended", report.cause, ok=report.ok, outcome=report.outcome, ended_by=report.ended_by)
        return report

    async def _converse(self, connect: Callable[[], Awaitable[Dialled]]) -> _Ending:
        dialled = await connect()
        if self._phone.answered_s is not None:
            self._emit(
                "answered", after_ms=between_ms(0.0, self._phone.answered_s), codec=self._phone.codec.name
            )
        if dialled.outcome != "answered":
            return _Ending(dialled.outcome, Problem(dialled.reason, self._clock.now()))
        try:
            await self._talk.follow()
        except StepFailedError as failure:
            step = self._talk.steps[-1]
            problem = Problem(failure.message, self._clock.now(), step.number, step.line)
            return _Ending(failure.outcome, problem)
        return _Ending("completed")

    def recordings(self, duration_s: float) -> tuple[Samples, Samples]:
        """What was sent and what was heard, from the INVITE to the end, 8 kHz."""
        return self._phone.mouth.recording(duration_s), self._ears.track.samples_between(0.0, duration_s)

    # What happens meanwhile

    def _emit(self, kind: CallerEventKind, text: str = "", **data: Any) -> None:
        self._on_event(CallerEvent(kind, round(self._clock.now(), 3), text, data))

    def _tick(self) -> None:
        self._ears.tick()
        self._talk.notice()

    def _ended(self) -> None:
        self._ears.end()
        self._talk.notice()

    def _ringing(self, status: int) -> None:
        self._emit("ringing", after_ms=between_ms(0.0, self._phone.ringing_s), status=status)

    def _agent_speaking(self, speech: Speech) -> None:
        data: dict[str, Any] = {"started_s": round(speech.start_s, 3)}
        turn = self._talk.turns[-1]
        if turn.action == "greeting" and len(self._ears.speeches) == 1:
            data["answer_to_first_audio_ms"] = between_ms(self._phone.answered_s, speech.start_s)
        self._emit("agent_speaking", **data)
        if turn.said_end_s is not None and turn.heard_start_s is None and speech.start_s > turn.said_end_s:
            turn.heard_start_s = speech.start_s
            turn.reply_latency_ms = between_ms(turn.said_end_s, speech.start_s)
            self._emit("reply", latency_ms=turn.reply_latency_ms)

    def _agent_silent(self, speech: Speech) -> None:
        self._emit("agent_silent", started_s=round(speech.start_s, 3), ended_s=round(speech.end_s, 3))

    def _heard(self, utterance: HeardUtterance) -> None:
        times = {"started_s": round(utterance.start_s, 3), "ended_s": round(utterance.end_s, 3)}
        self._emit("heard", utterance.text or "", **times)
        self._talk.notice()

    def _ears_failed(self, sentence: str) -> None:
        self._problem(Problem(f"{sentence[:1].upper()}{sentence[1:]}.", self._clock.now()))

    def _problem(self, problem: Problem) -> None:
        self._problems.append(problem)
        self._emit("problem", problem.text, step=problem.step, line=problem.line)


def _ignore(_: CallerEvent) -> None:
    """Nobody watches."""
