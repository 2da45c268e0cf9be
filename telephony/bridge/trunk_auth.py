"""Ask a caller for its trunk's user and password, and judge what it says (RFC 3261 section 22).

Pure but for the clock. Mirrors livekit/sip v1.11.0: 407 with MD5, only ``Proxy-Authorization`` is read,
the realm is the trunk's or ``LiveKit``. Nonces need no memory: each carries its time and is signed for
one Call-ID, so none that a caller makes up, keeps too long or takes from another call is believed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from telephony.errors import SipParseError
from telephony.sip import digest

if TYPE_CHECKING:
    from telephony.bridge.io_service import TrunkAuthentication
    from telephony.clock import Clock
    from telephony.sip.message import SipRequest

DEFAULT_REALM = "LiveKit"
NONCE_LIFETIME_S = 60
_HEADER = "Proxy-Authorization"


class Judgement(Enum):
    """What a caller's INVITE says about who it is."""

    ACCEPTED = "accepted"
    ASK = "ask"
    """No credentials yet, or their nonce is too old: send a challenge."""
    WRONG_USER = "wrong user"
    WRONG_PASSWORD = "wrong password"  # noqa: S105 - a name, no password


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement and, for ``ASK``, the value of Proxy-Authenticate."""

    judgement: Judgement
    challenge: str = ""


class TrunkAuth:
    """Issues challenges and judges answers; one a process, with a key of its own."""

    def __init__(self, clock: Clock, key: bytes | None = None) -> None:
        self._clock = clock
        self._key = key or secrets.token_bytes(32)

    def judge(self, request: SipRequest, trunk: TrunkAuthentication) -> Verdict:
        """Judge an INVITE by the trunk that takes it."""
        if not trunk.asks_for_credentials:
            return Verdict(Judgement.ACCEPTED)
        realm = trunk.realm or DEFAULT_REALM
        given = _for_realm(request.headers.get_all(_HEADER), realm)
        if given is None:
            return self._ask(request, realm)
        header, params = given
        if not self._is_ours(params.get("nonce", ""), request.call_id):
            return self._ask(request, realm)
        proven = digest.verify(
            header, method=request.method, username=trunk.username, password=trunk.password, realm=realm
        )
        if not proven:
            known = hmac.compare_digest(params.get("username", "").encode(), trunk.username.encode())
            return Verdict(Judgement.WRONG_PASSWORD if known else Judgement.WRONG_USER)
        if not self._is_fresh(params["nonce"]):
            return self._ask(request, realm, stale=True)
        return Verdict(Judgement.ACCEPTED)

    def _ask(self, request: SipRequest, realm: str, *, stale: bool = False) -> Verdict:
        stamp = f"{int(self._clock.now()):x}-{secrets.token_hex(8)}"
        nonce = f"{stamp}-{self._sign(stamp, request.call_id)}"
        return Verdict(Judgement.ASK, str(digest.challenge(realm, nonce, stale=stale)))

    def _sign(self, stamp: str, call_id: str) -> str:
        return hmac.new(self._key, f"{stamp}\n{call_id}".encode(), hashlib.sha256).hexdigest()[:32]

    def _is_ours(self, nonce: str, call_id: str) -> bool:
        stamp, _, signature = nonce.rpartition("-")
        return hmac.compare_digest(signature.encode(), self._sign(stamp, call_id).encode())

    def _is_fresh(self, nonce: str) -> bool:
        return self._clock.now() - int(nonce.partition("-")[0], 16) <= NONCE_LIFETIME_S


def _for_realm(values: list[str], realm: str) -> tuple[str, dict[str, str]] | None:
    for value in values:
        try:
            params = digest.parse_digest(value)
        except SipParseError:
            continue
        if params.get("realm") == realm:
            return value, params
    return None
