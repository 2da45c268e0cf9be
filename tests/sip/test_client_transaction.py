"""Client transactions by their timers, on a clock turned by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telephony.clock import ManualClock
from telephony.errors import SipTimeoutError
from telephony.sip.message import parse_message
from telephony.sip.transaction import (
    ClientState,
    ClientTransaction,
    TransactionLayer,
    build_ack,
    build_cancel,
)
from tests.sip.wire import request, response

if TYPE_CHECKING:
    from telephony.errors import SipError
    from telephony.sip.message import SipResponse

pytestmark = pytest.mark.pure


class Line:
    """One client transaction with everything that left and came."""

    def __init__(self, method: str = "INVITE", *, reliable: bool = False) -> None:
        self.clock = ManualClock()
        self.layer = TransactionLayer(self.clock)
        self.sent: list[tuple[float, str]] = []
        self.responses: list[int] = []
        self.failures: list[SipError] = []
        self.request = request(method)
        self.transaction: ClientTransaction = self.layer.start_client(
            self.request,
            reliable=reliable,
            send=self._send,
            on_response=lambda response: self.responses.append(response.status),
            on_failure=self.failures.append,
        )

    def _send(self, data: bytes) -> None:
        self.sent.append((round(self.clock.now(), 3), data.split(b" ", 1)[0].decode()))

    def receive(self, status: int, to_tag: str = "ttag") -> None:
        answer: SipResponse = response(self.request, status, to_tag=to_tag)
        self.layer.receive_response(answer)

    def times(self, method: str) -> list[float]:
        return [at for at, name in self.sent if name == method]


def test_invite_is_repeated_with_doubling_interval_until_timer_b() -> None:
    """Timer A doubles from T1 without a ceiling; Timer B ends the attempt after 64 * T1."""
    line = Line()
    line.clock.advance(31.9)
    assert line.times("INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert not line.failures
    line.clock.advance(0.2)
    assert isinstance(line.failures[0], SipTimeoutError)
    assert line.layer.total == 0
    assert line.clock.pending == 0


def test_a_provisional_stops_repetition_and_timer_b() -> None:
    """After 100 the INVITE is neither repeated nor timed out."""
    line = Line()
    line.clock.advance(0.7)
    line.receive(100)
    line.clock.advance(300)
    assert len(line.sent) == 2
    assert line.responses == [100]
    assert not line.failures
    assert line.transaction.state is ClientState.PROCEEDING


def test_a_refusal_is_acknowledged_and_its_repetitions_too() -> None:
    """Each copy of a refusal gets an ACK for 32 s (Timer D), the user hears it once."""
    line = Line()
    line.receive(486)
    line.clock.advance(10)
    line.receive(486)
    line.receive(180)
    assert line.responses == [486]
    assert line.times("ACK") == [0, 10]
    assert line.layer.active == 0
    assert line.layer.total == 1
    line.clock.advance(22.1)
    assert line.layer.total == 0
    assert line.clock.pending == 0


def test_every_success_goes_to_the_user_in_the_accepted_state() -> None:
    """RFC 6026: repeated and forked 2xx reach the user for 64 * T1, anything else is dropped."""
    line = Line()
    line.receive(180)
    line.receive(200)
    line.receive(200)
    line.receive(200, to_tag="another")
    line.receive(486)
    assert line.responses == [180, 200, 200, 200]
    assert line.transaction.state is ClientState.ACCEPTED
    assert "ACK" not in [name for _, name in line.sent]
    line.clock.advance(32.1)
    assert line.layer.total == 0


def test_other_requests_are_repeated_up_to_t2_until_timer_f() -> None:
    """Timer E doubles from T1 to T2; Timer F ends the attempt after 64 * T1."""
    line = Line("OPTIONS")
    line.clock.advance(31.9)
    assert line.times("OPTIONS") == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    line.clock.advance(0.2)
    assert isinstance(line.failures[0], SipTimeoutError)
    assert line.clock.pending == 0


def test_other_requests_are_repeated_every_t2_after_a_provisional() -> None:
    """In Proceeding Timer E is T2, and Timer F still runs."""
    line = Line("OPTIONS")
    line.receive(100)
    line.clock.advance(31.9)
    assert line.times("OPTIONS") == [0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    line.clock.advance(0.2)
    assert len(line.failures) == 1


def test_other_requests_absorb_repeated_answers_for_t4() -> None:
    """Timer K: a second final response is swallowed, then the transaction is gone."""
    line = Line("BYE")
    line.receive(200)
    line.receive(200)
    assert line.responses == [200]
    assert line.layer.retransmissions_received == 1
    line.clock.advance(5.1)
    assert line.layer.total == 0
    assert line.clock.pending == 0


@pytest.mark.parametrize(("method", "status"), [("INVITE", 486), ("OPTIONS", 200)])
def test_nothing_is_repeated_or_absorbed_over_a_reliable_transport(method: str, status: int) -> None:
    """Timers A, E, D and K are off over TCP."""
    line = Line(method, reliable=True)
    line.clock.advance(20)
    assert len(line.times(method)) == 1
    line.receive(status)
    assert line.layer.total == 0
    assert line.clock.pending == 0


def test_a_failed_transport_is_told_once() -> None:
    """A transport error ends a waiting transaction and leaves a finished one alone."""
    line = Line()
    line.transaction.fail(SipTimeoutError("gone"))
    line.transaction.fail(SipTimeoutError("gone"))
    assert len(line.failures) == 1
    done = Line("BYE")
    done.receive(200)
    done.transaction.fail(SipTimeoutError("gone"))
    assert not done.failures


def test_a_response_of_another_method_or_branch_is_nobodys() -> None:
    """Responses match by branch and CSeq method only."""
    line = Line()
    stranger = response(request("BYE"), 200)
    assert not line.layer.receive_response(stranger)
    stranger = response(request(branch="z9hG4bKother"), 200)
    assert not line.layer.receive_response(stranger)
    assert not line.responses


def test_the_ack_of_a_refusal_repeats_branch_route_and_number() -> None:
    """Section 17.1.1.3: one Via, the INVITE's; To of the response; the INVITE's routes and number."""
    invite = request(headers=("Route: <sip:proxy.example;lr>", "Require: 100rel"))
    ack = build_ack(invite, response(invite, 486))
    assert ack.method == "ACK"
    assert str(ack.via) == str(invite.via)
    assert len(ack.vias) == 1
    assert ack.to.tag == "ttag"
    assert ack.cseq == (1, "ACK")
    assert ack.headers.get_all("Route") == ["<sip:proxy.example;lr>"]
    assert "Require" not in ack.headers


def test_a_cancel_is_the_invites_twin() -> None:
    """Section 9.1: same Request-URI, Via, From, To without tag, Call-ID, number and routes."""
    invite = request(headers=("Route: <sip:proxy.example;lr>", 'Authorization: Digest username="u"'))
    cancel = parse_message(build_cancel(invite).to_bytes())
    assert cancel.cseq == (1, "CANCEL")
    assert cancel.via.branch == invite.via.branch
    assert cancel.to.tag is None
    assert cancel.headers.get_all("Route") == ["<sip:proxy.example;lr>"]
    assert "Authorization" not in cancel.headers
    assert "Contact" not in cancel.headers
