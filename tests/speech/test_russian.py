"""The Russian model out of its halves, and the machine's Russian voices."""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.audio.level import dbfs
from telephony.errors import ConfigError, DependencyError
from telephony.speech import joined_model
from telephony.speech.joined_model import carried_base
from telephony.speech.models import find_russian_whisper
from telephony.speech.program_voice import EspeakVoice, FestivalVoice, russian_voice, sayable
from telephony.speech.recogniser import WhisperRecogniser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.component

SENTENCE = "Здравствуйте, ваш заказ будет доставлен завтра."


@pytest.fixture
def halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two packages of the model's shape with a few bytes in them."""
    for number in (1, 2):
        data = tmp_path / f"half{number}" / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").touch()
        (data / f"model.bin.part{number}").write_bytes(bytes([number]) * 10)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (data / name).write_text("{}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(joined_model, "_HALVES", ("half1", "half2"))
    monkeypatch.setattr(joined_model, "BASE_SHA256", hashlib.sha256(b"\1" * 10 + b"\2" * 10).hexdigest())
    yield tmp_path / "cache"
    for name in ("half1", "half2"):
        sys.modules.pop(name, None)


def test_halves_are_joined_once(halves: Path) -> None:
    """What is there is taken as it is; nothing else is left in the cache."""
    folder = carried_base(halves)
    assert (folder / "model.bin").read_bytes() == b"\1" * 10 + b"\2" * 10
    before = (folder / "model.bin").stat().st_mtime_ns
    assert carried_base(halves) == folder
    assert (folder / "model.bin").stat().st_mtime_ns == before
    assert [path.name for path in halves.iterdir()] == [folder.name]


def test_halves_of_another_model_leave_nothing(halves: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest is taken while they are joined."""
    monkeypatch.setattr(joined_model, "BASE_SHA256", "0" * 64)
    with pytest.raises(ConfigError, match="make another model"):
        carried_base(halves)
    assert list(halves.iterdir()) == []


def test_a_missing_half_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setup, by name."""
    monkeypatch.setattr(joined_model, "_HALVES", ("no_such_half", "nor_this"))
    with pytest.raises(
        DependencyError, match=r"no-such-half is not installed\. Run scripts/setup run --russian"
    ):
        carried_base()


def test_a_model_that_was_changed_is_refused(halves: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the joined one is checked whenever it is opened."""
    folder = carried_base(halves)
    (folder / "model.bin").write_bytes(b"other")
    monkeypatch.setattr("telephony.speech.models.carried_base", lambda: folder)
    with pytest.raises(ConfigError, match=r"russian_sha256: .*another model"):
        find_russian_whisper()


def test_a_folder_of_ones_own_needs_no_package(tmp_path: Path) -> None:
    """But all of its files."""
    with pytest.raises(ConfigError, match=r"russian_folder: .*lacks model\.bin"):
        find_russian_whisper(str(tmp_path))


def _is_speech(samples: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> bool:
    return 1.0 < samples.size / 8000 < 8.0 and -30 < dbfs(samples) < -15


def test_espeak_speaks_russian() -> None:
    """At the line's rate and loudness; faster where that is wanted; of nothing it makes nothing."""
    voice = EspeakVoice()
    said = voice.speak(SENTENCE, rate=8000)
    assert _is_speech(said)
    assert voice.speak(SENTENCE, rate=8000, speed=1.5).size < 0.9 * said.size
    assert voice.speak("…", rate=8000).size == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ООО «Ромашка», да.", "ООО Ромашка, да."),
        ("заказа . Сможете — или нет?", "заказа. Сможете, или нет?"),
        ("№ 5, 1,5 % в 10:30", "номер 5, 1 5 процентов в 10 30"),
        ('кто-то "сказал"\n(да)', "кто-то сказал да"),
        (". , !", ""),
        ("", ""),
    ],
)
def test_what_festival_cannot_say_is_left_out_or_spelled_out(text: str, said: str) -> None:
    """It would never come back from a mark that it has no name for."""
    assert sayable(text) == said


@pytest.mark.skipif(shutil.which("festival") is None, reason="festival is an option")
def test_festival_comes_back_from_any_text() -> None:
    """Marks, digits and letters of every kind, in any order."""
    chance = random.Random(3)
    letters = "абвгд еёжзАБ 0123 abZ .,!?;:-—«»\"'()/%№&+*_=\\\t\n…@#$<>[]{}|~^`ъьыѓ中é"
    voice = FestivalVoice()
    try:
        voice.warm()
        began = time.monotonic()
        for _ in range(60):
            voice.speak("".join(chance.choices(letters, k=chance.randint(1, 25))), rate=8000)
        assert time.monotonic() - began < 15, "a text that it hangs on takes 20 s"
    finally:
        voice.close()


@pytest.mark.skipif(shutil.which("festival") is None, reason="festival is an option")
def test_festival_speaks_russian_and_survives_its_own_end() -> None:
    """One process for many sentences, and another after it died; marks of Scheme are no commands."""
    voice = FestivalVoice()
    try:
        assert _is_speech(voice.speak(SENTENCE, rate=8000))
        first = voice._process
        assert first is not None
        assert _is_speech(voice.speak('Он сказал: "да" (и \\ закончил).', rate=8000))
        assert voice._process is first
        first.kill()
        first.wait()
        assert _is_speech(voice.speak(SENTENCE, rate=8000))
    finally:
        voice.close()


def test_without_a_voice_it_is_said_which_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """festival where it is, espeak-ng else, and a sentence where neither is."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DependencyError, match="apt-get install festival festvox-ru, or"):
        russian_voice()
    with pytest.raises(DependencyError, match="festival's Russian voice"):
        russian_voice("festival")
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "espeak-ng" else None)
    assert russian_voice().name == "espeak-ru"


def test_the_carried_model_understands_russian() -> None:
    """Of a synthetic voice at least the letters, of festival's the words."""
    model = WhisperRecogniser(find_russian_whisper(), "ru")
    model.warm()
    voice = russian_voice()
    try:
        said = voice.speak(SENTENCE, rate=8000)
    finally:
        voice.close()
    heard = model.recognise(said, 8000, hint="Заказ будет доставлен завтра.", language="ru")
    assert any("а" <= char <= "я" for char in heard.text.casefold())
    if voice.name == "festival-ru":
        assert "заказ" in heard.text.casefold()
    assert not model.recognise(np.zeros(8000, np.int16), 8000, language="ru").text
