"""From the ``speech`` section to LiveKit's STT, LLM, TTS and VAD.

Only the configured providers' plugins are imported, and LiveKit lets a plugin be imported on the main
thread alone: preload ``preload_modules`` in a worker, or build on the main thread.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from livekit.agents import inference, stt, tts

from telephony.errors import ConfigError
from telephony.logs import get_logger
from telephony.speech.at_once import AtOnce
from telephony.speech.cloud_settings import (
    FluxSttSettings,
    PluginLlmSettings,
    PluginSttSettings,
    PluginTtsSettings,
)
from telephony.speech.clouds import cloud_llm, cloud_stt, cloud_tts
from telephony.speech.dialogue_llm import DialogueLlm
from telephony.speech.engine_link import EngineLink
from telephony.speech.expectation import Expectation
from telephony.speech.guard.llm import GuardedLlm
from telephony.speech.guard.rota import Rota
from telephony.speech.guard.stt import GuardedStt
from telephony.speech.guard.tts import GuardedTts
from telephony.speech.offline_stt import OfflineStt
from telephony.speech.offline_tts import OfflineTts
from telephony.speech.plugin import module_of
from telephony.speech.section import CloudSection
from telephony.speech.settings import (
    BundledVadSettings,
    DeepgramSttSettings,
    OfflineLlmSettings,
    OfflineSttSettings,
    OfflineTtsSettings,
    SileroVadSettings,
    TimedLlmSettings,
    TimedSttSettings,
    TimedTtsSettings,
)
from telephony.speech.timed import TimedLlm, TimedStt, TimedTts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import aiohttp
    from livekit.agents import llm, vad

    from telephony.speech.dialogue import DialogueEngine
    from telephony.speech.guard.trouble import Tell
    from telephony.speech.settings import LlmSettings, SpeechSettings, SttSettings, TtsSettings, VadSettings

log = get_logger(__name__)

_CLOSE_TIMEOUT_S = 3.0

_PLUGINS = {
    "deepgram": "livekit.plugins.deepgram",
    "deepgram-flux": "livekit.plugins.deepgram",
    "cartesia": "livekit.plugins.cartesia",
    "openai": "livekit.plugins.openai",
    "whisper": "livekit.plugins.openai",
    "azure": "livekit.plugins.openai",
    "realtime": "telephony.speech.realtime",
    "silero": "livekit.plugins.silero",
}


@dataclass(frozen=True, slots=True)
class Ears:
    """What an assistant wants of the voice activity detector; None: as the line has it.

    Attributes:
        shortest_ms: the least silence that may end a turn.
        min_speech_ms: sound of a voice that counts as speech.
        prefix_padding_ms: what is kept from before speech began.
        threshold: probability from which a sound is a voice.
    """

    shortest_ms: int | None = None
    min_speech_ms: int | None = None
    prefix_padding_ms: int | None = None
    threshold: float | None = None


@dataclass(slots=True)
class Providers:
    """One call's providers; close them with the call."""

    stt: stt.STT[Any]
    llm: llm.LLM[Any]
    tts: tts.TTS[Any]
    vad: vad.VAD
    expectation: Expectation
    """The hint that the offline recogniser reads; nobody reads it with another."""
    guarded_stt: GuardedStt | None = None
    """``stt``, where it wants to be told when the caller speaks."""
    _rotas: tuple[Rota[Any], ...] = ()
    _link: EngineLink | None = field(default=None, repr=False)

    def on_trouble(self, tell: Tell) -> None:
        """Have somebody told when a provider fails, or keeps the caller waiting."""
        for rota in self._rotas:
            rota.tell = tell

    async def aclose(self) -> None:
        """Close all of them, and the connection to the engine, within 3 s; never fails."""
        closing = [self.stt.aclose(), self.llm.aclose(), self.tts.aclose()]
        if self._link is not None:
            closing.append(self._link.close())
        bounded = [asyncio.wait_for(each, _CLOSE_TIMEOUT_S) for each in closing]
        for outcome in await asyncio.gather(*bounded, return_exceptions=True):
            if isinstance(outcome, BaseException):
                log.warning("provider_not_closed", reason=repr(outcome))


def preload_modules(settings: SpeechSettings) -> list[str]:
    """The modules that a worker should import once before its jobs are forked."""
    chosen: set[str] = {settings.vad.provider, *(each.provider for _, each in settings.chosen())}
    if settings.realtime is not None:
        chosen.add("realtime")
    ours = dict.fromkeys(module for name, module in _PLUGINS.items() if name in chosen)
    named = [
        module_of(each)
        for _, each in settings.chosen()
        if isinstance(each, PluginSttSettings | PluginLlmSettings | PluginTtsSettings)
    ]
    return [__name__, *ours, *dict.fromkeys(named)]


def build(
    settings: SpeechSettings,
    *,
    engine_socket: str | Path | None = None,
    dialogue: DialogueEngine | None = None,
    env: Mapping[str, str] = os.environ,
    http_session: aiohttp.ClientSession | None = None,
    ears: Ears = Ears(),
) -> Providers:
    """Build the providers of one call; to be called in a running event loop.

    Args:
        engine_socket: where the speech engine listens; needed when STT or TTS is offline.
        dialogue: the assistant's flow; needed when the LLM is offline.
        env: where keys are looked for that the settings do not give.
        http_session: for Deepgram and Cartesia outside a LiveKit job, which has one of its own.
        ears: what the assistant wants of the voice activity detector.

    Raises:
        ConfigError: a key, the socket, the flow or a clip is missing; says which setting wants it.
    """
    link = engine_link(settings, engine_socket)
    expectation = Expectation()
    built = Providers(
        stt=_stt(settings.stt, "speech.stt", settings, link, expectation, env, http_session),
        llm=_llm(settings.llm, "speech.llm", dialogue, expectation, env),
        tts=voice_of(settings.tts, "speech.tts", link, env, http_session),
        vad=session_vad(settings, ears),
        expectation=expectation,
        _link=link,
    )
    _guard(built, settings, link, env, http_session)
    return built


def engine_link(settings: SpeechSettings, engine_socket: str | Path | None) -> EngineLink | None:
    """A connection to the speech engine, where one is needed.

    Raises:
        ConfigError: nobody said where it listens.
    """
    if not settings.needs_engine:
        return None
    if engine_socket is None:
        raise ConfigError(
            "Offline speech needs the speech engine, and its socket is not known.",
            field="speech",
            fix="Start the engine and set TRUNKLINE_SPEECH_SOCKET.",
        )
    return EngineLink(engine_socket)


def session_vad(settings: SpeechSettings, ears: Ears = Ears()) -> vad.VAD:
    """The session's own detector; recognisers that need one have another."""
    given = {
        "min_speech_ms": ears.min_speech_ms,
        "prefix_padding_ms": ears.prefix_padding_ms,
        "activation_threshold": ears.threshold,
    }
    wanted = settings.vad.model_copy(update={key: value for key, value in given.items() if value is not None})
    # Text that comes at the recogniser's own time can end a turn sooner; where it comes later, silence costs
    # nothing.
    streams = isinstance(settings.stt, DeepgramSttSettings | FluxSttSettings | TimedSttSettings)
    return build_vad(wanted, least_silence_ms=ears.shortest_ms if streams else None)


def _guard(
    built: Providers,
    settings: SpeechSettings,
    link: EngineLink | None,
    env: Mapping[str, str],
    http_session: aiohttp.ClientSession | None,
) -> None:
    """Put deadlines on whatever is behind a network, or has somebody to stand in for it."""
    other, deadlines = settings.fallback, settings.deadlines
    cooldown_s, now = deadlines.cooldown_s, asyncio.get_running_loop().time
    if other.stt is not None or isinstance(settings.stt, CloudSection):
        recognisers = [built.stt]
        if other.stt is not None:
            recognisers.append(
                _stt(other.stt, "speech.fallback.stt", settings, link, built.expectation, env, http_session)
            )
        listening: Rota[stt.STT[Any]] = Rota("stt", recognisers, cooldown_s=cooldown_s, now=now)
        built.stt = built.guarded_stt = GuardedStt(listening, deadlines)
        built._rotas += (listening,)
    if (other.llm is not None or isinstance(settings.llm, CloudSection)) and not isinstance(
        built.llm, DialogueLlm
    ):
        models = [built.llm]
        if other.llm is not None:
            models.append(_llm(other.llm, "speech.fallback.llm", None, built.expectation, env))
        thinking: Rota[llm.LLM[Any]] = Rota("llm", models, cooldown_s=cooldown_s, now=now)
        built.llm = GuardedLlm(thinking, deadlines)
        built._rotas += (thinking,)
    built.tts, speaking = guarded_voice(built.tts, settings, link, env, http_session)
    built._rotas += speaking


def guarded_voice(
    voice: tts.TTS[Any],
    settings: SpeechSettings,
    link: EngineLink | None,
    env: Mapping[str, str],
    http_session: aiohttp.ClientSession | None,
) -> tuple[tts.TTS[Any], tuple[Rota[Any], ...]]:
    """The line's voice with whoever stands in for it, and the rota of both; itself where nobody need."""
    other = settings.fallback.tts
    if other is None and not isinstance(settings.tts, CloudSection):
        return voice, ()
    voices = [voice]
    if other is not None:
        voices.append(voice_of(other, "speech.fallback.tts", link, env, http_session))
    now = asyncio.get_running_loop().time
    speaking: Rota[tts.TTS[Any]] = Rota("tts", voices, cooldown_s=settings.deadlines.cooldown_s, now=now)
    return GuardedTts(speaking, settings.deadlines), (speaking,)


@dataclass(slots=True)
class Voice:
    """A voice alone; close it when it has spoken."""

    tts: tts.TTS[Any]
    _link: EngineLink | None = field(default=None, repr=False)

    async def aclose(self) -> None:
        """Close it, and its connection to the engine, within 3 s."""
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await self.tts.aclose()
            if self._link is not None:
                await self._link.close()


def build_voice(
    settings: SpeechSettings,
    *,
    engine_socket: str | Path | None = None,
    env: Mapping[str, str] = os.environ,
) -> Voice:
    """Build the voice alone, for what is spoken outside a call; in ``http_context.open()``.

    Raises:
        ConfigError: a key or the socket is missing.
    """
    link = None
    if isinstance(settings.tts, OfflineTtsSettings):
        if engine_socket is None:
            raise ConfigError("The offline voice needs the speech engine's socket.", field="speech.tts")
        link = EngineLink(engine_socket)
    return Voice(voice_of(settings.tts, "speech.tts", link, env, None), link)


def build_vad(
    settings: VadSettings, *, least_speech_ms: int = 0, least_silence_ms: int | None = None
) -> vad.VAD:
    """The voice activity detector; one may serve many streams.

    Args:
        least_speech_ms: raises ``min_speech_ms`` to at least this.
        least_silence_ms: lowers ``min_silence_ms`` to this.
    """
    if least_silence_ms is not None and least_silence_ms < settings.min_silence_ms:
        settings = settings.model_copy(update={"min_silence_ms": least_silence_ms})
    min_speech_s = max(settings.min_speech_ms, least_speech_ms) / 1000
    if isinstance(settings, BundledVadSettings):
        return inference.VAD(
            min_speech_duration=min_speech_s,
            min_silence_duration=settings.min_silence_ms / 1000,
            prefix_padding_duration=settings.prefix_padding_ms / 1000,
            activation_threshold=settings.activation_threshold,
            executor=AtOnce(),
        )
    return _silero(settings, min_speech_s)


def _silero(settings: SileroVadSettings, min_speech_s: float) -> vad.VAD:
    from livekit.plugins import silero

    return silero.VAD.load(
        min_speech_duration=min_speech_s,
        min_silence_duration=settings.min_silence_ms / 1000,
        prefix_padding_duration=settings.prefix_padding_ms / 1000,
        activation_threshold=settings.activation_threshold,
        sample_rate=settings.sample_rate,
    )


def _stt(
    chosen: SttSettings,
    path: str,
    settings: SpeechSettings,
    link: EngineLink | None,
    expectation: Expectation,
    env: Mapping[str, str],
    http_session: aiohttp.ClientSession | None,
) -> stt.STT[Any]:
    if isinstance(chosen, TimedSttSettings):
        return TimedStt(chosen)
    if isinstance(chosen, OfflineSttSettings):
        assert link is not None
        # A detector of its own: a click may stop the agent, but is not worth a transcription.
        own = build_vad(settings.vad, least_speech_ms=chosen.min_speech_ms)
        return stt.StreamAdapter(stt=OfflineStt(link, chosen, expectation), vad=own)
    return cloud_stt(
        chosen, path, env, http_session, lambda least_ms: build_vad(settings.vad, least_speech_ms=least_ms)
    )


def _llm(
    chosen: LlmSettings,
    path: str,
    dialogue: DialogueEngine | None,
    expectation: Expectation,
    env: Mapping[str, str],
) -> llm.LLM[Any]:
    if isinstance(chosen, TimedLlmSettings):
        return TimedLlm(chosen)
    if isinstance(chosen, OfflineLlmSettings):
        if dialogue is None:
            raise ConfigError(
                "The assistant has no flow, and an offline line can follow nothing else.",
                field="speech.llm.provider",
                fix="Give the assistant a flow, or configure a language model.",
            )
        return DialogueLlm(dialogue, expectation)
    return cloud_llm(chosen, path, env)


def voice_of(
    chosen: TtsSettings,
    path: str,
    link: EngineLink | None,
    env: Mapping[str, str],
    http_session: aiohttp.ClientSession | None,
) -> tts.TTS[Any]:
    """The voice of a section, which streams."""
    if isinstance(chosen, TimedTtsSettings):
        return TimedTts(chosen)
    if isinstance(chosen, OfflineTtsSettings):
        assert link is not None
        return tts.StreamAdapter(tts=OfflineTts(link, chosen))
    return cloud_tts(chosen, path, env, http_session)
