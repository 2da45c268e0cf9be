"""One call's triage: hears the line from before the answer on, and says who answered as soon as it is known.

Pure: time is the audio's, so that a call that comes late or in bursts is judged as it was spoken. Guarantees:
what was heard before the answer is never taken for whoever answers; there is one decision at most, and one
revision of it, when somebody who counted as a person turns out to be a machine.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.frame import FRAME_SAMPLES, RATE, Samples
from telephony.audio.resample import Resampler
from telephony.triage import rules
from telephony.triage.cues import Cue, find_cues
from telephony.triage.evidence import Decision, Evidence, ModelVerdict
from telephony.triage.rules import USUAL, Limits
from telephony.triage.sounds import Hearing
from telephony.triage.tones import Tone, TonesHeard
from telephony.triage.utterances import Utterances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.triage.sounds import Sound

REVISABLE_S = 12.0
"""How long after the decision a machine may still show itself."""


class Triage:
    """One call's.

    Args:
        limits: the times of the rules.
        reads: whether words come; where none will, none are waited for.
        asks: whether a model is asked about them.

    Attributes:
        decision: who answered, once known.
        revised: who it was after all, where the decision was wrong.
    """

    def __init__(self, limits: Limits = USUAL, *, reads: bool = False, asks: bool = False) -> None:
        self.decision: Decision | None = None
        self.revised: Decision | None = None
        self._limits = limits
        self._reads = reads
        self._asks = asks
        self._hearing = Hearing()
        self._resampler: Resampler | None = None
        self._rest = np.zeros(0, np.int16)
        self._utterances = Utterances()
        self._tones = TonesHeard()
        self._tones_so_far: list[Tone] = []
        self._withheld: list[Sound] = []
        self._texts: list[str] = []
        self._partial = ""
        self._told_until_s = float("-inf")
        self._cues: tuple[Cue, ...] = ()
        self._model: ModelVerdict | None = None
        self._answered_s: float | None = None
        self._decided_s = float("inf")
        self._before = ""

    # What comes in

    def hear(self, samples: Samples, rate: int = RATE) -> None:
        """The line's next audio, int16, mono, any length."""
        if rate != RATE:
            self._resampler = self._resampler or Resampler(rate, RATE)
            samples = self._resampler.process(samples)
        self._rest = np.concatenate([self._rest, samples]) if self._rest.size else samples
        while self._rest.size >= FRAME_SAMPLES:
            frame, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
            self._frame(frame)

    def words(self, text: str, *, final: bool) -> None:
        """What a recogniser has understood; a text that is not final may still change."""
        self._partial = "" if final else text.strip()
        if final:
            self._texts.append(text.strip())
            self._told_until_s = self._hearing.now_s
        self._cues = find_cues(self.text)
        self._look()

    def model(self, category: str, reason: str) -> None:
        """What a model makes of the words."""
        self._model = ModelVerdict(category, reason)
        self._look()

    def answered(self) -> None:
        """The call is answered: from the next frame on it is who was called; harmless when repeated."""
        if self._answered_s is not None:
            return
        self._before = self._early_media()
        self._answered_s = self._hearing.now_s
        self._forget()

    def again(self, limits: Limits) -> None:
        """Somebody else is expected on the same line, such as the person behind a screener."""
        self._limits, self._asks = limits, False
        self.decision = self.revised = None
        self._answered_s = self._hearing.now_s
        self._decided_s = float("inf")
        self._forget()

    # What is known

    @property
    def text(self) -> str:
        """The words since the answer."""
        return " ".join(part for part in (*self._texts, self._partial) if part)

    @property
    def now_s(self) -> float:
        """Seconds since the answer; 0 before it."""
        return 0.0 if self._answered_s is None else self._hearing.now_s - self._answered_s

    @property
    def spoke_at_s(self) -> float | None:
        """When the voice heard last began to speak, in seconds since the answer."""
        heard = self._utterances.heard
        return heard[-1].begin_s - (self._answered_s or 0.0) if heard else None

    @property
    def heard_anybody(self) -> bool:
        """Whether a voice was heard, or a tone sounds: there is something to wait for."""
        return bool(self._utterances.heard) or self._tones.sounding

    @property
    def silence_s(self) -> float:
        """Since the last sound of a voice, or of a tone; since the answer where there was none."""
        ends = [each.end_s for each in self._utterances.heard[-1:]]
        ends += [tone.end_s for tone in self._tones_so_far[-1:]]
        if self._tones.sounding:
            return 0.0
        return self._hearing.now_s - max([*ends, self._answered_s or 0.0])

    @property
    def beeps(self) -> int:
        """How many beeps were heard since the answer."""
        return sum(tone.name == "beep" for tone in self._tones_so_far)

    @property
    def beep_is_last(self) -> bool:
        """Whether nobody has spoken since the last beep: a mailbox records now."""
        if not self._tones_so_far or self._tones_so_far[-1].name != "beep":
            return False
        heard = self._utterances.heard
        return not heard or heard[-1].end_s <= self._tones_so_far[-1].end_s

    @property
    def rings_on(self) -> bool:
        """Whether the last tone was that of ringing: whoever answered has somebody else called."""
        return bool(self._tones_so_far) and self._tones_so_far[-1].name == "ringback"

    def evidence(self) -> Evidence:
        """All that is known since the answer."""
        heard = self._utterances.heard
        last_s = heard[-1].end_s if heard else (self._answered_s or 0.0)
        return Evidence(
            answered_s=self.now_s,
            greeting_s=heard[-1].end_s - heard[0].begin_s if heard else 0.0,
            utterances=len(heard),
            pauses_s=tuple(later.begin_s - sooner.end_s for sooner, later in itertools.pairwise(heard)),
            silence_s=self._hearing.now_s - last_s,
            words=self.text,
            words_due=self._reads and (self._told_until_s < last_s or bool(self._partial)),
            cues=self._cues,
            tones=tuple(self._tones_so_far),
            tone_sounding=self._tones.sounding,
            model=self._model,
            model_due=self._asks and self._model is None,
            before=self._before or (self._early_media() if self._answered_s is None else ""),
        )

    # Inside

    def _frame(self, frame: Samples) -> None:
        sound = self._hearing.hear(frame)
        was_sounding = self._tones.sounding
        tone = self._tones.hear(sound)
        if self._tones.sounding and not was_sounding:
            self._utterances.take_back(self._tones.since_s)
        if was_sounding and not self._tones.sounding and not self._tones.was_flat:
            for withheld in self._withheld:
                self._utterances.hear(withheld)
        if tone is not None:
            self._tones_so_far.append(tone)
        if self._tones.sounding:
            self._withheld.append(sound)
        else:
            self._withheld.clear()
            self._utterances.hear(sound)
        self._look()

    def _look(self) -> None:
        if self._answered_s is None:
            return
        if self.decision is None:
            self.decision = rules.decide(self.evidence(), self._limits)
            if self.decision is not None:
                self._decided_s = self._hearing.now_s
        elif self.revised is None and self._hearing.now_s - self._decided_s <= REVISABLE_S:
            since_s = self._hearing.now_s - self._decided_s
            self.revised = rules.revise(self.evidence(), self.decision, since_s)

    def _early_media(self) -> str:
        """In a few words what was heard before the answer; empty for silence and ringing alone."""
        names = _names(self._tones_so_far)
        spoken_s = sum(each.length_s for each in self._utterances.heard)
        by_words = rules.by_words(Evidence(0.0, silence_s=float("inf"), words=self.text, cues=self._cues))
        parts = [*names, *([by_words.reason] if by_words else ["a voice"] if spoken_s > 1.0 else [])]
        return ", ".join(parts)

    def _forget(self) -> None:
        self._utterances.forget()
        self._tones_so_far.clear()
        self._texts.clear()
        self._partial, self._cues, self._model = "", (), None
        self._told_until_s = float("-inf")


def _names(tones: Sequence[Tone]) -> list[str]:
    return list(dict.fromkeys(tone.name.replace("_", " ") for tone in tones))
