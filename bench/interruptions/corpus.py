"""The corpus: which phrase in which voice over which network, and what is held out from tuning. Seeded."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import yaml

from bench.interruptions.network import NETWORKS
from bench.interruptions.sounds import COUGHS, NOISES, sound
from bench.interruptions.voices import speak

if TYPE_CHECKING:
    from telephony.audio.frame import Samples

Kind = Literal["backchannels", "answers", "stops", "holds", "speech", "coughs", "noise"]
"""``answers`` are said into a question, everything else into a statement."""

KINDS: tuple[Kind, ...] = ("backchannels", "answers", "stops", "holds", "speech", "coughs", "noise")
LANGUAGES = ("en", "ru")

_FILE = Path(__file__).parent / "phrases.yaml"
_SOUND_SEEDS = 4
_DRAWN: tuple[Kind, ...] = ("backchannels", "stops")
"""Judged by words that are misheard by chance."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """One interruption.

    Attributes:
        text: what is said; the name of the sound for coughs and noise.
        voice: whose; empty for a sound.
        held_out: whether its phrase or its voice is.
        seed: of everything random about it.
        again: whether the same was said before, to be misheard otherwise.
    """

    language: str
    kind: Kind
    text: str
    voice: str
    network: str
    held_out: bool
    seed: int
    again: bool = False

    @property
    def words(self) -> str:
        """What a recogniser could understand."""
        return self.text if self.voice else ""

    def samples(self) -> Samples:
        """At 8 kHz, from its first to its last sound."""
        made = speak(self.voice, self.text) if self.voice else sound(self.text, self.seed)
        return np.asarray(made)


def is_held_out(text: str) -> bool:
    """Whether a phrase belongs to the third that nothing is tuned on."""
    return hashlib.sha256(text.casefold().encode()).digest()[0] % 3 == 0


def corpus(
    languages: tuple[str, ...] = LANGUAGES, *, voices_a_phrase: int = 3, draws: int = 1
) -> list[Interruption]:
    """All interruptions, the same each time.

    Args:
        voices_a_phrase: in how many voices each phrase is spoken, up to all; networks take turns.
        draws: how often each backchannel and each stop is said, with other errors of the recogniser and
            another network each time. One in ten words is wrong, so a few dozen phrases said once are
            as much a matter of luck as of the policies.
    """
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return [
        each
        for language in languages
        for each in _of_language(language, content[language], voices_a_phrase, draws)
    ]


@cache
def vocabulary(language: str) -> tuple[str, ...]:
    """Words that may be misheard for others."""
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    said = " ".join(str(text) for kind in KINDS for text in content[language].get(kind, ()))
    return tuple(sorted({*said.casefold().split(), *map(str, content["misheard"][language])}))


def _of_language(
    language: str, content: dict[str, Any], voices_a_phrase: int, draws: int
) -> list[Interruption]:
    voices, networks = content["voices"], list(NETWORKS)
    found: list[Interruption] = []

    def add(kind: Kind, text: str, voice: str, *, held_out: bool, again: bool = False) -> None:
        seed = int.from_bytes(
            hashlib.sha256(f"{language}{kind}{text}{voice}{len(found)}".encode()).digest()[:4]
        )
        network = networks[len(found) % len(networks)]
        found.append(Interruption(language, kind, text, voice, network, held_out, seed, again))

    for kind in KINDS:
        for number, text in enumerate(map(str, content.get(kind, ()))):
            for turn in range(min(voices_a_phrase, len(voices))):
                voice = voices[(number + turn * 2) % len(voices)]
                add(kind, text, voice, held_out=is_held_out(text) or voice == voices[-1])
    for kind, names in (("coughs", COUGHS), ("noise", NOISES)):
        for name in names:
            for _ in range(_SOUND_SEEDS):
                add(kind, name, "", held_out=is_held_out(name))
    once = [each for each in found if each.kind in _DRAWN]
    for each in once * (draws - 1):
        add(each.kind, each.text, each.voice, held_out=each.held_out, again=True)
    random.Random(7).shuffle(found)
    return found
