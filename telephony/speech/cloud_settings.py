"""Providers of one stage behind a network, beside those of ``settings``. Pure data.

Deepgram's Flux, servers that transcribe as OpenAI's does, servers that answer as OpenAI's does, OpenAI's
voices, any plugin of LiveKit's by its name, and a voice server of one's own. Mirrors the constructors of
livekit-agents' plugins 1.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

from telephony.speech.section import CloudSection, is_local


@dataclass(frozen=True, slots=True)
class Preset:
    """A server that speaks OpenAI's chat completions.

    Attributes:
        base_url: the API's root; None: OpenAI's own.
        key_variable: the environment variable of its key; empty: it asks for none.
    """

    base_url: str | None
    key_variable: str


PRESETS: Final[dict[str, Preset]] = {
    "openai": Preset(None, "OPENAI_API_KEY"),
    "google": Preset("https://generativelanguage.googleapis.com/v1beta/openai/", "GEMINI_API_KEY"),
    "yandex": Preset("https://llm.api.cloud.yandex.net/v1", "YANDEX_API_KEY"),
    "ollama": Preset("http://127.0.0.1:11434/v1", ""),
    "vllm": Preset("http://127.0.0.1:8000/v1", "VLLM_API_KEY"),
}
"""By what they are called in the file."""

PresetName = Literal["openai", "google", "yandex", "ollama", "vllm"]


class FluxSttSettings(CloudSection):
    """Deepgram's Flux: a recogniser that decides by itself when a turn is over (``/v2/listen``)."""

    api_key_variable: ClassVar[str] = "DEEPGRAM_API_KEY"

    provider: Literal["deepgram-flux"]
    model: str = "flux-general-en"
    """``flux-general-en``, or ``flux-general-multi`` for ten languages. Default flux-general-en."""
    base_url: str = "https://api.deepgram.com/v2/listen"
    """Where to connect, path included; http(s) and ws(s) mean the same."""
    sample_rate: Literal[8000, 16000] = 8000
    """What is sent, in Hz. Default 8000: a telephone has no more."""
    chunk_ms: int = Field(default=80, ge=20, le=200)
    """Audio in one message, in ms. Default 80, which Deepgram advises."""
    eot_threshold: float | None = Field(default=None, ge=0.5, le=0.9)
    """How sure it must be that a turn is over. Default: Deepgram's own, 0.7."""
    eager_eot_threshold: float | None = Field(default=None, ge=0.3, le=0.9)
    """From which certainty an answer is worked out ahead. Default: not at all."""
    eot_timeout_ms: int | None = Field(default=None, ge=500, le=10_000)
    """Silence that ends a turn whatever was said, in ms. Default: Deepgram's own, 3000."""
    language_hint: list[str] = Field(default_factory=list, max_length=10)
    """Languages to expect, with flux-general-multi only. Default none."""
    keyterms: list[str] = Field(default_factory=list, max_length=100)
    """Names and terms to listen for. Default none."""
    numerals: bool = False
    """Numbers in digits. Default false."""
    mip_opt_out: bool = True
    """Whether Deepgram may not keep the audio to improve its models. Default true."""

    @model_validator(mode="after")
    def _fits(self) -> FluxSttSettings:
        if self.eager_eot_threshold is not None and self.eager_eot_threshold > (self.eot_threshold or 0.7):
            raise ValueError(
                "eager_eot_threshold must not be above eot_threshold (0.7 where it is not given)"
            )
        if self.language_hint and self.model != "flux-general-multi":
            raise ValueError("language_hint is for the model flux-general-multi only")
        return self


class WhisperSttSettings(CloudSection):
    """Any server that transcribes whole utterances as OpenAI's does (``/audio/transcriptions``)."""

    api_key_variable: ClassVar[str] = "OPENAI_API_KEY"

    provider: Literal["whisper"]
    model: str = "whisper-1"
    """The model's name at that server. Default whisper-1."""
    base_url: str | None = None
    """The API's root, such as http://127.0.0.1:8000/v1. Default: OpenAI's own."""
    language: str = "en"
    """ISO 639-1 code. Default en."""
    prompt: str | None = None
    """What the audio is about, to help with names. Default none."""
    temperature: float | None = Field(default=None, ge=0, le=1)
    """Sampling temperature. Default: the server's own."""
    min_speech_ms: int = Field(default=200, ge=0, le=2000)
    """Shorter bursts are not sent, in ms. Default 200."""

    @property
    def key_needed(self) -> bool:
        return not is_local(self.base_url)


class OpenAiLlmSettings(CloudSection):
    """Any server that speaks OpenAI's chat completions."""

    api_key_variable: ClassVar[str] = "OPENAI_API_KEY"

    provider: Literal["openai"]
    preset: PresetName = "openai"
    """Whose server: chooses ``base_url`` and the key's variable. Default openai."""
    model: str = "gpt-4.1-mini"
    """The model's name at that server. Default gpt-4.1-mini; presets other than openai have none."""
    base_url: str | None = None
    """The API's root, such as http://127.0.0.1:11434/v1. Default: the preset's."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature. Default: the model's own."""
    max_completion_tokens: int | None = Field(default=None, ge=1, le=100_000)
    """Longest answer, in tokens. Default: the model's own limit."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high"] | None = None
    """How long a reasoning model thinks. Default: the model's own."""
    parallel_tool_calls: bool | None = None
    """Whether one answer may call several tools. Default: the model's own."""

    @property
    def root(self) -> str | None:
        """The API's root; None: OpenAI's own."""
        return self.base_url or PRESETS[self.preset].base_url

    @property
    def key_variable(self) -> str:
        return PRESETS[self.preset].key_variable

    @property
    def key_needed(self) -> bool:
        return bool(self.key_variable) and not is_local(self.root)

    @model_validator(mode="after")
    def _model_is_named(self) -> OpenAiLlmSettings:
        if self.preset != "openai" and "model" not in self.model_fields_set:
            raise ValueError(f"name the model that {self.preset} is to use: model has no default there")
        return self


class AzureLlmSettings(CloudSection):
    """OpenAI's models at Azure, by deployment."""

    api_key_variable: ClassVar[str] = "AZURE_OPENAI_API_KEY"

    provider: Literal["azure"]
    endpoint: str
    """The resource, such as https://example.openai.azure.com."""
    deployment: str
    """The deployment's name."""
    model: str = "gpt-4.1-mini"
    """The model that is deployed. Default gpt-4.1-mini."""
    api_version: str = "2024-10-21"
    """The API's version. Default 2024-10-21."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature. Default: the model's own."""
    max_completion_tokens: int | None = Field(default=None, ge=1, le=100_000)
    """Longest answer, in tokens. Default: the model's own limit."""


class OpenAiTtsSettings(CloudSection):
    """OpenAI's voices, or a server that speaks as OpenAI's does (``/audio/speech``)."""

    api_key_variable: ClassVar[str] = "OPENAI_API_KEY"

    provider: Literal["openai"]
    model: str = "gpt-4o-mini-tts"
    """The model's name. Default gpt-4o-mini-tts."""
    voice: str = "marin"
    """The voice; those of the realtime models are among them. Default marin."""
    base_url: str | None = None
    """The API's root. Default: OpenAI's own."""
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    """Pace, 1.0 is the voice's own. Default 1."""
    instructions: str | None = None
    """How it is to be spoken. Default none."""

    @property
    def key_needed(self) -> bool:
        return not is_local(self.base_url)


class HttpTtsSettings(CloudSection):
    """A voice server of one's own, over HTTP or a WebSocket; ``docs/providers.md`` has its few messages."""

    api_key_variable: ClassVar[str] = "TRUNKLINE_TTS_API_KEY"

    provider: Literal["http"]
    url: str
    """Where it answers: http(s) for one request a sentence, ws(s) for one socket an utterance."""
    voice: str = ""
    """Sent as it is. Default none."""
    language: str = "en"
    """Sent as it is. Default en."""
    sample_rate: Literal[8000, 16000, 22050, 24000, 44100, 48000] = 8000
    """What is asked for, and what raw samples are taken for, in Hz. Default 8000."""
    speed: float | None = Field(default=None, ge=0.25, le=4.0)
    """Pace. Default: not sent."""

    @property
    def key_needed(self) -> bool:
        return False


class _PluginSettings(CloudSection):
    """A plugin of LiveKit's, by the name of its package below ``livekit.plugins``."""

    provider: Literal["plugin"]
    plugin: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """Such as elevenlabs, for livekit-plugins-elevenlabs."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its constructor's own arguments; unknown ones are refused when the worker starts. Default none."""

    @property
    def key_needed(self) -> bool:
        return False

    @field_validator("options")
    @classmethod
    def _no_key_in_the_open(cls, value: dict[str, Any]) -> dict[str, Any]:
        if "api_key" in value:
            raise ValueError("write the key as api_key beside plugin, where it is kept secret")
        return value


class PluginSttSettings(_PluginSettings):
    """Any recogniser of LiveKit's plugins."""

    factory: str = "STT"
    """The class in the plugin's module. Default STT."""


class PluginLlmSettings(_PluginSettings):
    """Any language model of LiveKit's plugins."""

    factory: str = "LLM"
    """The class in the plugin's module. Default LLM."""


class PluginTtsSettings(_PluginSettings):
    """Any voice of LiveKit's plugins."""

    factory: str = "TTS"
    """The class in the plugin's module. Default TTS."""
