"""``speech.realtime``: models that hear and speak, at OpenAI or Azure. Pure data.

Mirrors ``livekit.plugins.openai.realtime.RealtimeModel`` 1.8 and the session object of OpenAI's realtime API.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from telephony.speech.section import CloudSection, SpeechSection


class ServerVadSettings(SpeechSection):
    """The model's own ear for turns, by loudness and silence."""

    type: Literal["server_vad"] = "server_vad"
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """How sure it must be of a voice; higher for noisy lines. Default 0.5."""
    prefix_padding_ms: int = Field(default=300, ge=0, le=2000)
    """What is kept from before speech began, in ms. Default 300."""
    silence_duration_ms: int = Field(default=500, ge=100, le=5000)
    """Silence that ends the caller's turn, in ms. Default 500."""


class SemanticVadSettings(SpeechSection):
    """The model's own ear for turns, by what is said."""

    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    """How soon it answers. Default auto."""


TurnDetection = Annotated[ServerVadSettings | SemanticVadSettings, Field(discriminator="type")]


class _RealtimeSettings(CloudSection):
    voice: str = "marin"
    """Default marin."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature, where the API still has one. Default: not sent."""
    speed: float = Field(default=1.0, ge=0.25, le=1.5)
    """Pace of its speech. Default 1."""
    turn_detection: TurnDetection = ServerVadSettings()
    """When the caller's turn begins and ends. Default server_vad."""
    transcription_model: str = "gpt-4o-mini-transcribe"
    """What writes down the caller's words, for the record. Default gpt-4o-mini-transcribe."""
    language: str | None = None
    """Of the caller's words, ISO 639-1. Default: found out."""
    noise_reduction: Literal["near_field", "far_field"] | None = None
    """The API's own. Default none: the telephone network has filtered already."""


class OpenAiRealtimeSettings(_RealtimeSettings):
    """OpenAI's realtime API, or a server that speaks it."""

    api_key_variable: ClassVar[str] = "OPENAI_API_KEY"

    provider: Literal["openai"]
    model: str = "gpt-realtime"
    """Default gpt-realtime."""
    base_url: str = "wss://api.openai.com/v1"
    """The API's root; http(s) and ws(s) mean the same."""

    @model_validator(mode="after")
    def _knows_temperature(self) -> OpenAiRealtimeSettings:
        if self.temperature is not None and urlsplit(self.base_url).hostname == "api.openai.com":
            raise ValueError("OpenAI's realtime API has no temperature any more; leave it out")
        return self


class AzureRealtimeSettings(_RealtimeSettings):
    """The same at Azure, by deployment."""

    api_key_variable: ClassVar[str] = "AZURE_OPENAI_API_KEY"

    provider: Literal["azure"]
    endpoint: str
    """The resource, such as wss://example.openai.azure.com; http(s) and ws(s) mean the same."""
    deployment: str
    """The deployment's name."""
    api_version: str | None = None
    """Of the older API, such as 2025-04-01-preview. Default: the v1 API, which has none."""

    @model_validator(mode="after")
    def _knows_temperature(self) -> AzureRealtimeSettings:
        if self.temperature is not None and self.api_version is None:
            raise ValueError("only the older API has a temperature: name its api_version, or leave it out")
        return self

    @property
    def model(self) -> str:
        """What it is called in records."""
        return self.deployment


RealtimeSettings = Annotated[OpenAiRealtimeSettings | AzureRealtimeSettings, Field(discriminator="provider")]
