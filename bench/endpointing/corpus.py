"""Utterances whose ends are known: rendered ones with a pause inside, and a person's telephone prompts.

Rendered: each sentence of ``utterances.yaml`` in the voices of the interruptions' corpus, with one pause of
100 to 1500 ms at one of its marks. Prompts: Debian's ``asterisk-core-sounds-en-wav`` and ``-ru-wav``, one
professional speaker each; pauses are where the speaker made them. They are looked for where Debian puts
them, and else fetched with ``apt-get download`` into the user's cache and unpacked there.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from bench.interruptions.voices import speak
from telephony.audio.frame import FRAME_SAMPLES, RATE, silence
from telephony.audio.level import rms
from telephony.audio.wav import read_wav

if TYPE_CHECKING:
    from telephony.audio.frame import Samples

LANGUAGES = ("en", "ru")
PAUSES_MS = (100, 200, 300, 400, 500, 700, 1000, 1500)
VOICES = {"en": ("espeak:en-us", "hibari:1.0", "espeak:en-gb+f2"), "ru": ("espeak:ru", "espeak:ru+f2")}
PACKAGES = {"en": "asterisk-core-sounds-en-wav", "ru": "asterisk-core-sounds-ru-wav"}
SOUNDS = Path("/usr/share/asterisk/sounds")
PROMPT_S = (1.5, 7.0)

_FOLDERS = {"en": "en_US_f_Allison", "ru": "ru_RU_f_IvrvoiceRU"}
_LEVEL = 32768 * 10 ** (-20 / 20)
_QUIET = 0.03
_LEAST_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of sound: when it begins and ends, in s, and its words."""

    begins_s: float
    ends_s: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One turn of a caller's.

    Attributes:
        samples: 8 kHz, from the first to the last sound, whole frames.
        parts: between pauses of 100 ms and more.
        source: ``rendered`` or ``prompts``.
    """

    language: str
    source: str
    name: str
    samples: Samples
    parts: tuple[Part, ...]
    seed: int


def rendered(language: str, *, each: int = 1) -> list[Utterance]:
    """Every sentence with every pause once, at a mark and in a voice that take turns.

    Args:
        each: only every so many-th.
    """
    file = Path(__file__).parent / "utterances.yaml"
    sentences = yaml.safe_load(file.read_text(encoding="utf-8"))[language]
    voices, found = VOICES[language], []
    for number, sentence in enumerate(sentences):
        texts = [text.strip() for text in sentence.split("|")]
        for turn, pause_ms in enumerate(PAUSES_MS):
            at = 1 + (number + turn) % (len(texts) - 1)
            halves = [" ".join(texts[:at]), " ".join(texts[at:])]
            voice = voices[(number + turn) % len(voices)]
            found.append(_joined(language, halves, pause_ms, voice))
    return found[::each]


def _joined(language: str, halves: list[str], pause_ms: int, voice: str) -> Utterance:
    first, second = (np.asarray(speak(voice, half)) for half in halves)
    gap = silence(round(pause_ms / 1000 * RATE))
    samples = _whole_frames(np.concatenate([first, gap, second]))
    middle = first.size / RATE
    parts = (
        Part(0.0, middle, tuple(halves[0].split())),
        Part(
            middle + pause_ms / 1000, (first.size + gap.size + second.size) / RATE, tuple(halves[1].split())
        ),
    )
    name = f"{halves[0]} | {halves[1]} ({pause_ms} ms, {voice})"
    return Utterance(language, "rendered", name, samples, parts, _seed(name))


def prompts(language: str, count: int = 60) -> list[Utterance]:
    """A person's prompts of a few seconds, the same each time; nothing where they cannot be had."""
    folder = prompt_folder(language)
    if folder is None:
        return []
    chosen = []
    for path in sorted(folder.rglob("*.wav")):
        channels, rate = read_wav(path)
        if rate == RATE and PROMPT_S[0] <= channels[0].size / rate <= PROMPT_S[1]:
            chosen.append((path, channels[0]))
    random.Random(11).shuffle(chosen)
    return [_prompt(language, path.stem, samples) for path, samples in chosen[:count]]


def _prompt(language: str, name: str, samples: Samples) -> Utterance:
    loud = samples.astype(np.float64) * (_LEVEL / max(1.0, rms(samples)))
    samples = np.asarray(np.clip(loud, -30000, 30000), np.int16)
    step = RATE // 100
    levels = np.abs(samples[: samples.size // step * step].astype(np.int32)).reshape(-1, step).max(axis=1)
    at = np.flatnonzero(levels > levels.max() * _QUIET)
    first, last = int(at[0]), int(at[-1]) + 1
    runs = np.split(at, np.flatnonzero(np.diff(at) * 0.01 > _LEAST_PAUSE_S) + 1)
    # What is said nobody has written down: a stretch is one word that says nothing about its end.
    word = {"en": "something", "ru": "нечто"}[language]
    parts = tuple(
        Part(
            (int(run[0]) - first) * 0.01, (int(run[-1]) + 1 - first) * 0.01, (word,) * max(1, len(run) // 40)
        )
        for run in runs
    )
    return Utterance(
        language, "prompts", name, _whole_frames(samples[first * step : last * step]), parts, _seed(name)
    )


def prompt_folder(language: str) -> Path | None:
    """Where a person's prompts are; None where they are neither installed nor to be fetched."""
    for root in (SOUNDS, cache_folder() / "usr/share/asterisk/sounds"):
        if (root / _FOLDERS[language]).is_dir():
            return root / _FOLDERS[language]
    return _fetched(language)


def _fetched(language: str) -> Path | None:
    """Unpack the package into the cache; nothing is installed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    cache_folder().mkdir(parents=True, exist_ok=True)
    fetch = ["apt-get", "download", PACKAGES[language]]
    done = subprocess.run(fetch, cwd=cache_folder(), capture_output=True, timeout=300, check=False)
    files = sorted(cache_folder().glob(f"{PACKAGES[language]}_*.deb"))
    if done.returncode or not files:
        return None
    subprocess.run(["dpkg-deb", "-x", str(files[-1]), str(cache_folder())], check=True, timeout=120)
    found = cache_folder() / "usr/share/asterisk/sounds" / _FOLDERS[language]
    return found if found.is_dir() else None


def cache_folder() -> Path:
    """Where fetched prompts are unpacked."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "trunkline" / "prompts"


def _whole_frames(samples: Samples) -> Samples:
    return np.concatenate([samples, silence(-samples.size % FRAME_SAMPLES)])


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
