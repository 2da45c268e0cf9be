"""A service at work over a database, and a client that asks it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx2
import uvicorn

from telephony.api.app import create_app
from telephony.api.first_keys import key_file
from telephony.api.service import Service
from telephony.api.settings import ApiSettings, RecordingOptions
from telephony.webhooks.guard import AddressGuard, networks
from telephony.webhooks.schedule import Schedule
from telephony.webhooks.sender import SenderOptions
from tests.calls.calls import good_call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from telephony.calls.events import Event

LIVEKIT_KEY, LIVEKIT_SECRET = "devkey", "a-secret-that-is-long-enough-for-hs256"


def settings(url: str, folder: Path, **changes: Any) -> ApiSettings:
    """Settings for a test: quick retries, loopback receivers allowed, no limit that gets in the way."""
    plain = ApiSettings(
        data=folder / "data",
        database_url=url,
        recordings=RecordingOptions(folder / "data" / "incoming", str(folder / "data" / "kept")),
        sender=SenderOptions(schedule=Schedule(delays_s=(0.05, 0.1), jitter=0)),
        attempt_timeout_s=2,
        guard=AddressGuard(networks(["127.0.0.0/8"])),
        livekit_api_key=LIVEKIT_KEY,
        livekit_api_secret=LIVEKIT_SECRET,
        requests_per_minute=100_000,
    )
    return replace(plain, **changes)


@dataclass(slots=True)
class Asking:
    """A client with the admin's key, and the service behind it."""

    service: Service
    http: httpx2.AsyncClient
    admin: str
    source: str

    async def hand_in(self, events: Sequence[Event]) -> dict[str, Any]:
        """Hand events in as their source would."""
        answer = await self.http.post(
            "/v1/events",
            content=json.dumps({"events": [each.to_json() for each in events]}),
            headers={"Authorization": f"Bearer {self.source}", "Content-Type": "application/json"},
        )
        assert answer.status_code == 200, answer.text
        taken: dict[str, Any] = answer.json()
        return taken

    async def get(self, path: str, status: int = 200, /, **query: Any) -> Any:
        """Ask as the admin."""
        answer = await self.http.get(path, params=query)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def send(self, method: str, path: str, status: int, body: Any = None, **headers: str) -> Any:
        """Change something as the admin."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.http.request(method, path, json=body, headers=named)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def as_key(self, key: str | None) -> dict[str, str]:
        """Headers of another key, or of none."""
        return {"Authorization": f"Bearer {key}"} if key else {"Authorization": ""}


class _Quiet(uvicorn.Server):
    """A server that leaves the test run's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def asking(given: ApiSettings, *, port: int = 0) -> AsyncIterator[Asking]:
    """A service behind a real socket, and its client."""
    service = Service(given)
    async with service:
        keys = [key_file(given.data, name).read_text().strip() for name in ("admin", "events")]
        with socket.create_server(("127.0.0.1", port)) as listener:
            config = uvicorn.Config(
                create_app(service), log_config=None, lifespan="off", timeout_graceful_shutdown=5
            )
            server = _Quiet(config)
            task = asyncio.create_task(server.serve([listener]))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            headers = {"Authorization": f"Bearer {keys[0]}"}
            try:
                async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
                    yield Asking(service, http, *keys)
            finally:
                service.stopping.set()
                server.should_exit = True
                await task


def from_sources(call_id: str, events: Sequence[Event] | None = None) -> list[Event]:
    """The events of a good call that sources hand in over HTTP, for another call id."""
    chosen = good_call() if events is None else events
    return [replace(each, call_id=call_id) for each in chosen if each.source in ("job", "bridge")]


def as_json(text: str) -> Any:
    """Read JSON."""
    return json.loads(text)
