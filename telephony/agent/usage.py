"""What a call used of which provider, as events tell it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents.metrics import LLMModelUsage, STTModelUsage, TTSModelUsage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from livekit.agents.metrics import ModelUsage


def usage_of(models: Iterable[ModelUsage], *, realtime: bool = False) -> list[dict[str, Any]]:
    """Each model's use as ``telephony.calls.shapes.Usage``; what was not used is left out."""
    told = []
    for model in models:
        entry: dict[str, Any]
        if isinstance(model, LLMModelUsage):
            entry = {"kind": "realtime" if realtime else "llm", "cached_tokens": model.input_cached_tokens}
        elif isinstance(model, STTModelUsage):
            entry = {"kind": "stt", "audio_s": round(model.audio_duration, 3)}
        elif isinstance(model, TTSModelUsage):
            seconds = round(model.audio_duration, 3)
            entry = {"kind": "tts", "audio_s": seconds, "characters": model.characters_count}
        else:
            continue
        entry |= {"input_tokens": model.input_tokens, "output_tokens": model.output_tokens}
        used = {name: value for name, value in entry.items() if value}
        if len(used) > 1:
            told.append({"provider": model.provider or "unknown", "model": model.model, **used})
    return told
