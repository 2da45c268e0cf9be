"""From settings to providers: what is built, what is missing, what is preloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from livekit.agents import inference, stt, tts
from livekit.plugins import cartesia, deepgram, openai, silero

from telephony.errors import ConfigError
from telephony.speech.dialogue_llm import DialogueLlm
from telephony.speech.guard.llm import GuardedLlm
from telephony.speech.guard.stt import GuardedStt
from telephony.speech.guard.tts import GuardedTts
from telephony.speech.keys import check_keys
from telephony.speech.offline_stt import OfflineStt
from telephony.speech.providers import build, build_vad, preload_modules
from telephony.speech.settings import BundledVadSettings, SileroVadSettings, SpeechSettings
from telephony.speech.timed import TimedLlm, TimedStt, TimedTts
from tests.speech.conversation import Bookings

pytestmark = pytest.mark.component

CLOUD = {
    "stt": {"provider": "deepgram"},
    "llm": {"provider": "openai"},
    "tts": {"provider": "cartesia"},
    "vad": {"provider": "silero"},
}
TIMED = {name: {"provider": "timed"} for name in ("stt", "llm", "tts")}
KEYS = {"DEEPGRAM_API_KEY": "d", "CARTESIA_API_KEY": "c", "OPENAI_API_KEY": "o"}
SOCKET = Path("/run/speech.sock")


def settings(section: dict[str, Any]) -> SpeechSettings:
    """The section as it is read from a file."""
    return SpeechSettings.model_validate(section)


async def test_the_default_is_offline_and_hints_are_shared() -> None:
    """Recogniser and dialogue share one expectation; nothing is connected before it is needed."""
    providers = build(SpeechSettings(), engine_socket=SOCKET, dialogue=Bookings(), env={})
    assert isinstance(providers.stt, stt.StreamAdapter)
    assert isinstance(providers.stt.wrapped_stt, OfflineStt)
    assert isinstance(providers.tts, tts.StreamAdapter)
    assert isinstance(providers.llm, DialogueLlm)
    assert isinstance(providers.vad, inference.VAD)
    assert providers.tts.sample_rate == 8000
    assert providers.llm.expectation is providers.expectation
    assert providers.expectation.hint == "Book an appointment."
    await providers.aclose()


async def test_timed_providers_need_nothing() -> None:
    """Neither key, socket nor flow is asked for."""
    providers = build(settings(TIMED), env={})
    assert isinstance(providers.stt, TimedStt)
    assert isinstance(providers.llm, TimedLlm)
    assert isinstance(providers.tts, TimedTts)
    await providers.aclose()


async def test_the_clouds_are_built_at_the_telephones_rate() -> None:
    """Each plugin gets its key from the environment and the settings as they are."""
    async with aiohttp.ClientSession() as http:
        providers = build(settings(CLOUD), env=KEYS, http_session=http)
        assert isinstance(providers.stt, GuardedStt)
        assert isinstance(providers.llm, GuardedLlm)
        assert isinstance(providers.tts, GuardedTts)
        assert isinstance(providers.stt.rota.first, deepgram.STT)
        assert isinstance(providers.llm.rota.first, openai.LLM)
        assert isinstance(providers.tts.rota.first, cartesia.TTS)
        assert isinstance(providers.vad, silero.VAD)
        assert providers.tts.sample_rate == 8000
        assert (providers.stt.model, providers.llm.model, providers.tts.model) == (
            "nova-3",
            "gpt-4.1-mini",
            "sonic-3",
        )
        await providers.aclose()


@pytest.mark.parametrize(
    ("leg", "variable"),
    [("stt", "DEEPGRAM_API_KEY"), ("llm", "OPENAI_API_KEY"), ("tts", "CARTESIA_API_KEY")],
)
async def test_a_missing_key_names_setting_and_variable(leg: str, variable: str) -> None:
    """The one sentence says where the key can be put; an empty variable is no key."""
    with pytest.raises(ConfigError) as caught:
        check_keys(settings(CLOUD), {**KEYS, variable: ""})
    assert f"speech.{leg}.api_key" in str(caught.value)
    assert variable in str(caught.value)
    with pytest.raises(ConfigError):
        build(settings({**TIMED, leg: CLOUD[leg]}), env={})


def test_a_key_in_the_file_wins_and_a_server_of_ones_own_needs_none() -> None:
    """A configured key replaces the variable; a language model on this machine has no key."""
    check_keys(settings({"stt": {"provider": "deepgram", "api_key": "from the file"}}), {})
    check_keys(settings({"llm": {"provider": "openai", "base_url": "http://127.0.0.1:11434/v1"}}), {})
    check_keys(settings({"llm": {"provider": "openai", "base_url": "http://localhost:8000/v1"}}), {})
    with pytest.raises(ConfigError):
        check_keys(settings({"llm": {"provider": "openai", "base_url": "https://127.example.com/v1"}}), {})


async def test_offline_without_engine_or_flow_is_explained() -> None:
    """What is missing is said, with the setting that wants it."""
    with pytest.raises(ConfigError, match="TRUNKLINE_SPEECH_SOCKET"):
        build(SpeechSettings(), dialogue=Bookings(), env={})
    with pytest.raises(ConfigError, match=r"speech\.llm\.provider: The assistant has no flow"):
        build(SpeechSettings(), engine_socket=SOCKET, env={})


def test_only_what_is_configured_is_preloaded() -> None:
    """A worker preloads the providers' module and the plugins of its configuration."""
    assert preload_modules(SpeechSettings()) == ["telephony.speech.providers"]
    assert preload_modules(settings(CLOUD)) == [
        "telephony.speech.providers",
        "livekit.plugins.deepgram",
        "livekit.plugins.cartesia",
        "livekit.plugins.openai",
        "livekit.plugins.silero",
    ]


def test_the_vads_options_are_those_of_the_file() -> None:
    """Thresholds and times reach the detector in its own units."""
    bundled = build_vad(BundledVadSettings(min_speech_ms=80, min_silence_ms=400), least_speech_ms=200)
    assert isinstance(bundled, inference.VAD)
    assert (bundled._opts.min_speech_duration, bundled._opts.min_silence_duration) == (0.2, 0.4)
    own = build_vad(SileroVadSettings(provider="silero", activation_threshold=0.6))
    assert isinstance(own, silero.VAD)
    assert (own._opts.sample_rate, own._opts.activation_threshold) == (8000, 0.6)
