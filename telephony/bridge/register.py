"""Lines with a login: we register at the carrier, so that its calls come to us (RFC 3261 section 10).

livekit-sip v1.11.0 cannot; the settings are named as livekit/sip pull request 774 names them. Guarantees: a
line is registered again by itself whatever the registrar does, without hammering (``register_policy``);
that it is not is in health, metrics and log; what was registered is given back at the end. A registrar that
forgets us and goes on answering OPTIONS is noticed at the next refresh.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telephony.bridge import register_policy as policy
from telephony.bridge.register_policy import State, Verdict
from telephony.errors import SipError, SipTimeoutError
from telephony.logs import get_logger
from telephony.sip.authorization import Authorizer
from telephony.sip.digest import Credentials
from telephony.sip.identifiers import new_call_id, new_tag
from telephony.sip.message import SipRequest
from telephony.sip.outcome import Outcome
from telephony.sip.uri import NameAddr, SipUri

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from telephony.clock import Clock
    from telephony.sip.endpoint import SipEndpoint
    from telephony.sip.message import SipResponse

log = get_logger(__name__)

KEEPALIVE_S = 5.0
"""Between OPTIONS: no outage that lasts longer goes unnoticed."""

_GIVE_BACK_S = 2.0
_DEAF_TO_OPTIONS = 2
_REPEATED_S = 0.5
"""After which a request that was not answered is repeated (RFC 3261 section 17.1.2.1, T1)."""


@dataclass(frozen=True, slots=True)
class Account:
    """One line at one registrar. Durations in seconds.

    Args:
        name: of the trunk, for people.
        registrar: where to REGISTER, such as ``sip:sip.carrier.example``.
        username: the login: user part of the address of record and of our Contact.
        domain: of the address of record.
        number: what the line's trunk is found by, where the carrier calls the login; empty = the login.
        keepalive_s: between OPTIONS; they keep a NAT's binding open and notice an outage.
    """

    name: str
    registrar: SipUri
    username: str
    password: str = field(repr=False)
    auth_username: str = ""
    domain: str = ""
    number: str = ""
    expiry_s: int = 600
    keepalive_s: float = KEEPALIVE_S

    @property
    def address(self) -> NameAddr:
        """The address of record."""
        return NameAddr("", SipUri(self.username, self.domain or self.registrar.host))


class Registration:
    """One line, kept registered from ``start`` to ``close``.

    Attributes:
        state: how it is.
        reason: why it is not registered, in a sentence; empty while it is.
    """

    def __init__(self, account: Account, endpoint: SipEndpoint, clock: Clock) -> None:
        self.account = account
        self.state = State.TRYING
        self.reason = "the registrar was not asked yet"
        self._endpoint = endpoint
        self._clock = clock
        self._authorizer = Authorizer(
            Credentials(account.auth_username or account.username, account.password)
        )
        self._call_id = new_call_id()
        self._tag = new_tag()
        self._cseq = 0
        self._expiry_s = account.expiry_s
        self._retries = 0
        self._failing_since: float | None = None
        self._unheard_options = 0
        self._is_slow = False
        self._task: asyncio.Task[None] | None = None

    @property
    def registered(self) -> bool:
        """Whether the carrier knows where we are."""
        return self.state is State.REGISTERED

    def start(self) -> None:
        """Register, and stay so."""
        self._task = asyncio.create_task(self._stay_registered(), name=f"register_{self.account.name}")

    async def close(self) -> None:
        """Give the registration back; bounded by two seconds."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        was_registered, self.state = self.registered, State.CLOSED
        if was_registered:
            with contextlib.suppress(SipError, TimeoutError):
                await self._within(_GIVE_BACK_S, self._request("REGISTER", expiry_s=0))

    async def _stay_registered(self) -> None:
        while True:
            try:
                verdict = await self._attempt()
            except Exception as error:
                # Whatever it was, a line that is never registered again is worse.
                log.exception("registration_failed", trunk=self.account.name)
                verdict = policy.unanswered(
                    type(error).__name__, expiry_s=self._expiry_s, retries=self._retries, lost_for_s=1e9
                )
            self._take(verdict)
            if verdict.state is State.REGISTERED:
                await self._keep_alive(verdict.pause_s)
            else:
                await self._pause(verdict.pause_s)

    async def _attempt(self) -> Verdict:
        self._retries += 1
        now = self._clock.now()
        if self._failing_since is None:
            self._failing_since = now
        try:
            response = await self._within(
                policy.ATTEMPT_S, self._request("REGISTER", expiry_s=self._expiry_s)
            )
        except (SipTimeoutError, TimeoutError):
            reason = "the registrar does not answer"
        except SipError as error:
            reason = f"the registrar cannot be reached: {error.message}"
        else:
            return policy.judge(
                response,
                expiry_s=self._expiry_s,
                contact=self._contact,
                retries=self._retries,
                lost_for_s=self._clock.now() - self._failing_since,
            )
        lost_for_s = self._clock.now() - self._failing_since
        return policy.unanswered(
            reason, expiry_s=self._expiry_s, retries=self._retries, lost_for_s=lost_for_s
        )

    def _take(self, verdict: Verdict) -> None:
        before, self.state = (self.state, self.reason), verdict.state
        self.reason = verdict.reason
        self._expiry_s = verdict.expiry_s
        if verdict.state is State.REGISTERED:
            self._retries, self._failing_since = 0, None
        if before == (self.state, self.reason):
            return
        if verdict.state is State.REGISTERED:
            log.info("line_registered", trunk=self.account.name, refresh_s=verdict.pause_s)
        elif verdict.reason:
            log.warning(
                "line_not_registered",
                trunk=self.account.name,
                state=verdict.state,
                reason=verdict.reason,
                again_in_s=verdict.pause_s,
            )

    async def _keep_alive(self, seconds: float) -> None:
        """Until the refresh is due, or the registrar does not answer any more."""
        until = self._clock.now() + seconds
        while (left := until - self._clock.now()) > 0:
            await self._pause(min(self.account.keepalive_s, left))
            if until - self._clock.now() <= 0:
                return
            asked = self._clock.now()
            if not await self._hears_options():
                if self._unheard_options < _DEAF_TO_OPTIONS:
                    # If REGISTER is answered now, it is OPTIONS that it does not hear.
                    self._unheard_options += 1
                    return
            elif self._was_away(self._clock.now() - asked):
                return

    async def _hears_options(self) -> bool:
        try:
            await self._within(policy.ATTEMPT_S, self._request("OPTIONS"))
        except (SipError, TimeoutError):
            return False
        self._unheard_options = 0
        return True

    def _was_away(self, took_s: float) -> bool:
        """Whether OPTIONS were repeated to a registrar that is quick otherwise: it may have forgotten us."""
        was_slow, self._is_slow = self._is_slow, took_s >= _REPEATED_S
        return self._is_slow and not was_slow

    # On the wire

    @property
    def _contact(self) -> str:
        return self._endpoint.contact(self.account.username, self.account.registrar.transport or "UDP")

    async def _request(self, method: str, *, expiry_s: int | None = None) -> SipResponse:
        account = self.account
        self._cseq += 1
        request = SipRequest(method, account.registrar)
        headers = request.headers
        headers.add("From", str(account.address.with_tag(self._tag)))
        headers.add("To", str(account.address if method == "REGISTER" else NameAddr("", account.registrar)))
        headers.add("Call-ID", self._call_id if method == "REGISTER" else new_call_id())
        headers.add("CSeq", f"{self._cseq} {method}")
        if expiry_s is not None:
            headers.add("Contact", self._contact)
            headers.add("Expires", str(expiry_s))
        authorizer = self._authorizer if method == "REGISTER" else None
        try:
            return await self._endpoint.send_request(request, credentials=authorizer)
        finally:
            # A challenge was answered with the next number.
            self._cseq = max(self._cseq, request.cseq.number)

    async def _within(self, seconds: float, work: Coroutine[Any, Any, SipResponse]) -> SipResponse:
        """Wait for a request of ours at most so long, by the clock; then it is repeated no more."""
        task = asyncio.create_task(work)
        timer = self._clock.call_later(seconds, lambda: _cancel(task))
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                task.cancel()
                raise
            raise TimeoutError from None
        finally:
            timer.cancel()

    async def _pause(self, seconds: float) -> None:
        never: Outcome[None] = Outcome()
        with contextlib.suppress(TimeoutError):
            await never.wait(self._clock, seconds)


def _cancel(task: asyncio.Task[SipResponse]) -> None:
    task.cancel()


class Registrations:
    """All lines of one bridge."""

    def __init__(self, accounts: list[Account], endpoint: SipEndpoint, clock: Clock) -> None:
        self._lines = [Registration(account, endpoint, clock) for account in accounts]

    def start(self) -> None:
        """Register all."""
        for line in self._lines:
            line.start()

    async def close(self) -> None:
        """Give all back; bounded."""
        await asyncio.gather(*(line.close() for line in self._lines), return_exceptions=True)

    def states(self) -> dict[str, bool]:
        """Whether each line is registered, by its name."""
        return {line.account.name: line.registered for line in self._lines}

    def trouble(self) -> str:
        """What is not registered and why; empty when all is well."""
        return "; ".join(
            f"{line.account.name} is not registered: {line.reason}"
            for line in self._lines
            if not line.registered
        )
