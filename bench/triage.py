"""Who answered? Rendered people, mailboxes, screeners, menus, announcements, and what triage makes of them.

Each text of ``answers.yaml`` in several voices, of which one per language is used nowhere else, over a quiet
and a noisy line, without a recogniser, and with one that loses or garbles one word in ten and is half a
second late; and the tones of networks. Printed: a table of confusions for each language, known and held-out
texts apart, and the time from the end of a person's greeting to the decision. Nothing runs but the triage
itself.

    .venv/bin/python bench/triage.py              # about two minutes; exit code 1 where a promise is broken
    .venv/bin/python bench/triage.py --quick      # about half of one
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from bench.figures import Report, arguments
from bench.interruptions.voices import speak
from telephony.audio.frame import FRAME_SAMPLES, RATE, silence, to_int16
from telephony.audio.tones import noise, sine
from telephony.triage.triage import Triage
from tests.triage.samples import Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from telephony.audio.frame import Samples

CORPUS = Path(__file__).parent / "answers.yaml"
VOICES = {"en": ("espeak:en-us", "hibari:1.0", "espeak:en-gb+f2"), "ru": ("espeak:ru", "espeak:ru+f2")}
"""The last one of each is held out."""
QUICK = {"en": ("espeak:en-us", "espeak:en-gb+f2"), "ru": ("espeak:ru", "espeak:ru+f2")}
NOISES_DBFS = (-65.0, -45.0)
LABELS = ("human", "voicemail", "screener", "ivr", "unreachable", "unknown")
_BEEPS_HZ = (440.0, 800.0, 1000.0, 1400.0, 1900.0)
_LATE_S = 0.5
_LOST = 0.1
_WAITS_S = 5.0


@dataclass(frozen=True, slots=True)
class Case:
    """One call: its sound from the answer on, when its greeting ends, its words as they are told."""

    language: str
    label: str
    held_out: bool
    samples: Samples
    ends_s: float
    words: tuple[tuple[float, str], ...] = ()
    beeps: bool = False


@dataclass(slots=True)
class Trial:
    """What came of one case: the final label, when it was decided, and whether it was revised."""

    case: Case
    label: str
    decided_s: float | None
    revised: bool
    reads: bool


@dataclass(slots=True)
class Confusions:
    """One table of confusions."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def right(self, label: str) -> float:
        """The share of a label's cases that were recognised."""
        of_label = sum(count for (meant, _), count in self.counts.items() if meant == label)
        return self.counts[label, label] / of_label if of_label else float("nan")


def cases(voices: Mapping[str, Sequence[str]], *, quick: bool) -> Iterator[Case]:
    """The corpus, the same every time."""
    chance = random.Random(8)
    corpus: dict[str, Any] = yaml.safe_load(CORPUS.read_text())
    for language, labels in corpus.items():
        for label, lists in labels.items():
            for kept, texts in lists.items():
                for text in texts:
                    for voice in voices[language]:
                        held_out = kept == "held_out" or voice == VOICES[language][-1]
                        for level in NOISES_DBFS[: 1 if quick else None]:
                            yield _case(language, label, text, voice, level, chance, held_out=held_out)
        yield from _tones(language)


def _case(
    language: str, label: str, text: str, voice: str, level: float, chance: random.Random, *, held_out: bool
) -> Case:
    said = speak(voice, text)
    before = silence(round(RATE * chance.uniform(0.2, 0.9)))
    pieces = [before, said]
    ends_s = (before.size + said.size) / RATE
    beeps = label == "voicemail" and chance.random() < 0.75
    if beeps:
        pieces.append(silence(round(RATE * chance.uniform(0.2, 1.0))))
        pieces.append(sine(chance.choice(_BEEPS_HZ), chance.uniform(0.2, 0.8), amplitude=0.2))
    pieces.append(silence(round(RATE * _WAITS_S)))
    clean = np.concatenate(pieces)
    hiss = noise(clean.size / RATE, level, np.random.default_rng(chance.randrange(2**31)))[: clean.size]
    words: tuple[tuple[float, str], ...] = ((ends_s + _LATE_S, _misheard(text, chance)),)
    middle = text.find(". ") + 1
    if len(text) > 60 and middle:
        # Finals come by sentence in a long greeting.
        at_s = before.size / RATE + said.size / RATE * middle / len(text)
        words = (
            (at_s + _LATE_S, _misheard(text[:middle], chance)),
            (ends_s + _LATE_S, _misheard(text[middle:], chance)),
        )
    label = "unreachable" if label == "unavailable" else label
    mixed = to_int16(clean.astype(np.float64) + hiss)
    return Case(language, label, held_out, mixed, ends_s, words, beeps)


def _misheard(text: str, chance: random.Random) -> str:
    """What a recogniser makes of it: a word lost or garbled now and then."""
    words = []
    for word in text.split():
        luck = chance.random()
        if luck < _LOST / 2:
            continue
        words.append(word[: max(1, len(word) // 2)] if luck < _LOST else word)
    return " ".join(words)


def _tones(language: str) -> Iterator[Case]:
    """The network's own tones; a ringing tone alone is decided on by nobody."""
    lines = {
        "busy 425": Line().cadence(425, 0.35, 0.35, 10),
        "congestion 425": Line().cadence(425, 0.175, 0.175, 16),
        "special information": Line().tone(950, 0.33).tone(1400, 0.33).tone(1800, 0.33).quiet(4),
        "fax": Line().quiet(0.5).tone(2100, 3.0).quiet(3),
    }
    if language == "en":
        busy, reorder = Line(), Line()
        for _ in range(6):
            busy.two_tones(480, 620, 0.5).quiet(0.5)
            reorder.two_tones(480, 620, 0.25).quiet(0.25)
        lines |= {"busy 480+620": busy, "reorder 480+620": reorder}
    for line in lines.values():
        yield Case(language, "unreachable", True, line.samples(), 0.0)
    ringing = Line()
    for _ in range(3):
        if language == "en":
            ringing.two_tones(440, 480, 2.0).quiet(4.0)
        else:
            ringing.tone(425, 1.0, 0.1).quiet(4.0)
    yield Case(language, "unknown", True, ringing.samples(), 0.0)


def judge(case: Case, *, reads: bool) -> Trial:
    """Let triage hear a case."""
    triage = Triage(reads=reads)
    triage.answered()
    due = list(case.words) if reads else []
    decided_s = None
    for at in range(0, case.samples.size, FRAME_SAMPLES):
        now_s = at / RATE
        while due and due[0][0] <= now_s:
            triage.words(due.pop(0)[1], final=True)
        triage.hear(case.samples[at : at + FRAME_SAMPLES])
        if decided_s is None and triage.decision is not None:
            decided_s = now_s
    last = triage.revised or triage.decision
    label = "unknown" if last is None else "unreachable" if last.unreachable else str(last.answered_by)
    return Trial(case, label, decided_s, triage.revised is not None, reads)


def confusions(trials: Sequence[Trial]) -> Confusions:
    """Count them."""
    table = Confusions()
    for trial in trials:
        table.counts[trial.case.label, trial.label] += 1
    return table


def show(table: Confusions, title: str) -> None:
    """Print one table of confusions."""
    shown = Table(title=title, title_justify="left")
    shown.add_column("is \\ taken for")
    for label in LABELS:
        shown.add_column(label, justify="right")
    for meant in LABELS:
        row = [table.counts[meant, taken] for taken in LABELS]
        if any(row):
            shown.add_row(meant, *(str(count) if count else "·" for count in row))
    Console(width=None if sys.stdout.isatty() else 150).print(shown)


def main() -> int:
    """Measure and print."""
    options = arguments(__doc__ or "").parse_args()
    report = Report("who answered")
    made = list(cases(QUICK if options.quick else VOICES, quick=options.quick))
    trials = [judge(case, reads=reads) for case in made for reads in (True, False)]
    for language in VOICES:
        for reads in (True, False):
            for held_out in (False, True):
                some = [
                    trial
                    for trial in trials
                    if (trial.case.language, trial.reads, trial.case.held_out) == (language, reads, held_out)
                ]
                table = confusions(some)
                heard = "words" if reads else "sound alone"
                name = f"{language}, {heard}, {'held out' if held_out else 'known'}"
                if not options.as_json:
                    show(table, name)
                _figures(report, some, table, name, reads=reads, held_out=held_out)
    return report.show(as_json=options.as_json)


def _figures(
    report: Report, trials: Sequence[Trial], table: Confusions, name: str, *, reads: bool, held_out: bool
) -> None:
    people, mailboxes = 100 * table.right("human"), 100 * table.right("voicemail")
    report.figure(f"{name}: people recognised", "%", [people], target=97, at_least=True)
    if reads:
        least = 85 if held_out else 95
        report.figure(f"{name}: mailboxes recognised", "%", [mailboxes], target=least, at_least=True)
    else:
        beeping = [trial.label == "voicemail" for trial in trials if trial.case.beeps]
        found = 100 * sum(beeping) / len(beeping)
        report.figure(f"{name}: mailboxes with a beep", "%", [found], target=97, at_least=True)
    waited = [
        trial.decided_s - trial.case.ends_s
        for trial in trials
        if trial.case.label == "human" and trial.decided_s is not None
    ]
    report.figure(f"{name}: end of a person's greeting → decision", "s", waited, target=0.8)


if __name__ == "__main__":
    sys.exit(main())
