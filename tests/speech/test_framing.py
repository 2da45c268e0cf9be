"""Frames on the speech socket: what is written is read, and nothing else is."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import SpeechError
from telephony.speech import framing

pytestmark = pytest.mark.pure


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5), st.binary(max_size=400))
def test_a_frame_is_read_as_it_was_written(header: dict[str, str], noise: bytes) -> None:
    """Header and samples come back whole, and the prefix says how long each is."""
    samples = np.frombuffer(noise[: len(noise) // 2 * 2], "<i2").astype(np.int16)
    encoded = json.dumps(header).encode()
    frame = framing.pack(encoded, samples)
    lengths = framing.read_prefix(frame[: framing.PREFIX_BYTES])
    body = frame[framing.PREFIX_BYTES :]
    assert len(body) == lengths.header + lengths.payload
    assert body[: lengths.header] == encoded
    np.testing.assert_array_equal(framing.samples_of(body[lengths.header :]), samples)


def test_the_layout_is_what_is_documented() -> None:
    """One frame, byte by byte: magic, version, zeros, both lengths, header, little-endian samples."""
    frame = framing.pack(b"{}", np.array([1, -2], np.int16))
    assert frame == b"TLSE\x01\0\0\0" + b"\0\0\0\x02" + b"\0\0\0\x04" + b"{}" + b"\x01\0\xfe\xff"


@given(st.binary(min_size=framing.PREFIX_BYTES, max_size=framing.PREFIX_BYTES))
def test_noise_is_never_a_frame(prefix: bytes) -> None:
    """Bytes that do not begin with the magic are refused, whatever follows."""
    if prefix[:4] != b"TLSE":
        with pytest.raises(SpeechError, match="not a frame"):
            framing.read_prefix(prefix)


@pytest.mark.parametrize(
    ("version", "header", "payload", "sentence"),
    [
        (2, 2, 0, "version 2"),
        (1, 0, 0, "header of 0 bytes"),
        (1, framing.MAX_HEADER_BYTES + 1, 0, "header of 65537 bytes"),
        (1, 2, framing.MAX_PAYLOAD_BYTES + 2, "longer than"),
        (1, 2, 0xFFFFFFFE, "longer than"),
        (1, 2, 3, "whole 16-bit samples"),
    ],
)
def test_a_length_or_version_out_of_bounds_is_refused(
    version: int, header: int, payload: int, sentence: str
) -> None:
    """Nothing is read, let alone allocated, for a prefix that promises too much."""
    prefix = struct.pack("!4sB3sII", b"TLSE", version, b"\0\0\0", header, payload)
    with pytest.raises(SpeechError, match=sentence):
        framing.read_prefix(prefix)


def test_too_much_is_not_written_either() -> None:
    """A frame that the other end would refuse is refused where it is made."""
    with pytest.raises(SpeechError, match="longer than"):
        framing.pack(b"{}", np.zeros(framing.MAX_PAYLOAD_BYTES // 2 + 1, np.int16))
