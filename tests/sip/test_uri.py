"""SIP URIs and name-addr values, read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import SipParseError
from telephony.sip.uri import NameAddr, SipUri, escape_user

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    "text",
    [
        "sip:alice@atlanta.example",
        "sip:alice:secret@atlanta.example;transport=tcp",
        "sips:alice@atlanta.example?subject=project%20x&priority=urgent",
        "sip:+1-212-555-1212:1234@gateway.example;user=phone",
        "sip:192.0.2.4:5062;lr",
        "sip:alice;day=tuesday@atlanta.example",
        "sip:%61lice@atlanta.example",
        "sip:#31#100@192.0.2.4",
        "sip:user@[2001:db8::10]:5070",
        "tel:+15550100100;phone-context=example.com",
        "http://example.com/x?y=1",
    ],
)
def test_a_uri_comes_back_as_it_was_written(text: str) -> None:
    """Reading and writing changes nothing, whatever the scheme."""
    assert str(SipUri.parse(text)) == text


def test_the_parts_of_a_uri() -> None:
    """User, password, host, port, parameters and headers are told apart."""
    uri = SipUri.parse("SIP:+1555;x=1:pw@Host.Example:5070;Transport=TCP;lr?a=1&b=2")
    assert uri.scheme == "sip"
    assert uri.user == "+1555;x=1"
    assert uri.password == "pw"
    assert (uri.host, uri.port) == ("Host.Example", 5070)
    assert uri.params == {"transport": "TCP", "lr": None}
    assert uri.headers == {"a": "1", "b": "2"}
    assert uri.transport == "TCP"
    assert SipUri.parse("tel:+1555").user == "+1555"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@host",
        "alice@example.com",
        "sip:alice@",
        "sip:alice@@example.com",
        "sip:a@b@example.com",
        "sip:alice@exa mple.com",
        "sip:alice@example.com:0",
        "sip:alice@example.com:65536",
        "sip:alice@example.com:12x",
        "sip:alice@example.com;a=1;A=2",
        "sip:alice@example.com;=x",
        "sip:alice@example.com?x",
        "sip:al\rice@example.com",
        "sip:al\nice@example.com",
        "sip:<alice>@example.com",
        'sip:"alice"@example.com',
        "sip:alice@[::1",
        "tel:",
        "sip:" + "a" * 3000 + "@example.com",
        "1sip:alice@example.com",
    ],
)
def test_a_malformed_uri_is_refused(text: str) -> None:
    """What is not a URI raises SipParseError."""
    with pytest.raises(SipParseError):
        SipUri.parse(text)


@pytest.mark.parametrize("user", ["x>;tag=1", "x\r\nEvil: 1", "x y", 'x"', "x<y", "x@y", "x:y", ""])
def test_a_user_part_cannot_break_out_of_the_uri(user: str) -> None:
    """A number out of an API request becomes a URI only if it stays one."""
    with pytest.raises(SipParseError):
        SipUri(user, "192.0.2.1")


def test_any_text_can_be_made_a_user_part() -> None:
    """Escaping keeps plain numbers as they are and encodes the rest as UTF-8."""
    assert escape_user("+15550100100") == "+15550100100"
    assert escape_user("a@b:c >") == "a%40b%3Ac%20%3E"
    assert escape_user("ж") == "%D0%B6"


@given(st.text(min_size=1, max_size=60))
def test_an_escaped_user_part_always_makes_a_uri(text: str) -> None:
    """Whatever the text, its escaped form is read back as the same user part."""
    try:
        user = escape_user(text)
    except UnicodeEncodeError:
        return
    assert SipUri.parse(str(SipUri(user, "192.0.2.1"))).user == user


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ('"Alice \\"A\\" Liddell" <sip:a@h>;tag=1', 'Alice "A" Liddell', "sip:a@h", {"tag": "1"}),
        ("Alice Liddell <sip:a@h>", "Alice Liddell", "sip:a@h", {}),
        ("<sip:a@h;lr>;x", "", "sip:a@h;lr", {"x": None}),
        ("sip:a@h;tag=2", "", "sip:a@h", {"tag": "2"}),
        ('"Bell, A <x>" <sip:a@h>', "Bell, A <x>", "sip:a@h", {}),
        ("Ж<sip:a@h>", "Ж", "sip:a@h", {}),
        ('"" <sip:a@h> ; tag = 3', "", "sip:a@h", {"tag": "3"}),
        ('<sip:a@h>;p="q;r"', "", "sip:a@h", {"p": "q;r"}),
    ],
)
def test_forms_of_an_address(text: str, display: str, uri: str, params: dict[str, str | None]) -> None:
    """Quoted, bare and bracketed forms; parameters without brackets belong to the header."""
    address = NameAddr.parse(text)
    assert (address.display, str(address.uri), address.params) == (display, uri, params)
    assert NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        '"Alice <sip:a@h>',
        "Alice <sip:a@h",
        '"Alice" sip:a@h',
        "<sip:a@h>x",
        '<sip:a"b@h>',
        "<>",
        "",
        "<sip:a@h>;=1",
    ],
)
def test_a_malformed_address_is_refused(text: str) -> None:
    """Quotes and brackets must close, and nothing but parameters follows."""
    with pytest.raises(SipParseError):
        NameAddr.parse(text)


def test_a_tag_is_added_to_a_copy() -> None:
    """with_tag leaves the address alone that it is asked of."""
    address = NameAddr.parse("<sip:a@h>;x=1")
    assert address.with_tag("t").tag == "t"
    assert address.tag is None


@given(st.text(max_size=40))
def test_any_display_name_survives_or_is_refused(display: str) -> None:
    """A display name comes back as it went in, or cannot be put in at all."""
    try:
        address = NameAddr(display, SipUri("a", "h"))
    except SipParseError:
        return
    assert NameAddr.parse(str(address)).display == display
