"""The two kinds of file that a stereo recording may be, written so that a kill costs 0.2 s at most.

OGG with Opus (RFC 7845) by PyAV: a page each 0.2 s, each flushed to the system as it is complete; an Ogg
stream needs no end to be read. WAV: a header that says "as long as it goes", corrected at the end.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import av
import numpy as np

from telephony.audio.frame import RATE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from telephony.audio.frame import Samples

PAGE_US = 200_000
"""Length of an Ogg page in microseconds: what a kill may lose."""

BIT_RATE = 32_000
"""Of both channels together, as the Opus telephone voice mode wants it."""

_UNKNOWN = 0xFFFFFFFF
_WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


class Container(Protocol):
    """A file being written."""

    def write(self, left: Samples, right: Samples) -> None:
        """Append both channels, int16 of the same shape (n,), 8 kHz."""

    def close(self) -> None:
        """Complete the file."""


class OggOpus:
    """Opus in Ogg."""

    def __init__(self, path: Path) -> None:
        options = {"page_duration": str(PAGE_US), "flush_packets": "1"}
        self._container: Any = av.open(str(path), "w", format="ogg", options=options)
        self._stream: Any = self._container.add_stream("libopus", rate=RATE, layout="stereo")
        self._stream.bit_rate = BIT_RATE
        # The cheapest of its searches: it is heard by people who want to know what was said.
        self._stream.options = {"application": "voip", "compression_level": "3"}
        self._at = 0

    def write(self, left: Samples, right: Samples) -> None:
        frame: Any = av.AudioFrame.from_ndarray(
            _interleaved(left, right).reshape(1, -1), format="s16", layout="stereo"
        )
        frame.rate = RATE
        frame.pts = self._at
        self._at += len(left)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()


class Wav:
    """Linear PCM in RIFF."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb", buffering=0)
        self._bytes = 0
        self._file.write(_wav_header(_UNKNOWN, _UNKNOWN))

    def write(self, left: Samples, right: Samples) -> None:
        data = _interleaved(left, right).tobytes()
        self._file.write(data)
        self._bytes += len(data)

    def close(self) -> None:
        self._file.seek(0)
        self._file.write(_wav_header(self._bytes + _WAV_HEADER.size - 8, self._bytes))
        self._file.close()


def _interleaved(left: Samples, right: Samples) -> NDArray[np.int16]:
    return np.stack((left, right), axis=1).reshape(-1)


def _wav_header(riff: int, data: int) -> bytes:
    return _WAV_HEADER.pack(b"RIFF", riff, b"WAVE", b"fmt ", 16, 1, 2, RATE, RATE * 4, 4, 16, b"data", data)


CONTAINERS: dict[str, type[OggOpus] | type[Wav]] = {"ogg": OggOpus, "wav": Wav}
"""By the word of the operator's file, which is also the file's suffix."""
