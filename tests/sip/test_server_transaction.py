"""Server transactions by their timers, on a clock turned by hand."""

from __future__ import annotations

import pytest

from telephony.clock import ManualClock
from telephony.sip.rules import response_to
from telephony.sip.transaction import ServerState, ServerTransaction, TransactionLayer
from tests.sip.wire import request

pytestmark = pytest.mark.pure


class Line:
    """One server transaction with everything that left."""

    def __init__(self, method: str = "INVITE", *, reliable: bool = False, branch: str = "z9hG4bKa1") -> None:
        self.clock = ManualClock()
        self.layer = TransactionLayer(self.clock)
        self.sent: list[tuple[float, int]] = []
        self.branch = branch
        self.method = method
        self.transaction: ServerTransaction = self.layer.start_server(
            request(method, branch=branch), reliable=reliable, send=self._send
        )

    def _send(self, data: bytes) -> None:
        self.sent.append((round(self.clock.now(), 3), int(data.split(b" ", 2)[1])))

    def respond(self, status: int) -> None:
        self.transaction.respond(response_to(self.transaction.request, status, to_tag="t"))

    def repeat(self, method: str | None = None) -> bool:
        return self.layer.receive_repeated(request(method or self.method, branch=self.branch))

    def times(self, status: int) -> list[float]:
        return [at for at, code in self.sent if code == status]


def test_an_invite_is_answered_100_after_200_ms() -> None:
    """The transaction says 100 Trying by itself when the user is slow."""
    line = Line()
    line.clock.advance(0.19)
    assert line.sent == []
    line.clock.advance(0.02)
    assert line.sent == [(0.2, 100)]


def test_no_100_follows_a_quick_response() -> None:
    """A provisional of the user's makes the automatic one needless."""
    line = Line()
    line.respond(180)
    line.clock.advance(5)
    assert line.sent == [(0, 180)]


def test_a_repeated_invite_gets_the_last_response_again() -> None:
    """Repetitions are answered by the transaction: nothing before, then whatever was sent last."""
    line = Line()
    assert line.repeat()
    assert line.sent == []
    line.respond(180)
    assert line.repeat()
    assert line.times(180) == [0, 0]
    assert line.layer.retransmissions_received == 2


def test_a_refusal_is_repeated_until_its_ack() -> None:
    """Timer G doubles from T1 to T2; the ACK stops it and Timer I ends the transaction after T4."""
    line = Line()
    line.respond(486)
    line.clock.advance(8)
    assert line.times(486) == [0, 0.5, 1.5, 3.5, 7.5]
    assert line.layer.active == 1
    assert line.repeat("ACK")
    assert line.layer.active == 0
    line.clock.advance(4.9)
    assert line.repeat()
    assert len(line.sent) == 5
    assert line.layer.total == 1
    line.clock.advance(0.2)
    assert line.layer.total == 0
    assert line.clock.pending == 0


def test_a_refusal_without_ack_ends_with_timer_h() -> None:
    """After 64 * T1 a refusal that nobody acknowledged is forgotten."""
    line = Line()
    line.respond(603)
    line.clock.advance(31.9)
    assert line.layer.total == 1
    assert line.times(603)[-1] == 31.5
    line.clock.advance(0.2)
    assert line.layer.total == 0
    assert line.clock.pending == 0


def test_a_refusal_is_sent_once_over_a_reliable_transport() -> None:
    """Timer G is off over TCP, Timer I is zero."""
    line = Line(reliable=True)
    line.respond(486)
    line.clock.advance(10)
    assert len(line.sent) == 1
    line.repeat("ACK")
    line.clock.advance(0)
    assert line.layer.total == 0


def test_a_success_leaves_repetition_to_the_user() -> None:
    """RFC 6026: in Accepted repeated INVITEs are swallowed, the user's 2xx go out, the ACK is not eaten."""
    line = Line()
    line.respond(200)
    line.clock.advance(5)
    assert line.repeat()
    assert line.times(200) == [0]
    line.respond(200)
    assert line.times(200) == [0, 5]
    line.respond(486)
    assert line.times(486) == []
    assert not line.repeat("ACK")
    line.clock.advance(27.1)
    assert line.layer.total == 0
    assert line.clock.pending == 0


def test_another_request_is_answered_again_for_64_t1() -> None:
    """Timer J: a repeated request gets the same final response; over TCP it is zero."""
    line = Line("BYE")
    assert line.repeat()
    assert line.sent == []
    line.respond(200)
    line.clock.advance(31)
    line.repeat()
    assert line.times(200) == [0, 31]
    line.clock.advance(1.1)
    assert line.layer.total == 0
    reliable = Line("BYE", reliable=True)
    reliable.respond(200)
    reliable.clock.advance(0)
    assert reliable.layer.total == 0


def test_only_the_first_final_response_counts() -> None:
    """A second final response is not sent."""
    line = Line("OPTIONS")
    line.respond(200)
    line.respond(500)
    assert line.sent == [(0, 200)]


def test_an_abandoned_invite_is_silent() -> None:
    """No 100, no answer to repetitions, and forgotten after 64 * T1."""
    line = Line()
    line.transaction.abandon()
    line.clock.advance(1)
    assert line.repeat()
    line.respond(486)
    assert line.sent == []
    assert line.layer.active == 0
    line.clock.advance(31.1)
    assert line.layer.total == 0
    assert line.clock.pending == 0


def test_a_cancel_has_a_transaction_of_its_own_and_finds_the_invites() -> None:
    """CANCEL carries the INVITE's branch but is no repetition of it."""
    line = Line()
    cancel = request("CANCEL", branch=line.branch)
    assert not line.layer.receive_repeated(cancel)
    assert line.layer.find_server(cancel, "INVITE") is line.transaction


@pytest.mark.parametrize("branch", ["old-style-1", "z9hG4bK"])
def test_requests_without_the_magic_cookie_match_by_their_headers(branch: str) -> None:
    """Section 17.2.3: an old peer's INVITE, its copy and its ACK are one transaction, another call is not."""
    line = Line(branch=branch)
    assert line.repeat()
    line.respond(486)
    ack = request("ACK", branch=branch, to_tag="t")
    assert line.layer.receive_repeated(ack)
    assert line.transaction.state is ServerState.CONFIRMED
    assert not line.layer.receive_repeated(request(branch=branch, call_id="another"))
    assert not line.layer.receive_repeated(request(branch=branch, cseq=2))


def test_the_same_branch_from_another_sender_is_another_transaction() -> None:
    """Sent-by is part of the key, since branches are only unique per sender."""
    line = Line()
    other = request(via=f"SIP/2.0/UDP 192.0.2.77;branch={line.branch}")
    assert not line.layer.receive_repeated(other)
