"""From a section of ``speech`` to the plugin of a provider behind a network.

Plugins are imported when they are first needed, on the main thread; see ``providers.preload_modules``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from livekit.agents import NOT_GIVEN, NotGivenOr, llm, stt, tts

from telephony.speech.cloud_settings import (
    AzureLlmSettings,
    FluxSttSettings,
    HttpTtsSettings,
    OpenAiLlmSettings,
    OpenAiTtsSettings,
    PluginLlmSettings,
    PluginSttSettings,
    PluginTtsSettings,
    WhisperSttSettings,
)
from telephony.speech.http_tts import HttpTts
from telephony.speech.keys import key_of, require_key
from telephony.speech.plugin import from_plugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import aiohttp
    from livekit.agents import vad

    from telephony.speech.settings import CartesiaTtsSettings, DeepgramSttSettings

    CloudStt = DeepgramSttSettings | FluxSttSettings | WhisperSttSettings | PluginSttSettings
    CloudLlm = OpenAiLlmSettings | AzureLlmSettings | PluginLlmSettings
    CloudTts = CartesiaTtsSettings | OpenAiTtsSettings | HttpTtsSettings | PluginTtsSettings

_T = TypeVar("_T")


def cloud_stt(
    chosen: CloudStt,
    path: str,
    env: Mapping[str, str],
    http_session: aiohttp.ClientSession | None,
    own_vad: Callable[[int], vad.VAD],
) -> stt.STT[Any]:
    """A recogniser that streams, whether its provider does or not.

    Args:
        own_vad: makes a detector, from the least speech in ms, for those that hear whole utterances.

    Raises:
        ConfigError: the key is missing, or an option is wrong.
        DependencyError: the plugin is not installed.
    """
    if isinstance(chosen, PluginSttSettings):
        built: stt.STT[Any] = from_plugin(chosen, path, env)
        return built if built.capabilities.streaming else WholeUtterances(built, own_vad(0))
    key = require_key(chosen, path, env)
    if isinstance(chosen, WhisperSttSettings):
        from livekit.plugins import openai
        from openai import AsyncClient, Timeout

        # The plugin leaves its client open when it is closed.
        client = AsyncClient(
            api_key=key, base_url=chosen.base_url, max_retries=0, timeout=Timeout(5.0, connect=5.0)
        )
        whole = openai.STT(
            model=chosen.model,
            language=chosen.language,
            prompt=given(chosen.prompt),
            temperature=given(chosen.temperature),
            client=client,
            use_realtime=False,
        )
        return WholeUtterances(whole, own_vad(chosen.min_speech_ms), client.close)
    if isinstance(chosen, FluxSttSettings):
        return _flux(chosen, key, http_session)
    from livekit.plugins import deepgram

    return deepgram.STT(
        model=chosen.model,
        language=chosen.language,
        interim_results=chosen.interim_results,
        smart_format=chosen.smart_format,
        numerals=chosen.numerals,
        sample_rate=chosen.sample_rate,
        endpointing_ms=chosen.endpointing_ms,
        keyterm=chosen.keyterms or NOT_GIVEN,
        mip_opt_out=chosen.mip_opt_out,
        api_key=key,
        base_url=chosen.base_url,
        http_session=http_session,
    )


def _flux(chosen: FluxSttSettings, key: str, http_session: aiohttp.ClientSession | None) -> stt.STT[Any]:
    from livekit.plugins import deepgram

    return deepgram.STTv2(
        model=chosen.model,
        sample_rate=chosen.sample_rate,
        audio_chunk_duration_ms=chosen.chunk_ms,
        eager_eot_threshold=given(chosen.eager_eot_threshold),
        eot_threshold=given(chosen.eot_threshold),
        eot_timeout_ms=given(chosen.eot_timeout_ms),
        keyterm=chosen.keyterms or NOT_GIVEN,
        language_hint=chosen.language_hint or NOT_GIVEN,
        numerals=chosen.numerals,
        mip_opt_out=chosen.mip_opt_out,
        api_key=key,
        base_url=chosen.base_url,
        http_session=http_session,
    )


def cloud_llm(chosen: CloudLlm, path: str, env: Mapping[str, str]) -> llm.LLM[Any]:
    """A language model.

    Raises:
        ConfigError, DependencyError: as ``cloud_stt``.
    """
    if isinstance(chosen, PluginLlmSettings):
        built: llm.LLM[Any] = from_plugin(chosen, path, env)
        return built
    from livekit.plugins import openai

    key = require_key(chosen, path, env)
    if isinstance(chosen, AzureLlmSettings):
        return openai.LLM.with_azure(
            model=chosen.model,
            azure_endpoint=chosen.endpoint,
            azure_deployment=chosen.deployment,
            api_version=chosen.api_version,
            api_key=key,
            temperature=given(chosen.temperature),
            max_completion_tokens=given(chosen.max_completion_tokens),
        )
    return openai.LLM(
        model=chosen.model,
        api_key=key,
        base_url=given(chosen.root),
        temperature=given(chosen.temperature),
        max_completion_tokens=given(chosen.max_completion_tokens),
        reasoning_effort=given(chosen.reasoning_effort),
        parallel_tool_calls=given(chosen.parallel_tool_calls),
    )


def cloud_tts(
    chosen: CloudTts, path: str, env: Mapping[str, str], http_session: aiohttp.ClientSession | None
) -> tts.TTS[Any]:
    """A voice that streams, whether its provider does or not.

    Raises:
        ConfigError, DependencyError: as ``cloud_stt``.
    """
    if isinstance(chosen, PluginTtsSettings):
        return _streaming(from_plugin(chosen, path, env))
    if isinstance(chosen, HttpTtsSettings):
        return _streaming(HttpTts(chosen, key_of(chosen, env), http_session))
    key = require_key(chosen, path, env)
    if isinstance(chosen, OpenAiTtsSettings):
        from livekit.plugins import openai

        voice = openai.TTS(
            model=chosen.model,
            voice=chosen.voice,
            speed=chosen.speed,
            instructions=given(chosen.instructions),
            base_url=given(chosen.base_url),
            api_key=key,
            response_format="pcm",
        )
        return _streaming(voice)
    from livekit.plugins import cartesia

    return cartesia.TTS(
        model=chosen.model,
        language=chosen.language,
        voice=chosen.voice,
        speed=chosen.speed,
        sample_rate=chosen.sample_rate,
        word_timestamps=chosen.word_timestamps,
        api_key=key,
        base_url=chosen.base_url,
        http_session=http_session,
    )


def _streaming(voice: tts.TTS[Any]) -> tts.TTS[Any]:
    return voice if voice.capabilities.streaming else SentenceBySentence(voice)


class WholeUtterances(stt.StreamAdapter):
    """A recogniser of whole utterances as one that streams; closed with what it wraps.

    Args:
        also: closes what ``whole`` leaves open.
    """

    def __init__(
        self, whole: stt.STT[Any], vad: vad.VAD, also: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        super().__init__(stt=whole, vad=vad)
        self._whole = whole
        self._also = also

    async def aclose(self) -> None:
        await super().aclose()
        await self._whole.aclose()
        if self._also is not None:
            await self._also()


class SentenceBySentence(tts.StreamAdapter):
    """A voice of whole texts as one that streams; closed with what it wraps."""

    def __init__(self, whole: tts.TTS[Any]) -> None:
        super().__init__(tts=whole)
        self._whole = whole

    async def aclose(self) -> None:
        await super().aclose()
        await self._whole.aclose()


def given(value: _T | None) -> NotGivenOr[_T]:
    """A value as LiveKit's plugins want it."""
    return NOT_GIVEN if value is None else value
