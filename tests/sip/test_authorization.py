"""Which challenges a client answers, how often, and with which nonce count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telephony.sip.authorization import Attempt, Authorizer
from telephony.sip.digest import Credentials, challenge, parse_digest, verify
from tests.sip.wire import request, response

if TYPE_CHECKING:
    from telephony.sip.message import SipResponse

pytestmark = pytest.mark.pure

US = Credentials("u", "p")


def challenged(status: int = 407, *values: str) -> SipResponse:
    name = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}.get(status, "Proxy-Authenticate")
    return response(request(), status, headers=tuple(f"{name}: {value}" for value in values))


def test_a_challenge_is_answered_in_its_header() -> None:
    """401 by Authorization, 407 by Proxy-Authorization, both with the Request-URI as digest-uri."""
    authorizer, attempt = Authorizer(US), Attempt()
    asked = challenge("r", "n")
    assert authorizer.learn(challenged(401, str(asked)), attempt)
    assert authorizer.learn(challenged(407, str(challenge("proxy", "m"))), attempt)
    message = request()
    authorizer.authorize(message)
    header = message.headers.get("Authorization") or ""
    assert verify(
        header, method="INVITE", username="u", password="p", realm="r", nonce="n", uri=str(message.uri)
    )
    assert parse_digest(message.headers.get("Proxy-Authorization") or "")["realm"] == "proxy"


def test_a_reused_nonce_has_a_rising_count() -> None:
    """The next request of the dialog carries the same nonce with nc one higher, not two headers."""
    authorizer = Authorizer(US)
    authorizer.learn(challenged(407, str(challenge("r", "n"))), Attempt())
    message = request()
    counts = []
    for _ in range(3):
        authorizer.authorize(message)
        (value,) = message.headers.get_all("Proxy-Authorization")
        counts.append(parse_digest(value)["nc"])
    assert counts == ["00000001", "00000002", "00000003"]


def test_rejected_credentials_are_not_sent_again() -> None:
    """A second challenge without stale means that the password is wrong."""
    authorizer, attempt = Authorizer(US), Attempt()
    assert authorizer.learn(challenged(407, str(challenge("r"))), attempt)
    assert not authorizer.learn(challenged(407, str(challenge("r"))), attempt)


def test_a_stale_nonce_is_answered_again() -> None:
    """With stale the password was right: the new nonce is used, from count one."""
    authorizer, attempt = Authorizer(US), Attempt()
    authorizer.learn(challenged(407, str(challenge("r", "old"))), attempt)
    authorizer.authorize(request())
    assert authorizer.learn(challenged(407, str(challenge("r", "new", stale=True))), attempt)
    message = request()
    authorizer.authorize(message)
    params = parse_digest(message.headers.get("Proxy-Authorization") or "")
    assert (params["nonce"], params["nc"]) == ("new", "00000001")


def test_a_new_request_may_be_challenged_anew() -> None:
    """An old nonce that the server forgot, without saying stale, costs one more try, not the request."""
    authorizer = Authorizer(US)
    authorizer.learn(challenged(407, str(challenge("r", "old"))), Attempt())
    assert authorizer.learn(challenged(407, str(challenge("r", "new"))), Attempt())


def test_five_tries_are_the_limit() -> None:
    """A server that always says stale does not keep us forever."""
    authorizer, attempt = Authorizer(US), Attempt()
    tries = 1
    while authorizer.learn(challenged(407, str(challenge("r", stale=True))), attempt):
        tries += 1
    assert tries == 5


def test_the_strongest_of_one_realm_and_each_realm_is_answered() -> None:
    """Two realms get two headers; of one realm's challenges SHA-256 is taken."""
    authorizer = Authorizer(US)
    values = (
        str(challenge("a", "1")),
        str(challenge("a", "2", "SHA-256")),
        str(challenge("b", "3")),
    )
    assert authorizer.learn(challenged(407, *values), Attempt())
    message = request()
    authorizer.authorize(message)
    nonces = [parse_digest(value)["nonce"] for value in message.headers.get_all("Proxy-Authorization")]
    assert nonces == ["2", "3"]


@pytest.mark.parametrize("status", [403, 407])
def test_nothing_is_answered_without_need_or_means(status: int) -> None:
    """No credentials, no known challenge, or another status: the response is final."""
    assert not Authorizer(US).learn(challenged(status, 'Basic realm="x"'), Attempt())
    assert not Authorizer(None).learn(challenged(status, str(challenge("r"))), Attempt())
    message = request()
    Authorizer(None).authorize(message)
    assert "Proxy-Authorization" not in message.headers
