"""livekit-server's SIP service: the only module that talks to it.

Reads are retried; a write is tried once, and whether it happened is found out by reading again.
Every error becomes a ``LiveKitError`` that says what to do.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
from livekit import api
from livekit.protocol.models import Pagination
from livekit.protocol.sip import (
    CreateSIPDispatchRuleRequest,
    CreateSIPInboundTrunkRequest,
    CreateSIPOutboundTrunkRequest,
    DeleteSIPDispatchRuleRequest,
    DeleteSIPTrunkRequest,
    ListSIPDispatchRuleRequest,
    ListSIPInboundTrunkRequest,
    ListSIPOutboundTrunkRequest,
    SIPInboundTrunkInfo,
    SIPOutboundTrunkInfo,
)
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from provisioning.lease import read_lease
from provisioning.objects import Kind, Live, Message, id_of
from telephony.errors import LiveKitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from livekit.api.sip_service import SipService as SipApi

Result = TypeVar("Result")

_PAGE = 1000
_UNREACHABLE = "Is livekit-server running there? `provision doctor` looks further."
_REFUSED = {
    "unauthenticated": "Check livekit.api_key and api_secret: unknown to the server, or the clocks differ.",
    "permission_denied": "The key is not allowed to administer SIP.",
    "not_found": "There is no SIP service at this address: is it livekit-server's?",
    "unavailable": "The server has no Redis, or is starting.",
}
_CODES = {401: "unauthenticated", 403: "permission_denied", 404: "not_found", 503: "unavailable"}
"""For answers from before its SIP service, which have no code."""


class SipService:
    """Trunks and rules of one livekit-server. Use as an async context manager.

    Args:
        url: ws(s):// or http(s):// URL of the server.
        api_key: one of its keys.
        api_secret: the key's secret.
        timeout_s: longest wait for one answer, in s.
        read_attempts: how often a read is tried before it counts as failed.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        api_secret: str,
        *,
        timeout_s: float = 10.0,
        read_attempts: int = 4,
    ) -> None:
        self.url = url
        self._key = api_key
        self._secret = api_secret
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._read_attempts = read_attempts
        self._api: api.LiveKitAPI | None = None

    async def __aenter__(self) -> Self:
        self._api = api.LiveKitAPI(self.url, self._key, self._secret, timeout=self._timeout, failover=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._api is not None:
            await self._api.aclose()
            self._api = None

    async def list_all(self) -> list[Live]:
        """Every trunk and rule of the server, managed by us or not; the lease of an apply is none.

        Raises:
            LiveKitError: the server cannot be reached or refuses.
        """
        found = await asyncio.gather(*(self.list_kind(kind) for kind in Kind))
        return [live for group in found for live in group if read_lease(live.message) is None]

    async def list_kind(self, kind: Kind, ids: list[str] | None = None) -> list[Live]:
        """The objects of one kind, or those of them with the given ids that exist.

        Lists are read page by page, until a page brings nothing new: a server may give fewer than it was
        asked for, or all at once.
        """
        if ids is not None:
            return await self._list(kind, ids, None)
        found: dict[str, Live] = {}
        after = ""
        while True:
            page = await self._list(kind, None, Pagination(after_id=after, limit=_PAGE))
            new = {live.id: live for live in page if live.id not in found}
            if not new:
                return list(found.values())
            found |= new
            after = max(found)

    async def _list(self, kind: Kind, ids: list[str] | None, page: Pagination | None) -> list[Live]:
        sip = self._sip

        async def read() -> list[Message]:
            if kind is Kind.INBOUND:
                inbound = ListSIPInboundTrunkRequest(trunk_ids=ids, page=page)
                return list((await sip.list_inbound_trunk(inbound)).items)
            if kind is Kind.OUTBOUND:
                outbound = ListSIPOutboundTrunkRequest(trunk_ids=ids, page=page)
                return list((await sip.list_outbound_trunk(outbound)).items)
            rules = ListSIPDispatchRuleRequest(dispatch_rule_ids=ids, page=page)
            return list((await sip.list_dispatch_rule(rules)).items)

        messages = await self._retried(read)
        lives = [Live(kind, id_of(kind, message), message) for message in messages]
        return [live for live in lives if live.id]  # a missing id comes back as an empty object

    async def create(self, kind: Kind, message: Message) -> Live:
        """Make an object; LiveKit gives it its id."""
        sip = self._sip

        async def write() -> Message:
            if isinstance(message, SIPInboundTrunkInfo):
                return await sip.create_inbound_trunk(CreateSIPInboundTrunkRequest(trunk=message))
            if isinstance(message, SIPOutboundTrunkInfo):
                return await sip.create_outbound_trunk(CreateSIPOutboundTrunkRequest(trunk=message))
            return await sip.create_dispatch_rule(CreateSIPDispatchRuleRequest(dispatch_rule=message))

        made = await self._once(write)
        return Live(kind, id_of(kind, made), made)

    async def replace(self, kind: Kind, object_id: str, message: Message) -> Live:
        """Put a whole object in place of the one with this id; atomic, the id stays."""
        sip = self._sip

        async def write() -> Message:
            if isinstance(message, SIPInboundTrunkInfo):
                return await sip.update_inbound_trunk(object_id, message)
            if isinstance(message, SIPOutboundTrunkInfo):
                return await sip.update_outbound_trunk(object_id, message)
            return await sip.update_dispatch_rule(object_id, message)

        changed = await self._once(write)
        return Live(kind, object_id, changed)

    async def delete(self, kind: Kind, object_id: str) -> None:
        """Delete an object; one that is gone already counts as deleted."""
        sip = self._sip

        async def write() -> Any:
            if kind is Kind.RULE:
                return await sip.delete_dispatch_rule(
                    DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=object_id)
                )
            return await sip.delete_trunk(DeleteSIPTrunkRequest(sip_trunk_id=object_id))

        try:
            await self._once(write)
        except LiveKitError as error:
            if not isinstance(error.__cause__, api.ServerError) or error.__cause__.code != "not_found":
                raise

    @property
    def _sip(self) -> SipApi:
        if self._api is None:
            raise RuntimeError("SipService is used outside its context")
        return self._api.sip

    async def _retried(self, read: Callable[[], Awaitable[Result]]) -> Result:
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, LiveKitError) and error.retryable),
            stop=stop_after_attempt(self._read_attempts),
            wait=wait_exponential_jitter(multiplier=0.1, max=2.0, jitter=0.1),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await self._once(read)
        raise AssertionError("tenacity re-raises the last error")

    async def _once(self, request: Callable[[], Awaitable[Result]]) -> Result:
        try:
            return await request()
        except api.ServerError as error:
            raise self._refused(error) from error
        except TimeoutError as error:
            raise LiveKitError(
                f"{self._host} did not answer within {self._timeout.total:g} s.",
                field="livekit.url",
                fix=_UNREACHABLE,
                retryable=True,
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise LiveKitError(
                f"cannot reach {self._host}: {_reason(error)}.",
                field="livekit.url",
                fix=_UNREACHABLE,
                retryable=True,
            ) from error

    @property
    def _host(self) -> str:
        return urlsplit(self.url).netloc

    def _refused(self, error: api.ServerError) -> LiveKitError:
        retryable = error.status >= 500 and error.code not in {"unimplemented"}
        fix = _REFUSED.get(error.code) or _REFUSED.get(_CODES.get(error.status, ""))
        text = error.message or f"HTTP status {error.status}"
        return LiveKitError(
            f"livekit-server at {self._host} refused: {text.rstrip('.')}.", fix=fix, retryable=retryable
        )


def _reason(error: BaseException) -> str:
    os_error = getattr(error, "os_error", None)
    text = getattr(os_error, "strerror", None) or str(error) or type(error).__name__
    return text.rstrip(".")
