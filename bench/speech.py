"""How well and how fast the offline engines hear and speak, on the channel of a telephone.

A person's telephone prompts, English by Whisper tiny.en and Russian by Whisper base, without and with the
words that are expected; forty answers in three synthetic voices, on a quiet line and with noise 20 dB below
the speech, by whether the dialogue understood them; and what each voice's sentences are understood as. Beside
each: time, processor time and memory. Prompts are Debian's, fetched into the user's cache where they are not
installed (``bench/speech_corpus``). What only a free machine can tell is the times.

    .venv/bin/python bench/speech.py              # about six minutes; exit code 1 where a promise is broken
    .venv/bin/python bench/speech.py --quick      # every twelfth of everything, under a minute
    .venv/bin/python bench/speech.py --sections voices,russian
"""

from __future__ import annotations

import gc
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import psutil

from bench.figures import Report, arguments
from bench.interruptions.voices import speak
from bench.speech_corpus.channel import phone
from bench.speech_corpus.hints import RUSSIAN_PROMPTS
from bench.speech_corpus.prompts import human_prompts
from bench.speech_corpus.scoring import errors, letter_errors, words_in
from bench.speech_corpus.understanding import Understanding, answers, sentences
from telephony.errors import DependencyError
from telephony.speech.models import find_russian_whisper, find_whisper
from telephony.speech.program_voice import EspeakVoice, FestivalVoice
from telephony.speech.recogniser import WhisperRecogniser
from telephony.speech.sentences import speech_units
from telephony.speech.voice import HibariVoice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telephony.audio.frame import Samples

SECTIONS = ("english", "answers", "russian", "voices")
CALLERS = ("hibari:1.0", "hibari:0.84", "espeak:en-us")
NOISE_DB = 20.0
RATE = 8000


@dataclass(slots=True)
class Hearing:
    """What a recogniser made of a set."""

    wrong: int = 0
    words: int = 0
    letters_wrong: int = 0
    letters: int = 0
    took_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def add(self, heard: str, said: str) -> None:
        """One utterance."""
        self.wrong += errors(heard, said)
        self.words += len(words_in(said))
        self.letters_wrong += letter_errors(heard, said)
        self.letters += len(" ".join(words_in(said)))

    @property
    def word_errors(self) -> float:
        """In percent of the words said."""
        return 100 * self.wrong / max(1, self.words)

    @property
    def letter_errors(self) -> float:
        """In percent of the letters said."""
        return 100 * self.letters_wrong / max(1, self.letters)


def hear(
    model: WhisperRecogniser, samples: Samples, result: Hearing, *, hint: str = "", language: str = "en"
) -> str:
    """Recognise one utterance, timed."""
    began, worked = time.perf_counter(), time.process_time()
    heard = model.recognise(samples, RATE, hint=hint, language=language)
    result.took_ms.append(1000 * (time.perf_counter() - began))
    result.cpu_ms.append(1000 * (time.process_time() - worked))
    return heard.text


def _loaded(report: Report, name: str, make: Callable[[], Any]) -> Any:
    """A model, warm, with what it takes of memory."""
    gc.collect()
    process = psutil.Process()
    before, began = process.memory_info().rss, time.perf_counter()
    model = make()
    model.warm()
    taken = (process.memory_info().rss - before) / 2**20
    report.figure(f"{name}: memory", "MB", [taken])
    report.figure(f"{name}: until loaded and warm", "ms", [1000 * (time.perf_counter() - began)])
    return model


def _times(report: Report, name: str, result: Hearing) -> None:
    report.figure(f"{name}: end of speech → text", "ms", result.took_ms)
    report.figure(f"{name}: processor time an utterance", "ms", result.cpu_ms)


def english(report: Report, step: int) -> None:
    """A person's English prompts by tiny.en."""
    model = _loaded(report, "tiny.en", lambda: WhisperRecogniser(find_whisper()))
    result = Hearing()
    prompts = human_prompts("en")[::step]
    for number, prompt in enumerate(prompts):
        result.add(hear(model, phone(prompt.samples, seed=number), result), prompt.text)
    target = 6.5 if step == 1 else None
    report.figure(
        f"tiny.en, {len(prompts)} human prompts: word errors", "%", [result.word_errors], target=target
    )
    _times(report, "tiny.en, human prompts", result)


def heard_answers(report: Report, step: int) -> None:
    """Answers in synthetic voices by tiny.en with the state's hint."""
    model, dialogue = WhisperRecogniser(find_whisper()), Understanding()
    model.warm()
    for snr_db, line in ((None, "quiet line"), (NOISE_DB, f"noise {NOISE_DB:g} dB below")):
        result, understood, kinds = Hearing(), 0, dict[str, list[bool]]()
        said = [(answer, voice) for voice in CALLERS for answer in answers()][::step]
        for number, (answer, voice) in enumerate(said):
            samples = phone(speak(voice, answer.text), seed=number, snr_db=snr_db)
            heard = hear(model, samples, result, hint=dialogue.hint(answer.asked))
            result.add(heard, answer.text)
            right = dialogue.meaning(answer.asked, heard) == dialogue.meaning(answer.asked, answer.text)
            understood += right
            kinds.setdefault(answer.asked, []).append(right)
        share = 100 * understood / len(said)
        report.figure(f"tiny.en, {len(said)} answers, {line}: meaning right", "%", [share])
        report.figure(f"tiny.en, {len(said)} answers, {line}: word errors", "%", [result.word_errors])
        report.notes.append(
            f"{line}, by what was asked: "
            + ", ".join(f"{kind} {sum(told)}/{len(told)}" for kind, told in kinds.items())
        )


def russian(report: Report, step: int) -> None:
    """A person's Russian prompts by base, without and with the words that are expected."""
    model = _loaded(report, "base", lambda: WhisperRecogniser(find_russian_whisper(), "ru"))
    chosen = list(enumerate(human_prompts("ru")))[::step]
    for told, name in ((False, "without hints"), (True, "with hints")):
        result = Hearing()
        for number, prompt in chosen:
            hint = RUSSIAN_PROMPTS if told else ""
            samples = phone(prompt.samples, seed=number)
            result.add(hear(model, samples, result, hint=hint, language="ru"), prompt.text)
        target = 18.0 if told and step == 1 else None
        title = f"base, {len(chosen)} human prompts, Russian, {name}"
        report.figure(f"{title}: word errors", "%", [result.word_errors], target=target)
        report.figure(f"{title}: letter errors", "%", [result.letter_errors])
        _times(report, f"base, {name}", result)


def voices(report: Report, step: int) -> None:
    """How soon each voice speaks, and what base understands of it."""
    judge = WhisperRecogniser(find_russian_whisper(), "ru")
    judge.warm()
    kinds: list[tuple[str, str, Callable[[], Any]]] = [
        ("hibari", "en", HibariVoice),
        ("festival", "ru", FestivalVoice),
        ("espeak-ng", "ru", EspeakVoice),
    ]
    for name, language, make in kinds:
        try:
            voice = _loaded(report, name, make)
        except DependencyError as error:
            report.notes.append(f"{name} is left out: {error}")
            continue
        _spoken(report, f"{name}, {language}", voice, judge, language, sentences(language)[:: min(step, 4)])
        if close := getattr(voice, "close", None):
            close()


def _spoken(
    report: Report, name: str, voice: Any, judge: WhisperRecogniser, language: str, texts: Sequence[str]
) -> None:
    first_ms, share, result = [], [], Hearing()
    for number, text in enumerate(texts):
        unit = speech_units(text)[0]
        began, worked = time.perf_counter(), time.process_time()
        samples = voice.speak(unit, rate=RATE)
        first_ms.append(1000 * (time.perf_counter() - began))
        share.append(100 * (time.process_time() - worked) / (samples.size / RATE))
        result.add(hear(judge, phone(samples, seed=number), result, language=language), unit)
    target = 30.0 if name.startswith("hibari") else None
    report.figure(f"{name}: text → first audio", "ms", first_ms, target=target)
    report.figure(f"{name}: processor time of a second of speech", "%", share)
    report.figure(f"{name}: word errors of base, {len(texts)} sentences", "%", [result.word_errors])


def main() -> int:
    """Run the measurement and print its table."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--sections", default=",".join(SECTIONS), help="some of " + ", ".join(SECTIONS))
    parser.add_argument(
        "--each", type=int, default=1, help="only every so many-th utterance; nothing is judged"
    )
    options = parser.parse_args()
    step = 12 if options.quick else options.each
    report = Report("Offline speech on the telephone's channel")
    measured = {"english": english, "answers": heard_answers, "russian": russian, "voices": voices}
    for section in options.sections.split(","):
        measured[section](report, step)
    return report.show(as_json=options.as_json)


if __name__ == "__main__":
    sys.exit(main())
