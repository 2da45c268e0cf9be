"""What hears, thinks and speaks in one call: three providers, or one model that hears and a voice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from telephony.agent.session import ears_of
from telephony.assistants.flow import Flow
from telephony.logs import get_logger
from telephony.speech.languages import in_language
from telephony.speech.providers import Providers, build

if TYPE_CHECKING:
    from livekit.agents import stt

    from telephony.agent.settings import AgentSettings
    from telephony.assistants.schema import Assistant
    from telephony.speech.realtime import RealtimeProviders
    from telephony.speech.settings import SpeechSettings

    Pipeline = Providers | RealtimeProviders

log = get_logger(__name__)

_CLOSE_S = 1.0


def is_realtime(settings: AgentSettings) -> bool:
    """Whether one model hears and thinks."""
    return settings.line.speech.pipeline == "realtime"


def flow_of(settings: AgentSettings, assistant: Assistant) -> Flow | None:
    """What leads the call; None where a language model does."""
    offline = settings.line.speech.llm.provider == "offline" and not is_realtime(settings)
    return Flow(assistant) if offline and assistant.flow is not None else None


def build_pipeline(settings: AgentSettings, assistant: Assistant, flow: Flow | None) -> Pipeline:
    """Build a call's providers; to be called in a running event loop.

    Raises:
        TrunklineError: a provider is not usable.
    """
    speech = in_language(settings.line.speech, assistant.language)
    socket, ears = settings.speech_socket, ears_of(assistant)
    if is_realtime(settings):
        from telephony.speech.realtime import build_realtime

        return build_realtime(speech, engine_socket=socket, ears=ears)
    return build(speech, engine_socket=socket, dialogue=flow, ears=ears)


async def close_pipeline(pipeline: Pipeline) -> None:
    """Let the providers go; bounded, never fails."""
    try:
        async with asyncio.timeout(_CLOSE_S):
            await pipeline.aclose()
    except Exception as error:
        log.warning("providers_not_closed", reason=str(error) or type(error).__name__)


def recogniser_of(pipeline: Pipeline) -> stt.STT[Any] | None:
    """What the caller's words come from; None where the model itself hears the caller."""
    return pipeline.stt if isinstance(pipeline, Providers) else None


def second_recogniser(pipeline: Pipeline) -> stt.STT[Any] | None:
    """One that can follow another speaker than the caller; a model that hears for itself has none."""
    if not isinstance(pipeline, Providers):
        return None
    # A guarded recogniser follows one speaker, who is the caller.
    return pipeline.stt if pipeline.guarded_stt is None else pipeline.guarded_stt.rota.first


def provider_names(pipeline: Pipeline, speech: SpeechSettings) -> dict[str, dict[str, str]]:
    """The providers and models by stage, as ``agent.started`` tells them."""
    voice = {"provider": speech.tts.provider, "model": pipeline.tts.model}
    if not isinstance(pipeline, Providers):
        hears = {"provider": pipeline.settings.provider, "model": pipeline.settings.model}
        return {"realtime": hears, "tts": voice}
    return {
        "stt": {"provider": speech.stt.provider, "model": pipeline.stt.model},
        "llm": {"provider": speech.llm.provider, "model": pipeline.llm.model},
        "tts": voice,
    }
