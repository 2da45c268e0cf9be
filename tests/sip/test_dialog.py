"""Dialogs: routes, targets, numbers."""

from __future__ import annotations

import pytest

from telephony.errors import SipParseError
from telephony.sip.dialog import Dialog
from telephony.sip.rules import response_to
from tests.sip.wire import request, response

pytestmark = pytest.mark.pure

CONTACT = "Contact: <sip:callee@192.0.2.1:5071>"
ROUTES = ("Record-Route: <sip:p1.example;lr>", "Record-Route: <sip:p2.example;lr>, <sip:p3.example;lr>")


def test_the_callers_dialog() -> None:
    """Section 12.1.2: routes reversed, target of the 2xx, tags as sent and received, CSeq of the INVITE."""
    invite = request(cseq=7)
    dialog = Dialog.as_uac(invite, response(invite, 200, headers=(CONTACT, *ROUTES)))
    assert dialog.id == ("call-1", "ftag", "ttag")
    assert [str(route.uri.host) for route in dialog.route_set] == ["p3.example", "p2.example", "p1.example"]
    bye = dialog.build("BYE")
    assert str(bye.uri) == "sip:callee@192.0.2.1:5071"
    assert bye.headers.get_all("Route") == [
        "<sip:p3.example;lr>",
        "<sip:p2.example;lr>",
        "<sip:p1.example;lr>",
    ]
    assert bye.cseq == (8, "BYE")
    assert (bye.from_.tag, bye.to.tag) == ("ftag", "ttag")
    assert dialog.next_hop.host == "p3.example"


def test_the_callees_dialog() -> None:
    """Section 12.1.1: routes as they came, target of the INVITE, From and To exchanged, CSeq of its own."""
    dialog = Dialog.as_uas(request(cseq=7, headers=ROUTES), "mine", "<sip:us@192.0.2.1>")
    assert dialog.id == ("call-1", "mine", "ftag")
    assert [route.uri.host for route in dialog.route_set] == ["p1.example", "p2.example", "p3.example"]
    info = dialog.build("INFO", headers=[("X-A", "1")], body=b"x", content_type="text/plain")
    assert info.cseq == (1, "INFO")
    assert (info.from_.tag, info.to.tag) == ("mine", "ftag")
    assert str(info.uri) == "sip:caller@192.0.2.9:5070"
    assert info.headers.get("Content-Type") == "text/plain"
    assert "Contact" not in info.headers


def test_a_strict_router_gets_itself_in_the_request_uri() -> None:
    """Section 12.2.1.1: without lr the first route becomes the Request-URI, the target the last Route."""
    routes = ("Record-Route: <sip:loose.example;lr>", "Record-Route: <sip:strict.example>")
    invite = request()
    dialog = Dialog.as_uac(invite, response(invite, 200, headers=(CONTACT, *routes)))
    bye = dialog.build("BYE")
    assert str(bye.uri) == "sip:strict.example"
    assert bye.headers.get_all("Route") == ["<sip:loose.example;lr>", "<sip:callee@192.0.2.1:5071>"]
    assert dialog.next_hop.host == "strict.example"


def test_the_ack_of_a_success() -> None:
    """The INVITE's number, method ACK, the dialog's routes and target, and no new CSeq."""
    invite = request(cseq=3)
    dialog = Dialog.as_uac(invite, response(invite, 200, headers=(CONTACT, *ROUTES)))
    ack = dialog.ack(3, [("Proxy-Authorization", "Digest x=1")])
    assert ack.cseq == (3, "ACK")
    assert ack.headers.get("Proxy-Authorization") == "Digest x=1"
    assert len(ack.headers.get_all("Route")) == 3
    assert dialog.build("BYE").cseq.number == 4


def test_numbers_of_the_peer_must_not_fall() -> None:
    """Section 12.2.2: a lower number was overtaken; equal or higher is taken and remembered."""
    dialog = Dialog.as_uas(request(cseq=5), "mine", "<sip:us@h>")
    assert dialog.in_order(request("INFO", cseq=6))
    assert not dialog.in_order(request("INFO", cseq=5))
    assert dialog.in_order(request("BYE", cseq=2000))
    invite = request()
    ours = Dialog.as_uac(invite, response(invite, 200, headers=(CONTACT,)))
    assert ours.in_order(request("BYE", cseq=0))


def test_the_target_follows_the_peers_contact() -> None:
    """A re-INVITE or UPDATE moves the target, an INFO or a Contact that cannot be called does not."""
    dialog = Dialog.as_uas(request(), "mine", "<sip:us@h>")
    assert dialog.refresh_target(request("INVITE", contact="<sip:moved@192.0.2.77>"))
    assert dialog.remote_target.user == "moved"
    assert not dialog.refresh_target(request("INFO", contact="<sip:elsewhere@192.0.2.78>"))
    assert not dialog.refresh_target(request("UPDATE", contact="<tel:+1555>"))
    assert not dialog.refresh_target(request("UPDATE", contact=None))
    assert dialog.remote_target.user == "moved"
    assert dialog.build("INVITE").headers.get("Contact") == "<sip:us@h>"


def test_a_peer_without_tags_is_taken_as_it_is() -> None:
    """Before RFC 3261 tags were optional: the empty tag then stands for none."""
    invite = request()
    dialog = Dialog.as_uac(invite, response(invite, 200, to_tag=None, headers=(CONTACT,)))
    assert dialog.id == ("call-1", "ftag", "")
    assert dialog.build("BYE").to.tag is None


@pytest.mark.parametrize("contact", ["X-None: 1", "Contact: <tel:+1555>", "Contact: *"])
def test_no_dialog_without_a_contact_that_can_be_called(contact: str) -> None:
    """The callee's needs the caller's; the caller falls back on whom it called, if that is a SIP URI."""
    with pytest.raises(SipParseError):
        Dialog.as_uas(request(contact=None, headers=(contact,)), "mine", "<sip:us@h>")
    invite = request()
    assert Dialog.as_uac(invite, response(invite, 200, headers=(contact,))).remote_target == invite.uri
    number = request(uri="tel:+1555")
    with pytest.raises(SipParseError):
        Dialog.as_uac(number, response(number, 200, headers=(contact,)))


def test_both_ends_know_the_dialog_by_each_others_tags() -> None:
    """What is local here is remote there."""
    invite = request()
    answer = response_to(invite, 200, to_tag="mine", headers=[("Contact", "<sip:us@192.0.2.1>")])
    callee = Dialog.as_uas(invite, "mine", "<sip:us@192.0.2.1>")
    caller = Dialog.as_uac(invite, answer)
    call_id, local, remote = caller.id
    assert callee.id == (call_id, remote, local)
