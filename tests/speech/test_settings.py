"""The ``speech`` section: what is accepted, what is refused, and what is never shown."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from telephony.speech.cloud_settings import OpenAiLlmSettings
from telephony.speech.settings import (
    CartesiaTtsSettings,
    DeepgramSttSettings,
    SpeechSettings,
)

pytestmark = pytest.mark.pure


def test_an_empty_section_is_wholly_offline() -> None:
    """Without a word of configuration nothing needs a key, and the engine must run."""
    settings = SpeechSettings()
    assert (settings.stt.provider, settings.llm.provider, settings.tts.provider) == ("offline",) * 3
    assert settings.vad.provider == "bundled"
    assert settings.needs_engine


def test_the_provider_chooses_the_keys() -> None:
    """Each leg is read as its provider's own settings, at the telephone's rate."""
    settings = SpeechSettings.model_validate(
        {
            "stt": {"provider": "deepgram", "language": "ru", "keyterms": ["Novofon"]},
            "llm": {"provider": "openai", "base_url": "http://127.0.0.1:11434/v1"},
            "tts": {"provider": "cartesia", "speed": 1},
            "vad": {"provider": "silero"},
        }
    )
    assert isinstance(settings.stt, DeepgramSttSettings)
    assert isinstance(settings.llm, OpenAiLlmSettings)
    assert isinstance(settings.tts, CartesiaTtsSettings)
    assert settings.stt.sample_rate == settings.tts.sample_rate == 8000
    assert not settings.needs_engine


def test_one_offline_leg_needs_the_engine() -> None:
    """The engine is needed as soon as either ears or voice are offline."""
    stt: dict[str, Any] = {"provider": "timed"}
    assert SpeechSettings.model_validate({"stt": stt}).needs_engine
    assert not SpeechSettings.model_validate({"stt": stt, "tts": {"provider": "timed"}}).needs_engine


@pytest.mark.parametrize(
    ("section", "location"),
    [
        ({"stt": {"provider": "deepgram", "modl": "nova-3"}}, ("stt", "deepgram", "modl")),
        ({"stt": {"provider": "deepgram", "base_url": "api.deepgram.com"}}, ("stt", "deepgram", "base_url")),
        ({"stt": {"provider": "deepgram", "sample_rate": 44100}}, ("stt", "deepgram", "sample_rate")),
        ({"stt": {"provider": "deepgram", "endpointing_ms": "25"}}, ("stt", "deepgram", "endpointing_ms")),
        ({"stt": {"provider": "wisper"}}, ("stt",)),
        ({"stt": {}}, ("stt",)),
        ({"tts": {"provider": "timed", "sound": "clip"}}, ("tts", "timed")),
        ({"tts": {"provider": "cartesia", "speed": 3.0}}, ("tts", "cartesia", "speed")),
        (
            {"vad": {"provider": "bundled", "activation_threshold": 1.5}},
            ("vad", "bundled", "activation_threshold"),
        ),
        ({"engine": {"whisper_sha256": "abc"}}, ("engine", "whisper_sha256")),
        ({"voices": {}}, ("voices",)),
    ],
)
def test_a_wrong_value_is_refused_where_it_stands(section: dict[str, Any], location: tuple[str, ...]) -> None:
    """A key that is unknown, of another type or out of range is an error at its place."""
    with pytest.raises(ValidationError) as caught:
        SpeechSettings.model_validate(section)
    assert [error["loc"] for error in caught.value.errors()] == [location]


def test_a_key_is_never_shown() -> None:
    """Printing the settings, or dumping them, does not give a key away."""
    settings = SpeechSettings.model_validate({"stt": {"provider": "deepgram", "api_key": "dg-secret"}})
    assert "dg-secret" not in f"{settings!r} {settings} {settings.model_dump_json()}"
