"""More of the clouds over real sockets: Flux, Whisper servers, voices of several servers, plugins by name."""

from __future__ import annotations

import asyncio
import sys
import types
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import pytest
from livekit.agents import APIConnectOptions, APIError, stt, tts
from pydantic import SecretStr

from telephony.audio.tones import sine
from telephony.errors import ConfigError, DependencyError
from telephony.speech.cloud_settings import PluginTtsSettings
from telephony.speech.keys import check_keys
from telephony.speech.plugin import check_plugin, from_plugin
from telephony.speech.providers import Providers, build, preload_modules
from telephony.speech.settings import SpeechSettings
from telephony.speech.simulators.deepgram import DeepgramSimulator, scripted
from telephony.speech.simulators.faults import FAULTS
from telephony.speech.simulators.openai import OpenAiSimulator
from telephony.speech.simulators.serving import serve
from telephony.speech.simulators.voice import VoiceSimulator
from tests.speech.test_clouds import frames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.speech.simulators.faults import Fault

pytestmark = pytest.mark.component

ONCE = APIConnectOptions(max_retry=0, timeout=1.0)
TIMED: dict[str, Any] = {
    "stt": {"provider": "timed"},
    "llm": {"provider": "timed"},
    "tts": {"provider": "timed"},
}
SENTENCE = "What are your opening hours?"


@asynccontextmanager
async def built(**stages: Any) -> AsyncIterator[Providers]:
    """Providers of these sections; the others are of known delay."""
    async with aiohttp.ClientSession() as http:
        settings = SpeechSettings.model_validate(TIMED | stages)
        providers = build(settings, env={"DEEPGRAM_API_KEY": "k", "OPENAI_API_KEY": "k"}, http_session=http)
        try:
            yield providers
        finally:
            await providers.aclose()


async def heard(providers: Providers, *sounds: np.ndarray[Any, np.dtype[np.int16]]) -> list[stt.SpeechEvent]:
    """What the recogniser makes of a call with these sounds, one second of silence after each."""
    events: list[stt.SpeechEvent] = []
    async with providers.stt.stream(conn_options=ONCE) as stream:
        for sound in sounds:
            for frame in frames(np.concatenate([sound, np.zeros(8000, np.int16)])):
                stream.push_frame(frame)
        stream.end_input()
        events += [event async for event in stream]
    return events


def texts(events: list[stt.SpeechEvent], kind: stt.SpeechEventType) -> list[str]:
    """The texts of one kind of event."""
    return [event.alternatives[0].text for event in events if event.type is kind and event.alternatives]


async def test_flux_tells_turns_as_its_plugin_understands_them() -> None:
    """Words while they are spoken, an eager end, and the end of each turn."""
    server = DeepgramSimulator(hear=scripted([SENTENCE, "Thank you."]))
    async with serve(server.app()) as url:
        section = {
            "provider": "deepgram-flux",
            "base_url": f"{url}/v2/listen",
            "eager_eot_threshold": 0.4,
            "keyterms": ["clinic"],
        }
        async with built(stt=section) as providers:
            assert providers.stt.capabilities.interim_results
            events = await heard(providers, sine(300.0, 1.5), sine(300.0, 0.5))
    kinds = stt.SpeechEventType
    assert texts(events, kinds.FINAL_TRANSCRIPT) == [SENTENCE, "Thank you."]
    assert texts(events, kinds.PREFLIGHT_TRANSCRIPT)[0] == SENTENCE
    assert texts(events, kinds.INTERIM_TRANSCRIPT)[0].startswith("What")
    assert server.queries[0] == {
        "model": "flux-general-en",
        "sample_rate": "8000",
        "encoding": "linear16",
        "mip_opt_out": "true",
        "eager_eot_threshold": "0.4",
        "keyterm": "clinic",
    }


async def test_flux_takes_an_eager_end_back() -> None:
    """Who speaks on within the silence has not ended the turn."""
    server = DeepgramSimulator(hear=scripted([SENTENCE]), silence_s=0.6)
    async with serve(server.app()) as url:
        section = {"provider": "deepgram-flux", "base_url": f"{url}/v2/listen", "eager_eot_threshold": 0.4}
        pause = np.zeros(2400, np.int16)
        async with built(stt=section) as providers:
            events = await heard(providers, np.concatenate([sine(300.0, 0.8), pause, sine(300.0, 0.8)]))
    assert len(texts(events, stt.SpeechEventType.PREFLIGHT_TRANSCRIPT)) == 2
    assert texts(events, stt.SpeechEventType.FINAL_TRANSCRIPT) == [SENTENCE]


async def test_a_whisper_server_hears_whole_utterances() -> None:
    """Found by our own detector, sent as a WAV file, and told as a final text."""
    server = OpenAiSimulator(hear=scripted([SENTENCE]))
    async with serve(server.app()) as url:
        section = {"provider": "whisper", "base_url": f"{url}/v1", "language": "en", "prompt": "A clinic."}
        async with built(stt=section) as providers:
            buffer = frames(sine(300.0, 0.5))
            event = await providers.stt.recognize(buffer, conn_options=ONCE)
    assert event.alternatives[0].text == SENTENCE
    [asked] = server.requests
    assert (asked["model"], asked["language"], asked["prompt"]) == ("whisper-1", "en", "A clinic.")


async def sound_of(voice: tts.TTS[Any], text: str) -> tuple[int, float]:
    """Rate, and seconds of sound."""
    async with voice.synthesize(text, conn_options=ONCE) as stream:
        whole = await stream.collect()
    return whole.sample_rate, whole.duration


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_an_own_voice_server_speaks(scheme: str) -> None:
    """Over HTTP or a WebSocket: a request a sentence, raw samples back, at the telephone's rate."""
    server = VoiceSimulator(api_key="secret")
    async with serve(server.app()) as url:
        section = {
            "provider": "http",
            "url": f"{url.replace('http', scheme, 1)}/speak",
            "voice": "anna",
            "api_key": "secret",
        }
        async with built(tts=section) as providers:
            rate, seconds = await sound_of(providers.tts, "Hello there.")
    assert rate == 8000
    assert seconds == pytest.approx(12 * 0.06, abs=0.1)
    assert server.requests == [
        {"text": "Hello there.", "voice": "anna", "language": "en", "sample_rate": 8000}
    ]


async def test_openais_voice_speaks() -> None:
    """Raw samples, no decoder between."""
    server = OpenAiSimulator()
    async with serve(server.app()) as url:
        section = {"provider": "openai", "base_url": f"{url}/v1", "voice": "cedar"}
        async with built(tts=section) as providers:
            _, seconds = await sound_of(providers.tts, "Hello there.")
    assert seconds == pytest.approx(12 * 0.06, abs=0.1)
    assert server.requests[0]["voice"] == "cedar"


@pytest.mark.parametrize(
    ("scheme", "fault"),
    [
        *(("ws", fault) for fault in (*FAULTS, "limited")),
        ("http", "error"),
        ("http", "cut"),
        ("http", "malformed"),
    ],
)
async def test_each_fault_of_a_voice_server_brings_the_one_that_stands_in(scheme: str, fault: Fault) -> None:
    """Within its deadline, with an event; what is heard is the whole sentence."""
    server = VoiceSimulator()
    server.fault = fault
    told: list[str] = []
    async with serve(server.app()) as url:
        section = {"provider": "http", "url": f"{url.replace('http', scheme, 1)}/speak"}
        stages = {
            "tts": section,
            "fallback": {"tts": {"provider": "timed", "tts_ms": 0, "duration_s": 2.0}},
            "deadlines": {"tts_first_audio_ms": 400, "tts_next_audio_ms": 3000},
        }
        async with built(**stages) as providers:
            providers.on_trouble(lambda trouble: told.append(trouble.kind))
            _, seconds = await sound_of(providers.tts, "We are open from nine to five on all weekdays.")
    assert seconds > 1.0
    assert told[0] in {"late", "failed"}
    assert told[-1] == "switched"


@pytest.mark.parametrize("fault", [*FAULTS, "limited"])
async def test_each_fault_of_a_whisper_server_is_an_error_in_time(fault: Fault) -> None:
    """Which is what brings the one that stands in."""
    server = OpenAiSimulator(hear=scripted([SENTENCE]))
    server.fault = fault
    async with (
        serve(server.app()) as url,
        built(stt={"provider": "whisper", "base_url": f"{url}/v1"}) as providers,
    ):
        # How long a text is waited for is the guard's, which asks somebody else meanwhile.
        with pytest.raises((APIError, TimeoutError)):
            await asyncio.wait_for(providers.stt.recognize(frames(sine(300.0, 0.5)), conn_options=ONCE), 1.5)


# Presets and plugins


def test_a_preset_knows_its_server_and_its_key() -> None:
    """Only the model is to be named; a server of one's own asks for no key."""
    settings = SpeechSettings.model_validate(
        TIMED | {"llm": {"provider": "openai", "preset": "google", "model": "gemini-2.5-flash"}}
    )
    with pytest.raises(ConfigError, match="GEMINI_API_KEY"):
        check_keys(settings, {"OPENAI_API_KEY": "another's"})
    check_keys(settings, {"GEMINI_API_KEY": "k"})
    own = {"provider": "openai", "preset": "ollama", "model": "qwen3:4b"}
    check_keys(SpeechSettings.model_validate(TIMED | {"llm": own}), {})


async def test_a_preset_is_asked_at_its_root() -> None:
    """The plugin's client points at the preset's server."""
    section = {"provider": "openai", "preset": "ollama", "model": "qwen3:4b"}
    async with built(llm=section) as providers:
        assert providers.llm.provider == "127.0.0.1:11434"
        assert providers.llm.model == "qwen3:4b"


def test_a_plugin_that_is_not_installed_is_told_with_its_package() -> None:
    """The error is what to type."""
    section = PluginTtsSettings(provider="plugin", plugin="nobody_has_this")
    with pytest.raises(DependencyError, match="pip install livekit-plugins-nobody-has-this") as caught:
        check_plugin(section, "speech.tts")
    assert caught.value.field == "speech.tts.plugin"


def test_a_plugins_options_are_its_constructors() -> None:
    """An unknown one is refused with the nearest that there is; a key is given apart."""
    section = PluginTtsSettings(provider="plugin", plugin="cartesia", options={"voise": "anna"})
    with pytest.raises(ConfigError, match="Did you mean voice"):
        check_plugin(section, "speech.tts")
    good = PluginTtsSettings(
        provider="plugin",
        plugin="cartesia",
        api_key=SecretStr("k"),
        options={"voice": "anna", "sample_rate": 8000},
    )
    voice = from_plugin(good, "speech.tts", {})
    assert (voice.provider, voice.sample_rate) == ("Cartesia", 8000)
    assert preload_modules(SpeechSettings.model_validate(TIMED | {"tts": good.model_dump()}))[1:] == [
        "livekit.plugins.cartesia"
    ]


async def test_any_module_below_livekits_plugins_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A voice that does not stream is made to; so any plugin that is installed can speak on a line."""

    class Edge(tts.TTS[Any]):
        def __init__(self, *, pace: float = 1.0) -> None:
            super().__init__(
                capabilities=tts.TTSCapabilities(streaming=False), sample_rate=24000, num_channels=1
            )
            self.pace = pace

        def synthesize(self, text: str, *, conn_options: Any = None) -> Any:
            raise AssertionError("nobody asks it to")

    module = types.ModuleType("livekit.plugins.edge")
    module.TTS = Edge  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "livekit.plugins.edge", module)
    async with built(tts={"provider": "plugin", "plugin": "edge", "options": {"pace": 0.9}}) as providers:
        assert providers.tts.capabilities.streaming
        assert providers.tts.sample_rate == 24000
