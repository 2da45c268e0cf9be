"""Customers' servers on real sockets, one well, the others each ill in its own way; they keep what they get.

They run in a thread of their own and check every signature by arithmetic written from the Standard
Webhooks specification, with nothing of the product in it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

Mood = Literal["well", "slow", "error", "gone", "closing", "down"]

_SLOW_S = 5.0
_STATUS: dict[Mood, str] = {"well": "200 OK", "slow": "200 OK", "error": "500 Broken", "gone": "410 Gone"}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One signed delivery that arrived whole.

    ``at`` and ``sent_at`` are in s since 1970; ``accepted``: it was, or will be, answered with 200.
    """

    at: float
    sent_at: float
    message_id: str
    call_id: str
    seq: int
    type: str
    accepted: bool


@dataclass(slots=True)
class Receiver:
    """One customer's server; ``secret`` is what its deliveries have to be signed with."""

    name: str
    mood: Mood
    secret: str = ""
    port: int = 0
    arrivals: list[Arrival] = field(default_factory=list)
    forged: int = 0
    server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where deliveries go."""
        return f"http://127.0.0.1:{self.port}/hook"

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """Note one delivery, if its signature holds."""
        if not _holds(self.secret, headers, body):
            self.forged += 1
            return
        payload = json.loads(body)
        sent_at = payload["data"].get("sent_at", 0.0)
        call_id = payload["call_id"] or "line"
        accepted = self.mood in ("well", "slow")
        self.arrivals.append(
            Arrival(time.time(), sent_at, payload["id"], call_id, payload["seq"], payload["type"], accepted)
        )


class Receivers:
    """All of them. Use as a context."""

    def __init__(self, receivers: Iterable[Receiver]) -> None:
        self.all = list(receivers)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receivers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for receiver in self.all:
            self._run(_open(receiver))
            if receiver.mood == "down":
                self._run(_close(receiver))
        return self

    def __exit__(self, *_: object) -> None:
        for receiver in self.all:
            self._run(_close(receiver))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def heal(self, receiver: Receiver) -> None:
        """Make one well; one that was down listens again where it did."""
        if receiver.mood == "down":
            self._run(_open(receiver))
        receiver.mood = "well"

    def _run(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]


async def _open(receiver: Receiver) -> None:
    loop = asyncio.get_running_loop()
    receiver.server = await loop.create_server(lambda: _Connection(receiver), "127.0.0.1", receiver.port)
    receiver.port = receiver.server.sockets[0].getsockname()[1]


async def _close(receiver: Receiver) -> None:
    if receiver.server is not None:
        receiver.server.close()
        receiver.server = None


class _Connection(asyncio.Protocol):
    """One connection: as much of HTTP/1.1 as a delivery needs."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            lines = self._buffer[:end].decode("latin-1").split("\r\n")[1:]
            headers = {
                name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
            }
            size = end + 4 + int(headers.get("content-length", "0"))
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            self._receiver.take(headers, body)
            self._answer()

    def _answer(self) -> None:
        assert self._transport is not None
        mood = self._receiver.mood
        if mood == "slow":
            asyncio.get_running_loop().call_later(_SLOW_S, self._write, _STATUS[mood])
        elif mood in _STATUS:
            self._write(_STATUS[mood])
        else:
            self._transport.abort()

    def _write(self, status: str) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())


def _holds(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Standard Webhooks: ``v1,`` and base64 of HMAC-SHA256 over id, timestamp and body, joined by dots."""
    stamp = headers.get("webhook-timestamp", "0")
    if abs(time.time() - int(stamp)) > 300:
        return False
    signed = f"{headers.get('webhook-id')}.{stamp}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(right, each) for each in given)
