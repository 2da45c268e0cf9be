"""The wire of the direct line."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import LinkError
from telephony.link import messages
from telephony.link.messages import (
    MAX_PCM,
    Clip,
    ClipAudio,
    Finished,
    Heard,
    Hello,
    Message,
    Pause,
    Speech,
    Welcome,
    clip_messages,
    decode,
    encode,
    to_bridge,
    to_job,
)

pytestmark = pytest.mark.pure

_ALL: list[type[Message]] = [*messages._TO_BRIDGE, *messages._TO_JOB]
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "version": st.integers(0, 65535),
    "segment": st.integers(0, 2**32 - 1),
    "sequence": st.integers(0, 2**32 - 1),
    "offset": st.integers(0, 2**32 - 1),
    "samples": st.integers(0, 2**32 - 1),
    "clip": st.integers(0, 255),
    "at": st.floats(allow_nan=False),
    "interrupted": st.booleans(),
    "last": st.booleans(),
    "pcm": st.binary(max_size=64).map(lambda data: data * 2),
}


@st.composite
def any_message(draw: st.DrawFn) -> Message:
    kind = draw(st.sampled_from(_ALL))
    values = {field.name: draw(_VALUES.get(field.name, st.text(max_size=40))) for field in fields(kind)}
    return kind(**values)


@given(any_message())
def test_every_message_comes_back_as_it_was_sent(message: Message) -> None:
    """Whatever either end says is read as it was meant."""
    assert decode(encode(message)) == message


@given(st.binary(max_size=80))
def test_garbage_is_refused_and_nothing_else_happens(data: bytes) -> None:
    """Any bytes are a message or a LinkError."""
    try:
        message = decode(data)
    except LinkError:
        return
    assert isinstance(message, Message)


def test_every_message_has_a_letter_of_its_own() -> None:
    """No two kinds of message share their first byte."""
    assert len({kind.CODE for kind in _ALL}) == len(_ALL)


def test_an_end_takes_only_what_the_other_may_say() -> None:
    """A bridge's message from a job is refused, and the reverse."""
    assert to_bridge(encode(Pause())) == Pause()
    assert to_job(encode(Welcome(1, "call_abc123"))) == Welcome(1, "call_abc123")
    with pytest.raises(LinkError, match="Finished came from a job"):
        to_bridge(encode(Finished(1, 0, interrupted=False)))
    with pytest.raises(LinkError, match="Hello came from the bridge"):
        to_job(encode(Hello(1, "AJ_1")))


@pytest.mark.parametrize(
    "message",
    [
        Speech(1, b"\0" * (MAX_PCM + 2)),
        Speech(1, b"\0"),
        Speech(2**32, b""),
        Hello(1, "x" * 70_000),
        Heard(-1, 0.0, b""),
    ],
    ids=["too long", "half a sample", "number too large", "text too long", "negative"],
)
def test_what_does_not_fit_is_not_sent(message: Message) -> None:
    """A field out of range is refused where it is said, not where it is read."""
    with pytest.raises(LinkError):
        encode(message)


def test_a_long_clip_goes_in_pieces() -> None:
    """The last of a clip's pieces, and only that, completes it; together they are the clip."""
    pcm = bytes(range(256)) * 300
    pieces = clip_messages(Clip.MOMENT, pcm)
    assert [piece.last for piece in pieces] == [False, False, True]
    assert b"".join(piece.pcm for piece in pieces) == pcm
    assert clip_messages(Clip.GOODBYE, b"") == [ClipAudio(Clip.GOODBYE, True, b"")]
