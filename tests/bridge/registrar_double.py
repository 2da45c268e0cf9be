"""A registrar that forgets, changes its nonces, wants longer registrations, or is away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.sip.authentication import Authenticator, Verdict

if TYPE_CHECKING:
    from telephony.sip.endpoint import SipEndpoint
    from telephony.sip.incoming import IncomingRequest

LOGIN, PASSWORD = "0053000", "secret"


@dataclass
class Asked:
    """One REGISTER that came."""

    at: float
    status: int
    expires: str
    contact: str


class Registrar:
    """Answers REGISTER and OPTIONS at an endpoint.

    Attributes:
        asked: what came, in order.
        bound: the Contact that is registered; empty = none.
        min_expires: less is answered 423.
        status: answered to everybody, where set; ``headers`` go with it.
        granted: the time that is given, where it is not what was asked for.
        answers_options: whether OPTIONS are heard.
    """

    def __init__(self, endpoint: SipEndpoint, *, algorithm: str = "MD5") -> None:
        self._endpoint = endpoint
        self._clock = endpoint.stack.clock
        self._algorithm = algorithm
        self.asked: list[Asked] = []
        self.bound = ""
        self.min_expires = 0
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.granted = 0
        self.answers_options = True
        self.password = PASSWORD
        self.options = 0
        self.restart()
        endpoint.on_request = self._on_request

    def restart(self) -> None:
        """Forget everything, nonces and bindings."""
        self.bound = ""
        self._authenticator = Authenticator("carrier", self._clock, algorithms=[self._algorithm])

    def _on_request(self, incoming: IncomingRequest) -> None:
        if incoming.method == "OPTIONS":
            self.options += 1
            if self.answers_options:
                incoming.respond(200)
            return
        if incoming.method != "REGISTER":
            self._endpoint.respond_by_default(incoming)
            return
        headers = incoming.request.headers
        expires, contact = headers.get("Expires") or "", headers.get("Contact") or ""
        status, lines = self._judge(incoming, expires, contact)
        self.asked.append(Asked(self._clock.now(), status, expires, contact))
        incoming.respond(status, headers=lines)

    def _judge(
        self, incoming: IncomingRequest, expires: str, contact: str
    ) -> tuple[int, list[tuple[str, str]]]:
        if self.status:
            return self.status, self.headers
        given = incoming.request.headers.get("Authorization")
        verdict = Verdict.REJECTED
        if given is not None:
            verdict = self._authenticator.judge(
                given, method="REGISTER", username=LOGIN, password=self.password
            )
        if verdict is not Verdict.ACCEPTED:
            stale = verdict is Verdict.STALE
            (challenge,) = self._authenticator.challenges(stale=stale)
            return 401, [("WWW-Authenticate", str(challenge))]
        if 0 < int(expires) < self.min_expires:
            return 423, [("Min-Expires", str(self.min_expires))]
        self.bound = contact if int(expires) else ""
        granted = self.granted or int(expires)
        return 200, [("Contact", f"{contact};expires={granted}")]
