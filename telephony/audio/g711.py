"""G.711 mu-law and A-law by table lookup, bit-exact with ITU-T G.711.

The tables are computed once at import from the segment rules of the recommendation:
mu-law sees the upper 14 bits of a sample (its tables 2a and 2b), A-law the upper 13 (1a and 1b).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.audio.frame import Samples

_Bytes = NDArray[np.uint8]

_MU_BIAS = 33
_MU_PEAK = 8191


def _segment(magnitude: NDArray[np.int64], first_bits: int) -> NDArray[np.int64]:
    """Which of the eight segments a magnitude falls into, the first one ``first_bits`` wide."""
    edges = np.int64(1) << np.arange(first_bits, first_bits + 7)
    return np.asarray(np.searchsorted(edges, magnitude, side="right"), np.int64)


def _pcmu_encode_table() -> _Bytes:
    linear = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64) >> 2
    magnitude = np.minimum(np.abs(linear) + _MU_BIAS, _MU_PEAK)
    segment = _segment(magnitude, 6)
    code = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0F)
    # The line carries the code inverted; the sign bit is set for positive values.
    return np.asarray(code ^ np.where(linear < 0, 0x7F, 0xFF), np.uint8)


def _pcmu_decode_table() -> Samples:
    code = ~np.arange(256) & 0xFF
    step, mantissa = (code >> 4) & 0x07, code & 0x0F
    magnitude = ((((mantissa << 1) + _MU_BIAS) << step) - _MU_BIAS) << 2
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _pcma_encode_table() -> _Bytes:
    linear = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64) >> 3
    magnitude = np.where(linear < 0, -linear - 1, linear)
    segment = _segment(magnitude, 5)
    code = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0x0F)
    # Every second bit is inverted on the line; the sign bit is set for positive values.
    return np.asarray(code ^ np.where(linear < 0, 0x55, 0xD5), np.uint8)


def _pcma_decode_table() -> Samples:
    code = np.arange(256) ^ 0x55
    step, mantissa = (code >> 4) & 0x07, code & 0x0F
    low = (mantissa << 4) + 8
    magnitude = np.where(step == 0, low, (low + 0x100) << np.maximum(step - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_PCMU_ENCODE = _pcmu_encode_table()
_PCMU_DECODE = _pcmu_decode_table()
_PCMA_ENCODE = _pcma_encode_table()
_PCMA_DECODE = _pcma_decode_table()


def decode_pcmu(payload: bytes) -> Samples:
    """Decode mu-law: n bytes to int16 of shape (n,), 8 kHz mono, peak 32124 (G.711 table 2)."""
    return _PCMU_DECODE[np.frombuffer(payload, np.uint8)]


def encode_pcmu(samples: Samples) -> bytes:
    """Encode int16 of shape (n,) as n bytes of mu-law; louder than 32635 is clipped (G.711 table 2)."""
    return _PCMU_ENCODE[samples.view(np.uint16)].tobytes()


def decode_pcma(payload: bytes) -> Samples:
    """Decode A-law: n bytes to int16 of shape (n,), 8 kHz mono, peak 32256 (G.711 table 1)."""
    return _PCMA_DECODE[np.frombuffer(payload, np.uint8)]


def encode_pcma(samples: Samples) -> bytes:
    """Encode int16 of shape (n,) as n bytes of A-law (G.711 table 1)."""
    return _PCMA_ENCODE[samples.view(np.uint16)].tobytes()


@dataclass(frozen=True)
class Codec:
    """One G.711 law with its static RTP payload type (RFC 3551 table 4); one byte is one sample."""

    name: Literal["PCMU", "PCMA"]
    payload_type: int
    encode: Callable[[Samples], bytes]
    decode: Callable[[bytes], Samples]


PCMU = Codec("PCMU", 0, encode_pcmu, decode_pcmu)
PCMA = Codec("PCMA", 8, encode_pcma, decode_pcma)

CODECS: dict[str, Codec] = {codec.name: codec for codec in (PCMU, PCMA)}
"""By the encoding name that a session description uses."""
