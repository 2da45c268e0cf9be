"""Messages out of a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import SipParseError
from telephony.sip.framing import StreamFramer
from telephony.sip.message import MAX_MESSAGE
from tests.sip.wire import request_bytes

pytestmark = pytest.mark.pure

MESSAGES = [
    request_bytes("INVITE", body="v=0\r\n\r\nl: 5\r\n\r\n"),
    request_bytes("BYE"),
    request_bytes("INFO", body="ж"),
]


@given(st.lists(st.sampled_from(MESSAGES), max_size=5), st.data())
def test_messages_come_out_whole_however_the_stream_is_cut(
    messages: list[bytes], data: st.DataObject
) -> None:
    """Any partition of the bytes gives the same messages in the same order."""
    stream = b"".join(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    framer = StreamFramer()
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += framer.feed(stream[begin:end])
    assert found == messages
    assert not framer.partial


@given(st.integers(0, 6), st.integers(1, 5))
def test_keep_alives_are_counted_however_they_arrive(pings: int, step: int) -> None:
    """Double CRLFs between messages, in one piece or in many."""
    stream = MESSAGES[1] + b"\r\n\r\n" * pings + MESSAGES[1]
    framer = StreamFramer()
    found = []
    for begin in range(0, len(stream), step):
        found += framer.feed(stream[begin : begin + step])
    assert found == [MESSAGES[1]] * 2
    assert framer.take_pings() == pings
    assert framer.take_pings() == 0


@pytest.mark.parametrize(
    "stream",
    [
        request_bytes().replace(b"Content-Length: 0", b"X: 0"),
        request_bytes(headers=("l: 0",)),
        request_bytes().replace(b"Length: 0", b"Length: -1"),
        request_bytes().replace(b"Length: 0", b"Length: 99999"),
        b"x" * (MAX_MESSAGE + 1),
    ],
)
def test_a_stream_that_cannot_be_cut_fails(stream: bytes) -> None:
    """No length, two lengths, an impossible one, or a head without end."""
    with pytest.raises(SipParseError):
        StreamFramer().feed(stream)


def test_the_beginning_of_a_message_is_noticed() -> None:
    """partial says that the rest is owed."""
    framer = StreamFramer()
    framer.feed(b"\r\n\r\n\r\n")
    assert not framer.partial
    framer.feed(b"INVITE")
    assert framer.partial
