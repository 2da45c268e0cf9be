"""One apply at a time: a lock on this machine, and one in the line's Redis for all machines.

The Redis lock is a lease: it is renewed while work goes on, and whoever finds that it was lost stops
writing. Where Redis cannot be reached (LiveKit Cloud, a server behind a proxy), only this machine is locked,
and ``is_shared`` says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from telephony.errors import LiveKitError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from provisioning.sections.livekit import RedisSection

log = get_logger(__name__)

KEY = "trunkline:provision:lock"
LEASE_S = 30.0
_RENEW_EVERY_S = 5.0
_POLL_S = 0.1
_CONNECT_S = 2.0

_IF_OURS = "if redis.call('get', KEYS[1]) == ARGV[1] then return {} end return 0"
_RENEW = _IF_OURS.format("redis.call('pexpire', KEYS[1], ARGV[2])")
_RELEASE = _IF_OURS.format("redis.call('del', KEYS[1])")


class ApplyLock:
    """Held while trunks and rules are written. Use as an async context manager.

    Args:
        url: livekit-server's URL; what the machine's lock is named after.
        settings: the Redis that server and bridge share.
        wait_s: how long to wait for another apply to finish.
        on_wait: called once when there is another one.

    Raises:
        LiveKitError: the other one did not finish in time.
    """

    def __init__(
        self,
        url: str,
        settings: RedisSection,
        *,
        wait_s: float = 30.0,
        on_wait: Callable[[], None] | None = None,
    ) -> None:
        self._url = url
        self._settings = settings
        self._wait_s = wait_s
        self._on_wait = on_wait
        self._token = f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(8)}"
        self._file: int | None = None
        self._redis: redis.Redis | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._held_until = 0.0

    @property
    def is_shared(self) -> bool:
        """Whether other machines are kept out as well."""
        return self._redis is not None

    async def __aenter__(self) -> Self:
        deadline = time.monotonic() + self._wait_s
        try:
            await self._lock_file(deadline)
            await self._lock_redis(deadline)
        except BaseException:
            await self._release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._release()

    def ensure_held(self) -> None:
        """Call before every write.

        Raises:
            LiveKitError: the lease ran out, so somebody else may be writing.
        """
        if self._redis is not None and time.monotonic() > self._held_until:
            raise LiveKitError(
                "the lock on the line was lost: Redis did not renew it in time.",
                fix="Run apply again; it goes on from where it stopped.",
                retryable=True,
            )

    async def _lock_file(self, deadline: float) -> None:
        folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        name = hashlib.sha256(self._url.encode()).hexdigest()[:16]
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._file = os.open(folder / f"trunkline-provision-{os.getuid()}-{name}.lock", flags, 0o600)
        except OSError as error:
            raise LiveKitError(f"cannot open the lock file in {folder}: {error.strerror}.") from error
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                await self._wait(deadline)

    async def _lock_redis(self, deadline: float) -> None:
        client = connect(self._settings)
        try:
            while not await client.set(KEY, self._token, nx=True, px=int(LEASE_S * 1000)):
                self._redis = None
                await self._wait(deadline)
        except (RedisError, OSError, TimeoutError) as error:
            await client.aclose()
            log.info("provision_lock_local_only", reason=type(error).__name__)
            return
        except BaseException:
            await client.aclose()
            raise
        self._redis = client
        self._held_until = time.monotonic() + LEASE_S
        self._renewal = asyncio.create_task(self._renew(client), name="provision-lock")

    async def _wait(self, deadline: float) -> None:
        if self._on_wait is not None:
            self._on_wait()
            self._on_wait = None
        if time.monotonic() > deadline:
            raise LiveKitError(
                f"another apply has been running for more than {self._wait_s:g} s.",
                fix=f"Wait for it to finish; a killed one lets go by itself within {LEASE_S:g} s.",
                retryable=True,
            )
        await asyncio.sleep(_POLL_S)

    async def _renew(self, client: redis.Redis) -> None:
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            asked = time.monotonic()
            with contextlib.suppress(RedisError, OSError, TimeoutError):  # the lease itself has the last word
                if await _run(client, _RENEW, self._token, str(int(LEASE_S * 1000))):
                    self._held_until = asked + LEASE_S

    async def _release(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
            self._renewal = None
        if self._redis is not None:
            client, self._redis = self._redis, None
            with contextlib.suppress(RedisError, OSError, TimeoutError):  # it runs out by itself
                await _run(client, _RELEASE, self._token)
            await client.aclose()
        if self._file is not None:
            os.close(self._file)
            self._file = None


def connect(settings: RedisSection) -> redis.Redis:
    """A client for the line's Redis; nothing is connected to yet."""
    host, _, port = settings.address.rpartition(":")
    timeout = min(settings.timeout, _CONNECT_S)
    return redis.Redis(
        host=host.strip("[]"),
        port=int(port),
        db=settings.db,
        username=settings.username,
        password=settings.password.get_secret_value() if settings.password else None,
        ssl=settings.use_tls,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
    )


async def _run(client: redis.Redis, script: str, *arguments: str) -> Any:
    return await client.eval(script, 1, KEY, *arguments)
