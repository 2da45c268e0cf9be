"""The interrupt handler of one call: pause first, decide after.

Pure but for the clock it is given. Guarantees, in whatever order things happen: every pause ends, by going
on from where it began or by yielding; while something must be heard nothing pauses it but a stop word
that it yields to; words are passed on exactly once or dropped, in order, and never passed on while the
agent speaks unless it yields to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from telephony.turns.decision import Decision
from telephony.turns.floor import Pause
from telephony.turns.gathering import evidence_of, evidence_of_words, with_overlap
from telephony.turns.loudness import Loudness
from telephony.turns.overlap import BREATH_S, Overlap
from telephony.turns.policies.same_answer import SameAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.clock import Clock, TimerHandle
    from telephony.turns.evidence import Evidence, Situation, Transcripts
    from telephony.turns.floor import Effects, Floor
    from telephony.turns.judge import Judge
    from telephony.turns.settings import TurnSettings

TICK_S = 0.05
"""How often an overlap is looked at while nothing new is heard of it."""

YIELD_S = 1.5
"""How long speech may take to be over that was yielded; the pause then ends all the same."""

LATE_WORDS_S = 3.0
"""How long after a sound its words may come."""

POLITE_S = 1.0
"""Silence after which what must be heard goes on, where a stop word has made it wait."""

_MOST_PATIENCE = 3.0

_Item = TypeVar("_Item")


class InterruptHandler(Generic[_Item]):
    """One call's.

    Args:
        settings: the assistant's.
        situation: asked whenever something is decided.
        transcripts: which words are to be expected of the recogniser.
    """

    def __init__(
        self,
        clock: Clock,
        judge: Judge,
        floor: Floor,
        effects: Effects[_Item],
        *,
        settings: TurnSettings,
        situation: Callable[[], Situation],
        transcripts: Transcripts,
    ) -> None:
        self._clock = clock
        self._judge = judge
        self._floor = floor
        self._effects = effects
        self._patience_s = settings.patience_s
        self._situation = situation
        self._transcripts = transcripts
        self._loudness = Loudness()
        self._pause = Pause(clock, floor)
        self._overlap: Overlap[_Item] | None = None
        self._yielding = False
        # Passed on when what is yielded is over, and when the agent has said all it has to say.
        self._after: list[_Item] = []
        self._later: list[_Item] = []
        self._spent_until = float("-inf")
        self._sounding_at = float("-inf")
        self._keys = ""
        self._timer: TimerHandle | None = None
        self._closed = False

    @property
    def paused(self) -> bool:
        """Whether playback is held."""
        return self._pause.active

    @property
    def overlapping(self) -> bool:
        """Whether a sound of the caller's over the agent's speech is not settled."""
        return self._overlap is not None

    # The caller

    def onset(self, lead_s: float = 0.0) -> None:
        """The caller begins to make a sound.

        Args:
            lead_s: how long ago it began.
        """
        if self._closed:
            return
        self._sounding_at = self._clock.now()
        began_at = self._clock.now() - lead_s
        self._sound(began_at, voice=True)

    def hear(self, level_dbfs: float, *, sounding: bool) -> None:
        """One moment of the caller's audio, RMS in dBFS; ``sounding`` where it is a voice.

        Loudness pauses before a voice is recognised in it: many words begin with a hiss.
        """
        begins = self._loudness.hear(level_dbfs)
        if begins and not sounding and not self._closed:
            self._sound(self._clock.now(), voice=False)
        if not sounding:
            if self._overlap is None:
                self._loudness.nobody(level_dbfs)
            return
        self._sounding_at = self._clock.now()
        if self._overlap is not None:
            self._overlap.heard(self._sounding_at, level_dbfs)

    def words(self, text: str, item: _Item, *, final: bool) -> None:
        """The recogniser tells of words; ``item`` is passed on if they are a turn."""
        if self._closed:
            self._effects.pass_on(item)
            return
        if self._overlap is None:
            if self._situation().agent == "listening":
                self._words_alone(text, item, final=final)
                return
            self._begin(self._clock.now())
        overlap = self._overlap
        assert overlap is not None, "begun above"
        overlap.said(text, item, final=final)
        self._decide()

    def key(self, digit: str) -> bool:
        """A key was pressed; whether it may be acted on now. Others come by ``Effects.keys``, later."""
        situation = self._situation()
        evidence = self._evidence(situation, key=digit)
        decision = self._judge.decide(evidence)
        if decision.action != "yield":
            self._keys += digit
            self._schedule()
            return False
        if situation.agent != "listening":
            self._yield(decision, evidence)
        return True

    def yield_now(self, policy: str, reason: str) -> bool:
        """Somebody who knows better says that the caller has the floor; whether the agent gives it up.

        Not where something must be heard; and nothing has to be done where the agent says nothing.
        """
        situation = self._situation()
        if (
            self._closed
            or self._yielding
            or situation.agent == "listening"
            or situation.must_hear is not None
        ):
            return False
        self._yield(Decision("yield", policy, reason), self._evidence(situation))
        return True

    # The agent

    def agent_began(self) -> None:
        """Speech of the agent's begins to be heard, perhaps into a sound of the caller's."""
        now = self._clock.now()
        if self._closed or now - self._sounding_at > BREATH_S:
            return
        if self._overlap is None:
            self._begin(now)
        else:
            self._pause_over(self._situation())

    def agent_ended(self) -> None:
        """The agent's speech is over, by itself or because somebody else ended it."""
        if self._yielding:
            return
        self._pause.end()
        if self._overlap is not None:
            self._overlap.patient_since = None
            self._decide()
        if self._situation().agent == "listening":
            self._pass_on(self._later)
        self._look_at_keys()

    def interrupted(self) -> None:
        """What was yielded is over."""
        if self._yielding:
            self._yielding = False
            self._pause.end()
            self._pass_on(self._after)
            self._decide()

    def close(self) -> None:
        """The call is over; harmless when repeated."""
        self._closed = True
        self._overlap = None
        self._yielding = False
        self._after.clear()
        self._later.clear()
        self._keys = ""
        self._pause.end()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # One overlap

    def _sound(self, began_at: float, *, voice: bool) -> None:
        overlap = self._overlap
        if overlap is None:
            if self._situation().agent != "listening":
                self._begin(began_at, voice=voice)
            return
        if overlap.voice and overlap.silence_s(self._clock.now()):
            overlap.sound_again(began_at, voice=voice)
        overlap.voice = overlap.voice or voice
        self._pause_over(self._situation())

    def _begin(self, began_at: float, *, voice: bool = True) -> None:
        self._overlap = Overlap(began_at, voice=voice)
        self._pause_over(self._situation())
        self._schedule()

    def _pause_over(self, situation: Situation) -> None:
        if situation.agent != "listening" and situation.must_hear is None and not self._yielding:
            self._pause.begin()

    def _schedule(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = self._clock.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._look_at_keys()
        if self._overlap is not None:
            self._decide()
        if self._overlap is not None or self._keys:
            self._schedule()

    def _evidence(self, situation: Situation, *, key: str = "") -> Evidence:
        overlap = self._overlap
        told = evidence_of(situation, self._transcripts, self._judge.language, key=key)
        if overlap is None or key:
            return told
        now, paused_s = self._clock.now(), self._pause.lasts_s
        return with_overlap(told, overlap, self._loudness, now, paused_s=paused_s)

    def _decide(self) -> None:
        overlap, situation = self._overlap, self._situation()
        if overlap is None or self._yielding:
            return
        evidence = self._evidence(situation)
        decision = self._judge.decide(evidence)
        if overlap.patient_since is not None:
            decision = self._patiently(overlap, decision, evidence)
        if decision.action == "resume" and not self.paused and not overlap.items:
            # Nothing is held and nothing was said: there is nothing to decide.
            decision = Decision("wait", decision.policy, decision.reason)
        if decision.action == "patience" and overlap.obeyed == (evidence.words or decision.reason):
            if decision.spent and evidence.final:
                overlap.take()
            decision = Decision("wait", decision.policy, decision.reason)
        self._apply(overlap, decision, evidence)
        self._forget_if_over()

    def _patiently(self, overlap: Overlap[_Item], decision: Decision, evidence: Evidence) -> Decision:
        """While the caller has a moment, silence and noise change nothing until it is over."""
        since = overlap.patient_since
        assert since is not None, "asked only then"
        now = self._clock.now()
        granted_s = self._patience_s if evidence.must_hear is None else POLITE_S
        silent_s = now - max(since, overlap.last_sound_at)
        if silent_s >= granted_s or now - since >= _MOST_PATIENCE * self._patience_s:
            overlap.patient_since = None
            return Decision("resume", "patience", "the caller has had a moment", decision.spent)
        if decision.action == "yield" or (decision.action == "resume" and evidence.words and decision.spent):
            return decision
        return decision if decision.action == "patience" else Decision("wait", "patience", "a moment")

    def _apply(self, overlap: Overlap[_Item], decision: Decision, evidence: Evidence) -> None:
        if decision.action == "wait":
            return
        self._tell(overlap, decision, evidence)
        if decision.action == "resume":
            self._resume(overlap, decision, evidence)
        elif decision.action == "patience":
            self._be_patient(overlap, decision, evidence)
        elif evidence.agent == "listening":
            self._pause.end()
            self._overlap = None
            self._pass_on([] if decision.spent else overlap.take())
        else:
            self._yield(decision, evidence)

    def _tell(self, overlap: Overlap[_Item], decision: Decision, evidence: Evidence) -> None:
        same = (decision.action, decision.policy)
        if overlap.decided != same and decision.action != "yield":
            overlap.decided = same
            self._effects.decided(decision, evidence)

    def _resume(self, overlap: Overlap[_Item], decision: Decision, evidence: Evidence) -> None:
        overlap.patient_since = None
        self._pause.end()
        if evidence.must_hear is not None:
            return
        if decision.after:
            self._later += overlap.take()
        elif decision.spent or evidence.final:
            overlap.take()

    def _be_patient(self, overlap: Overlap[_Item], decision: Decision, evidence: Evidence) -> None:
        overlap.obeyed = evidence.words
        if evidence.agent != "listening":
            overlap.patient_since = self._clock.now()
            self._pause.begin()
        if decision.spent:
            if evidence.final:
                overlap.take()
            self._effects.patient(self._patience_s)

    def _yield(self, decision: Decision, evidence: Evidence) -> None:
        overlap, self._overlap = self._overlap, None
        self._effects.decided(decision, evidence)
        self._pause.begin()
        self._yielding = True
        said, self._later = self._later, []
        if decision.spent:
            self._spent_until = self._clock.now() + LATE_WORDS_S
        else:
            # Only once it is over does the history say how much of it was heard, and they answer that.
            self._after += said + (overlap.take() if overlap is not None else [])
        self._clock.call_later(YIELD_S, self.interrupted)
        self._floor.interrupt()

    def _pass_on(self, items: list[_Item]) -> None:
        passed = items.copy()
        items.clear()
        for item in passed:
            self._effects.pass_on(item)

    def _forget_if_over(self) -> None:
        """An overlap is over when its words are settled, or will hardly come any more."""
        overlap = self._overlap
        if overlap is None or self.paused or overlap.patient_since is not None:
            return
        situation = self._situation()
        if overlap.items and situation.must_hear is not None:
            return
        if overlap.silence_s(self._clock.now()) >= LATE_WORDS_S:
            self._overlap = None
            if situation.agent == "listening":
                self._pass_on(overlap.take())

    # Without an overlap

    def _words_alone(self, text: str, item: _Item, *, final: bool) -> None:
        """Words while the agent listens are a turn, unless they ask for a moment, were a stop word's, or
        say an answer again."""
        situation = self._situation()
        language = self._judge.language
        evidence = evidence_of_words(situation, self._transcripts, language, text, final=final)
        decision = self._judge.decide(evidence)
        stopped = decision.spent and self._clock.now() < self._spent_until
        if decision.action == "patience" and decision.spent:
            if final:
                self._effects.decided(decision, evidence)
                self._effects.patient(self._patience_s)
        elif decision.policy == SameAnswer.name:
            if final:
                self._effects.decided(decision, evidence)
        elif not (stopped and decision.action == "yield"):
            self._effects.pass_on(item)

    def _look_at_keys(self) -> None:
        if self._keys and self._situation().must_hear is None:
            keys, self._keys = self._keys, ""
            for digit in keys:
                self._effects.keys(digit)
