"""Keys on the wire: what goes out tick by tick, and what is made of what comes in."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import RtpError
from telephony.rtp.dtmf import DIGITS, DtmfPacket, DtmfReceiver, DtmfSender, TelephoneEvent
from telephony.rtp.packet import RtpPacket

pytestmark = pytest.mark.pure

TICKS_PER_KEY = 25


def sent_in(sender: DtmfSender, ticks: int, start: int = 8000) -> list[tuple[int, DtmfPacket]]:
    """(tick, packet) of everything sent in so many ticks."""
    sent = []
    for tick in range(ticks):
        sent += [(tick, packet) for packet in sender.next_packets((start + 160 * tick) & 0xFFFFFFFF)]
    return sent


def event_packet(
    event: int, timestamp: int, *, end: bool = False, duration: int = 160, ssrc: int = 9
) -> RtpPacket:
    return RtpPacket(101, 0, timestamp, ssrc, False, TelephoneEvent(event, end, duration).pack())


def test_one_key_tick_by_tick() -> None:
    """A key is 12 growing packets and three end packets, one a tick, with one timestamp and one marker."""
    sender = DtmfSender()
    sender.queue("5")
    sent = sent_in(sender, 40)
    assert [tick for tick, _ in sent] == list(range(15))
    assert {packet.timestamp for _, packet in sent} == {8000}
    assert [packet.marker for _, packet in sent] == [True] + [False] * 14
    events = [TelephoneEvent.parse(packet.payload) for _, packet in sent]
    assert {event.event for event in events} == {5}
    assert [event.duration for event in events] == [*range(160, 2000, 160), 2000, 2000, 2000]
    assert [event.end for event in events] == [False] * 12 + [True] * 3


def test_keys_are_half_a_second_apart() -> None:
    """The next key starts 250 ms after the tone of the one before ended, with a timestamp of its own."""
    sender = DtmfSender()
    sender.queue("12")
    starts = [(tick, packet.timestamp) for tick, packet in sent_in(sender, 60) if packet.marker]
    assert starts == [(0, 8000), (TICKS_PER_KEY, 8000 + 4000)]
    assert not sender.busy


def test_pause_takes_half_a_second() -> None:
    """Each w leaves 25 ticks to audio, wherever it stands."""
    sender = DtmfSender()
    sender.queue("w1ww2")
    assert [tick for tick, packet in sent_in(sender, 140) if packet.marker] == [25, 100]


def test_timestamp_wraps_with_the_audio() -> None:
    """A key that starts at the end of the timestamp's range keeps its timestamp."""
    sender = DtmfSender()
    sender.queue("9")
    assert {packet.timestamp for _, packet in sent_in(sender, 30, start=0xFFFFFFF0)} == {0xFFFFFFF0}


def test_done_is_told_with_the_last_end_packet() -> None:
    """Whoever queued keys learns that they are out in the tick of the last end packet, before the gap."""
    sender = DtmfSender()
    done: list[str] = []
    sender.queue("12", lambda: done.append("keys"))
    sender.queue("w", lambda: done.append("pause"))
    told = []
    for tick in range(90):
        sender.next_packets(160 * tick)
        told.append(list(done))
    assert told[TICKS_PER_KEY + 13] == []
    assert told[TICKS_PER_KEY + 14] == ["keys"]
    assert told[3 * TICKS_PER_KEY - 1] == ["keys", "pause"]


def test_nothing_to_send_is_done_at_once() -> None:
    """An empty string of keys is finished before it begins."""
    done: list[bool] = []
    sender = DtmfSender()
    sender.queue("", lambda: done.append(True))
    assert done == [True]
    assert not sender.busy


@pytest.mark.parametrize("digits", ["12x", "1 2", "１", "+7", ","])
def test_what_is_no_key_is_refused_as_a_whole(digits: str) -> None:
    """A character that is no key is named, and nothing of the string is sent."""
    sender = DtmfSender()
    with pytest.raises(RtpError, match="not a key") as error:
        sender.queue(digits)
    assert error.value.fix
    assert not sender.busy


def test_letters_in_any_case() -> None:
    """The fourth column is sent for small letters too, and w stays a pause."""
    sender = DtmfSender()
    sender.queue("aDw")
    events = {TelephoneEvent.parse(packet.payload).event for _, packet in sent_in(sender, 80)}
    assert events == {12, 15}


def test_dropping_a_batch_finishes_the_key_on_its_way() -> None:
    """What was queued and not begun is dropped, of that batch only; the key under way gets its end."""
    sender = DtmfSender()
    batch = sender.queue("111")
    sender.queue("2")
    first = sent_in(sender, 5)
    sender.drop(batch)
    rest = sent_in(sender, 60)
    events = [TelephoneEvent.parse(packet.payload) for _, packet in first + rest]
    assert [event.event for event in events] == [1] * 15 + [2] * 15
    assert events[14].end


def test_event_payload_bytes() -> None:
    """The payload is event, end bit with volume, and duration, as RFC 4733 section 2.3 draws it."""
    assert TelephoneEvent(11, True, 800, volume=10).pack() == bytes.fromhex("0b8a0320")
    assert TelephoneEvent.parse(bytes.fromhex("0b8a0320")) == TelephoneEvent(11, True, 800, 10)


def test_key_is_reported_once_at_its_first_packet() -> None:
    """The first packet of an event reports the key, the others and the repeated ends do not."""
    receiver = DtmfReceiver()
    packets = [event_packet(7, 1000, duration=160 * n) for n in range(1, 6)]
    packets += [event_packet(7, 1000, end=True, duration=960)] * 3
    assert [receiver.feed(packet) for packet in packets] == ["7"] + [None] * 7


def test_key_of_which_only_an_end_packet_arrives() -> None:
    """One surviving end packet is enough."""
    assert DtmfReceiver().feed(event_packet(10, 77, end=True, duration=800)) == "*"


def test_same_key_twice() -> None:
    """Two presses of a key have two timestamps and are two keys."""
    receiver = DtmfReceiver()
    assert [receiver.feed(event_packet(1, at)) for at in (0, 0, 4000, 4000)] == ["1", None, "1", None]


def test_end_packets_that_arrive_after_the_next_key() -> None:
    """A reordered end packet of the key before is not a new key."""
    receiver = DtmfReceiver()
    fed = [event_packet(1, 0), event_packet(2, 4000), event_packet(1, 0, end=True), event_packet(2, 4000)]
    assert [receiver.feed(packet) for packet in fed] == ["1", "2", None, None]


def test_key_held_for_longer_than_a_segment() -> None:
    """A key held for more than 8 s goes on in segments 0xFFFF apart and is still one key."""
    receiver = DtmfReceiver()
    starts = [(0xFFFFF000 + n * 0xFFFF) & 0xFFFFFFFF for n in range(4)]
    assert [receiver.feed(event_packet(3, at)) for at in starts] == ["3", None, None, None]


def test_sender_that_restarts_with_the_same_timestamp() -> None:
    """Another SSRC is another sender, whose timestamps mean something else."""
    receiver = DtmfReceiver()
    assert receiver.feed(event_packet(4, 500, ssrc=1)) == "4"
    assert receiver.feed(event_packet(4, 500, ssrc=2)) == "4"


@pytest.mark.parametrize("payload", [b"", b"\x05\x0a\x00", TelephoneEvent(16, False, 160).pack()])
def test_what_is_no_key_reports_none(payload: bytes) -> None:
    """Short payloads and events that are no keys, such as a hook flash, report nothing."""
    assert DtmfReceiver().feed(RtpPacket(101, 0, 0, 0, True, payload)) is None


@given(
    st.text(alphabet=DIGITS, min_size=1, max_size=12),
    st.floats(0.0, 0.5),
    st.integers(0, 2**32 - 1),
)
def test_keys_survive_loss_repetition_and_disorder(digits: str, loss: float, seed: int) -> None:
    """Every key of which any packet arrives is reported exactly once, in order, through a bad network."""
    rng = random.Random(seed)
    sender, receiver = DtmfSender(), DtmfReceiver()
    sender.queue(digits)
    arrivals = []
    for tick, packet in sent_in(sender, TICKS_PER_KEY * len(digits)):
        copies = 0 if rng.random() < loss else rng.choice([1, 1, 1, 2])
        # Disorder within 100 ms: less than the gap between two keys.
        arrivals += [(tick + rng.uniform(0, 5), packet) for _ in range(copies)]
    arrivals.sort(key=lambda arrival: arrival[0])
    survived = {packet.timestamp for _, packet in arrivals}
    expected = [digit for index, digit in enumerate(digits) if 8000 + index * TICKS_PER_KEY * 160 in survived]
    reported = [
        receiver.feed(RtpPacket(101, 0, packet.timestamp, 1, packet.marker, packet.payload))
        for _, packet in arrivals
    ]
    assert [digit for digit in reported if digit is not None] == expected
