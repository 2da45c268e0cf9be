"""The server's side of digest: age and count of nonces."""

from __future__ import annotations

import pytest

from telephony.clock import ManualClock
from telephony.sip import authentication
from telephony.sip.authentication import Authenticator, Verdict
from telephony.sip.digest import Challenge, answer

pytestmark = pytest.mark.pure


class Line:
    """A server and a client that knows the password."""

    def __init__(self, *algorithms: str) -> None:
        self.clock = ManualClock(1000.0)
        self.server = Authenticator("Line", self.clock, algorithms=algorithms or ("MD5",), lifetime_s=60)

    def judge(self, challenge: Challenge, nc: int = 1, password: str = "p") -> Verdict:
        header = answer(challenge, "INVITE", "sip:a@h", "u", password, nc)
        return self.server.judge(header, method="INVITE", username="u", password="p")


def test_a_right_answer_is_accepted_once_per_count() -> None:
    """The same count twice is a replay; a higher one is the next request."""
    line = Line()
    (asked,) = line.server.challenges()
    assert line.judge(asked) is Verdict.ACCEPTED
    assert line.judge(asked) is Verdict.STALE
    assert line.judge(asked, nc=2) is Verdict.ACCEPTED
    assert line.judge(asked, nc=1) is Verdict.STALE


def test_a_wrong_password_is_rejected_before_its_nonce_is_judged() -> None:
    """Stale is only ever said to somebody who knows the password."""
    line = Line()
    (asked,) = line.server.challenges()
    line.clock.advance(100)
    assert line.judge(asked, password="x") is Verdict.REJECTED
    assert line.judge(asked) is Verdict.STALE


def test_a_nonce_of_somebody_else_is_stale() -> None:
    """Only nonces made here are good, and a forged one cannot be told from an old one."""
    line = Line()
    (asked,) = Line().server.challenges()
    assert line.judge(asked) is Verdict.STALE
    assert line.judge(Challenge("Line", "x")) is Verdict.STALE
    assert line.judge(Challenge("Line", "ж" * 64)) is Verdict.STALE


def test_a_nonce_without_qop_is_good_for_one_request() -> None:
    """An old peer counts nothing, so its second use is a replay."""
    line = Line()
    (asked,) = line.server.challenges()
    bare = Challenge(asked.realm, asked.nonce, qop="")
    assert line.judge(bare) is Verdict.ACCEPTED
    assert line.judge(bare) is Verdict.STALE


def test_only_offered_algorithms_are_taken() -> None:
    """A line that offers SHA-256 alone is not talked down to MD5."""
    line = Line("SHA-256")
    (asked,) = line.server.challenges()
    assert asked.algorithm == "SHA-256"
    assert line.judge(asked) is Verdict.ACCEPTED
    assert line.judge(Challenge(asked.realm, asked.nonce, "MD5")) is Verdict.REJECTED
    assert line.server.judge("Basic x", method="INVITE", username="u", password="p") is Verdict.REJECTED


def test_each_algorithm_gets_a_challenge_and_stale_is_said() -> None:
    """The order is that of the setting; stale is on every one."""
    challenges = Line("SHA-256", "MD5").server.challenges(stale=True)
    assert [(item.algorithm, item.stale) for item in challenges] == [("SHA-256", True), ("MD5", True)]
    assert challenges[0].nonce != challenges[1].nonce


def test_what_is_remembered_is_bounded_and_never_forgiving(monkeypatch: pytest.MonkeyPatch) -> None:
    """A nonce whose count was forgotten is stale from then on, so that nothing can be replayed."""
    monkeypatch.setattr(authentication, "_MAX_USED", 3)
    line = Line()
    first = line.server.challenges()[0]
    assert line.judge(first) is Verdict.ACCEPTED
    for _ in range(3):
        line.clock.advance(1)
        assert line.judge(line.server.challenges()[0]) is Verdict.ACCEPTED
    assert line.judge(first) is Verdict.STALE
    assert line.judge(first, nc=2) is Verdict.STALE
    assert line.judge(line.server.challenges()[0]) is Verdict.ACCEPTED
