"""The client's side of digest over many requests: which challenges to answer, and with which nc.

Pure. Guarantee: rejected credentials are not sent again (RFC 3261 section 22.1), a nonce is reused with
a rising count, and of several challenges of one realm the strongest known is answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telephony.sip.digest import Challenge, Credentials, answer, strongest

if TYPE_CHECKING:
    from telephony.sip.message import SipRequest, SipResponse

MAX_TRIES = 5
"""How often one request is sent in all, the first time included."""

_HEADERS = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}


@dataclass(slots=True)
class _Known:
    challenge: Challenge
    count: int = 0


@dataclass(slots=True)
class Attempt:
    """One request and its repetitions with credentials: what was tried in it."""

    tries: int = 1
    answered: set[tuple[str, str]] = field(default_factory=set)


class Authorizer:
    """Answers challenges for one pair of credentials, for the life of a dialog or a registration."""

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials
        self._known: dict[tuple[str, str], _Known] = {}

    def authorize(self, request: SipRequest) -> None:
        """Put in an answer for every challenge known so far."""
        if self._credentials is None:
            return
        for name in ("Authorization", "Proxy-Authorization"):
            request.headers.remove(name)
        for (name, _), known in self._known.items():
            known.count += 1
            value = answer(
                known.challenge,
                request.method,
                str(request.uri),
                self._credentials.username,
                self._credentials.password,
                known.count,
            )
            request.headers.add(name, value)

    def learn(self, response: SipResponse, attempt: Attempt) -> bool:
        """Take the challenges of a 401 or 407; True if sending the request again may succeed.

        False: no credentials, no challenge that is known, the credentials were rejected, or five tries.
        """
        names = _HEADERS.get(response.status)
        if self._credentials is None or names is None or attempt.tries >= MAX_TRIES:
            return False
        by_realm: dict[str, list[str]] = {}
        for value in response.headers.get_all(names[0]):
            found = strongest([value])
            if found is not None:
                by_realm.setdefault(found.realm, []).append(value)
        fresh = False
        for realm, values in by_realm.items():
            chosen = strongest(values)
            key = (names[1], realm)
            if chosen is None or (key in attempt.answered and not chosen.stale):
                continue
            attempt.answered.add(key)
            self._known[key] = _Known(chosen)
            fresh = True
        attempt.tries += fresh
        return fresh
