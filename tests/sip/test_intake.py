"""What an endpoint does with what is not a call: garbage, unknown methods, extensions, copies, floods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.clock import ManualClock
from telephony.sip import stack
from telephony.sip.endpoint import SipEndpoint
from telephony.sip.message import SipRequest
from tests.sip.network import MemoryTransport, Network
from tests.sip.parties import CALLEE, parties
from tests.sip.wire import request, request_bytes, response_bytes

if TYPE_CHECKING:
    from telephony.sip.incoming import IncomingInvite, IncomingRequest
    from telephony.sip.via import Address

pytestmark = pytest.mark.pure

PEER = "192.0.2.9"
VIA = f"SIP/2.0/UDP {PEER}:5070;branch=z9hG4bKp"


class Intake:
    """One endpoint whose datagrams are handed in and taken out by hand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.sent: list[tuple[bytes, Address]] = []
        self.endpoint = SipEndpoint(self.clock)
        self.transport = MemoryTransport(Network(), (CALLEE, 5060))
        self.transport.send = self._send  # type: ignore[method-assign]  # the wire ends here
        self.endpoint.stack.host = CALLEE
        self.endpoint.stack.add(self.transport)

    def _send(self, data: bytes, to: Address) -> None:
        self.sent.append((data, to))

    def receive(self, data: bytes, source: Address = (PEER, 5070)) -> list[int]:
        """Statuses of what is answered at once."""
        before = len(self.sent)
        self.transport.on_message(data, source, self.transport)
        return [int(item.split(b" ", 2)[1]) for item, _ in self.sent[before:]]


@given(st.binary(max_size=200))
def test_garbage_is_counted_and_not_answered(data: bytes) -> None:
    """Random datagrams get no answer; what is not empty counts as malformed."""
    line = Intake()
    assert line.receive(data) == []
    stats = line.endpoint.stats
    assert stats.malformed + stats.keepalives == 1
    assert line.clock.pending == 0


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\x00", b"\r\n", b"\x00\x00\x00\x00", b"  \r\n"])
def test_keep_alives_are_no_garbage(data: bytes) -> None:
    """Empty datagrams of every kind are swallowed."""
    line = Intake()
    assert line.receive(data) == []
    assert (line.endpoint.stats.malformed, line.endpoint.stats.keepalives) == (0, 1)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request_bytes(via=VIA, cseq_method="BYE"), 400),
        (request_bytes(via=VIA, uri="sip:a b"), 400),
        (request_bytes(via=VIA, uri="mailto:a@h"), 416),
        (request_bytes(via=VIA).replace(b"SIP/2.0\r", b"SIP/4.0\r", 1), 505),
        (request_bytes(via=VIA, contact=None), 400),
    ],
)
def test_a_request_that_cannot_be_understood_is_refused_to_its_source(data: bytes, status: int) -> None:
    """Without keeping anything, and to the address that it really came from."""
    line = Intake()
    seen: list[bytes] = []
    line.endpoint.on_malformed = lambda bad, _source: seen.append(bad)
    assert line.endpoint.on_malformed is not None
    assert line.receive(data, source=("203.0.113.1", 1234)) == [status]
    assert line.sent[0][1] == ("203.0.113.1", 5070)
    assert seen == [data]
    assert line.endpoint.stats.absorbing_transactions == 0
    assert line.clock.pending == 0


def test_broken_acks_and_responses_are_dropped() -> None:
    """Nothing is ever answered to an ACK or a response."""
    line = Intake()
    assert line.receive(request_bytes("ACK", via=VIA, cseq_method="BYE")) == []
    assert line.receive(request_bytes("ACK", via=VIA)) == []
    invite = request_bytes(via=VIA)
    answer = response_bytes(request(via=VIA), 200)
    assert line.receive(answer) == []
    assert line.receive(answer.replace(b"Via:", b"X-Via:")) == []
    two = answer.replace(b"Via:", b"Via: SIP/2.0/UDP h;branch=z9hG4bK0\r\nVia:")
    assert line.receive(two) == []
    assert line.endpoint.stats.malformed == 3
    assert line.receive(invite) == [480]


def test_an_invite_that_requires_an_extension_is_refused() -> None:
    """420 names what is not supported; what the owner declares is let through."""
    line = Intake()
    got: list[IncomingInvite] = []
    line.endpoint.on_invite = got.append
    asked = request_bytes(via=VIA, headers=("Require: 100rel, timer", "Require: foo"))
    assert line.receive(asked) == [420]
    assert b"Unsupported: 100rel, foo, timer\r\n" in line.sent[0][0]
    line.endpoint.extensions = frozenset({"100rel", "timer", "foo"})
    assert line.receive(asked.replace(b"z9hG4bKp", b"z9hG4bKq").replace(b"call-1", b"call-2")) == []
    assert len(got) == 1


def test_one_invite_by_two_ways_is_one_call() -> None:
    """Section 8.2.2.2: the copy with another branch is merged, 482."""
    line = Intake()
    got: list[IncomingInvite] = []
    line.endpoint.on_invite = got.append
    line.receive(request_bytes(via=VIA))
    assert line.receive(request_bytes(via=VIA + "2")) == [482]
    assert line.receive(request_bytes(via=VIA + "3", cseq=2)) == []
    assert len(got) == 2


def test_a_failing_owner_costs_500_and_nothing_else() -> None:
    """An exception in on_invite is logged, the caller is refused, the endpoint lives."""
    line = Intake()

    def broken(_invite: IncomingInvite) -> None:
        raise RuntimeError("a bug of the owner")

    line.endpoint.on_invite = broken
    assert line.receive(request_bytes(via=VIA)) == [500]
    assert line.endpoint.stats.pending_invites == 0
    assert line.receive(request_bytes("OPTIONS", via=VIA + "2")) == [200]


def test_other_requests_can_be_taken_by_the_owner() -> None:
    """on_request gets them, and may hand them back to the default."""
    line = Intake()

    def on_request(incoming: IncomingRequest) -> None:
        if incoming.method == "MESSAGE":
            incoming.respond(202)
        else:
            line.endpoint.respond_by_default(incoming)

    line.endpoint.on_request = on_request
    assert line.receive(request_bytes("MESSAGE", via=VIA)) == [202]
    assert line.receive(request_bytes("OPTIONS", via=VIA + "1")) == [200]
    assert line.receive(request_bytes("SUBSCRIBE", via=VIA + "2")) == [405]


@pytest.mark.parametrize(
    ("method", "status"), [("INVITE", 481), ("BYE", 481), ("INFO", 481), ("MESSAGE", 481)]
)
def test_a_request_of_an_unknown_dialog_is_answered_481(method: str, status: int) -> None:
    """Whatever the method: with a To tag it belongs to a dialog, and there is none."""
    line = Intake()
    line.endpoint.on_invite = lambda invite: invite.respond(486)
    assert line.receive(request_bytes(method, via=VIA, to_tag="gone")) == [status]


def test_a_flood_is_refused_without_keeping_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the cap new requests get 503 with Retry-After; ACKs get nothing."""
    monkeypatch.setattr(stack, "MAX_TRANSACTIONS", 3)
    line = Intake()
    line.endpoint.on_invite = lambda _invite: None
    for number in range(3):
        assert line.receive(request_bytes(via=f"{VIA}{number}", call_id=f"c{number}")) == []
    assert line.receive(request_bytes(via=VIA, call_id="c9")) == [503]
    assert b"Retry-After: " in line.sent[-1][0]
    assert line.receive(request_bytes("ACK", via=VIA + "x")) == []
    assert line.endpoint.stats.active_transactions == 3


def test_a_provisional_to_a_copy_and_the_answers_headers() -> None:
    """Server and Allow are told, Timestamp is echoed in the 100."""
    line = Intake()
    line.endpoint.on_invite = lambda _invite: None
    line.receive(request_bytes(via=VIA, headers=("Timestamp: 54",)))
    line.clock.advance(0.3)
    assert b"100 Trying" in line.sent[0][0]
    assert b"Timestamp: 54\r\n" in line.sent[0][0]
    assert line.receive(request_bytes(via=VIA)) == [100]
    assert line.receive(request_bytes("OPTIONS", via=VIA + "1")) == [200]
    assert b"Server: Trunkline\r\n" in line.sent[-1][0]
    assert b"Allow: INVITE, ACK" in line.sent[-1][0]


def test_refusing_a_2xx_by_respond() -> None:
    """An INVITE is accepted by accept() alone, since a call needs its session."""
    line = Intake()
    got: list[IncomingInvite] = []
    line.endpoint.on_invite = got.append
    line.receive(request_bytes(via=VIA))
    with pytest.raises(ValueError, match="accept"):
        got[0].respond(200)


def test_the_address_that_is_announced() -> None:
    """contact() is a Contact value with brackets."""
    line = Intake()
    assert line.endpoint.contact() == f"<sip:{CALLEE}:5060>"
    assert line.endpoint.contact("100") == f"<sip:100@{CALLEE}:5060>"


async def test_names_and_headers_of_an_outgoing_invite() -> None:
    """Via with rport, Max-Forwards, Contact, Allow, User-Agent, Content-Type, and what the owner adds."""
    async with parties() as line:
        line.behaviour = lambda invite: invite.respond(486)
        await line.invite()
        await line.network.run(0.1)
        invite = line.invites[0].request
        assert isinstance(invite, SipRequest)
        assert invite.via.params["rport"] == "5060"
        for name in ("Max-Forwards", "Contact", "Allow", "User-Agent", "Content-Type"):
            assert name in invite.headers
