"""Follow a script, step by step, through a call that is up.

Guarantee: every wait has a deadline, and a step that fails says in a sentence what was awaited and what was
heard instead. Knows neither SIP nor RTP: it has a phone to speak into and ears to listen with.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from telephony.audio.frame import FRAME_SAMPLES
from telephony.audio.tones import sine
from telephony.caller.measures import barge_in_silence_ms
from telephony.caller.report import StepResult, Turn
from telephony.caller.script import (
    BeepStep,
    Expect,
    ExpectHangUp,
    ExpectHangUpStep,
    ExpectStep,
    HangUp,
    HangUpStep,
    Interrupt,
    InterruptStep,
    PressStep,
    Say,
    SayStep,
    WaitStep,
    describe,
    kind_of,
)
from telephony.caller.words import begins_with, missing_from
from telephony.errors import ScriptError, TrunklineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from telephony.audio.frame import Samples
    from telephony.caller.ears import Ears
    from telephony.caller.events import CallerEventKind
    from telephony.caller.mouth import Playback
    from telephony.caller.report import Outcome
    from telephony.caller.script import Script
    from telephony.clock import Clock

_TURN_OVER_S = 1.2
"""Silence after which the agent is taken to have said all it wants to say."""
_LINE_GRACE_S = 3.0
_KEY_S = 0.5
"""From one key to the next, as ``telephony.rtp.dtmf`` sends them."""
_TEXT_S = 10.0
"""How long what was said last may take to be transcribed after the call has ended."""


class Telephone(Protocol):
    """What this needs of ``telephony.caller.phone.Phone``."""

    ended: asyncio.Event

    @property
    def answered_s(self) -> float | None: ...

    def speak(self, samples: Samples) -> Playback: ...

    async def press(self, digits: str) -> None: ...

    async def hang_up(self) -> None: ...


class StepFailedError(ScriptError):
    """A step did not go as the script says; ``outcome`` is what that makes of the call."""

    def __init__(self, message: str, outcome: Outcome = "expectation_failed") -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome


class Emit(Protocol):
    """Tells whoever watches."""

    def __call__(self, kind: CallerEventKind, text: str = "", **data: Any) -> None: ...


class Conversation:
    """One call, as one script has it.

    Args:
        script: what to do.
        lines: samples of each of its lines.
        phone: the call, answered.
        ears: hears it.
        clock: of the call.
        emit: told of all that happens.

    Attributes:
        turns: the actions so far, the agent's greeting first.
        steps: how each step went.
        digits: the keys pressed: ``at_s`` and ``digits``.
    """

    def __init__(
        self,
        script: Script,
        lines: Mapping[str, Samples],
        phone: Telephone,
        ears: Ears,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self.turns: list[Turn] = [Turn("greeting")]
        self.steps: list[StepResult] = []
        self.digits: list[dict[str, Any]] = []
        self._script = script
        self._lines = lines
        self._phone = phone
        self._ears = ears
        self._clock = clock
        self._emit = emit
        self._changed = asyncio.Event()
        self._action_s = float("-inf")
        """When the person last began to do something; what the agent says from then on is about that."""
        self._last_say: Turn | None = None

    @property
    def step(self) -> int:
        """Number of the step under way, from 1."""
        return len(self.steps) + 1

    def notice(self) -> None:
        """Look again at what is awaited; call it each 20 ms and whenever something happened."""
        self._changed.set()

    async def follow(self) -> None:
        """Do every step in order.

        Raises:
            StepFailedError: one of them did not go as it should; the rest was not tried.
        """
        for number, step in enumerate(self._script.steps, 1):
            result = StepResult(
                number, kind_of(step), describe(step), self._script.line_of(number - 1), False, 0.0
            )
            try:
                await self._do(step)
            except StepFailedError as failure:
                result.detail = failure.message
                raise
            except TrunklineError as failure:
                result.detail = str(failure)
                raise StepFailedError(str(failure), "failed") from failure
            else:
                result.ok = True
            finally:
                result.at_s = self._clock.now()
                self.steps.append(result)
                if isinstance(step, ExpectStep | ExpectHangUpStep):
                    self._emit("expectation", result.detail or result.text, ok=result.ok)

    async def _do(self, step: Any) -> None:
        if isinstance(step, SayStep):
            await self._await_cue(step.say)
            await self._say(step.say.text)
        elif isinstance(step, ExpectStep):
            await self._expect(step.expect)
        elif isinstance(step, InterruptStep):
            await self._interrupt(step.interrupt)
        elif isinstance(step, PressStep):
            await self._press(step.press)
        elif isinstance(step, BeepStep):
            await self._beep(step)
        elif isinstance(step, WaitStep):
            await self._until(lambda: False, step.wait)
        elif isinstance(step, HangUpStep):
            await self._hang_up(step.hang_up)
        elif isinstance(step, ExpectHangUpStep):
            await self._expect_hang_up(step.expect_hang_up)

    # Waiting

    async def _until(self, met: Callable[[], bool], within_s: float, *, through_end: bool = False) -> bool:
        """Wait until something holds; False when it did not in time.

        Raises:
            StepFailedError: the agent hung up (unless ``through_end``), or the call has lasted too long.
        """
        deadline_s = self._clock.now() + within_s
        answered_s = self._phone.answered_s or 0.0
        longest_s = answered_s + self._script.settings.max_duration_s
        while not met():
            now_s = self._clock.now()
            if self._phone.ended.is_set() and not through_end:
                raise StepFailedError("The agent hung up before the script was through.", "agent_hung_up")
            if now_s >= deadline_s:
                return False
            if now_s >= longest_s:
                limit = f"{self._script.settings.max_duration_s:g} s"
                raise StepFailedError(f"The call lasted longer than {limit}.", "failed")
            self._changed.clear()
            try:
                # Ticks stop with the call, so the deadline is looked at without them too.
                async with asyncio.timeout(0.1):
                    await self._changed.wait()
            except TimeoutError:
                continue
        return True

    async def _await_cue(self, say: Say) -> None:
        if say.when == "after_ms":
            await self._until(lambda: False, say.delay_ms / 1000)
        elif say.when == "over_agent":
            await self._await_agent_speaking(say.delay_ms, say.within_s)
        else:
            await self._await_agent_silent(say.delay_ms, say.within_s)

    async def _await_agent_speaking(self, for_ms: int, within_s: float) -> None:
        def speaking() -> bool:
            current = self._ears.current
            if current is None or current.start_s <= self._action_s:
                return False
            return self._clock.now() - current.start_s >= for_ms / 1000

        if not await self._until(speaking, within_s):
            heard = "it did not speak" if not self._ears.spoken_since(self._action_s) else "it stopped before"
            raise StepFailedError(f"The agent was to speak for {for_ms} ms within {within_s:g} s: {heard}.")

    async def _await_agent_silent(self, for_ms: int, within_s: float) -> None:
        def finished() -> bool:
            if not self._ears.spoken_since(self._action_s):
                return False
            return self._ears.silent_for(self._clock.now()) >= for_ms / 1000

        if not await self._until(finished, within_s):
            if self._ears.spoken_since(self._action_s):
                raise StepFailedError(f"The agent did not stop speaking within {within_s:g} s.")
            raise StepFailedError(f"The agent said nothing within {within_s:g} s.")

    # Speaking

    async def _say(self, text: str, *, repeated: bool = False) -> None:
        turn = Turn("say", text, repeated=repeated)
        playback = await self._begin(turn)
        await self._finish(turn, playback)

    async def _begin(self, turn: Turn) -> Playback:
        playback = self._phone.speak(self._lines[turn.said])
        if not await self._until(lambda: playback.started_s is not None, _LINE_GRACE_S):
            raise StepFailedError("The line could not be sent: the media clock stands still.", "failed")
        turn.said_start_s = self._action_s = playback.started_s or 0.0
        self.turns.append(turn)
        self._last_say = turn
        kind: CallerEventKind = "interrupted" if turn.action == "interrupt" else "saying"
        self._emit(kind, turn.said, duration_s=playback.duration_s, repeated=turn.repeated)
        return playback

    async def _finish(self, turn: Turn, playback: Playback) -> None:
        try:
            sent = await self._until(playback.done.is_set, playback.duration_s + _LINE_GRACE_S)
        finally:
            turn.said_end_s = self._clock.now() if playback.ended_s is None else playback.ended_s
        if sent and playback.ended_s is None:
            raise StepFailedError("The agent hung up in the middle of the line.", "agent_hung_up")
        if not sent:
            raise StepFailedError("The line was not sent in time: the media clock stands still.", "failed")
        self._emit("said", turn.said)

    async def _interrupt(self, interrupt: Interrupt) -> None:
        await self._await_agent_speaking(interrupt.after_ms, interrupt.within_s)
        turn = Turn("interrupt", interrupt.text)
        playback = await self._begin(turn)
        onset_s = self._action_s

        def silent() -> bool:
            current = self._ears.current
            return current is None or current.start_s > onset_s

        limit_ms = interrupt.silent_within_ms
        # Silence is only known for sure once it has lasted as long as a pause between utterances.
        fell_silent = await self._until(silent, limit_ms / 1000 + 1.0)
        turn.barge_in_silence_ms = barge_in_silence_ms(onset_s, self._ears.speeches) if fell_silent else None
        if turn.barge_in_silence_ms is not None:
            self._emit("barge_in", turn.said, silence_ms=turn.barge_in_silence_ms)
        await self._finish(turn, playback)
        if not fell_silent or (turn.barge_in_silence_ms or 0.0) > limit_ms:
            raise StepFailedError(f"The agent went on speaking for more than {limit_ms} ms when interrupted.")

    async def _press(self, digits: str) -> None:
        now_s = self._clock.now()
        # A key counts from its first packet: the other side knows it then, long before it is let go.
        turn = Turn("press", digits, said_start_s=now_s, said_end_s=now_s + _KEY_S * (len(digits) - 1))
        self.turns.append(turn)
        self._action_s = now_s
        self.digits.append({"at_s": now_s, "digits": digits})
        self._emit("pressed", digits)
        await self._phone.press(digits)

    async def _beep(self, step: BeepStep) -> None:
        """Sound a tone; what the agent says after it is about that."""
        samples = sine(step.beep.hz, step.beep.ms / 1000, amplitude=0.2)
        whole = samples.size // FRAME_SAMPLES * FRAME_SAMPLES
        playback = self._phone.speak(samples[:whole])
        self._emit("beeped", describe(step))
        await self._until(playback.done.is_set, playback.duration_s + _LINE_GRACE_S)
        self._action_s = self._clock.now()

    # Listening

    def _missing(self, expect: Expect | ExpectHangUp) -> list[str]:
        text = self._ears.text_since(self._action_s)
        missing = missing_from(text, every=expect.all, one_of=expect.any)
        begins = expect.begins if isinstance(expect, Expect) else []
        if begins and not any(begins_with(entry, text) for entry in begins):
            missing.insert(0, f"{' or '.join(begins)} at the beginning")
        return missing

    async def _expect(self, expect: Expect) -> None:
        repeats = expect.repeats if self._last_say is not None else 0
        while True:
            may_repeat = repeats > 0
            await self._until(
                lambda may=may_repeat: (  # type: ignore[misc]  # mypy does not infer a default in a lambda
                    not self._missing(expect) or self._all_over() or (may and self._said_something_else())
                ),
                expect.within_s,
                through_end=True,
            )
            if not self._missing(expect):
                return
            if not may_repeat or self._phone.ended.is_set() or not self._said_something_else():
                raise self._not_said(expect)
            assert self._last_say is not None
            repeats -= 1
            await self._say(self._last_say.said, repeated=True)

    def _all_over(self) -> bool:
        return self._phone.ended.is_set() and not self._ears.waiting_for_text()

    def _said_something_else(self) -> bool:
        """The agent's turn is over, and all of it is known."""
        if not self._ears.spoken_since(self._action_s) or self._ears.waiting_for_text():
            return False
        return self._ears.silent_for(self._clock.now()) >= _TURN_OVER_S

    def _not_said(self, expect: Expect | ExpectHangUp) -> StepFailedError:
        missing = ", ".join(self._missing(expect))
        text = self._ears.text_since(self._action_s)
        heard = f"it said “{text}”" if text else "it said nothing that was understood"
        outcome: Outcome = "expectation_failed"
        if self._phone.ended.is_set() and isinstance(expect, Expect):
            outcome, heard = "agent_hung_up", f"{heard} and hung up"
        return StepFailedError(f"The agent did not say: {missing}; {heard}.", outcome)

    # Ending

    async def _hang_up(self, hang_up: HangUp) -> None:
        if hang_up.when == "after_agent":
            await self._await_agent_silent(700, hang_up.within_s)
        await self._phone.hang_up()

    async def _expect_hang_up(self, expect: ExpectHangUp) -> None:
        if not await self._until(self._phone.ended.is_set, expect.within_s, through_end=True):
            raise StepFailedError(f"The agent did not hang up within {expect.within_s:g} s.")
        if not (expect.all or expect.any):
            return
        await self._until(lambda: not self._missing(expect) or self._all_over(), _TEXT_S, through_end=True)
        if self._missing(expect):
            raise self._not_said(expect)
