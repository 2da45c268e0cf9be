"""The Redis bus: publish, subscribe, and one winner of several, through restarts of Redis.

Guarantee: a subscription that was confirmed once is there again within two seconds of Redis being
reachable again, without anybody asking; while Redis is away every publish fails at once with a
BusError that may be tried again, so that a call is refused rather than left waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError

from telephony.errors import BusError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio.client import PubSub

log = get_logger(__name__)

_IO_TIMEOUT_S = 2.0
_IDLE_PING_S = 10.0
_BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)
_CONFIRM_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is, and as whom to log in."""

    host: str
    port: int = 6379
    username: str = ""
    password: str = field(default="", repr=False)
    db: int = 0


class RedisBus:
    """One publishing connection pool and one subscribing connection."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        # Without retries of its own the client fails at once, and this module decides what to do.
        self._redis = Redis(
            host=address.host,
            port=address.port,
            username=address.username or None,
            password=address.password or None,
            db=address.db,
            protocol=2,
            socket_connect_timeout=_IO_TIMEOUT_S,
            socket_timeout=_IO_TIMEOUT_S,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )
        self._handlers: dict[bytes, Callable[[bytes], None]] = {}
        self._unconfirmed: dict[bytes, asyncio.Event] = {}
        self._pubsub: PubSub | None = None
        self._reader: asyncio.Task[None] | None = None
        self.reconnects = 0
        """How often the subscribing connection was lost and made again."""

    @property
    def connected(self) -> bool:
        """Whether subscriptions are live now."""
        return self._pubsub is not None

    async def start(self) -> None:
        """Connect.

        Raises:
            BusError: Redis cannot be reached, or refuses the user, password or database.
        """
        try:
            async with asyncio.timeout(_IO_TIMEOUT_S):
                await self._command("PING")
                self._pubsub = await self._subscribe_all()
        except AuthenticationError as error:
            raise BusError(
                f"Redis at {self._where} refuses the login.",
                code="permission_denied",
                fix="Set redis.username and redis.password.",
            ) from error
        except (RedisError, OSError, TimeoutError) as error:
            raise BusError(
                f"Redis at {self._where} cannot be reached.",
                code="unavailable",
                retryable=True,
                fix="Start Redis or set redis.address.",
            ) from error
        self._reader = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Disconnect; bounded by two seconds."""
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(_IO_TIMEOUT_S):
                await self._drop_pubsub()
                await self._redis.aclose()

    async def subscribe(self, channel: str, handler: Callable[[bytes], None]) -> None:
        """Call ``handler`` with every payload; returns once Redis has confirmed, or now if it is away.

        While Redis is away the subscription is noted and made on reconnection.
        """
        key = channel.encode()
        self._handlers[key] = handler
        if self._pubsub is None:
            return
        confirmed = self._unconfirmed[key] = asyncio.Event()
        try:
            async with asyncio.timeout(_CONFIRM_TIMEOUT_S):
                await self._pubsub.subscribe(key)
                await confirmed.wait()
        except (RedisError, OSError, TimeoutError) as error:
            raise BusError(
                "Redis did not confirm a subscription.", code="unavailable", retryable=True
            ) from error
        finally:
            self._unconfirmed.pop(key, None)

    async def unsubscribe(self, channel: str) -> None:
        """Stop; harmless when not subscribed or when Redis is away."""
        key = channel.encode()
        if self._handlers.pop(key, None) is None or self._pubsub is None:
            return
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(_IO_TIMEOUT_S):
                await self._pubsub.unsubscribe(key)

    async def publish(self, channel: str, payload: bytes) -> None:
        """Send to whoever listens now.

        Raises:
            BusError: ``unavailable``: Redis is away.
        """
        await self._execute("PUBLISH", channel, payload)

    async def win(self, key: str, seconds: int) -> bool:
        """Create ``key`` for ``seconds`` unless somebody else has: True for the first."""
        return await self._execute("SET", key, random.getrandbits(62), "NX", "EX", seconds) is not None

    async def _execute(self, *command: Any) -> Any:
        if self._pubsub is None and self._reader is not None:
            raise self._away()
        try:
            return await self._command(*command)
        except (RedisError, OSError, TimeoutError) as error:
            raise self._away() from error

    async def _command(self, *command: Any) -> Any:
        return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]  # redis ships it untyped

    def _away(self) -> BusError:
        return BusError(
            f"Redis at {self._where} is away.", code="unavailable", retryable=True, fix="Start Redis again."
        )

    @property
    def _where(self) -> str:
        return f"{self._address.host}:{self._address.port}"

    async def _subscribe_all(self) -> PubSub:
        pubsub: PubSub = self._redis.pubsub()
        if self._handlers:
            await pubsub.subscribe(*self._handlers)
        else:
            await pubsub.connect()  # type: ignore[no-untyped-call]  # redis ships it untyped
        return pubsub

    async def _run(self) -> None:
        while True:
            try:
                await self._read()
            except Exception as error:
                # Whatever it was, a reader that died would leave the bridge deaf for ever.
                log.warning("redis_lost", address=self._where, reason=type(error).__name__)
                await self._drop_pubsub()
                await self._reconnect()

    async def _read(self) -> None:
        pubsub = self._pubsub
        if pubsub is None:
            raise RedisError("not connected")
        if not pubsub.subscribed:
            await asyncio.sleep(_BACKOFF_S[0])
            return
        message = await pubsub.get_message(timeout=_IDLE_PING_S)
        if message is None:
            # A connection that died without a word shows itself when this ping is not answered.
            await pubsub.ping()
            message = await pubsub.get_message(timeout=_IO_TIMEOUT_S)
            if message is None:
                raise TimeoutError
        self._deliver(message)

    def _deliver(self, message: dict[str, Any]) -> None:
        key = message["channel"]
        if message["type"] == "subscribe" and key in self._unconfirmed:
            self._unconfirmed[key].set()
        elif message["type"] == "message" and key in self._handlers:
            try:
                self._handlers[key](message["data"])
            except Exception:
                log.exception("bus_handler_failed", channel=key.decode(errors="replace"))

    async def _reconnect(self) -> None:
        attempt = 0
        while self._pubsub is None:
            await asyncio.sleep(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])
            attempt += 1
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(_IO_TIMEOUT_S):
                    # Pooled connections died with the old server; the next publish must not meet one.
                    await self._redis.connection_pool.disconnect()
                    self._pubsub = await self._subscribe_all()
        self.reconnects += 1
        log.info("redis_back", address=self._where, attempts=attempt)

    async def _drop_pubsub(self) -> None:
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis ships it untyped
