from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.webhooks.guard import AddressGuard, RefusedAddressError, networks

pytestmark = pytest.mark.pure

INSIDE = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:4136:e378::1",
    "2001:db8::1",
    "not an address",
    "",
]
OUTSIDE = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"]


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_inside_is_connected_to(address: str) -> None:
    """Loopback, private, link-local, shared, multicast, and every disguise of them, is refused."""
    guard = AddressGuard()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(RefusedAddressError):
        guard((family, socket.SOCK_STREAM, 6, "", (address, 443)))


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_is_connected_to(address: str) -> None:
    """A public address gets its socket."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = AddressGuard()((family, socket.SOCK_STREAM, 6, "", (address, 443)))
    assert not made.getblocking()
    made.close()


def test_the_operator_may_allow_a_network() -> None:
    """A private receiver is reached when its network is listed, and its neighbours are not."""
    guard = AddressGuard(networks(["10.1.0.0/16", "::1/128"]))
    assert guard.allows("10.1.2.3")
    assert guard.allows("::ffff:10.1.2.3")
    assert guard.allows("::1")
    assert not guard.allows("10.2.0.1")
    assert not guard.allows("127.0.0.1")


@given(st.binary(min_size=4, max_size=4))
def test_a_disguise_is_allowed_no_more_than_what_it_hides(raw: bytes) -> None:
    """An IPv4 address written as IPv6 is treated as the IPv4 address."""
    plain = socket.inet_ntoa(raw)
    assert AddressGuard().allows(f"::ffff:{plain}") == AddressGuard().allows(plain)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/latest",
        "http://example.com/",
        "ftp://example.com/",
        "https://",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\r\nX: y",
        "//example.com/",
        "https://[::1",
        "",
    ],
)
def test_an_url_that_can_never_be_right_is_refused_with_a_reason(url: str) -> None:
    """What the text alone shows to be wrong is said when the endpoint is made."""
    objection = AddressGuard().objection(url)
    assert objection is not None
    assert objection.endswith(".")


def test_a_good_url_has_no_objection() -> None:
    """A public https URL passes, and plain http to a network that is allowed."""
    assert AddressGuard().objection("https://example.com:8443/hooks?a=b") is None
    assert AddressGuard(networks(["127.0.0.0/8"])).objection("http://127.0.0.1:9/x") is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_check(text: str) -> None:
    """Any text at all is judged without an error: by a sentence, or with nothing to say."""
    for url in (text, f"https://{text}/"):
        objection = AddressGuard().objection(url)
        assert objection is None or objection.endswith(".")
