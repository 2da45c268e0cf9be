"""A customer's server on a real socket, that can be told to misbehave in every way a server can.

It checks signatures by its own arithmetic, not with the library that made them.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import Callable

Behaviour = int | Literal["slow", "close", "reset", "half", "endless", "drip"]
"""A status to answer with, or a way to misbehave."""


def signature_holds(secret: str, headers: dict[str, str], body: bytes, *, within_s: float = 300) -> bool:
    """Whether any of a delivery's signatures is by this secret over these bytes (Standard Webhooks 1.0)."""
    if abs(time.time() - int(headers["webhook-timestamp"])) > within_s:
        return False
    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    given = headers["webhook-signature"].encode().split(b" ")
    return any(hmac.compare_digest(wanted, each) for each in given)


@dataclass(slots=True)
class Got:
    """One request that arrived whole."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded


@dataclass(slots=True)
class Receiver:
    """``behave`` is asked for every request, with how many came before it; 200 for all by default.

    ``delay_s``: how long every answer takes.
    """

    behave: Callable[[int], Behaviour] = lambda _count: 200
    answer_headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def __aenter__(self) -> Receiver:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await asyncio.sleep(0)

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def wait_for(self, count: int, timeout_s: float = 10) -> list[Got]:
        """Wait until so many requests have arrived."""
        async with limit(timeout_s):
            while len(self.got) < count:
                await asyncio.sleep(0.01)
        return self.got

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        behaviour = self.behave(len(self.got))
        self.got.append(Got(time.monotonic(), head[0].split(" ")[1], headers, body))
        await asyncio.sleep(self.delay_s)
        return await self._answer(behaviour, writer)

    async def _answer(self, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        match behaviour:
            case int(status):
                extra = "".join(f"{name}: {value}\r\n" for name, value in self.answer_headers.items())
                writer.write(f"HTTP/1.1 {status} x\r\n{extra}Content-Length: 2\r\n\r\nok".encode())
            case "slow":
                await asyncio.sleep(60)
                return False
            case "close":
                return False
            case "reset":
                writer.transport.abort()
                return False
            case "half":
                writer.write(b"HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\nbroken off")
                return False
            case "endless":
                writer.write(b"HTTP/1.1 200 x\r\nContent-Length: 100000000\r\n\r\n")
                for _ in range(1000):
                    writer.write(b"x" * 100_000)
                    await writer.drain()
                return False
            case "drip":
                writer.write(b"HTTP/1.1 200 x\r\nContent-Length: 1000\r\n\r\n")
                for _ in range(1000):
                    writer.write(b"x")
                    await asyncio.sleep(0.05)
        await writer.drain()
        return True
