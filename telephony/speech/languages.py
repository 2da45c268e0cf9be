"""The speech section as one assistant's language wants it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from telephony.speech.settings import OfflineSttSettings, OfflineTtsSettings

if TYPE_CHECKING:
    from telephony.speech.settings import SpeechSettings


def in_language(settings: SpeechSettings, language: str) -> SpeechSettings:
    """The settings with every offline provider in an assistant's language, unless the line says another.

    Args:
        language: a code or a tag, ``ru`` or ``ru-RU``; where no offline provider knows it, English.
    """
    code = offline_language(language)

    def given(chosen: object) -> object:
        if isinstance(chosen, OfflineSttSettings | OfflineTtsSettings) and chosen.language is None:
            return chosen.model_copy(update={"language": code})
        return chosen

    fallback = settings.fallback
    return settings.model_copy(
        update={
            "stt": given(settings.stt),
            "tts": given(settings.tts),
            "fallback": fallback.model_copy(update={"stt": given(fallback.stt), "tts": given(fallback.tts)}),
        }
    )


def offline_language(language: str) -> Literal["en", "ru"]:
    """Which of the offline languages a tag means."""
    return "ru" if language.casefold().partition("-")[0] == "ru" else "en"
