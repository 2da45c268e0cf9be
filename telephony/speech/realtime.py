"""Models that hear and speak, as a call needs them: OpenAI's realtime API, at OpenAI or Azure.

The model's turn detection leads: it says when the caller begins to speak, and answers when the turn is over.
Whether the agent then falls silent is decided by the line's interrupt handler, so that what must be heard
is heard; the plugin would stop it by itself, so the event is kept from it and told to ``heard``.

The plugin is imported with this module; see ``providers.preload_modules``.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from livekit.agents import APIConnectOptions, llm
from livekit.plugins.openai import realtime
from openai.types.realtime import AudioTranscription
from openai.types.realtime.realtime_audio_input_turn_detection import SemanticVad, ServerVad

from telephony.clock import LoopClock
from telephony.logs import get_logger
from telephony.speech.guard.realtime import RealtimeGuard
from telephony.speech.keys import require_key
from telephony.speech.providers import Ears, engine_link, guarded_voice, session_vad, voice_of
from telephony.speech.realtime_settings import AzureRealtimeSettings, ServerVadSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import aiohttp
    from livekit.agents import tts, vad

    from telephony.speech.engine_link import EngineLink
    from telephony.speech.guard.rota import Rota
    from telephony.speech.guard.trouble import Tell
    from telephony.speech.realtime_settings import RealtimeSettings
    from telephony.speech.settings import SpeechSettings

log = get_logger(__name__)

LIMITS = APIConnectOptions(max_retry=1, retry_interval=0.3, timeout=5.0)
"""A telephone call cannot wait ten seconds for a connection, nor three times."""
_CLOSE_TIMEOUT_S = 3.0
_AS_THE_LINE = Ears()


class PhoneRealtimeModel(realtime.RealtimeModel):
    """A realtime model that does not stop the agent by itself.

    Attributes:
        heard: told when the model hears the caller begin to speak.
        opened: told when a session with it begins.
        temperature: sent with the session where it is given.
    """

    heard: Callable[[], None] | None = None
    opened: Callable[[PhoneRealtimeModel], None] | None = None
    temperature: float | None = None

    def session(self, *, turn_detection_disabled: bool = False) -> PhoneRealtimeSession:
        """A connection for one call."""
        if self.opened is not None:
            self.opened(self)
        return PhoneRealtimeSession(self, turn_detection_disabled=turn_detection_disabled)


class PhoneRealtimeSession(realtime.RealtimeSession):
    """One connection."""

    def emit(self, event: Any, *args: Any) -> None:
        """As the plugin, but that the caller's first sound interrupts nothing."""
        if event != "input_speech_started":
            super().emit(event, *args)
            return
        model = self._realtime_model
        if isinstance(model, PhoneRealtimeModel) and model.heard is not None:
            model.heard()

    def _create_session_update_event(self) -> Any:
        event = super()._create_session_update_event()
        model = self._realtime_model
        if not isinstance(model, PhoneRealtimeModel) or model.temperature is None:
            return event
        told = event if isinstance(event, dict) else event.model_dump(by_alias=True, exclude_unset=True)
        told["session"]["temperature"] = model.temperature
        return told


@dataclass(slots=True)
class RealtimeProviders:
    """One call's model and the voice for fixed texts; close them with the call."""

    llm: llm.RealtimeModel
    tts: tts.TTS[Any]
    vad: vad.VAD
    guard: RealtimeGuard
    models: tuple[PhoneRealtimeModel, ...]
    settings: RealtimeSettings
    _rotas: tuple[Rota[Any], ...] = ()
    _link: EngineLink | None = field(default=None, repr=False)

    def on_trouble(self, tell: Tell) -> None:
        """Have somebody told when a provider fails, or keeps the caller waiting."""
        self.guard.tell = tell
        for rota in self._rotas:
            rota.tell = tell

    def on_heard(self, heard: Callable[[], None]) -> None:
        """Have somebody told when the model hears the caller begin to speak."""
        for model in self.models:
            model.heard = heard

    async def aclose(self) -> None:
        """Close all of them, and the connection to the engine, within 3 s; never fails."""
        self.guard.close()
        closing = [self.llm.aclose(), self.tts.aclose()]
        if self._link is not None:
            closing.append(self._link.close())
        bounded = [asyncio.wait_for(each, _CLOSE_TIMEOUT_S) for each in closing]
        for outcome in await asyncio.gather(*bounded, return_exceptions=True):
            if isinstance(outcome, BaseException):
                log.warning("provider_not_closed", reason=repr(outcome))


def build_realtime(
    settings: SpeechSettings,
    *,
    engine_socket: str | Path | None = None,
    env: Mapping[str, str] = os.environ,
    http_session: aiohttp.ClientSession | None = None,
    ears: Ears = _AS_THE_LINE,
) -> RealtimeProviders:
    """Build the realtime pipeline of one call; arguments and errors as ``providers.build``."""
    chosen = settings.realtime
    assert chosen is not None, "validated with the file"
    link = engine_link(settings, engine_socket)
    models = [realtime_model(chosen, "speech.realtime", env, http_session)]
    if settings.fallback.realtime is not None:
        other = realtime_model(settings.fallback.realtime, "speech.fallback.realtime", env, http_session)
        models.append(other)
    adapter = llm.RealtimeModelFallbackAdapter(list(models), cooldown=settings.deadlines.cooldown_s)
    guard = RealtimeGuard(
        LoopClock(),
        settings.deadlines,
        restart=lambda: adapter.restart_session(switch_model=len(models) > 1),
        others=len(models) > 1,
    )
    for model, section in zip(models, (chosen, settings.fallback.realtime), strict=False):
        assert section is not None, "a model of each"
        name = f"{section.provider}/{section.model}"
        model.opened = lambda _, name=name: guard.serves(name)
    voice = voice_of(settings.tts, "speech.tts", link, env, http_session)
    guarded, rotas = guarded_voice(voice, settings, link, env, http_session)
    return RealtimeProviders(
        llm=adapter,
        tts=guarded,
        vad=session_vad(settings, ears),
        guard=guard,
        models=tuple(models),
        settings=chosen,
        _rotas=rotas,
        _link=link,
    )


def realtime_model(
    chosen: RealtimeSettings, path: str, env: Mapping[str, str], http_session: aiohttp.ClientSession | None
) -> PhoneRealtimeModel:
    """The model of a section.

    Raises:
        ConfigError: the key is missing.
    """
    key = require_key(chosen, path, env)
    transcription = AudioTranscription(model=chosen.transcription_model)
    if chosen.language is not None:
        transcription.language = chosen.language
    common: dict[str, Any] = {
        "voice": chosen.voice,
        "speed": chosen.speed,
        "input_audio_transcription": transcription,
        "input_audio_noise_reduction": chosen.noise_reduction,
        "turn_detection": _turn_detection(chosen),
        "api_key": key,
        "http_session": http_session,
    }
    if isinstance(chosen, AzureRealtimeSettings):
        if chosen.api_version is not None:
            common["api_version"] = chosen.api_version
        root = f"{chosen.endpoint.rstrip('/')}/openai"
        model = PhoneRealtimeModel(
            base_url=root, azure_deployment=chosen.deployment, conn_options=LIMITS, **common
        )
    else:
        model = PhoneRealtimeModel(
            model=chosen.model, base_url=chosen.base_url, conn_options=LIMITS, **common
        )
    model.temperature = chosen.temperature
    return model


def _turn_detection(chosen: RealtimeSettings) -> ServerVad | SemanticVad:
    """The model answers by itself, and never stops by itself."""
    wanted = chosen.turn_detection
    if isinstance(wanted, ServerVadSettings):
        return ServerVad(
            type="server_vad",
            threshold=wanted.threshold,
            prefix_padding_ms=wanted.prefix_padding_ms,
            silence_duration_ms=wanted.silence_duration_ms,
            create_response=True,
            interrupt_response=False,
        )
    return SemanticVad(
        type="semantic_vad", eagerness=wanted.eagerness, create_response=True, interrupt_response=False
    )
