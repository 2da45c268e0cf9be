"""Frames on the speech engine's socket: a fixed prefix, a JSON header, then 16-bit samples.

Pure. Nothing is allocated for a frame before both of its lengths were found to be within bounds.

    offset  size  content, integers in network order
         0     4  ``TLSE``
         4     1  version, 1
         5     3  zero
         8     4  length of the header in bytes, 2 to 65,536
        12     4  length of the payload in bytes, even, at most 8,388,608
        16        header: one JSON object, UTF-8
                  payload: PCM, int16 little endian, mono
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from telephony.errors import SpeechError

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = 1
MAX_HEADER_BYTES = 65_536
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024

_MAGIC = b"TLSE"
_PREFIX = struct.Struct("!4sB3sII")
PREFIX_BYTES = _PREFIX.size

NO_SAMPLES: NDArray[np.int16] = np.zeros(0, np.int16)
"""The payload of a frame that carries no audio."""
NO_SAMPLES.flags.writeable = False


@dataclass(frozen=True, slots=True)
class FrameLengths:
    """What a prefix promises to follow, in bytes."""

    header: int
    payload: int


def pack(header: bytes, samples: NDArray[np.int16] = NO_SAMPLES) -> bytes:
    """Write one frame.

    Args:
        header: one JSON object in UTF-8.
        samples: shape (n,), int16, mono.

    Raises:
        SpeechError: a part is longer than a frame may carry.
    """
    payload = samples.astype("<i2", copy=False).tobytes()
    _check_lengths(FrameLengths(len(header), len(payload)))
    return _PREFIX.pack(_MAGIC, VERSION, b"\0\0\0", len(header), len(payload)) + header + payload


def read_prefix(prefix: bytes) -> FrameLengths:
    """Read the first ``PREFIX_BYTES`` of a frame.

    Raises:
        SpeechError: these are not a frame's, or of another version, or a length is out of bounds.
    """
    magic, version, reserved, header, payload = _PREFIX.unpack(prefix)
    if magic != _MAGIC or reserved != b"\0\0\0":
        raise SpeechError("What arrived on the speech socket is not a frame of ours.")
    if version != VERSION:
        raise SpeechError(
            f"The other end speaks version {version} of the speech protocol, this end version {VERSION}.",
            fix="Run the engine and its clients from the same installation.",
        )
    lengths = FrameLengths(header, payload)
    _check_lengths(lengths)
    return lengths


def samples_of(payload: bytes) -> NDArray[np.int16]:
    """The samples of a payload, shape (n,), int16; a view, not to be written to."""
    return np.frombuffer(payload, "<i2").astype(np.int16, copy=False)


def _check_lengths(lengths: FrameLengths) -> None:
    if not 2 <= lengths.header <= MAX_HEADER_BYTES:
        raise SpeechError(f"A header of {lengths.header} bytes is not between 2 and {MAX_HEADER_BYTES}.")
    if lengths.payload > MAX_PAYLOAD_BYTES:
        raise SpeechError(f"A payload of {lengths.payload} bytes is longer than {MAX_PAYLOAD_BYTES}.")
    if lengths.payload % 2:
        raise SpeechError(f"A payload of {lengths.payload} bytes does not hold whole 16-bit samples.")
