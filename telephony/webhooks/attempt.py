"""One attempt to deliver one event: one signed POST behind the address guard.

No redirect is followed, no proxy or cookie is used, a response is read no further than its cap and
never unpacked, and everything together has one deadline.
"""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from telephony.store.instants import utc_now
from telephony.webhooks.guard import RefusedAddressError
from telephony.webhooks.schedule import retry_after
from telephony.webhooks.signing import signed_headers

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from telephony.webhooks.guard import AddressGuard

USER_AGENT = "Trunkline-Webhooks/1"
LARGEST_RESPONSE = 64 * 1024
"""Bytes of a response that are read; what is beyond is left unread and the connection closed."""

_EXCERPT = 400
_RESOLVER_THREADS = 64
_DNS_CACHE_S = 10
_IDLE_CONNECTION_S = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an attempt; ``error`` is None exactly when it was delivered (a 2xx status)."""

    http_status: int | None
    error: str | None
    duration_ms: int
    retry_after_s: float | None = None
    response: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it."""
        return self.error is None

    @property
    def gone(self) -> bool:
        """Whether the receiver wants nothing any more."""
        return self.http_status == 410


class Resolver(AbstractResolver):
    """Name resolution in threads of its own: a name server that hangs holds up nobody else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="resolver")

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = 0,  # type: ignore[assignment]
    ) -> list[ResolveResult]:
        import socket as sockets

        found = await asyncio.get_running_loop().run_in_executor(
            self._threads,
            lambda: sockets.getaddrinfo(host, port, type=sockets.SOCK_STREAM, family=family),
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found_family,
                proto=protocol,
                flags=sockets.AI_NUMERICHOST,
            )
            for found_family, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Poster:
    """Posts events; one for the process. Use as an asynchronous context.

    ``timeout_s``: how long one attempt may take, from the name's resolution to the answer's last byte.
    """

    def __init__(self, guard: AddressGuard, *, timeout_s: float = 15.0) -> None:
        self._guard = guard
        self.timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Poster:
        self._resolver = Resolver()
        connector = aiohttp.TCPConnector(
            limit=0,
            resolver=self._resolver,
            ttl_dns_cache=_DNS_CACHE_S,
            keepalive_timeout=_IDLE_CONNECTION_S,
            socket_factory=self._guard,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self.timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": USER_AGENT},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    async def post(self, url: str, payload: dict[str, Any], signing_secrets: Sequence[str]) -> Result:
        """Deliver one event's payload; never raises but for cancellation."""
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        now = utc_now()
        headers = signed_headers(str(payload["id"]), body, at=now, signing_secrets=signing_secrets)
        headers |= {"Content-Type": "application/json"}
        assert self._session is not None
        started = time.monotonic()
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                excerpt = await _excerpt(response)
                wait_s = retry_after(response.headers.get("Retry-After"), now)
                return Result(
                    response.status,
                    _objection(response.status),
                    _elapsed_ms(started),
                    wait_s if response.status in (429, 503) else None,
                    excerpt,
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Result(None, _sentence(error, self.timeout_s), _elapsed_ms(started))


async def _excerpt(response: aiohttp.ClientResponse) -> str:
    """The start of a response; the answer is its status, so a body that breaks off changes nothing."""
    start, size = b"", 0
    try:
        async for chunk in response.content.iter_chunked(8192):
            start = (start + chunk)[:_EXCERPT]
            size += len(chunk)
            if size > LARGEST_RESPONSE:
                response.close()
                break
    except (aiohttp.ClientError, OSError, TimeoutError):
        response.close()
    text = start.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _objection(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"The receiver redirected with {status}; redirects are not followed."
    if status == 410:
        return "The receiver is gone (410)."
    return f"The receiver answered {status}."


def _sentence(error: Exception, timeout_s: float) -> str:
    cause = error.__cause__ or error
    if isinstance(cause, RefusedAddressError) or isinstance(error, RefusedAddressError):
        return f"Refused: {cause if isinstance(cause, RefusedAddressError) else error}."
    if isinstance(error, TimeoutError):
        return f"The receiver did not answer within {timeout_s:g} s."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "The receiver's name cannot be resolved."
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "The receiver's certificate is not valid."
    if isinstance(error, aiohttp.ClientConnectorError):
        return "The receiver cannot be reached."
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
        return "The receiver closed the connection without an answer."
    return f"The attempt failed: {type(error).__name__}."


def _elapsed_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
