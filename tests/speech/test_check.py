"""What providers refuse is known before the first call, by the setting at fault."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest

from telephony.errors import ConfigError
from telephony.speech.check import Verdict, check_providers
from telephony.speech.settings import SpeechSettings
from telephony.speech.simulators.cartesia import CartesiaSimulator
from telephony.speech.simulators.deepgram import DeepgramSimulator
from telephony.speech.simulators.openai import OpenAiSimulator
from telephony.speech.simulators.realtime import RealtimeSimulator
from telephony.speech.simulators.serving import serve
from telephony.speech.simulators.voice import VoiceSimulator

pytestmark = pytest.mark.component

KEY = "right-key"


class Clouds:
    """All of them, with the models they have."""

    def __init__(self) -> None:
        self.servers: dict[str, Any] = {
            "deepgram": DeepgramSimulator(api_key=KEY, models=("nova-3", "flux-general-en")),
            "openai": OpenAiSimulator(api_key=KEY, models=("gpt-4.1-mini", "whisper-1", "gpt-4o-mini-tts")),
            "cartesia": CartesiaSimulator(api_key=KEY, models=("sonic-3",)),
            "realtime": RealtimeSimulator(api_key=KEY, models=("gpt-realtime",)),
            "voice": VoiceSimulator(api_key=KEY),
        }

    def sections(self, urls: dict[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
        """Stage and section of each provider."""
        openai = {"base_url": f"{urls['openai']}/v1", "api_key": KEY}
        azure = {"endpoint": urls["realtime"], "api_key": KEY, "deployment": "gpt-realtime"}
        deepgram, socket = urls["deepgram"], urls["voice"].replace("http", "ws", 1)
        return {
            "nova": (
                "stt",
                {"provider": "deepgram", "base_url": f"{deepgram}/v1/listen", "api_key": KEY},
            ),
            "flux": (
                "stt",
                {"provider": "deepgram-flux", "base_url": f"{urls['deepgram']}/v2/listen", "api_key": KEY},
            ),
            "whisper": ("stt", {"provider": "whisper", **openai}),
            "llm": ("llm", {"provider": "openai", **openai}),
            "azure": (
                "llm",
                {
                    "provider": "azure",
                    "endpoint": urls["openai"],
                    "deployment": "gpt-4.1-mini",
                    "api_key": KEY,
                },
            ),
            "cartesia": ("tts", {"provider": "cartesia", "base_url": urls["cartesia"], "api_key": KEY}),
            "speech": ("tts", {"provider": "openai", **openai}),
            "own": ("tts", {"provider": "http", "url": f"{urls['voice']}/speak", "api_key": KEY}),
            "socket": (
                "tts",
                {
                    "provider": "http",
                    "url": f"{socket}/speak",
                    "api_key": KEY,
                },
            ),
            "realtime": (
                "realtime",
                {"provider": "openai", "base_url": f"{urls['realtime']}/v1", "api_key": KEY},
            ),
            "azure-realtime": ("realtime", {"provider": "azure", **azure}),
            "azure-older": ("realtime", {"provider": "azure", "api_version": "2025-04-01-preview", **azure}),
        }


TIMED = {"stt": {"provider": "timed"}, "llm": {"provider": "timed"}, "tts": {"provider": "timed"}}


async def verdict_of(name: str, fault: str | None = None, **changed: Any) -> Verdict:
    """What is said of one provider, whose section was changed."""
    clouds = Clouds()
    async with AsyncExitStack() as stack:
        urls = {
            each: await stack.enter_async_context(serve(server.app()))
            for each, server in clouds.servers.items()
        }
        for server in clouds.servers.values():
            server.fault = fault
        stage, section = clouds.sections(urls)[name]
        speech = SpeechSettings.model_validate({**TIMED, **_of(stage, {**section, **changed})})
        [verdict] = await check_providers(speech, {})
        return verdict


def _of(stage: str, section: dict[str, Any]) -> dict[str, Any]:
    return {stage: section} | ({"pipeline": "realtime"} if stage == "realtime" else {})


async def test_good_keys_and_models_are_accepted() -> None:
    """Each provider is asked as a call would ask it, and accepts."""
    for name in Clouds().sections(dict.fromkeys(("openai", "deepgram", "cartesia", "voice", "realtime"), "")):
        verdict = await verdict_of(name)
        assert verdict.outcome == "accepted", verdict
        assert KEY not in str(verdict)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("nova", "speech.stt.api_key"),
        ("flux", "speech.stt.api_key"),
        ("whisper", "speech.stt.api_key"),
        ("llm", "speech.llm.api_key"),
        ("azure", "speech.llm.api_key"),
        ("cartesia", "speech.tts.api_key"),
        ("own", "speech.tts.api_key"),
        ("socket", "speech.tts.api_key"),
        ("realtime", "speech.realtime.api_key"),
        ("azure-realtime", "speech.realtime.api_key"),
    ],
)
async def test_a_wrong_key_names_its_setting(name: str, field: str) -> None:
    """And is itself in no message."""
    with pytest.raises(ConfigError) as caught:
        await verdict_of(name, api_key="wrong-key")
    assert caught.value.field == field
    assert "wrong-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "changed", "field"),
    [
        ("nova", {"model": "nova-9"}, "speech.stt.model"),
        ("flux", {"model": "flux-general-xx"}, "speech.stt.model"),
        ("llm", {"model": "gpt-4.1-mimi"}, "speech.llm.model"),
        ("azure", {"deployment": "mine"}, "speech.llm.deployment"),
        ("cartesia", {"model": "sonic-9"}, "speech.tts.model"),
        ("realtime", {"model": "gpt-unreal"}, "speech.realtime.model"),
        ("azure-older", {"deployment": "mine"}, "speech.realtime.deployment"),
    ],
)
async def test_a_wrong_model_names_its_setting(name: str, changed: dict[str, Any], field: str) -> None:
    """With the nearest one where the provider tells what it has."""
    with pytest.raises(ConfigError) as caught:
        await verdict_of(name, **changed)
    assert caught.value.field == field
    if name == "llm":
        assert "gpt-4.1-mini?" in str(caught.value)


async def test_a_used_up_quota_or_an_absent_server_stops_nobody() -> None:
    """They may be cured by the time of the first call."""
    assert (await verdict_of("nova", fault="limited")).outcome == "limited"
    assert (await verdict_of("nova", fault="refuse")).outcome == "unreachable"
    assert (await verdict_of("llm", base_url="http://127.0.0.1:9/v1")).outcome == "unreachable"


async def test_where_somebody_stands_in_the_line_begins_all_the_same() -> None:
    """The refusal is told, and calls are served by the other one."""
    server = OpenAiSimulator(api_key=KEY)
    async with serve(server.app()) as url:
        refused = {"provider": "openai", "base_url": f"{url}/v1", "api_key": "wrong-key"}
        speech = {**TIMED, "llm": refused, "fallback": {"llm": {"provider": "timed"}}}
        [verdict] = await check_providers(SpeechSettings.model_validate(speech), {})
    assert (verdict.outcome, verdict.field) == ("refused", "speech.llm.api_key")
