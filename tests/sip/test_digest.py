"""Digest: published examples, and answers that must not pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import SipParseError
from telephony.sip.digest import Challenge, Credentials, answer, challenge, parse_digest, strongest, verify

pytestmark = pytest.mark.pure

RFC_7616 = {
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


@pytest.mark.parametrize("algorithm", RFC_7616)
def test_the_example_of_rfc_7616(algorithm: str) -> None:
    """Section 3.9.1: both algorithms give the published response."""
    asked = Challenge.parse(
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    header = answer(asked, "GET", "/dir/index.html", "Mufasa", "Circle of Life", 1, cnonce)
    params = parse_digest(header)
    assert params["response"] == RFC_7616[algorithm]
    assert params["opaque"] == asked.opaque
    assert params["nc"] == "00000001"
    assert "nc=00000001" in header
    assert "qop=auth," in header


def test_the_form_of_rfc_2069_without_qop() -> None:
    """An old peer's challenge without qop is answered without nc and cnonce."""
    asked = Challenge.parse('Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"')
    header = answer(asked, "GET", "/dir/index.html", "Mufasa", "Circle Of Life")
    params = parse_digest(header)
    assert params["response"] == "670fd8c2df070c60b045671b8b24ff02"
    assert not {"nc", "cnonce", "qop"} & set(params)
    assert verify(
        header, method="GET", username="Mufasa", password="Circle Of Life", realm="testrealm@host.com"
    )


@given(
    st.text(min_size=1, max_size=20), st.text(max_size=20), st.sampled_from(["MD5", "SHA-256"]), st.booleans()
)
def test_an_answer_verifies_with_the_same_password_only(
    user: str, password: str, algorithm: str, qop: bool
) -> None:
    """Any user name and password that can be written proves itself, and no other does."""
    asked = challenge('a "realm"', algorithm=algorithm, qop="auth" if qop else "")
    try:
        header = answer(Challenge.parse(str(asked)), "INVITE", "sip:a@h", user, password)
        password.encode()
    except (SipParseError, UnicodeEncodeError):
        return
    known = {"method": "INVITE", "username": user, "realm": asked.realm}
    assert verify(header, password=password, nonce=asked.nonce, uri="sip:a@h", **known)
    assert not verify(header, password=password + "x", **known)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "BYE"},
        {"username": "other"},
        {"realm": "other"},
        {"nonce": "other"},
        {"uri": "sip:other@h"},
        {"password": ""},
    ],
)
def test_every_part_counts(change: dict[str, str]) -> None:
    """Another method, user, realm, nonce, URI or password is not accepted."""
    asked = challenge("r", "n")
    header = answer(asked, "INVITE", "sip:a@h", "u", "p")
    known = {
        "method": "INVITE",
        "username": "u",
        "password": "p",
        "realm": "r",
        "nonce": "n",
        "uri": "sip:a@h",
    }
    assert verify(header, **known)
    assert not verify(header, **{**known, **change})


@pytest.mark.parametrize(
    "damage",
    [
        ("Digest", "Basic"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=00000000"),
        ("nc=00000001", "nc=0000000g"),
        ("qop=auth", "qop=auth-int"),
        ("algorithm=MD5", "algorithm=MD4"),
        ("algorithm=MD5", "algorithm=SHA-256"),
        ("response=", "x="),
        ("realm=", "username="),
    ],
)
def test_a_malformed_answer_is_rejected(damage: tuple[str, str]) -> None:
    """What is not a complete answer never verifies, and never raises."""
    header = answer(challenge("r", "n"), "INVITE", "sip:a@h", "u", "p").replace(*damage)
    assert not verify(header, method="INVITE", username="u", password="p", realm="r")


def test_the_strongest_known_challenge_is_chosen() -> None:
    """SHA-256 before MD5 whatever the order; what is not known is passed over."""
    values = [
        'Basic realm="x"',
        'Digest realm="r", nonce="1", algorithm=MD5',
        'Digest realm="r", nonce="2", algorithm=SHA-512-256',
        'Digest realm="r", nonce="3", algorithm="sha-256", qop="auth"',
        'Digest realm="r", nonce="4", algorithm=SHA-256, qop="auth-int"',
    ]
    chosen = strongest(values)
    assert chosen is not None
    assert chosen.nonce == "3"
    assert strongest(values[:1]) is None


@pytest.mark.parametrize(
    "value", ['Digest realm="r"', 'Digest nonce="n"', 'Digest realm="r", nonce=""', "Digest", ""]
)
def test_an_incomplete_challenge_is_refused(value: str) -> None:
    """Realm and nonce are needed."""
    with pytest.raises(SipParseError):
        Challenge.parse(value)


def test_a_challenge_comes_back_as_it_was_sent() -> None:
    """Written and read, stale and opaque included."""
    sent = challenge("Line", algorithm="SHA-256", opaque="o", stale=True)
    assert Challenge.parse(str(sent)) == sent
    with pytest.raises(ValueError, match="MD4"):
        challenge("r", algorithm="MD4")


def test_a_value_cannot_break_out_of_the_header() -> None:
    """A user name with a line end is refused, one with a quote is escaped."""
    with pytest.raises(SipParseError):
        answer(challenge("r"), "INVITE", "sip:a@h", "u\r\nEvil: 1", "p")
    header = answer(challenge("r"), "INVITE", "sip:a@h", 'u"', "p")
    assert parse_digest(header)["username"] == 'u"'


def test_a_password_is_not_shown() -> None:
    """Credentials in a log or traceback keep their secret."""
    assert "secret" not in repr(Credentials("u", "secret"))
