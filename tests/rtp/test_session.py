"""One call's media over real loopback sockets, tick by tick."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, Samples, silence
from telephony.audio.g711 import PCMA, PCMU, Codec
from telephony.audio.tones import sine
from telephony.clock import ManualClock
from telephony.errors import RtpError
from telephony.logs import configure_structlog
from telephony.rtp.dtmf import TelephoneEvent
from telephony.rtp.packet import RtpPacket
from telephony.rtp.ports import PortPool
from telephony.rtp.session import COMFORT_NOISE, RtpSession
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.component

LOOPBACK = "127.0.0.1"
EVENT = 101
DEADLINE_S = 5.0


class Phone:
    """A bare UDP socket that speaks RTP by hand."""

    def __init__(self, session: RtpSession, address: str = LOOPBACK) -> None:
        self.session = session
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.setblocking(False)
        self.sequence = 65533
        self.timestamp = 0xFFFFFF00

    @property
    def address(self) -> tuple[str, int]:
        name: tuple[str, int] = self.socket.getsockname()
        return name

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, (LOOPBACK, self.session.port))

    def say(self, samples: Samples, codec: Codec = PCMU, *, payload_type: int | None = None) -> None:
        """One frame of audio."""
        number = codec.payload_type if payload_type is None else payload_type
        self.send(RtpPacket(number, self.sequence, self.timestamp, 42, False, codec.encode(samples)).pack())
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + FRAME_SAMPLES) & 0xFFFFFFFF

    def press(self, event: int, *, timestamp: int, end: bool = False) -> None:
        """One packet of a key."""
        payload = TelephoneEvent(event, end, 800).pack()
        self.send(RtpPacket(EVENT, self.sequence, timestamp, 42, False, payload).pack())
        self.sequence = (self.sequence + 1) & 0xFFFF

    def heard(self) -> list[RtpPacket]:
        """What has come in since the last time."""
        packets = []
        with contextlib.suppress(BlockingIOError):
            while True:
                packets.append(RtpPacket.parse(self.socket.recv(2048)))
        return packets


async def received(session: RtpSession, count: int) -> None:
    """Let the loop run until so many packets counted."""
    await until(lambda: session.packets_received == count)


@pytest.fixture(autouse=True)
def _logging() -> None:
    configure_structlog()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100.0)


@pytest.fixture
async def session(clock: ManualClock) -> AsyncIterator[RtpSession]:
    session = await RtpSession.open(address=LOOPBACK, ports=PortPool.parse(LOOPBACK, "0"), clock=clock)
    session.set_codec(PCMU)
    session.set_dtmf_payload_type(EVENT)
    yield session
    session.close()


@pytest.fixture
def phone(session: RtpSession) -> Iterator[Phone]:
    phone = Phone(session)
    session.set_remote(phone.address)
    yield phone
    phone.socket.close()


async def test_sends_frames_with_continuous_numbers(session: RtpSession, phone: Phone) -> None:
    """Each tick is one packet; sequence and timestamp go on by 1 and 160, and the first has the marker."""
    for _ in range(5):
        session.send_frame(sine(440, FRAME_S))
    packets = phone.heard()
    assert len(packets) == session.packets_sent == 5
    assert [(p.sequence - packets[0].sequence) & 0xFFFF for p in packets] == list(range(5))
    assert [(p.timestamp - packets[0].timestamp) & 0xFFFFFFFF for p in packets] == [160 * n for n in range(5)]
    assert [p.marker for p in packets] == [True, False, False, False, False]
    assert {(p.payload_type, p.ssrc, len(p.payload)) for p in packets} == {(0, packets[0].ssrc, 160)}


async def test_two_sessions_hear_each_other(clock: ManualClock) -> None:
    """Each side hears the other's tone, in A-law, without a gap once it has begun."""
    pool = PortPool.parse(LOOPBACK, "0")
    sides = [await RtpSession.open(address=LOOPBACK, ports=pool, clock=clock) for _ in range(2)]
    for side, other in (sides, sides[::-1]):
        side.set_remote((LOOPBACK, other.port))
        side.set_codec(PCMA)
    tones = [sine(frequency, 1.0).reshape(-1, FRAME_SAMPLES) for frequency in (440, 1000)]
    heard: list[list[Samples | None]] = [[], []]
    for tick in range(50):
        for side, tone in zip(sides, tones, strict=True):
            side.send_frame(tone[tick])
        for side in sides:
            await received(side, tick + 1)
        clock.advance(FRAME_S)
        for side, frames in zip(sides, heard, strict=True):
            frames.append(side.receive_frame())
    for frames, frequency in zip(heard, (1000, 440), strict=True):
        played = [frame for frame in frames if frame is not None]
        assert len(played) >= 46
        assert dominant_frequency(np.concatenate(played)) == pytest.approx(frequency, abs=2)
    for side in sides:
        assert (side.stats.lost, side.stats.late, side.stats.concealed) == (0, 0, 0)
        side.close()
    assert pool.taken == 0


async def test_nothing_is_sent_before_remote_and_codec(clock: ManualClock) -> None:
    """Before both are known frames go nowhere, without an error."""
    session = await RtpSession.open(address=LOOPBACK, ports=PortPool.parse(LOOPBACK, "0"), clock=clock)
    phone = Phone(session)
    session.send_frame(silence())
    session.set_remote(phone.address)
    session.send_frame(silence())
    assert session.packets_sent == 0
    session.set_codec(PCMU)
    session.send_frame(silence())
    assert len(phone.heard()) == 1
    session.close()
    phone.socket.close()


async def test_muted_sends_silence_and_hold_sends_nothing(session: RtpSession, phone: Phone) -> None:
    """Muted, silence goes out; on hold nothing does, and afterwards the timestamp has counted the pause."""
    tone = sine(440, FRAME_S)
    session.send_frame(tone)
    session.muted = True
    session.send_frame(tone)
    session.muted, session.hold = False, True
    for _ in range(10):
        session.send_frame(tone)
    session.hold = False
    session.send_frame(tone)
    first, muted, after = phone.heard()
    assert muted.payload == PCMU.encode(silence())
    assert first.payload == after.payload == PCMU.encode(tone)
    assert (after.timestamp - first.timestamp) & 0xFFFFFFFF == 12 * 160
    assert (after.sequence - first.sequence) & 0xFFFF == 2
    assert after.marker


async def test_codec_change_keeps_the_numbers(session: RtpSession, phone: Phone) -> None:
    """After a re-INVITE to another codec the same stream goes on with another payload type."""
    session.send_frame(silence())
    session.set_codec(PCMA)
    session.send_frame(silence())
    before, after = phone.heard()
    assert (before.payload_type, after.payload_type) == (0, 8)
    assert (after.sequence - before.sequence) & 0xFFFF == 1
    assert (after.ssrc, after.timestamp) == (before.ssrc, (before.timestamp + 160) & 0xFFFFFFFF)


@pytest.mark.parametrize("count", [0, 80, 320])
async def test_frame_of_another_length_is_refused(session: RtpSession, count: int) -> None:
    """A frame must have 160 samples."""
    with pytest.raises(RtpError, match="160"):
        session.send_frame(silence(count))


@pytest.mark.parametrize("address", [("sip.example.com", 4000), ("", 4000), (LOOPBACK, 0), (LOOPBACK, 70000)])
async def test_remote_must_be_an_address_and_a_port(session: RtpSession, address: tuple[str, int]) -> None:
    """A name, which would block the loop while it is looked up, and impossible ports are refused."""
    with pytest.raises(RtpError):
        session.set_remote(address)


async def test_unspecified_remote_is_nowhere(session: RtpSession, phone: Phone) -> None:
    """With 0.0.0.0 as the peer's address nothing is sent until the peer is heard."""
    session.set_remote(("0.0.0.0", phone.address[1]))
    session.send_frame(silence())
    assert phone.heard() == []
    phone.say(silence())
    await received(session, 1)
    session.send_frame(silence())
    assert len(phone.heard()) == 1


async def test_unreachable_remote_is_no_error(session: RtpSession) -> None:
    """Frames to an address that the system refuses are lost, not raised."""
    session.set_remote(("255.255.255.255", 9))
    session.send_frame(silence())
    assert session.packets_sent == 0


async def test_keys_go_out_in_place_of_audio(session: RtpSession, phone: Phone) -> None:
    """A key is 15 event packets of the peer's payload type; the audio's timestamps go on behind it."""
    session.set_dtmf_payload_type(96, receive=EVENT)
    sending = asyncio.create_task(session.send_digits("7"))
    await asyncio.sleep(0)
    for _ in range(30):
        session.send_frame(silence())
    await asyncio.wait_for(sending, PATIENCE * DEADLINE_S)
    packets = phone.heard()
    assert [p.payload_type for p in packets] == [96] * 15 + [0] * 15
    assert [(p.sequence - packets[0].sequence) & 0xFFFF for p in packets] == list(range(30))
    assert [(p.timestamp - packets[0].timestamp) & 0xFFFFFFFF for p in packets] == [0] * 15 + [
        160 * n for n in range(15, 30)
    ]
    assert [p.marker for p in packets] == [True] + [False] * 14 + [True] + [False] * 14


async def test_keys_need_a_peer_that_takes_them(session: RtpSession) -> None:
    """Without a negotiated telephone-event the error says what to do."""
    session.set_dtmf_payload_type(None)
    with pytest.raises(RtpError, match="telephone-event"):
        await session.send_digits("1")


async def test_wrong_keys_are_refused_before_anything_is_sent(session: RtpSession, phone: Phone) -> None:
    """A character that is no key raises, and audio goes on."""
    with pytest.raises(RtpError, match="not a key"):
        await session.send_digits("1?")
    session.send_frame(silence())
    assert [p.payload_type for p in phone.heard()] == [0]


async def test_closing_fails_keys_that_wait(session: RtpSession, phone: Phone) -> None:
    """Whoever waits for keys learns that the call was closed."""
    sending = asyncio.create_task(session.send_digits("123"))
    await asyncio.sleep(0)
    session.close()
    with pytest.raises(RtpError, match="closed"):
        await asyncio.wait_for(sending, PATIENCE * DEADLINE_S)
    with pytest.raises(RtpError, match="closed"):
        await session.send_digits("1")


async def test_cancelling_drops_keys_not_begun(session: RtpSession, phone: Phone) -> None:
    """When the sending task is cancelled the key on its way is finished and no further one is sent."""
    sending = asyncio.create_task(session.send_digits("12"))
    await asyncio.sleep(0)
    session.send_frame(silence())
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    for _ in range(60):
        session.send_frame(silence())
    keys = [TelephoneEvent.parse(p.payload).event for p in phone.heard() if p.payload_type == EVENT]
    assert keys == [1] * 15


async def test_keys_that_nobody_ticks_out_time_out(
    session: RtpSession, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no frames are sent, waiting for keys ends with an error that says so."""
    monkeypatch.setattr("telephony.rtp.session._DIGITS_GRACE_S", -0.45)
    with pytest.raises(RtpError, match="not sent in time") as error:
        await session.send_digits("1")
    assert error.value.retryable


async def test_receives_through_wraps_of_both_counters(
    session: RtpSession, phone: Phone, clock: ManualClock
) -> None:
    """A sender whose sequence and timestamp wrap is heard without a gap and without loss."""
    tone = sine(440, 0.4).reshape(-1, FRAME_SAMPLES)
    frames = []
    for tick in range(20):
        phone.say(tone[tick])
        await received(session, tick + 1)
        clock.advance(FRAME_S)
        frames.append(session.receive_frame())
    played = [frame for frame in frames if frame is not None]
    assert len(played) >= 16
    assert np.array_equal(played[0], PCMU.decode(PCMU.encode(tone[0])))
    assert session.stats.lost == 0
    assert session.stats.reordered == 0
    assert session.stats.delay_ms == pytest.approx(60, abs=21)


async def test_lost_audio_is_concealed_and_then_silent(
    session: RtpSession, phone: Phone, clock: ManualClock
) -> None:
    """When packets stop, three frames are made up, each weaker, and then there is nothing."""
    for tick in range(10):
        phone.say(sine(200, FRAME_S))
        await received(session, tick + 1)
        clock.advance(FRAME_S)
        session.receive_frame()
    frames = []
    for _ in range(10):
        clock.advance(FRAME_S)
        frames.append(session.receive_frame())
    ended = next(index for index, frame in enumerate(frames) if frame is None)
    assert all(frame is None for frame in frames[ended:])
    assert session.stats.concealed == 3
    assert ended <= 6


async def test_concealment_can_be_switched_off(clock: ManualClock) -> None:
    """Without concealment a missing frame is nothing at once."""
    session = await RtpSession.open(
        address=LOOPBACK, ports=PortPool.parse(LOOPBACK, "0"), clock=clock, conceal=False, jitter_buffer_ms=20
    )
    session.set_codec(PCMU)
    phone = Phone(session)
    phone.say(sine(200, FRAME_S))
    await received(session, 1)
    frames = []
    for _ in range(5):
        frames.append(session.receive_frame() is not None)
        clock.advance(FRAME_S)
    assert frames.count(True) == 1
    session.close()
    phone.socket.close()


async def test_keys_come_in_once(session: RtpSession, phone: Phone) -> None:
    """Keys are told once each, also one of which only an end packet came, and are no audio."""
    keys: list[str] = []
    session.on_digit = keys.append
    for _ in range(3):
        phone.press(5, timestamp=1000)
    phone.press(5, timestamp=1000, end=True)
    phone.press(11, timestamp=9000, end=True)
    await received(session, 5)
    assert keys == ["5", "#"]
    assert session.receive_frame() is None
    assert session.stats.lost == 0


async def test_what_is_not_the_calls_audio_is_ignored(session: RtpSession, phone: Phone) -> None:
    """RTCP, garbage, other versions and other payload types neither count nor refresh the time-out."""
    opened_at = session.last_received_at
    phone.send(bytes([0x80, 200, 0, 6]) + bytes(24))
    phone.send(b"")
    phone.send(b"OPTIONS sip:x SIP/2.0")
    phone.send(bytes(200))
    phone.say(silence(), payload_type=8)
    phone.say(silence(), payload_type=111)
    await until(lambda: session.packets_ignored == 6)
    assert session.packets_received == 0
    assert session.last_received_at == opened_at


async def test_comfort_noise_is_a_sign_of_life(session: RtpSession, phone: Phone, clock: ManualClock) -> None:
    """Comfort noise packets count and refresh the time-out, and are no audio and no loss."""
    clock.advance(3.0)
    phone.say(silence())
    phone.say(silence(1), payload_type=COMFORT_NOISE)
    phone.say(silence())
    await received(session, 3)
    assert session.last_received_at == clock.now()
    assert session.stats.lost == 0
    assert session.packets_ignored == 0


async def test_random_datagrams_never_stop_the_call(session: RtpSession, phone: Phone) -> None:
    """After a thousand random datagrams the next packet of audio is received as ever."""
    rng = random.Random(11)
    for _ in range(1000):
        phone.send(bytes([rng.choice([0x80, 0x90, 0xB2, 0x00, 0xFF])]) + rng.randbytes(rng.randrange(0, 60)))
        if rng.random() < 0.02:
            await asyncio.sleep(0)
    await until(lambda: session.packets_received + session.packets_ignored > 0)
    session.set_remote(phone.address)
    before = session.packets_received
    phone.say(silence())
    await until(lambda: session.packets_received > before)


async def test_answers_where_packets_come_from(session: RtpSession, phone: Phone) -> None:
    """A peer behind a NAT, signalled with another address, is answered at its real one."""
    session.set_remote(("192.0.2.1", 4000))
    phone.say(silence())
    await received(session, 1)
    assert session.remote == phone.address
    session.send_frame(silence())
    assert len(phone.heard()) == 1


async def test_intruder_is_ignored(session: RtpSession, phone: Phone, clock: ManualClock) -> None:
    """Packets from another address neither count nor turn the audio away, until a second of silence."""
    phone.say(silence())
    await received(session, 1)
    intruder = Phone(session, "127.0.0.2")
    intruder.say(silence())
    await until(lambda: session.packets_ignored == 1)
    assert session.remote == phone.address
    clock.advance(1.0)
    intruder.say(silence())
    await received(session, 2)
    assert session.remote == intruder.address
    intruder.socket.close()


async def test_not_symmetric_sends_where_it_was_told(clock: ManualClock) -> None:
    """With symmetric RTP off, audio goes to the signalled address whatever sends."""
    session = await RtpSession.open(
        address=LOOPBACK, ports=PortPool.parse(LOOPBACK, "0"), clock=clock, symmetric=False
    )
    session.set_codec(PCMU)
    told, sender = Phone(session), Phone(session)
    session.set_remote(told.address)
    sender.say(silence())
    await received(session, 1)
    session.send_frame(silence())
    assert (len(told.heard()), len(sender.heard())) == (1, 0)
    session.close()
    told.socket.close()
    sender.socket.close()


async def test_first_packet_and_every_packet_are_told(
    session: RtpSession, phone: Phone, clock: ManualClock
) -> None:
    """The first packet is told once; the tap sees audio and keys with their time of arrival."""
    firsts: list[float] = []
    tapped: list[tuple[int, float]] = []
    session.on_first_packet = lambda: firsts.append(clock.now())
    session.on_packet = lambda packet, at: tapped.append((packet.payload_type, at))
    phone.say(silence())
    await until(lambda: len(tapped) == 1)
    clock.advance(0.5)
    phone.press(1, timestamp=5)
    await until(lambda: len(tapped) == 2)
    assert firsts == [100.0]
    assert tapped == [(0, 100.0), (EVENT, 100.5)]


async def test_failing_callback_does_not_stop_the_call(
    session: RtpSession, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    """A tap that raises is logged, and the packet is received and the next ones too."""

    def broken(packet: RtpPacket, at: float) -> None:
        raise RuntimeError("disk full")

    session.on_packet = broken
    with caplog.at_level(logging.ERROR):
        phone.say(silence())
        phone.say(silence())
        await received(session, 2)
    assert caplog.messages.count("rtp_callback_failed") == 2


async def test_everything_that_waits_is_read_at_once(session: RtpSession, phone: Phone) -> None:
    """After a stall of the loop, one turn of it reads all packets that came, so that none looks lost."""
    for _ in range(30):
        phone.say(silence())
    await asyncio.sleep(0.01)
    assert session.packets_received == 30


async def test_closing_twice_and_using_a_closed_session(clock: ManualClock) -> None:
    """Closing gives the port back once; frames of a tick still under way are ignored."""
    pool = PortPool.parse(LOOPBACK, "0")
    session = await RtpSession.open(address=LOOPBACK, ports=pool, clock=clock)
    session.set_codec(PCMU)
    session.set_remote((LOOPBACK, 9))
    session.close()
    session.close()
    assert pool.taken == 0
    session.send_frame(silence())
    assert session.receive_frame() is None
    assert session.packets_sent == 0


async def test_closing_inside_a_callback(session: RtpSession, phone: Phone) -> None:
    """A call that hangs up on a key closes its media while packets are being read."""
    session.on_digit = lambda digit: session.close()
    phone.press(1, timestamp=1)
    phone.press(2, timestamp=2000)
    await received(session, 1)
    await asyncio.sleep(0.01)
    assert session.packets_received == 1


async def test_loss_is_counted(session: RtpSession, phone: Phone) -> None:
    """Gaps in the sequence, over the wraparound, are cumulative loss."""
    for number in range(20):
        if number in (4, 9, 10):
            phone.sequence = (phone.sequence + 1) & 0xFFFF
            continue
        phone.say(silence())
    await received(session, 17)
    assert session.stats.lost == 3
