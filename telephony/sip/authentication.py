"""The server's side of digest: nonces that need no store, their age and their count (RFC 7616 section 3.3).

Guarantee: a nonce was made here, is not older than its lifetime, and each of its counts is taken once;
what is kept for that is bounded. The password is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from enum import Enum
from typing import TYPE_CHECKING

from telephony.errors import SipParseError
from telephony.sip.digest import Challenge, challenge, nonce_count, parse_digest, verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.clock import Clock

_MAX_USED = 10_000
_RANDOM = 16


class Verdict(Enum):
    """What became of an Authorization or Proxy-Authorization header."""

    ACCEPTED = "accepted"
    STALE = "stale"
    """The password is right, the nonce too old or its count used: challenge again with ``stale``."""
    REJECTED = "rejected"


class Authenticator:
    """Challenges for one realm and judges the answers.

    Args:
        realm: shown to the peer; the password is for it.
        algorithms: offered in this order, one challenge each.
        lifetime_s: how long a nonce is good.
    """

    def __init__(
        self, realm: str, clock: Clock, *, algorithms: Sequence[str] = ("MD5",), lifetime_s: float = 300.0
    ) -> None:
        self.realm = realm
        self._clock = clock
        self._algorithms = tuple(algorithms)
        self._lifetime_s = lifetime_s
        self._key = secrets.token_bytes(32)
        self._used: dict[str, int] = {}
        self._good_after = -1.0
        self._opaque = secrets.token_hex(8)

    def challenges(self, *, stale: bool = False) -> list[Challenge]:
        """What to send, one header each, the preferred first; each with a nonce of its own."""
        return [
            challenge(self.realm, self._new_nonce(), algorithm, opaque=self._opaque, stale=stale)
            for algorithm in self._algorithms
        ]

    def judge(self, header: str, *, method: str, username: str, password: str) -> Verdict:
        """Judge the answer to a challenge of ours; never raises."""
        try:
            params = parse_digest(header)
        except SipParseError:
            return Verdict.REJECTED
        if params.get("algorithm", "MD5").upper() not in self._algorithms:
            # Otherwise a peer could choose the weakest known instead of the weakest offered.
            return Verdict.REJECTED
        if not verify(header, method=method, username=username, password=password, realm=self.realm):
            return Verdict.REJECTED
        nonce = params["nonce"]
        if not self._is_good(nonce):
            return Verdict.STALE
        # Without qop there is no count: such a nonce is good for one request.
        count = nonce_count(params) or 1
        if count <= self._used.get(nonce, 0):
            return Verdict.STALE
        self._remember(nonce, count)
        return Verdict.ACCEPTED

    def _new_nonce(self) -> str:
        made_at = f"{round(self._clock.now() * 1000):016x}"
        salt = secrets.token_hex(_RANDOM // 2)
        return made_at + salt + self._sign(made_at + salt)

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:32]

    def _is_good(self, nonce: str) -> bool:
        if nonce in self._used:
            return self._age(nonce) <= self._lifetime_s
        body, signature = nonce[:-32], nonce[-32:]
        if len(body) != 16 + _RANDOM or not hmac.compare_digest(
            self._sign(body).encode(), signature.encode()
        ):
            return False
        return _made_at(nonce) > self._good_after and self._age(nonce) <= self._lifetime_s

    def _age(self, nonce: str) -> float:
        return self._clock.now() - _made_at(nonce)

    def _remember(self, nonce: str, count: int) -> None:
        self._used.pop(nonce, None)
        self._used[nonce] = count
        if len(self._used) > _MAX_USED:
            forgotten = next(iter(self._used))
            del self._used[forgotten]
            # Its count is no longer known, so it and all that are older must not be taken again.
            self._good_after = max(self._good_after, _made_at(forgotten))


def _made_at(nonce: str) -> float:
    """When a nonce of ours was made, in seconds of the clock."""
    return int(nonce[:16], 16) / 1000
