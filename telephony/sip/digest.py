"""Digest authentication: challenges, answers and their check (RFC 3261 section 22, RFC 7616, RFC 8760).

Pure. MD5 and SHA-256, with qop ``auth`` or, for old peers, none. ``auth-int`` and the ``-sess``
variants are not offered and not answered.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.errors import SipParseError
from telephony.sip.grammar import has_control, is_token, quote, split_list, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

STRENGTH = ("SHA-256", "MD5")
"""Known algorithms, the strongest first."""

_HASHES = {"MD5": "md5", "SHA-256": "sha256"}
_BARE = frozenset({"algorithm", "qop", "nc", "stale"})
_MAX_NC = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and its password; the password never shows in a repr."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r}, '***')"


@dataclass(frozen=True, slots=True)
class Challenge:
    """The value of WWW-Authenticate or Proxy-Authenticate.

    Args:
        realm: what the password is for.
        nonce: the server's value, opaque to the client.
        algorithm: ``MD5`` or ``SHA-256``.
        qop: ``auth``, or empty for the form of RFC 2069.
        opaque: comes back unchanged.
        stale: the password was right and only the nonce too old.
    """

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str = "auth"
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, value: str) -> Challenge:
        """Read a challenge.

        Raises:
            SipParseError: no Digest, no realm or nonce, or an algorithm or qop that is not ours.
        """
        params = parse_digest(value)
        if "realm" not in params or not params.get("nonce"):
            raise SipParseError("a challenge needs realm and nonce", field="Authenticate")
        algorithm = params.get("algorithm", "MD5").upper()
        if algorithm not in _HASHES:
            raise SipParseError(f"the algorithm {algorithm[:16]!r} is not known", field="Authenticate")
        offered = [item.strip().lower() for item in params.get("qop", "").split(",") if item.strip()]
        if offered and "auth" not in offered:
            raise SipParseError("it offers no qop that is known", field="Authenticate")
        stale = params.get("stale", "").lower() == "true"
        qop = "auth" if offered else ""
        return cls(params["realm"], params["nonce"], algorithm, qop, params.get("opaque"), stale)

    def __str__(self) -> str:
        params = {"realm": self.realm, "nonce": self.nonce, "algorithm": self.algorithm}
        if self.opaque is not None:
            params["opaque"] = self.opaque
        if self.stale:
            params["stale"] = "TRUE"
        text = _format(params)
        # RFC 7616 and 3261 have the challenge's qop quoted, unlike the one in the answer.
        return f'{text}, qop="{self.qop}"' if self.qop else text


def challenge(
    realm: str,
    nonce: str | None = None,
    algorithm: str = "MD5",
    qop: str = "auth",
    *,
    opaque: str | None = None,
    stale: bool = False,
) -> Challenge:
    """A challenge to send; a nonce of 128 random bits is made where none is given.

    Raises:
        ValueError: the algorithm is not MD5 or SHA-256, or the qop not ``auth`` or empty.
    """
    if algorithm not in _HASHES or qop not in ("auth", ""):
        raise ValueError(f"digest with {algorithm!r} and qop {qop!r} is not offered")
    return Challenge(realm, nonce or secrets.token_hex(16), algorithm, qop, opaque, stale)


def strongest(values: Iterable[str]) -> Challenge | None:
    """The strongest challenge that can be answered, the first of equals (RFC 8760 section 2.4); or None."""
    known: list[Challenge] = []
    for value in values:
        try:
            known.append(Challenge.parse(value))
        except SipParseError:
            continue
    return min(known, key=lambda item: STRENGTH.index(item.algorithm), default=None)


def answer(
    challenge: Challenge,
    method: str,
    uri: str,
    username: str,
    password: str,
    nc: int = 1,
    cnonce: str | None = None,
) -> str:
    """The value of Authorization or Proxy-Authorization.

    Args:
        uri: the digest-uri, normally the Request-URI as it is sent.
        nc: how often this nonce was used, this time included; from 1.
        cnonce: random where not given.

    Raises:
        SipParseError: user name, realm, nonce or URI cannot stand in a header.
    """
    params = {"username": username, "realm": challenge.realm, "nonce": challenge.nonce, "uri": uri}
    if challenge.qop:
        cnonce = cnonce or secrets.token_hex(8)
        params |= {"qop": challenge.qop, "nc": f"{nc:08x}", "cnonce": cnonce}
    response = _response(challenge.algorithm, params, method, password)
    params |= {"response": response, "algorithm": challenge.algorithm}
    if challenge.opaque is not None:
        params["opaque"] = challenge.opaque
    return _format(params)


def verify(
    header: str,
    *,
    method: str,
    username: str,
    password: str,
    realm: str,
    nonce: str | None = None,
    uri: str | None = None,
) -> bool:
    """Whether an Authorization value proves knowledge of the password; in constant time, and never raises.

    Args:
        nonce: must be the one used; None takes any, which is for callers that judge the nonce themselves.
        uri: must be the digest-uri; None takes any, since proxies may rewrite the Request-URI.
    """
    try:
        params = parse_digest(header)
    except SipParseError:
        return False
    algorithm = params.get("algorithm", "MD5").upper()
    qop = params.get("qop", "")
    complete = all(params.get(name) for name in ("username", "nonce", "uri", "response"))
    if not complete or algorithm not in _HASHES or qop not in ("", "auth"):
        return False
    if qop and (not params.get("cnonce") or nonce_count(params) is None):
        return False
    expected = _response(algorithm, {**params, "username": username, "realm": realm}, method, password)
    fits = [
        hmac.compare_digest(params["response"].lower().encode(), expected.encode()),
        hmac.compare_digest(params["username"].encode(), username.encode()),
        hmac.compare_digest(params.get("realm", "").encode(), realm.encode()),
        nonce is None or hmac.compare_digest(params["nonce"].encode(), nonce.encode()),
        uri is None or params["uri"] == uri,
    ]
    return all(fits)


def nonce_count(params: dict[str, str]) -> int | None:
    """The nc parameter, 1 to 2**32 - 1; None where it is missing or malformed."""
    text = params.get("nc", "")
    if len(text) != 8 or not all(char in "0123456789abcdefABCDEF" for char in text):
        return None
    return int(text, 16) or None


def parse_digest(value: str) -> dict[str, str]:
    """The parameters of a Digest header, names in lower case, values unquoted.

    Raises:
        SipParseError: another scheme, a malformed parameter, or one that comes twice.
    """
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        raise SipParseError(f"{scheme[:16]!r} is not Digest", field="Authorization")
    params: dict[str, str] = {}
    for part in split_list(rest):
        name, equals, text = part.partition("=")
        name = name.strip().lower()
        if not equals or not is_token(name) or name in params:
            raise SipParseError(f"parameter {name[:16]!r} is malformed or comes twice", field="Authorization")
        params[name] = unquote(text.strip())
    return params


def _format(params: dict[str, str]) -> str:
    for name, value in params.items():
        if has_control(value):
            raise SipParseError("it has a control character", field=name)
    return "Digest " + ", ".join(
        f"{name}={value if name in _BARE else quote(value)}" for name, value in params.items()
    )


def _response(algorithm: str, params: dict[str, str], method: str, password: str) -> str:
    def digest(text: str) -> str:
        return hashlib.new(_HASHES[algorithm], text.encode(), usedforsecurity=False).hexdigest()

    first = digest(f"{params['username']}:{params['realm']}:{password}")
    second = digest(f"{method}:{params['uri']}")
    if params.get("qop"):
        middle = f"{params['nonce']}:{params['nc']}:{params['cnonce']}:{params['qop']}"
    else:
        middle = params["nonce"]
    return digest(f"{first}:{middle}:{second}")
