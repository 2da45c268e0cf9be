"""RTCP: packets as RFC 3550 writes them, what two ends learn of each other, a port that may be missing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.frame import silence
from telephony.audio.g711 import PCMU
from telephony.clock import LoopClock
from telephony.errors import RtpError
from telephony.rtp.ports import PortPool
from telephony.rtp.reception import Reception
from telephony.rtp.reports import FarEnd, Reports, Sent
from telephony.rtp.rtcp import Report, ReportBlock, SenderInfo, middle, ntp_time, pack, parse
from telephony.rtp.rtcp_port import RtcpPort
from telephony.rtp.session import RtpSession
from tests.waiting import limit

pytestmark = pytest.mark.pure

HOST = "127.0.0.1"
_32 = st.integers(0, 2**32 - 1)
_BLOCKS = st.builds(
    ReportBlock,
    ssrc=_32,
    fraction_lost=st.integers(0, 255),
    lost=st.integers(-(2**23), 2**23 - 1),
    highest=_32,
    jitter=_32,
    last_report=_32,
    delay=_32,
)
_SENDERS = st.builds(SenderInfo, ntp=st.integers(0, 2**64 - 1), timestamp=_32, packets=_32, octets=_32)
_REPORTS = st.builds(
    Report, ssrc=_32, sender=st.none() | _SENDERS, blocks=st.lists(_BLOCKS, max_size=3).map(tuple)
)


@given(report=_REPORTS, cname=st.text(max_size=60))
def test_what_is_packed_is_read_again(report: Report, cname: str) -> None:
    """A compound of a report and a CNAME, a multiple of four bytes."""
    data = pack(report, cname)
    assert len(data) % 4 == 0
    assert parse(data) == [report]


@given(data=st.binary(max_size=200))
def test_what_is_no_rtcp_is_refused_or_says_nothing(data: bytes) -> None:
    """Whatever arrives, it is read or refused, never more."""
    with contextlib.suppress(RtpError):
        assert all(isinstance(report, Report) for report in parse(data))


@given(data=_REPORTS.map(lambda report: pack(report, "x")), cut=st.integers(1, 8))
def test_a_datagram_that_is_cut_off_is_refused(data: bytes, cut: int) -> None:
    """No half of a compound counts."""
    with pytest.raises(RtpError):
        parse(data[:-cut])


def test_other_packets_of_a_compound_are_passed_over() -> None:
    """BYE, APP and extended reports say nothing here."""
    bye = struct.pack("!BBHI", 0x81, 203, 1, 7)
    report = Report(7, None, ())
    assert parse(pack(report, "x") + bye) == [report]


class _End:
    """One end of a call whose packets are counted by hand."""

    def __init__(self, ssrc: int, first: int) -> None:
        self.ssrc = ssrc
        self.sent = Sent(first_sequence=first)
        self.received = Reception()
        self.reports = Reports(ssrc, f"end-{ssrc}", self.received, self.sent)
        self._next = first

    def send(self, to: _End, packets: int, *, lost: int = 0) -> None:
        """Send packets, of which the first ones are lost but never the very first of all."""
        for number in range(packets):
            if number == 0 or number > lost:
                to.received.count(self.ssrc, self._next & 0xFFFF)
            self._next += 1
        self.sent.packets += packets
        self.sent.octets += 160 * packets


@pytest.mark.parametrize("first", [1000, 65530])
def test_each_end_learns_how_it_is_heard(first: int) -> None:
    """Loss in percent of what was sent, also across the end of the sequence numbers; the round trip, less the
    time that the far end waited."""
    near, far = _End(1, first), _End(2, 5)
    near.send(far, 200, lost=20)
    far.send(near, 200)
    (sender,) = parse(near.reports.compose(10.0, 1000.0))
    assert sender.sender is not None
    assert (sender.sender.packets, sender.sender.octets) == (200, 32000)
    far.reports.take(sender, 50.0, 2000.0)
    # The far end waits 2 s, and each way takes 40 ms; its clocks are its own.
    (answer,) = parse(far.reports.compose(52.0, 2002.0))
    near.reports.take(answer, 12.08, 1002.08)
    told = near.reports.far
    assert told is not None
    assert told.loss_percent == 10.0
    assert told.round_trip_ms == pytest.approx(80, abs=1)
    assert told.reports == 1
    assert answer.blocks[0].fraction_lost == 20 * 256 // 200
    near.send(far, 200)
    (again,) = parse(far.reports.compose(57.0, 2007.0))
    assert again.blocks[0].fraction_lost == 0
    assert again.blocks[0].lost == 20
    # It has sent nothing since.
    assert again.sender is None


def test_what_is_said_of_another_stream_counts_for_nothing() -> None:
    """And a round trip that cannot be is not believed."""
    near, far = _End(1, 0), _End(2, 0)
    near.send(far, 10)
    block = ReportBlock(99, 255, 10, 10, 0, 0, 0)
    near.reports.take(Report(2, None, (block,)), 1.0, 1.0)
    assert _told(near.reports) is None
    near.reports.compose(10.0, 1000.0)
    odd = ReportBlock(1, 0, 0, 9, 80, middle(ntp_time(1000.0)), 16 * 65536)
    near.reports.take(Report(2, None, (odd,)), 11.0, 1001.0)
    told = _told(near.reports)
    assert told is not None
    assert told.round_trip_ms is None
    assert told.jitter_ms == 10.0


async def test_two_sessions_report_to_each_other() -> None:
    """On the port after the audio's; what was lost on the way is known at the end that sent it."""
    pool = PortPool(HOST, 0, 0)
    ends = [await RtpSession.open(address=HOST, ports=pool) for _ in range(2)]
    for end, other in zip(ends, reversed(ends), strict=True):
        end.set_codec(PCMU)
        end.set_remote((HOST, other.port))
        # At a pace that a test can wait for.
        assert end._rtcp is not None
        end._rtcp._interval_s = 0.05
        end._rtcp._again(asyncio.get_running_loop(), 0.05)
    try:
        async with limit(10):
            while any(end.stats.far is None or end.stats.far.round_trip_ms is None for end in ends):
                for end in ends:
                    end.send_frame(silence())
                await asyncio.sleep(0.02)
        assert all(end.stats.far.loss_percent < 20 for end in ends if end.stats.far is not None)
        assert all(end.packets_ignored == 0 for end in ends)
    finally:
        for end in ends:
            end.close()


async def test_only_the_far_ends_own_address_is_believed() -> None:
    """Reports from elsewhere, and garbage, are counted and change nothing."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((HOST, 0))
    loop = asyncio.get_running_loop()
    remote: list[tuple[str, int]] = [("127.0.0.9", 4000)]
    sent = Sent(packets=10, first_sequence=0)
    port = RtcpPort(sock, LoopClock(), 1, Reception(), sent, remote=lambda: remote[0])
    port.start(loop)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            block = ReportBlock(1, 0, 0, 9, 80, 0, 0)
            for data in (b"garbage", pack(Report(2, None, (block,)), "x")):
                stranger.sendto(data, sock.getsockname())
            async with limit(5):
                while port.refused < 2:
                    await asyncio.sleep(0.01)
            assert _told(port) is None
            remote[0] = (HOST, 4000)
            stranger.sendto(b"garbage", sock.getsockname())
            stranger.sendto(pack(Report(2, None, (block,)), "x"), sock.getsockname())
            async with limit(5):
                while _told(port) is None:
                    await asyncio.sleep(0.01)
            assert port.refused == 3
    finally:
        port.close()


async def test_a_call_goes_on_without_the_second_port() -> None:
    """Where it is in use, or outside of the range."""
    pool = PortPool(HOST, 0, 0)
    first = pool.bind()
    number = first.getsockname()[1]
    taken = pool.bind_companion(number)
    assert taken is not None
    assert taken.getsockname()[1] == number + 1
    assert pool.bind_companion(number) is None
    taken.close()
    first.close()
    assert PortPool(HOST, number, number).bind_companion(number) is None


def _told(by: Reports | RtcpPort) -> FarEnd | None:
    return by.far
