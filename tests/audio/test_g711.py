"""G.711 against the recommendation's values and against an independent implementation where there is one."""

from __future__ import annotations

import importlib
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.g711 import CODECS, PCMA, PCMU, Codec, decode_pcma, decode_pcmu, encode_pcma, encode_pcmu

pytestmark = pytest.mark.pure

EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)
EVERY_CODE = bytes(range(256))


@pytest.mark.parametrize(
    ("sample", "code"),
    [
        (0, 0xFF),
        (-1, 0x7E),
        (3, 0xFF),
        (4, 0xFE),
        (-4, 0x7E),
        (8, 0xFE),
        (12, 0xFD),
        (1000, 0xCE),
        (-1000, 0x4E),
        (32124, 0x80),
        (-32124, 0x00),
        (32635, 0x80),
        (32767, 0x80),
        (-32768, 0x00),
    ],
)
def test_mu_law_codes(sample: int, code: int) -> None:
    """Mu-law gives the character signals of G.711 table 2, inverted as on the line, clipped at the ends."""
    assert encode_pcmu(np.array([sample], np.int16)) == bytes([code])


@pytest.mark.parametrize(
    ("sample", "code"),
    [
        (0, 0xD5),
        (-1, 0x55),
        (15, 0xD5),
        (16, 0xD4),
        (-16, 0x55),
        (-17, 0x54),
        (1000, 0xFA),
        (-1000, 0x7A),
        (32767, 0xAA),
        (-32768, 0x2A),
    ],
)
def test_a_law_codes(sample: int, code: int) -> None:
    """A-law gives the character signals of G.711 table 1, every second bit inverted as on the line."""
    assert encode_pcma(np.array([sample], np.int16)) == bytes([code])


@pytest.mark.parametrize(
    ("decode", "code", "sample"),
    [
        (decode_pcmu, 0xFF, 0),
        (decode_pcmu, 0x7F, 0),
        (decode_pcmu, 0x80, 32124),
        (decode_pcmu, 0x00, -32124),
        (decode_pcmu, 0xFE, 8),
        (decode_pcma, 0xD5, 8),
        (decode_pcma, 0x55, -8),
        (decode_pcma, 0xAA, 32256),
        (decode_pcma, 0x2A, -32256),
    ],
)
def test_decoded_values(decode: object, code: int, sample: int) -> None:
    """The quantized values at the ends and around zero are those of the recommendation."""
    assert callable(decode)
    assert decode(bytes([code])).tolist() == [sample]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the standard library has no audioop any more")
def test_every_value_agrees_with_the_standard_library() -> None:
    """All 65536 samples and all 256 codes of both laws come out as in the standard library's C code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = importlib.import_module("audioop")
    linear = EVERY_SAMPLE.tobytes()
    assert encode_pcmu(EVERY_SAMPLE) == audioop.lin2ulaw(linear, 2)
    assert encode_pcma(EVERY_SAMPLE) == audioop.lin2alaw(linear, 2)
    assert decode_pcmu(EVERY_CODE).tobytes() == audioop.ulaw2lin(EVERY_CODE, 2)
    assert decode_pcma(EVERY_CODE).tobytes() == audioop.alaw2lin(EVERY_CODE, 2)


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_decoded_audio_survives_another_round(codec: Codec) -> None:
    """Transcoding twice loses nothing more than transcoding once."""
    once = codec.decode(EVERY_CODE)
    assert np.array_equal(codec.decode(codec.encode(once)), once)


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_error_is_small_against_the_sample(codec: Codec) -> None:
    """The quantization error is at most about 1/32 of the sample, and a few units near zero."""
    samples = EVERY_SAMPLE[np.abs(EVERY_SAMPLE.astype(int)) <= 32124]
    error = np.abs(codec.decode(codec.encode(samples)).astype(int) - samples)
    assert np.all(error <= (np.abs(samples.astype(int)) + 132) / 32 + 8)


@given(st.binary(max_size=400))
def test_any_payload_decodes_to_one_sample_a_byte(payload: bytes) -> None:
    """Whatever bytes arrive, both laws give int16 of the same length, none for an empty payload."""
    for codec in CODECS.values():
        samples = codec.decode(payload)
        assert samples.shape == (len(payload),)
        assert samples.dtype == np.int16


def test_strided_and_read_only_arrays_encode() -> None:
    """One channel of interleaved stereo, or a read-only buffer, encodes like a copy of it."""
    stereo = np.arange(320, dtype=np.int16)
    assert encode_pcmu(stereo[::2]) == encode_pcmu(stereo[::2].copy())
    shared = np.frombuffer(stereo.tobytes(), np.int16)
    assert encode_pcma(shared) == encode_pcma(stereo)


def test_codecs_by_name() -> None:
    """The two codecs are found by the names and numbers that session descriptions use."""
    assert {name: codec.payload_type for name, codec in CODECS.items()} == {"PCMU": 0, "PCMA": 8}
