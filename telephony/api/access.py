"""Who asks, whether they may, and how often: the dependency that every route of ``/v1`` has.

A key is looked up at most every few seconds; a key that is revoked in this process is refused at
once, elsewhere within that time. Wrong keys are counted by address, right ones by key.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from telephony.api.keys import Scope, allows, is_valid, split
from telephony.api.problems import ProblemError
from telephony.store import keys
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from telephony.store.database import Database

_REMEMBERED_S = 5.0
_MOST_REMEMBERED = 1000
_WRONG_PER_MINUTE = 30
_INTAKE_PER_MINUTE = 6000

bearer = HTTPBearer(
    auto_error=False, description="An API key, tlk_…, as a bearer token.", scheme_name="ApiKey"
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    key_id: str
    scopes: frozenset[str]
    remote: str

    def may(self, scope: Scope) -> bool:
        """Whether the key has a scope."""
        return allows(self.scopes, scope)


class Doorkeeper:
    """Knows keys and counts requests; one for the process."""

    def __init__(self, database: Database, requests_per_minute: int) -> None:
        self._database = database
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._per_key = RateLimitItemPerMinute(requests_per_minute)
        self._per_source = RateLimitItemPerMinute(max(_INTAKE_PER_MINUTE, requests_per_minute))
        self._wrong = RateLimitItemPerMinute(_WRONG_PER_MINUTE)
        self._remembered: dict[str, tuple[float, Caller]] = {}
        self._used: dict[str, datetime] = {}

    async def admit(self, text: str, remote: str, wanted: Scope) -> Caller:
        """The caller behind a key.

        Raises:
            ProblemError: 401 without a valid key, 403 without the scope, 429 too often.
        """
        caller = await self._known(text, remote)
        self._used[caller.key_id] = utc_now()
        limit = self._per_source if wanted is Scope.EVENTS_WRITE else self._per_key
        await self._count(limit, "key", caller.key_id)
        if not caller.may(wanted):
            raise ProblemError(
                403, "missing_scope", f"The key lacks the scope {wanted}.", fix="Use a key that has it."
            )
        return caller

    async def _known(self, text: str, remote: str) -> Caller:
        kept = self._remembered.get(text)
        if kept is not None and time.monotonic() - kept[0] < _REMEMBERED_S:
            return kept[1]
        parts = split(text)
        row = None
        if parts is not None:
            async with self._database.read() as connection:
                row = await keys.get(connection, parts[0])
        if parts is None or row is None or not is_valid(row, parts[1], utc_now()):
            self._remembered.pop(text, None)
            await self.note_wrong(remote)
            raise ProblemError(
                401,
                "invalid_key",
                "The API key is missing or not valid.",
                fix="Send Authorization: Bearer and a key made with: trunkline keys create",
                headers={"WWW-Authenticate": "Bearer"},
            )
        caller = Caller(row["key_id"], frozenset(row["scopes"]), remote)
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[text] = (time.monotonic(), caller)
        return caller

    async def note_wrong(self, remote: str) -> None:
        """Count a request that was signed wrongly.

        Raises:
            ProblemError: 429 when that address did so too often.
        """
        await self._count(self._wrong, "wrong", remote)

    async def _count(self, limit: RateLimitItemPerMinute, *who: str) -> None:
        if await self._limiter.hit(limit, *who):
            return
        window = await self._limiter.get_window_stats(limit, *who)
        wait_s = max(1, round(window.reset_time - time.time()))
        raise ProblemError(
            429,
            "too_many_requests",
            "Too many requests with this key or from this address.",
            headers={"Retry-After": str(wait_s)},
        )

    def forget(self) -> None:
        """Look every key up anew; one of them was changed."""
        self._remembered.clear()

    async def note_use(self) -> None:
        """Write down when keys were last used."""
        used, self._used = self._used, {}
        if used:
            async with self._database.write() as connection:
                await keys.used(connection, used)


def requires(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """The dependency that lets a route be used only with a scope."""

    async def admit(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
    ) -> Caller:
        doorkeeper: Doorkeeper = request.app.state.service.doorkeeper
        remote = request.client.host if request.client else "unknown"
        return await doorkeeper.admit(credentials.credentials if credentials else "", remote, scope)

    return admit


CallsReader = Annotated[Caller, Depends(requires(Scope.CALLS_READ))]
CallsWriter = Annotated[Caller, Depends(requires(Scope.CALLS_WRITE))]
CallsDialler = Annotated[Caller, Depends(requires(Scope.CALLS_DIAL))]
RecordingsReader = Annotated[Caller, Depends(requires(Scope.RECORDINGS_READ))]
WebhooksReader = Annotated[Caller, Depends(requires(Scope.WEBHOOKS_READ))]
WebhooksWriter = Annotated[Caller, Depends(requires(Scope.WEBHOOKS_WRITE))]
EventsWriter = Annotated[Caller, Depends(requires(Scope.EVENTS_WRITE))]
KeysReader = Annotated[Caller, Depends(requires(Scope.KEYS_READ))]
KeysWriter = Annotated[Caller, Depends(requires(Scope.KEYS_WRITE))]
AuditReader = Annotated[Caller, Depends(requires(Scope.AUDIT_READ))]
