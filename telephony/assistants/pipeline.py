"""An assistant's own speech: what it wants otherwise than the line's ``speech`` section. Pure.

A stage that an assistant names replaces the line's whole stage, so that no key of one provider is left
over under another. Keys and passwords stay in the operator's file or the environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from telephony.assistants.part import Part
from telephony.errors import ConfigError
from telephony.speech.settings import LlmSettings, SpeechSettings, SttSettings, TtsSettings, VadSettings

if TYPE_CHECKING:
    from telephony.assistants.schema import Assistant

PipelineName = Literal["stages", "realtime"]


class StageOverrides(Part):
    """Stages by name, each as the operator's file has it."""

    stt: SttSettings | None = None
    """Who recognises. Default: the line's."""
    llm: LlmSettings | None = None
    """Who decides what to say. Default: the line's."""
    tts: TtsSettings | None = None
    """Who speaks. Default: the line's."""
    vad: VadSettings | None = None
    """Who hears that somebody speaks. Default: the line's."""


def speech_for(assistant: Assistant, line: SpeechSettings) -> SpeechSettings:
    """The line's speech as one assistant wants it.

    Raises:
        ConfigError: the line has no such pipeline, or its voice cannot be chosen by name.
    """
    wanted = assistant.speech
    own = {name: stage for name, stage in wanted if stage is not None}
    speech = line.model_copy(update=own) if own else line
    if assistant.pipeline is not None:
        speech = _piped(speech, assistant.pipeline)
    if assistant.voice is not None:
        speech = _voiced(speech, assistant.voice)
    return speech


def _piped(speech: SpeechSettings, pipeline: PipelineName) -> SpeechSettings:
    if "pipeline" not in SpeechSettings.model_fields:
        if pipeline == "stages":
            return speech
        raise ConfigError(
            "this line has no realtime pipeline.",
            field="pipeline",
            fix="Leave pipeline out, or add speech.realtime to the line's file.",
        )
    return _checked(speech, {"pipeline": pipeline}, "pipeline")


def _voiced(speech: SpeechSettings, voice: str) -> SpeechSettings:
    realtime: Any = getattr(speech, "realtime", None)
    stage, section = (
        ("realtime", realtime) if getattr(speech, "pipeline", "") == "realtime" else ("tts", speech.tts)
    )
    if section is None or "voice" not in type(section).model_fields:
        # Its voice is its only one: a tone for measurements, or a voice that is carried in a package.
        return speech
    try:
        chosen = type(section).model_validate({**dict(section), "voice": voice})
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise ConfigError(
            f"speech.{stage} has no voice {voice!r}: {reason}.",
            field="voice",
            fix="Choose one of the provider's.",
        ) from None
    return speech.model_copy(update={stage: chosen})


def _checked(speech: SpeechSettings, update: dict[str, Any], field: str) -> SpeechSettings:
    try:
        return SpeechSettings.model_validate({**dict(speech), **update})
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise ConfigError(f"{reason.removeprefix('Value error, ')}.", field=field) from None
