"""An api in a thread with a loop of its own, for tests that ask it without one."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from tests.api.asking import asking, from_sources, settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.api.asking import Asking

_START_S = 30.0


class ThreadedApi:
    """An api with one ended and one open call in it; ``base`` is where, ``key`` the admin's."""

    def __init__(self, url: str, folder: Path) -> None:
        self.base = self.key = ""
        self._given = settings(url, folder)
        self._ready, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._api: Asking | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_START_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_START_S)

    def do(self, work: Callable[[Asking], Awaitable[object]]) -> None:
        """Do something with the api, in its own loop."""
        assert self._loop is not None
        assert self._api is not None

        async def run(api: Asking) -> None:
            await work(api)

        asyncio.run_coroutine_threadsafe(run(self._api), self._loop).result(_START_S)

    async def _run(self) -> None:
        async with asking(self._given) as api:
            await api.hand_in(from_sources("call_abcdef"))
            await api.hand_in(from_sources("call_opened")[:2])
            self._api, self._loop = api, asyncio.get_running_loop()
            self.base, self.key = str(api.http.base_url), api.admin
            self._ready.set()
            while not self._stop.is_set():
                await asyncio.sleep(0.05)
