"""Digest at the trunk: who is asked, believed and refused."""

from __future__ import annotations

import pytest

from telephony.bridge.io_service import TrunkAuthentication
from telephony.bridge.trunk_auth import Judgement, TrunkAuth
from telephony.clock import ManualClock
from telephony.sip.digest import Challenge, answer, challenge
from tests.bridge.sip_text import invite

pytestmark = pytest.mark.pure

TRUNK = TrunkAuthentication("ST_1", "user", "pass", "")
URI = "sip:+15550100@198.51.100.2:5060"


def _asked(auth: TrunkAuth, trunk: TrunkAuthentication = TRUNK) -> Challenge:
    verdict = auth.judge(invite(), trunk)
    assert verdict.judgement is Judgement.ASK
    return Challenge.parse(verdict.challenge)


def _reply(asked: Challenge, username: str = "user", password: str = "pass") -> str:
    return "Proxy-Authorization: " + answer(asked, "INVITE", URI, username, password)


def test_a_trunk_without_both_user_and_password_asks_nothing() -> None:
    """Such a trunk takes every caller that matches."""
    auth = TrunkAuth(ManualClock())
    assert auth.judge(invite(), TrunkAuthentication("ST_1", "user")).judgement is Judgement.ACCEPTED


def test_the_right_password_is_accepted() -> None:
    """A challenge in MD5 for LiveKit's realm is answered and believed."""
    auth = TrunkAuth(ManualClock())
    asked = _asked(auth)
    assert (asked.realm, asked.algorithm) == ("LiveKit", "MD5")
    assert auth.judge(invite(_reply(asked)), TRUNK).judgement is Judgement.ACCEPTED


def test_the_trunks_own_realm_is_used() -> None:
    """auth_realm replaces LiveKit's; credentials for another realm are as good as none."""
    auth = TrunkAuth(ManualClock())
    trunk = TrunkAuthentication("ST_1", "user", "pass", "office")
    asked = _asked(auth, trunk)
    assert asked.realm == "office"
    assert auth.judge(invite(_reply(asked)), trunk).judgement is Judgement.ACCEPTED
    assert auth.judge(invite(_reply(asked)), TRUNK).judgement is Judgement.ASK


@pytest.mark.parametrize(
    ("username", "password", "judgement"),
    [("user", "other", Judgement.WRONG_PASSWORD), ("other", "pass", Judgement.WRONG_USER)],
)
def test_wrong_credentials_are_told_apart(username: str, password: str, judgement: Judgement) -> None:
    """The log can say whether it was the user or the password."""
    auth = TrunkAuth(ManualClock())
    asked = _asked(auth)
    assert auth.judge(invite(_reply(asked, username, password)), TRUNK).judgement is judgement


def test_a_nonce_of_somebody_else_is_asked_anew() -> None:
    """A made-up nonce, another process's nonce and another call's nonce are not believed."""
    auth = TrunkAuth(ManualClock())
    for foreign in (challenge("LiveKit"), _asked(TrunkAuth(ManualClock()))):
        assert auth.judge(invite(_reply(foreign)), TRUNK).judgement is Judgement.ASK
    other_call = invite(_reply(_asked(auth)))
    other_call.headers.set("Call-ID", "call-2")
    assert auth.judge(other_call, TRUNK).judgement is Judgement.ASK


def test_an_old_nonce_is_stale_for_those_who_know_the_password() -> None:
    """After a minute the right password gets a fresh nonce marked stale, a wrong one is wrong."""
    clock = ManualClock()
    auth = TrunkAuth(clock)
    asked = _asked(auth)
    clock.advance(61.5)
    verdict = auth.judge(invite(_reply(asked)), TRUNK)
    assert verdict.judgement is Judgement.ASK
    assert Challenge.parse(verdict.challenge).stale
    assert auth.judge(invite(_reply(asked, password="x")), TRUNK).judgement is Judgement.WRONG_PASSWORD


def test_only_proxy_authorization_is_read() -> None:
    """As with livekit-sip, Authorization is no answer to 407."""
    auth = TrunkAuth(ManualClock())
    header = _reply(_asked(auth)).removeprefix("Proxy-")
    assert auth.judge(invite(header), TRUNK).judgement is Judgement.ASK


@pytest.mark.parametrize("value", ["Basic abc", "Digest", "Digest realm", 'Digest realm="LiveKit"', "\u00e9"])
def test_garbage_for_credentials_is_asked_anew(value: str) -> None:
    """Nothing that a caller writes there raises."""
    auth = TrunkAuth(ManualClock())
    assert auth.judge(invite(f"Proxy-Authorization: {value}"), TRUNK).judgement is Judgement.ASK
