"""Ask the api as a command does: where it is, with which key, and what it answered in words."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from telephony.errors import ConfigError, StoreError, TrunklineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

DEFAULT_URL = "http://127.0.0.1:8080"
_TIMEOUT_S = 30.0
_LINES = Path("var")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an api is, and the key to ask it with."""

    url: str
    key: str


def find_place(
    url: str | None, key: str | None, data: Path | None, env: Mapping[str, str] | None = None
) -> Place:
    """Where to ask: what was given, else the environment, else the line that runs below ``var``.

    Environment: ``TRUNKLINE_API_URL``, ``TRUNKLINE_API_KEY``, ``TRUNKLINE_DATA``.

    Raises:
        ConfigError: there is no key to be found.
    """
    known = os.environ if env is None else env
    folder = data or (Path(known["TRUNKLINE_DATA"]) if known.get("TRUNKLINE_DATA") else None)
    folder = folder or _running_line()
    url = url or known.get("TRUNKLINE_API_URL") or _told(folder) or DEFAULT_URL
    key = key or known.get("TRUNKLINE_API_KEY") or _kept(folder)
    if not key:
        raise ConfigError(
            "There is no API key to ask with.",
            field="TRUNKLINE_API_KEY",
            fix="Set it, or give --data with the folder of the line.",
        )
    return Place(url.rstrip("/"), key)


def _running_line() -> Path | None:
    ready = sorted(_LINES.glob("*/ready/api.json"), key=lambda path: path.stat().st_mtime)
    return ready[-1].parent.parent if ready else None


def _told(folder: Path | None) -> str | None:
    if folder is None:
        return None
    for path in (folder / "ready" / "api.json", folder / "ready.json"):
        if path.exists():
            told = json.loads(path.read_text())
            return f"http://{told['host']}:{told['port']}"
    return None


def _kept(folder: Path | None) -> str | None:
    path = folder / "keys" / "admin.key" if folder else None
    return path.read_text().strip() if path is not None and path.exists() else None


class Client:
    """One api, asked by one command. Use as an asynchronous context."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._place.key}"},
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, **query: Any) -> Any:
        """Ask for something; parameters that are None are left out."""
        return await self._ask("GET", path, query=query)

    async def send(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Change something; ``key`` is its Idempotency-Key."""
        return await self._ask(method, path, body=body, key=key)

    async def download(self, path: str, target: Path) -> int:
        """Save what is answered to a file; returns its size in bytes."""
        size = 0
        async with self._open("GET", path) as response:
            await _check(response)
            with target.open("wb") as file:
                async for chunk in response.content.iter_chunked(65536):
                    size += file.write(chunk)
        return size

    async def stream(self, path: str, **query: Any) -> AsyncIterator[tuple[str, str]]:
        """Server-sent events: name and data of each, until the stream ends."""
        name, lines = "message", list[str]()
        async with self._open(
            "GET", path, query=query, timeout=aiohttp.ClientTimeout(sock_read=60)
        ) as response:
            await _check(response)
            async for raw in response.content:
                line = raw.decode().rstrip("\r\n")
                if not line and lines:
                    yield name, "\n".join(lines)
                    name, lines = "message", []
                elif line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    lines.append(line.removeprefix("data: "))

    async def _ask(
        self, method: str, path: str, *, query: Any = None, body: Any = None, key: str | None = None
    ) -> Any:
        async with self._open(method, path, query=query, body=body, key=key) as response:
            await _check(response)
            return await response.json() if response.status != 204 else None

    def _open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        key: str | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> _Opened:
        assert self._session is not None
        params = [
            (name, str(each).lower() if isinstance(each, bool) else str(each))
            for name, value in (query or {}).items()
            for each in (value if isinstance(value, list | tuple) else [value])
            if each is not None
        ]
        more: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        if key is not None:
            more["headers"] = {"Idempotency-Key": key}
        return _Opened(
            self._session.request(method, self._place.url + path, params=params, json=body, **more),
            self._place.url,
        )


class _Opened:
    """A response, or the sentence why there is none."""

    def __init__(self, request: Any, url: str) -> None:
        self._request = request
        self._url = url

    async def __aenter__(self) -> aiohttp.ClientResponse:
        try:
            response: aiohttp.ClientResponse = await self._request.__aenter__()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StoreError(
                f"The api at {self._url} does not answer: {type(error).__name__}.",
                fix="Start it with: trunkline up",
                retryable=True,
            ) from error
        return response

    async def __aexit__(self, *given: Any) -> None:
        await self._request.__aexit__(*given)


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    try:
        problem = await response.json(content_type=None)
    except ValueError:
        problem = {}
    problem = problem if isinstance(problem, dict) else {}
    wrong = [f"{each['field']}: {each['message']}" for each in problem.get("errors") or []]
    detail = str(problem.get("detail") or f"The api answered {response.status}.")
    raise TrunklineError(" ".join([detail, *wrong]), fix=problem.get("fix"))
