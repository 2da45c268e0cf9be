"""Keys as telephone-events (RFC 4733): in, each key once and at once; out, on the 20 ms clock.

A key coming in is known by its RTP timestamp, which all packets of one event share, so that any
one packet is enough to report it and any number reports it once. A key going out takes the place
of audio, one packet a tick, as receivers expect: never the whole event in one burst.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.audio.frame import FRAME_SAMPLES, RATE
from telephony.errors import RtpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.rtp.packet import RtpPacket

DIGITS = "0123456789*#ABCD"
"""The keys in the order of their event codes 0 to 15 (RFC 4733 section 3.2)."""

PAUSE = "w"
"""In a string of keys to send: half a second without one."""

_EVENT = struct.Struct("!BBH")
_END = 0x80
_VOLUME = 10
"""-10 dBm0, a usual key level; the peer's gateway makes the tone."""

_TONE_SAMPLES = RATE // 4
_GAP_SAMPLES = RATE // 4
_PAUSE_SAMPLES = RATE // 2
_END_PACKETS = 3
_LONGEST_SEGMENT = 0xFFFF
_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """The four bytes of a telephone-event (RFC 4733 section 2.3); ``duration`` in samples of 1/8000 s."""

    event: int
    end: bool
    duration: int
    volume: int = _VOLUME

    def pack(self) -> bytes:
        """The payload."""
        return _EVENT.pack(self.event, (_END if self.end else 0) | self.volume, self.duration)

    @classmethod
    def parse(cls, payload: bytes) -> TelephoneEvent:
        """Read a payload; more events packed behind the first one are left.

        Raises:
            RtpError: shorter than four bytes.
        """
        if len(payload) < _EVENT.size:
            raise RtpError(f"A telephone-event of {len(payload)} bytes is too short.", field="payload")
        event, flags, duration = _EVENT.unpack_from(payload)
        return cls(event, bool(flags & _END), duration, flags & 0x3F)


class DtmfReceiver:
    """Finds keys in a stream of telephone-event packets."""

    def __init__(self) -> None:
        self._known: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)

    def feed(self, packet: RtpPacket) -> str | None:
        """Take one packet; give its key when the packet is the first of its event to arrive, else None.

        Events that are no keys (codes over 15) and payloads that are too short give None.
        """
        try:
            event = TelephoneEvent.parse(packet.payload).event
        except RtpError:
            return None
        key = (packet.ssrc, packet.timestamp)
        if event >= len(DIGITS) or key in self._known:
            return None
        # A key held longer than the duration field goes on in a segment of its own (section 2.5.1.3).
        earlier = (packet.ssrc, (packet.timestamp - _LONGEST_SEGMENT) & 0xFFFFFFFF)
        held = earlier in self._known
        self._known.append(key)
        return None if held else DIGITS[event]


@dataclass(frozen=True, slots=True)
class DtmfPacket:
    """What goes out in place of one frame of audio: all packets of a key carry its first ``timestamp``."""

    payload: bytes
    marker: bool
    timestamp: int


@dataclass(slots=True)
class _Item:
    symbol: str
    batch: int
    on_sent: Callable[[], None] | None
    elapsed: int = 0
    timestamp: int = 0
    ends_sent: int = 0


class DtmfSender:
    """A queue of keys, each 250 ms of event and 250 ms of audio; ``w`` is 500 ms of audio.

    An event is 12 packets with durations of 160 to 1920 samples and, from the next tick on, three
    end packets of 2000, so every key has its own 25 ticks.
    """

    def __init__(self) -> None:
        self._items: deque[_Item] = deque()
        self._batches = 0

    @property
    def busy(self) -> bool:
        """Whether any key or pause is not finished."""
        return bool(self._items)

    @property
    def pending(self) -> int:
        """How many keys and pauses are not finished."""
        return len(self._items)

    def queue(self, digits: str, on_sent: Callable[[], None] | None = None) -> int:
        """Append keys of ``DIGITS`` (letters in any case) and pauses ``w``; give a number for ``drop``.

        Args:
            digits: what to send; none at all calls ``on_sent`` at once.
            on_sent: called when the last end packet of the last key is given out.

        Raises:
            RtpError: a character is no key; nothing is queued then.
        """
        symbols = [_symbol(character) for character in digits]
        self._batches += 1
        for index, symbol in enumerate(symbols):
            self._items.append(_Item(symbol, self._batches, on_sent if index == len(symbols) - 1 else None))
        if not symbols and on_sent is not None:
            on_sent()
        return self._batches

    def drop(self, batch: int) -> None:
        """Drop what ``queue`` appended and has not begun; a key on its way is finished."""
        self._items = deque(item for item in self._items if item.batch != batch or item.elapsed)

    def next_packets(self, timestamp: int) -> list[DtmfPacket]:
        """What is due in the tick whose audio would carry ``timestamp``: one packet, or none for audio."""
        if not self._items:
            return []
        item = self._items[0]
        packets = [] if item.symbol == PAUSE else self._event_packets(item, timestamp)
        item.elapsed += FRAME_SAMPLES
        length = _PAUSE_SAMPLES if item.symbol == PAUSE else _TONE_SAMPLES + _GAP_SAMPLES
        if self._sent(item) and item.on_sent is not None:
            on_sent = item.on_sent
            item.on_sent = None
            on_sent()
        if item.elapsed >= length:
            self._items.popleft()
        return packets

    @staticmethod
    def _event_packets(item: _Item, timestamp: int) -> list[DtmfPacket]:
        first = item.elapsed == 0
        if first:
            item.timestamp = timestamp
        duration = item.elapsed + FRAME_SAMPLES
        end = duration > _TONE_SAMPLES
        if end and item.ends_sent == _END_PACKETS:
            return []
        item.ends_sent += end
        event = TelephoneEvent(DIGITS.index(item.symbol), end, min(duration, _TONE_SAMPLES))
        return [DtmfPacket(event.pack(), first, item.timestamp)]

    @staticmethod
    def _sent(item: _Item) -> bool:
        if item.symbol == PAUSE:
            return item.elapsed >= _PAUSE_SAMPLES
        return item.ends_sent == _END_PACKETS


def _symbol(character: str) -> str:
    symbol = character if character == PAUSE else character.upper()
    if symbol != PAUSE and symbol not in DIGITS:
        raise RtpError(
            f"{character!r} is not a key of a telephone.",
            field="digits",
            fix="Use 0 to 9, *, #, A to D, and w for a pause of half a second.",
        )
    return symbol
