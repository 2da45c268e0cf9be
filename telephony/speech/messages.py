"""What the speech engine and its clients say to each other; each is the header of one frame.

Pure. A client numbers its requests; every reply carries the number of its request. A connection
begins with the engine's ``Hello``. A ``Transcribe`` has its samples as payload and is answered by one
``TranscriptReply``; a ``Synthesize`` by ``AudioReply`` frames with samples and then ``Done``; either by
one ``Failure`` instead of the rest. ``Cancel`` is not answered: replies already under way may still come.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from telephony.errors import SpeechError

MAX_AUDIO_S = 75.0
"""Longest utterance that is recognised: LiveKit's VAD hands over at most 60 s and its padding."""
MAX_TEXT = 5000
"""Longest text that is spoken in one request, in characters."""
MAX_HINT = 500
"""Longest hint that can still fit a recogniser's prompt, in characters."""

Rate = Annotated[int, Field(ge=8000, le=48_000)]
RequestId = Annotated[int, Field(ge=1, le=2**53)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def encode(self) -> bytes:
        """The JSON header of this message."""
        return self.model_dump_json().encode()


class Transcribe(_Message):
    """Recognise the payload."""

    op: Literal["transcribe"] = "transcribe"
    id: RequestId
    rate: Rate
    """Samples per second of the payload, in Hz."""
    hint: str = Field(default="", max_length=MAX_HINT)
    """What is likely to be heard, in the words it may be said in."""
    language: str = Field(default="en", pattern=r"^[a-z]{2,3}$")


class Synthesize(_Message):
    """Speak a text."""

    op: Literal["synthesize"] = "synthesize"
    id: RequestId
    text: str = Field(max_length=MAX_TEXT)
    rate: Rate
    """Samples per second wanted, in Hz."""
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    language: str = Field(default="", pattern=r"^([a-z]{2,3})?$")
    """Whose voice speaks it; empty: its letters tell."""


class Cancel(_Message):
    """Forget a request: nobody waits for its answer any more."""

    op: Literal["cancel"] = "cancel"
    id: RequestId


class Hello(_Message):
    """The engine is ready; the first message on every connection."""

    type: Literal["hello"] = "hello"
    recogniser: str
    voice: str


class TranscriptReply(_Message):
    """What was recognised; ``text`` is empty when nobody spoke."""

    type: Literal["transcript"] = "transcript"
    id: RequestId
    text: str
    confidence: float
    """Mean probability of a token, 0 to 1."""
    no_speech_prob: float
    """Probability that nobody spoke, 0 to 1."""
    duration_ms: float
    """Length of the audio, in ms."""
    processing_ms: float
    """Time the recogniser took, without waiting for its turn, in ms."""


class AudioReply(_Message):
    """The payload is the next piece of the speech."""

    type: Literal["audio"] = "audio"
    id: RequestId


class Done(_Message):
    """The speech is complete."""

    type: Literal["done"] = "done"
    id: RequestId


class Failure(_Message):
    """The request failed; ``id`` is 0 when the frame did not say which it was."""

    type: Literal["failure"] = "failure"
    id: int
    message: str
    retryable: bool = False


_M = TypeVar("_M")

Request = Transcribe | Synthesize | Cancel
Reply = Hello | TranscriptReply | AudioReply | Done | Failure

_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="op")])
_REPLY: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="type")])


def parse_request(header: bytes) -> Request:
    """Read what a client said.

    Raises:
        SpeechError: it is not a request; ``field`` names the key at fault.
    """
    return _parse(_REQUEST, header, "request")


def parse_reply(header: bytes) -> Reply:
    """Read what the engine said.

    Raises:
        SpeechError: it is not a reply; ``field`` names the key at fault.
    """
    return _parse(_REPLY, header, "reply")


def request_id_of(header: bytes) -> int:
    """The number of a request that could not be read, or 0."""
    try:
        return _Numbered.model_validate_json(header).id
    except ValidationError:
        return 0


class _Numbered(BaseModel):
    model_config = ConfigDict(strict=True)

    id: RequestId


def _parse(adapter: TypeAdapter[_M], header: bytes, kind: str) -> _M:
    try:
        return adapter.validate_json(header)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        raise SpeechError(f"Not a speech {kind}: {first['msg']}.", field=field) from error
