"""Which way requests go to a phone behind an address translator."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from telephony.bridge.nat import hop_to_callee, hop_to_caller, is_private
from telephony.sip.message import SipResponse
from telephony.sip.routing import Hop
from tests.bridge.sip_text import invite

if TYPE_CHECKING:
    from telephony.sip.incoming import IncomingInvite
    from telephony.sip.outgoing import OutgoingInvite

pytestmark = pytest.mark.pure

PUBLIC, OTHER, PRIVATE = "203.0.114.5", "198.51.99.7", "10.0.0.5"


def _hop(host: str) -> Hop:
    return Hop(cast("Any", None), (host, 40_001))


def _came(contact: str, source: str, *headers: str) -> IncomingInvite:
    request = invite(*headers)
    request.headers.set("Contact", f"<sip:x@{contact}:5060>")
    return cast("IncomingInvite", SimpleNamespace(request=request, hop=_hop(source), source=(source, 40_001)))


@pytest.mark.parametrize(
    ("contact", "source", "headers", "follows"),
    [
        (PRIVATE, PUBLIC, [], True),
        ("192.168.1.2", PUBLIC, [], True),
        (OTHER, PUBLIC, [], False),
        ("phone.example", PUBLIC, [], False),
        (PRIVATE, "10.9.9.9", [], False),
        (PRIVATE, PUBLIC, ["Record-Route: <sip:192.0.2.9;lr>"], False),
    ],
)
def test_a_caller_with_an_address_of_its_own_network_is_met_where_it_came_from(
    contact: str, source: str, headers: list[str], follows: bool
) -> None:
    """Not where the Contact can be reached, both are of one network, or a proxy knows the way."""
    came = _came(contact, source, *headers)
    assert hop_to_caller(came) == (came.hop if follows else None)


def test_a_callee_with_such_an_address_is_met_where_the_invite_went() -> None:
    """The same for calls of our own."""
    sent = cast("OutgoingInvite", SimpleNamespace(hop=_hop(PUBLIC)))
    response = SipResponse(200, "OK")
    assert hop_to_callee(sent, response) is None
    response.headers.set("Contact", f"<sip:x@{PRIVATE}>")
    assert hop_to_callee(sent, response) == sent.hop
    response.headers.add("Record-Route", "<sip:192.0.2.9;lr>")
    assert hop_to_callee(sent, response) is None


def test_only_addresses_can_be_private() -> None:
    """A name may be anywhere."""
    assert is_private(PRIVATE)
    assert not is_private(PUBLIC)
    assert not is_private("localhost")
