"""One call's audio over RTP: G.711 frames and keys, both ways, on one UDP port, and RTCP on the next.

Guarantees. Sending: sequence numbers and timestamps go on without a gap for the whole call, the
timestamp by 160 each tick, also where a key took the place of audio (RFC 4733 section 2.6.1.2) or
nothing was sent. Receiving: only well-formed RTP of the agreed payload types from the latched source
counts (``source.py``: symmetric RTP); everything else is ignored and counted.
"""

from __future__ import annotations

import asyncio
import random
import threading
from ipaddress import ip_address
from typing import TYPE_CHECKING

from telephony.audio.conceal import Concealer
from telephony.audio.frame import FRAME_SAMPLES, Samples, silence
from telephony.audio.g711 import PCMU, Codec
from telephony.clock import Clock, LoopClock
from telephony.errors import RtpError
from telephony.logs import get_logger
from telephony.rtp.dtmf import DtmfReceiver, DtmfSender
from telephony.rtp.jitter import JitterBuffer
from telephony.rtp.packet import HEADER, RtpPacket, is_rtcp
from telephony.rtp.reception import Reception, RtpStats
from telephony.rtp.reports import Sent
from telephony.rtp.rtcp_port import RtcpPort
from telephony.rtp.source import Address, SourceLatch

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from telephony.rtp.ports import PortPool

log = get_logger(__name__)

COMFORT_NOISE = 13
"""Payload type of RFC 3389: a sign of life and of silence, without audio."""

_DATAGRAM = 2048
_READS_AT_ONCE = 64
_DIGIT_S = 0.5
_DIGITS_GRACE_S = 5.0
_SILENCE = silence()
_SILENCE.setflags(write=False)


class RtpSession:
    """The media of one call; made by ``open``, ended by ``close``.

    Its socket is read, and frames are sent and received, on one event loop: the one that opened it or the
    ``loop`` it was given, which may run on another thread; callbacks come on that one. All else may be
    called from the opener's. Nothing is sent before ``set_remote`` and ``set_codec``.

    Attributes:
        port: the local UDP port.
        on_digit: called with each key that comes in, once, at its first packet.
        on_first_packet: called once, when the first packet counts.
        on_packet: sees every packet that counts, with the time of its arrival by ``clock.now()``.
        last_received_at: ``clock.now()`` of the last packet that counted; of ``open`` before the first.
        packets_sent: audio and event packets given to the network.
        packets_ignored: datagrams that did not: RTCP, garbage, other payload types, other sources.
        muted: silence is sent in place of frames.
        hold: nothing is sent, timestamps go on; what arrives is still played.
    """

    def __init__(
        self,
        sock: socket.socket,
        ports: PortPool,
        clock: Clock,
        *,
        jitter_buffer_ms: int = 60,
        adaptive: bool = True,
        conceal: bool = True,
        symmetric: bool = True,
        rtcp: socket.socket | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.port: int = sock.getsockname()[1]
        self.on_digit: Callable[[str], None] | None = None
        self.on_first_packet: Callable[[], None] | None = None
        self.on_packet: Callable[[RtpPacket, float], None] | None = None
        self.last_received_at = clock.now()
        self.packets_sent = 0
        self.packets_ignored = 0
        self.muted = False
        self.hold = False
        self._socket = sock
        self._ports = ports
        self._clock = clock
        self._latch = SourceLatch(symmetric=symmetric)
        self._loop = loop or asyncio.get_running_loop()
        self._closed = False
        self._codec: Codec | None = None
        self._dtmf_payload_type: int | None = None
        self._dtmf_receive_type: int | None = None
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(32)
        self._marker = True
        self._dtmf_out = DtmfSender()
        self._dtmf_in = DtmfReceiver()
        self._digits_waiting: set[asyncio.Future[None]] = set()
        self._buffer = JitterBuffer(PCMU, depth_ms=jitter_buffer_ms, adaptive=adaptive)
        self._concealer = Concealer() if conceal else None
        self._concealed = 0
        self._reception = Reception()
        self._dtmf_lock = threading.Lock()
        self._sent = Sent()
        self._rtcp = None
        if rtcp is not None:
            self._rtcp = RtcpPort(
                rtcp, clock, self._ssrc, self._reception, self._sent, remote=lambda: self._latch.remote
            )
            self._on_loop(self._loop, self._rtcp.start, self._loop)
        self._on_loop(self._loop, self._loop.add_reader, sock.fileno(), self._read)

    @classmethod
    async def open(
        cls,
        *,
        address: str,
        ports: PortPool,
        clock: Clock | None = None,
        jitter_buffer_ms: int = 60,
        adaptive: bool = True,
        conceal: bool = True,
        symmetric: bool = True,
        rtcp: bool = True,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> RtpSession:
        """Bind a port of ``ports`` on ``address`` and listen.

        Args:
            address: local IP address.
            ports: where the port comes from and goes back to.
            clock: the loop's by default.
            jitter_buffer_ms: delay of the jitter buffer, 20 to 200; with ``adaptive`` the most it may be.
            adaptive: wait only as long as the jitter of the last seconds demands, from 20 ms up.
            conceal: fill up to 60 ms of what is missing from what was played before it.
            symmetric: send to where packets come from, rather than to ``set_remote``'s address only.
            rtcp: tell the far end how it is heard, and hear it on that, where the next port is free.
            loop: where the session lives; the running one by default.

        Raises:
            RtpError: no port is free, or the address is not this machine's.
        """
        sock = ports.bind(address)
        return cls(
            sock,
            ports,
            clock or LoopClock(),
            jitter_buffer_ms=jitter_buffer_ms,
            adaptive=adaptive,
            conceal=conceal,
            symmetric=symmetric,
            rtcp=ports.bind_companion(sock.getsockname()[1], address) if rtcp else None,
            loop=loop,
        )

    @property
    def remote(self) -> Address | None:
        """Where audio is sent, once known."""
        return self._latch.remote

    @property
    def packets_received(self) -> int:
        """Packets that counted."""
        return self._reception.received

    @property
    def stats(self) -> RtpStats:
        """Reception so far."""
        buffer = self._buffer.stats
        return RtpStats(
            received=self._reception.received,
            lost=self._reception.lost,
            late=buffer.late,
            reordered=buffer.reordered,
            duplicates=buffer.duplicates,
            concealed=self._concealed,
            jitter_ms=self._reception.jitter_ms,
            delay_ms=buffer.delay_ms,
            far=self._rtcp.far if self._rtcp is not None else None,
        )

    def set_remote(self, address: Address) -> None:
        """Send to ``address``, the peer's from its session description; the source is latched anew.

        0.0.0.0, the hold of RFC 2543, is nowhere: nothing is sent until a packet shows where the peer is.

        Raises:
            RtpError: it is a name, which would have to be looked up first, or the port is not 1 to 65535.
        """
        try:
            nowhere = ip_address(address[0]).is_unspecified
        except ValueError:
            raise RtpError(f"{address[0]!r} is not an IP address.", field="connection address") from None
        if not 0 < address[1] < 0x10000:
            raise RtpError(f"{address[1]} is not a media port.", field="media port")
        self._latch.signal(None if nowhere else address)

    def set_codec(self, codec: Codec) -> None:
        """Send and accept this codec from now on."""
        self._codec = codec
        self._buffer.codec = codec

    def set_dtmf_payload_type(self, payload_type: int | None, *, receive: int | None = None) -> None:
        """Agree on telephone-events.

        Args:
            payload_type: the peer's number for them, used for sending; None if it takes none.
            receive: the number that the peer sends, if it differs.
        """
        self._dtmf_payload_type = payload_type
        self._dtmf_receive_type = payload_type if receive is None else receive

    def send_frame(self, samples: Samples) -> None:
        """Send one tick: this frame, or the event packet that is due in its place. Call it each 20 ms.

        Args:
            samples: int16 of shape (160,).

        Raises:
            RtpError: another number of samples.
        """
        if len(samples) != FRAME_SAMPLES:
            raise RtpError(f"A frame has {FRAME_SAMPLES} samples, not {len(samples)}.", field="samples")
        timestamp = self._timestamp
        self._timestamp = timestamp + FRAME_SAMPLES & 0xFFFFFFFF
        remote = self._latch.remote
        if remote is None or self._codec is None or self.hold or self._closed:
            self._marker = True
            return
        if self._dtmf_payload_type is not None and self._dtmf_out.busy:
            with self._dtmf_lock:
                packets = self._dtmf_out.next_packets(timestamp)
            for packet in packets:
                self._send(remote, self._dtmf_payload_type, packet.marker, packet.timestamp, packet.payload)
            if packets:
                return
        payload = self._codec.encode(_SILENCE if self.muted else samples)
        self._send(remote, self._codec.payload_type, self._marker, timestamp, payload)
        self._marker = False

    def receive_frame(self) -> Samples | None:
        """The frame to play now, int16 of shape (160,), or None for nothing. Call it each 20 ms."""
        frame = self._buffer.pull(self._clock.now())
        if self._concealer is None:
            return frame
        if frame is not None:
            return self._concealer.play(frame)
        filled = self._concealer.conceal()
        self._concealed += filled is not None
        return filled

    async def send_digits(self, digits: str) -> None:
        """Send keys in place of audio while ``send_frame`` is called; return when the last one has been sent.

        Args:
            digits: ``0-9 * # A-D`` and ``w`` for half a second; each key takes 0.25 s and a gap of 0.25 s.

        Raises:
            RtpError: a character is no key, the peer takes no events, nothing calls ``send_frame``, or
                the session was closed before the end.
        """
        if self._dtmf_payload_type is None:
            raise RtpError(
                "The peer does not take telephone-events.",
                field="digits",
                fix="Enable telephone-event at the carrier, or let the person at the phone press the keys.",
            )
        if self._closed:
            raise _closed_error()
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._dtmf_lock:
            batch = self._dtmf_out.queue(digits, lambda: self._on_loop(sent.get_loop(), _resolve, sent))
        self._digits_waiting.add(sent)
        try:
            # A call on hold, or one whose clock stopped, must not keep its caller waiting for ever.
            async with asyncio.timeout(_DIGITS_GRACE_S + _DIGIT_S * self._dtmf_out.pending):
                await sent
        except TimeoutError:
            raise RtpError(
                "Keys were not sent in time.",
                field="digits",
                fix="Send frames while keys are sent.",
                retryable=True,
            ) from None
        finally:
            self._digits_waiting.discard(sent)
            with self._dtmf_lock:
                self._dtmf_out.drop(batch)

    def close(self) -> None:
        """Stop, close the socket and give the port back; harmless when done twice."""
        if self._closed:
            return
        self._closed = True
        self._on_loop(self._loop, self._shut)
        for sent in self._digits_waiting:
            if not sent.done():
                sent.set_exception(_closed_error())

    def _shut(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._close_sockets()
        self._ports.release(self.port)

    def _on_loop(
        self, loop: asyncio.AbstractEventLoop, work: Callable[..., object], *arguments: object
    ) -> None:
        """Do something on a loop: now where it is the one that runs here, else as soon as it can."""
        if asyncio._get_running_loop() in (None, loop):
            work(*arguments)
            return
        try:
            loop.call_soon_threadsafe(work, *arguments)
        except RuntimeError:
            # That loop has ended, and with it whoever waited; a socket must be closed all the same.
            if work == self._shut:
                self._close_sockets()
                self._ports.release(self.port)

    def _close_sockets(self) -> None:
        self._socket.close()
        if self._rtcp is not None:
            self._rtcp.close()

    def _send(self, remote: Address, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> None:
        second = payload_type | 0x80 if marker else payload_type
        header = HEADER.pack(0x80, second, self._sequence, timestamp, self._ssrc)
        sent = self._sent
        if sent.first_sequence is None:
            sent.first_sequence = self._sequence
        self._sequence = self._sequence + 1 & 0xFFFF
        try:
            self._socket.sendto(header + payload, remote)
        except OSError as error:
            # A full buffer or a port that is closed for now: audio that is not sent in time is lost.
            log.debug("rtp_send_failed", port=self.port, error=str(error))
            return
        self.packets_sent += 1
        sent.packets += 1
        sent.octets += len(payload)
        sent.timestamp = self._timestamp

    def _read(self) -> None:
        # All that waits is read before the next tick plays: a stall of the loop must not look like loss.
        for _ in range(_READS_AT_ONCE):
            if self._closed:
                return
            try:
                data, source = self._socket.recvfrom(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                # The peer's port was closed when we last sent (ICMP); nothing was received.
                log.debug("rtp_receive_failed", port=self.port, error=str(error))
                continue
            self._datagram(data, (source[0], source[1]))

    def _datagram(self, data: bytes, source: Address) -> None:
        now = self._clock.now()
        try:
            packet = None if is_rtcp(data) else RtpPacket.parse(data)
        except RtpError:
            packet = None
        if packet is None or not self._is_agreed(packet.payload_type) or not self._latch.accept(source, now):
            self.packets_ignored += 1
            return
        first = self._reception.received == 0
        self._reception.count(packet.ssrc, packet.sequence)
        self.last_received_at = now
        if first and self.on_first_packet is not None:
            self._notify("on_first_packet", self.on_first_packet)
        if self.on_packet is not None:
            self._notify("on_packet", self.on_packet, packet, now)
        self._deliver(packet, now)

    def _deliver(self, packet: RtpPacket, now: float) -> None:
        if packet.payload_type == self._dtmf_receive_type:
            digit = self._dtmf_in.feed(packet)
            if digit is not None and self.on_digit is not None:
                self._notify("on_digit", self.on_digit, digit)
        elif packet.payload_type != COMFORT_NOISE:
            self._reception.time(packet.timestamp, now)
            self._buffer.put(packet, now)

    def _notify(self, name: str, callback: Callable[..., None], *arguments: object) -> None:
        """Call out; what fails there must not keep the next packets from being read."""
        try:
            callback(*arguments)
        except Exception:
            log.exception("rtp_callback_failed", port=self.port, callback=name)

    def _is_agreed(self, payload_type: int) -> bool:
        codec = self._codec
        if codec is not None and payload_type == codec.payload_type:
            return True
        return payload_type == COMFORT_NOISE or payload_type == self._dtmf_receive_type


def _resolve(sent: asyncio.Future[None]) -> None:
    if not sent.done():
        sent.set_result(None)


def _closed_error() -> RtpError:
    return RtpError("The call's media was closed before all keys were sent.", field="digits")
