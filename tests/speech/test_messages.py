"""What the engine and its clients say: each message survives the wire, and nothing else is understood."""

from __future__ import annotations

import pytest

from telephony.errors import SpeechError
from telephony.speech.messages import (
    AudioReply,
    Cancel,
    Done,
    Failure,
    Hello,
    Reply,
    Request,
    Synthesize,
    Transcribe,
    TranscriptReply,
    parse_reply,
    parse_request,
    request_id_of,
)

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    "request_",
    [
        Transcribe(id=1, rate=8000, hint="Monday.", language="en"),
        Synthesize(id=2, text="Hello.", rate=16_000, speed=1.5, seed=7),
        Cancel(id=3),
    ],
)
def test_a_request_is_understood(request_: Request) -> None:
    """Every request comes out of its own encoding."""
    assert parse_request(request_.encode()) == request_


@pytest.mark.parametrize(
    "reply",
    [
        Hello(recogniser="tiny.en", voice="heart"),
        TranscriptReply(
            id=1, text="hi", confidence=0.5, no_speech_prob=0.1, duration_ms=900.0, processing_ms=80.0
        ),
        AudioReply(id=1),
        Done(id=1),
        Failure(id=0, message="no", retryable=True),
    ],
)
def test_a_reply_is_understood(reply: Reply) -> None:
    """Every reply comes out of its own encoding."""
    assert parse_reply(reply.encode()) == reply


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"op":"shutdown","id":1}',
        b'{"op":"transcribe","id":0,"rate":8000}',
        b'{"op":"transcribe","id":1,"rate":4000}',
        b'{"op":"transcribe","id":1,"rate":8000,"language":"../en"}',
        b'{"op":"transcribe","id":1,"rate":8000,"path":"/etc/passwd"}',
        b'{"op":"synthesize","id":1,"rate":8000,"text":"hi","speed":0}',
        b'{"op":"synthesize","id":1,"rate":8000,"text":"' + b"a" * 5001 + b'"}',
        b"[" * 5000,
    ],
)
def test_anything_else_is_refused_with_a_reason(header: bytes) -> None:
    """Headers that are no request raise one kind of error, however they are broken."""
    with pytest.raises(SpeechError, match="Not a speech request"):
        parse_request(header)


@pytest.mark.parametrize(
    ("header", "number"),
    [(b'{"id":7,"op":"dance"}', 7), (b'{"id":"7"}', 0), (b'{"id":-1}', 0), (b"nonsense", 0), (b"[7]", 0)],
)
def test_the_number_of_a_broken_request_is_found_if_it_has_one(header: bytes, number: int) -> None:
    """A refusal can name its request, so the client's other requests live on."""
    assert request_id_of(header) == number
