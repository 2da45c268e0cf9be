"""How each part tells that it is up: a file it wrote, an answer over HTTP or Redis's own PING."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_ANSWER_S = 1.0


def file_written(path: Path) -> Callable[[], Awaitable[bool]]:
    """Ready when the part has written its ready file."""

    async def ready() -> bool:
        return path.exists()

    return ready


def read_ready_file(path: Path) -> dict[str, Any]:
    """What a part said of itself in its ready file; empty when there is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def redis_answers(host: str, port: int) -> Callable[[], Awaitable[bool]]:
    """Ready when Redis answers PING with PONG."""

    async def ready() -> bool:
        return (await _ask(host, port, b"PING\r\n")).startswith((b"+PONG", b"-NOAUTH"))

    return ready


def http_answers(port: int, path: str = "/") -> Callable[[], Awaitable[bool]]:
    """Ready when a GET on loopback is answered 200."""

    async def ready() -> bool:
        request = f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode()
        return b" 200 " in (await _ask("127.0.0.1", port, request)).split(b"\r\n", 1)[0]

    return ready


async def _ask(host: str, port: int, request: bytes) -> bytes:
    writer = None
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(request)
            await writer.drain()
            return await reader.read(256)
    except (OSError, TimeoutError):
        return b""
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), _ANSWER_S)
