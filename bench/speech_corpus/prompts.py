"""A person's telephone prompts and what they say: Debian's ``asterisk-core-sounds``, Russian and English.

The sounds are of ``asterisk-core-sounds-en-wav`` and ``-ru-wav`` (one professional speaker each, 8 kHz,
CC-BY-SA-3.0), their texts of the packages ``asterisk-core-sounds-en`` and ``-ru``. What is not installed is
fetched with ``apt-get download`` into the user's cache and unpacked there.
"""

from __future__ import annotations

import gzip
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.endpointing.corpus import cache_folder, prompt_folder
from bench.speech_corpus.scoring import words_in
from telephony.audio.frame import RATE
from telephony.audio.wav import read_wav
from telephony.errors import DependencyError

if TYPE_CHECKING:
    from telephony.audio.frame import Samples

LONGEST_S = 20.0
LEAST_WORDS = 3

_PLACES = "usr/share/doc/asterisk-core-sounds-{language}/core-sounds-{language}.txt.gz"
_LINE = re.compile(r"^([\w/-]+):\s*(.+)$")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One sentence, or a few, of a person's."""

    language: str
    name: str
    text: str
    samples: Samples


def human_prompts(language: str) -> list[Prompt]:
    """All prompts of at least three words and at most 20 s, in the order of their names.

    Raises:
        DependencyError: the packages are not installed and cannot be fetched.
    """
    sounds, texts = prompt_folder(language), _texts(language)
    package = f"asterisk-core-sounds-{language}"
    if sounds is None or texts is None:
        raise DependencyError(
            f"There are no prompts to hear: {package}-wav and {package} cannot be had.",
            fix=f"Run: apt-get install {package}-wav {package}",
        )
    found = []
    for name, text in sorted(texts.items()):
        path = sounds / f"{name}.wav"
        # What is no speech, or holds some, is described in brackets.
        if not path.is_file() or "[" in text or "(" in text or len(words_in(text)) < LEAST_WORDS:
            continue
        channels, rate = read_wav(path)
        if rate == RATE and channels[0].size / rate < LONGEST_S:
            found.append(Prompt(language, name, text, channels[0]))
    return found


def _texts(language: str) -> dict[str, str] | None:
    path = _text_file(language)
    if path is None:
        return None
    lines = gzip.decompress(path.read_bytes()).decode("utf-8", errors="replace").splitlines()
    found = {match[1]: match[2].strip() for line in lines if (match := _LINE.match(line))}
    # The texts' own misspelling of one word, which would count as two errors each time.
    return {name: text.replace("что бы", "чтобы").replace("Что бы", "Чтобы") for name, text in found.items()}


def _text_file(language: str) -> Path | None:
    place = _PLACES.format(language=language)
    cached = cache_folder() / place
    for path in (Path("/") / place, cached):
        if path.is_file():
            return path
    package = f"asterisk-core-sounds-{language}"
    cache_folder().mkdir(parents=True, exist_ok=True)
    fetch = ["apt-get", "download", package]
    try:
        subprocess.run(fetch, cwd=cache_folder(), capture_output=True, timeout=300, check=True)
        files = sorted(cache_folder().glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(files[-1]), str(cache_folder())], check=True, timeout=60)
    except (OSError, IndexError, subprocess.SubprocessError):
        return None
    return cached if cached.is_file() else None
