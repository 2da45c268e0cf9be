"""Models by language: which is asked, and when it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from telephony.errors import DependencyError, SpeechError
from telephony.speech.by_language import Voices, spoken_in
from telephony.speech.languages import in_language, offline_language
from telephony.speech.settings import FallbackSettings, OfflineSttSettings, OfflineTtsSettings, SpeechSettings

pytestmark = pytest.mark.pure


@dataclass
class Named:
    """Speaks as many samples as its text has letters."""

    name: str
    warmed: int = 0
    spoken: list[str] = field(default_factory=list)

    def warm(self) -> None:
        self.warmed += 1

    def speak(
        self, text: str, *, rate: int, speed: float = 1.0, seed: int = 0
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
        self.spoken.append(text)
        return np.zeros(len(text), np.int16)


def test_a_voice_is_loaded_when_it_is_first_needed() -> None:
    """Once, and warmed; the other language's is not touched."""
    english, russian = Named("a"), Named("b")
    voices = Voices("voice", {"en": lambda: english, "ru": lambda: russian})
    voices.load("en")
    assert (english.warmed, russian.warmed, voices.name) == (1, 0, "a")
    voices.speak("Добрый день", rate=8000)
    voices.speak("ещё раз", rate=8000, language="en")
    voices.speak("42", rate=8000, language="ru")
    assert russian.spoken == ["Добрый день", "ещё раз", "42"]
    assert (russian.warmed, voices.name) == (1, "a+b")


def test_what_is_missing_fails_the_request_and_says_what_to_install() -> None:
    """At start it stops the start."""

    def missing() -> Named:
        raise DependencyError("No voice.", fix="Install one.")

    voices = Voices("voice", {"ru": missing})
    with pytest.raises(SpeechError, match=r"No voice\. Install one\."):
        voices.speak("да", rate=8000)
    with pytest.raises(DependencyError):
        voices.load("ru")
    with pytest.raises(SpeechError, match="no offline voice for 'en', only for ru"):
        voices.speak("yes", rate=8000)


def test_letters_tell_the_language() -> None:
    """Whatever was said of it, where they are Cyrillic."""
    assert [spoken_in(*each) for each in (("да", "en"), ("yes", ""), ("12", "ru"), ("12", ""))] == [
        "ru",
        "en",
        "ru",
        "en",
    ]


def test_offline_providers_are_in_the_assistants_language() -> None:
    """Unless the line names one; whoever stands in, too."""
    line = SpeechSettings(fallback=FallbackSettings(stt=OfflineSttSettings(language="en")))
    spoken = in_language(line, "ru-RU")
    assert isinstance(spoken.stt, OfflineSttSettings)
    assert isinstance(spoken.tts, OfflineTtsSettings)
    assert isinstance(spoken.fallback.stt, OfflineSttSettings)
    assert (spoken.stt.language, spoken.tts.language, spoken.fallback.stt.language) == ("ru", "ru", "en")
    assert offline_language("de") == "en"
