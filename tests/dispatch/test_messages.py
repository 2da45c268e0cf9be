"""The wire between a bridge and the dispatcher."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.dispatch.messages import (
    Abandon,
    Agents,
    Hello,
    JobOver,
    Launch,
    Launched,
    Message,
    Refused,
    Reserved,
    Welcome,
    decode,
    encode,
)
from telephony.errors import LinkError

pytestmark = pytest.mark.pure

_NUMBERS = st.integers(0, 2**31)
_MESSAGES = st.one_of(
    st.builds(Hello, _NUMBERS),
    st.builds(Welcome, _NUMBERS),
    st.builds(Abandon, _NUMBERS),
    st.builds(Agents, st.lists(st.text())),
    st.builds(Reserved, _NUMBERS),
    st.builds(Launched, _NUMBERS, st.text(), st.text()),
    st.builds(Refused, _NUMBERS, st.sampled_from(["no_worker", "full", "away"]), st.text()),
    st.builds(JobOver, _NUMBERS, st.sampled_from(["failed", "succeeded", "worker_lost"])),
    st.builds(
        Launch,
        _NUMBERS,
        st.text(),
        st.text(),
        st.text(),
        st.dictionaries(st.text(), st.text()),
        st.text(),
        st.floats(0, 100),
        st.booleans(),
    ),
)


@given(_MESSAGES)
def test_every_message_comes_back_as_it_was_sent(message: Message) -> None:
    """Whatever either side says is read as it was meant."""
    assert decode(encode(message)) == message


@given(st.binary(max_size=60) | st.text().map(str.encode))
def test_garbage_is_refused(data: bytes) -> None:
    """Any bytes but a message are a LinkError."""
    with pytest.raises(LinkError):
        decode(data)


@pytest.mark.parametrize(
    "text",
    [
        '{"is":"Hello"}',
        '{"is":"Hello","version":"1"}',
        '{"is":"Hello","version":true}',
        '{"is":"Hello","version":1,"more":2}',
        '{"is":"Refused","request":1,"reason":"mood","sentence":""}',
        '{"is":"JobOver","request":1,"state":"well"}',
        '{"is":"Agents","names":["a",1]}',
        '{"is":["Hello"]}',
        '["Hello"]',
        "[" * 5000,
    ],
)
def test_a_message_with_other_fields_is_refused(text: str) -> None:
    """A field too few, too many or of another type is not guessed at."""
    with pytest.raises(LinkError):
        decode(text.encode())


def test_fields_are_typed_values() -> Any:
    """What is read has the declared types, so that no part checks them again."""
    launch = Launch(1, "a", "r", "", {"k": "v"}, "", 1.5, True)
    read = decode(encode(launch))
    assert isinstance(read, Launch)
    assert (read.attributes, read.patience_s, read.persistent) == ({"k": "v"}, 1.5, True)
