"""Reading livekit-server's request for a call."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.protocol import sip as lk_sip

from telephony.bridge import wire
from telephony.bridge.outbound_order import DialOrder, read_order
from telephony.errors import BusError

pytestmark = pytest.mark.pure


def _request(**fields: Any) -> Any:
    return wire.InternalCreateSIPParticipantRequest(
        **{
            "sip_call_id": "SCL_abcdef123456",
            "room_name": "room",
            "participant_identity": "callee",
            "address": "sip.carrier.example:5080",
            "call_to": "+15550123",
            "number": "+15550100",
            **fields,
        }
    )


def _order(**fields: Any) -> DialOrder:
    return read_order(_request(**fields), "192.0.2.7")


def test_a_number_is_called_at_the_trunks_address() -> None:
    """Request-URI and To are the number at the trunk, From is our number at our own address."""
    order = _order()
    assert str(order.uri) == "sip:+15550123@sip.carrier.example:5080"
    assert str(order.to) == "<sip:+15550123@sip.carrier.example:5080>"
    assert str(order.from_) == "+15550100 <sip:+15550100@192.0.2.7>"
    assert order.attributes["sip.callID"] == "SCL_abcdef123456"
    assert (order.room.room_name, order.room.identity) == ("room", "callee")


def test_the_trunk_may_ask_for_a_transport_and_a_host() -> None:
    """They stand in the Request-URI and in From; without a transport nothing is said."""
    order = _order(transport=lk_sip.SIP_TRANSPORT_TCP, hostname="us.example")
    assert str(order.uri) == "sip:+15550123@sip.carrier.example:5080;transport=tcp"
    assert order.from_.uri.host == "us.example"


@pytest.mark.parametrize(
    ("given", "display"), [({}, "+15550100"), ({"display_name": ""}, ""), ({"display_name": "Desk"}, "Desk")]
)
def test_the_display_name_is_the_number_unless_it_is_given(given: dict[str, str], display: str) -> None:
    """An empty one is sent empty, so that the carrier can look a name up."""
    assert _order(**given).from_.display == display


def test_raw_and_structured_addresses_override() -> None:
    """Both forms of sip_request_uri and sip_from_header are taken as they are."""
    raw = _order(
        sip_request_uri=lk_sip.SIPRequestDest(raw="sip:desk@other.example;user=phone"),
        sip_from_header=lk_sip.SIPNamedDest(raw='"Shop" <sip:shop@us.example>'),
    )
    assert str(raw.uri) == "sip:desk@other.example;user=phone"
    assert str(raw.from_) == "Shop <sip:shop@us.example>"
    values = _order(
        sip_request_uri=lk_sip.SIPRequestDest(values=lk_sip.SIPUri(user="desk", ip="192.0.2.9", port=5070)),
        sip_from_header=lk_sip.SIPNamedDest(display_name="Shop", values=lk_sip.SIPUri(user="shop")),
    )
    assert str(values.uri) == "sip:desk@192.0.2.9:5070"
    assert str(values.from_) == "Shop <sip:shop@192.0.2.7>"


def test_the_to_user_alone_may_be_replaced() -> None:
    """The Request-URI stays."""
    order = _order(to_user_override="desk")
    assert (order.to.uri.user, order.uri.user) == ("desk", "+15550123")


def test_headers_of_the_bridge_are_its_own() -> None:
    """A trunk cannot write Via, Contact or credentials; what would break a line is cleaned."""
    order = _order(headers={"Via": "x", "Contact": "x", "Authorization": "x", "X-Note": "a\r\nX-Evil: b"})
    assert order.headers == (("X-Note", "aX-Evil: b"),)


def test_attributes_become_headers_of_the_invite() -> None:
    """Those that are known before the call."""
    order = _order(participant_attributes={"case": "7"}, attributes_to_headers={"case": "X-Case"})
    assert ("X-Case", "7") in order.headers


def test_times_and_codecs_are_read() -> None:
    """Durations in seconds; codecs only where nothing else is wanted."""
    request = _request(media=lk_sip.SIPMediaConfig(codecs=[lk_sip.SIPCodec(name="PCMA")]))
    assert read_order(request, "h").codecs == ()
    request.media.only_listed_codecs = True
    request.ringing_timeout.FromMilliseconds(1500)
    request.max_call_duration.FromSeconds(60)
    order = read_order(request, "h")
    assert (order.codecs, order.ringing_timeout_s, order.max_call_duration_s) == (("PCMA",), 1.5, 60.0)
    assert (_order().ringing_timeout_s, _order().max_call_duration_s) == (180.0, 24 * 3600.0)


@pytest.mark.parametrize(
    "fields",
    [
        {"transport": lk_sip.SIP_TRANSPORT_TLS},
        {"media_encryption": lk_sip.SIP_MEDIA_ENCRYPT_REQUIRE},
        {"dtmf": "12x"},
        {"call_to": "a b"},
        {"call_to": "x@evil.example"},
        {"call_to": ""},
        {"address": ""},
        {"address": "host name"},
        {"room_name": ""},
        {"sip_call_id": ""},
        {"display_name": "a\r\nb"},
        {"sip_request_uri": lk_sip.SIPRequestDest(raw="tel:+15550123")},
        {"sip_request_uri": lk_sip.SIPRequestDest(raw="nonsense")},
    ],
)
def test_what_cannot_be_called_is_refused_before_anybody_rings(fields: dict[str, Any]) -> None:
    """With invalid_argument, which nobody tries again."""
    with pytest.raises(BusError) as caught:
        _order(**fields)
    assert (caught.value.code, bool(caught.value.message)) == ("invalid_argument", True)


def test_a_password_does_not_show() -> None:
    """Neither in the order's text nor in the credentials'."""
    order = _order(username="desk", password="very-secret")
    assert order.credentials is not None
    assert "very-secret" not in repr(order)
