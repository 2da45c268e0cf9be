"""Framing and naming as psrpc v0.7.2 writes them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.bridge import psrpc, wire
from telephony.errors import BusError

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("service", "parts", "expected"),
    [
        ("IOInfo", ("GetSIPTrunkAuthentication", "", "REQ"), "IOInfo|GetSIPTrunkAuthentication|REQ"),
        ("IOInfo", ("CLI_abcDEF123456", "CLAIM"), "IOInfo|CLI_abcDEF123456|CLAIM"),
        (
            "SIPInternal",
            ("TransferSIPParticipant", "SCL_a", "RCLAIM"),
            "SIPInternal|TransferSIPParticipant|SCL_a|RCLAIM",
        ),
        ("A", ("b-c.d",), "A|bu+002dcu+002ed"),
        ("A", ("ю",), "A|u+044e"),
        ("A", ("😀",), "A|U+0001f600"),
    ],
)
def test_channel_names_are_the_legacy_form(service: str, parts: tuple[str, ...], expected: str) -> None:
    """Parts are escaped and joined by a bar, and an empty topic leaves no trace."""
    assert psrpc.channel(service, *parts) == expected


def test_the_four_channels_of_a_method() -> None:
    """Requests and grants are named by the method, bids and answers by the client."""
    assert psrpc.request_channel("S", "M", "t") == "S|M|t|REQ"
    assert psrpc.grant_channel("S", "M") == "S|M|RCLAIM"
    assert psrpc.bid_channel("S", "CLI_1") == "S|CLI_1|CLAIM"
    assert psrpc.response_channel("S", "CLI_1") == "S|CLI_1|RES"


def test_an_envelope_has_the_bytes_that_go_writes() -> None:
    """A grant is Msg{type_url, value} with psrpc's exact type name, field numbers 1 and 2."""
    value = b"\x0a\x05REQ_a\x12\x05SRV_b"
    url = b"type.googleapis.com/internal.ClaimResponse"
    expected = b"\x0a" + bytes([len(url)]) + url + b"\x12" + bytes([len(value)]) + value
    assert psrpc.frame(wire.ClaimResponse(request_id="REQ_a", server_id="SRV_b")) == expected


@given(st.text(max_size=40), st.binary(max_size=200), st.integers(0, 2**62))
def test_what_is_framed_can_be_unframed(client_id: str, raw: bytes, expiry: int) -> None:
    """Framing loses nothing."""
    request = wire.Request(request_id="REQ_x", client_id=client_id, expiry=expiry, raw_request=raw)
    assert psrpc.unframe(psrpc.frame(request), wire.Request) == request


@given(st.binary(max_size=300))
def test_garbage_on_the_bus_is_a_bus_error(payload: bytes) -> None:
    """Whatever bytes come, nothing else than a BusError is raised."""
    with contextlib.suppress(BusError):
        psrpc.unframe(payload, wire.Request)


def test_another_type_than_expected_is_refused() -> None:
    """A Response on the request channel is not taken for a Request."""
    with pytest.raises(BusError, match="Response"):
        psrpc.unframe(psrpc.frame(wire.Response(request_id="REQ_a")), wire.Request)


def test_ids_have_a_prefix_and_twelve_characters() -> None:
    """Ids look like psrpc's and do not repeat."""
    ids = {psrpc.new_id("CLI_") for _ in range(500)}
    assert len(ids) == 500
    assert all(one.startswith("CLI_") and len(one) == 16 and one[4:].isalnum() for one in ids)


def test_the_queue_key_is_padded_base64_of_sha256() -> None:
    """Two bridges compute the same key from the same bytes, and it is the one Go computes."""
    assert psrpc.queue_key(b"") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def test_time_left_comes_from_the_expiry() -> None:
    """Expiry is Unix time in nanoseconds; what has passed is zero or less."""
    assert psrpc.remaining_s(5_000_000_000, 2_000_000_000) == pytest.approx(3.0)
    assert psrpc.remaining_s(1, 2_000_000_000) < 0
