"""A connection to the Redis that server and bridge share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

if TYPE_CHECKING:
    from provisioning.sections.livekit import RedisSection

_CONNECT_S = 2.0


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
