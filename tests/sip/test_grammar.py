"""Lexical rules that headers share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import SipParseError
from telephony.sip.grammar import (
    format_params,
    number,
    parse_params,
    quote,
    split_host_port,
    split_list,
    unquote,
)

pytestmark = pytest.mark.pure


@given(st.text(max_size=60))
def test_quoting_can_be_undone(text: str) -> None:
    """Whatever was quoted is read back the same."""
    assert unquote(quote(text)) == text


@given(st.lists(st.text(max_size=12).map(quote), max_size=6))
def test_a_list_of_quoted_strings_is_cut_at_its_commas_only(parts: list[str]) -> None:
    """Commas, brackets and escaped quotes inside a quoted string cut nothing."""
    assert split_list(", ".join(parts)) == parts


def test_parameters_are_read_and_written() -> None:
    """Names in lower case, flags as None, quoted values unquoted and quoted again where needed."""
    params = parse_params(';TAG=a;lr; x = "a;b" ;host=[::1]', field="x")
    assert params == {"tag": "a", "lr": None, "x": "a;b", "host": "[::1]"}
    assert format_params(params) == ';tag=a;lr;x="a;b";host=[::1]'


@pytest.mark.parametrize("text", ["a=1;a=2", "a b=1", '="x"', 'a="x', ";".join(f"p{i}" for i in range(65))])
def test_malformed_parameters_are_refused(text: str) -> None:
    """A name twice, a name that is no token, an open quote, or too many."""
    with pytest.raises(SipParseError):
        parse_params(text, field="x")


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", " 1", "256", "٣", "9" * 5000, "0" * 20 + "999"])
def test_a_number_has_ascii_digits_and_a_ceiling(text: str) -> None:
    """Signs, blanks, other digits and values above the maximum are refused."""
    with pytest.raises(SipParseError):
        number(text, field="x", maximum=255)


def test_a_number_may_have_leading_zeros() -> None:
    """As in CSeq values of some phones."""
    assert number("0000000000000000255", field="x", maximum=255) == 255


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("h", "h", None),
        ("h:5", "h", 5),
        ("[::1]:5", "[::1]", 5),
        ("[::1]", "[::1]", None),
        ("a-b.c_d. : 7", "a-b.c_d.", 7),
    ],
)
def test_hosts_and_ports(text: str, host: str, port: int | None) -> None:
    """Names, addresses and bracketed IPv6, with and without a port."""
    assert split_host_port(text, field="x") == (host, port)


@pytest.mark.parametrize(
    "text", ["", ":5", "h:", "h:x", "h:0", "::1", "[::1", "[::1]x", "-h", "h..:1 2", "h" * 256]
)
def test_malformed_hosts_are_refused(text: str) -> None:
    """What is no host or no port."""
    with pytest.raises(SipParseError):
        split_host_port(text, field="x")
