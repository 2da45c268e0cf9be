"""Keep one connection to the speech engine, made when it is first needed and made anew when it broke.

The engine may start later than its clients, and may be restarted under them: whoever asks for a client
gets a connected one or a retryable error.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.errors import SpeechError
from telephony.speech.client import CONNECT_TIMEOUT_S, SpeechClient

if TYPE_CHECKING:
    import os


class EngineLink:
    """A connection to the engine that listens on ``socket_path``, shared by recogniser and voice."""

    def __init__(
        self, socket_path: str | os.PathLike[str], *, connect_timeout_s: float = CONNECT_TIMEOUT_S
    ) -> None:
        self._socket_path = socket_path
        self._connect_timeout_s = connect_timeout_s
        self._client: SpeechClient | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def client(self) -> SpeechClient:
        """The connected client.

        Raises:
            SpeechError: no engine answers (retryable), or the link was closed.
        """
        async with self._connecting:
            if self._closed:
                raise SpeechError("The link to the speech engine was closed.")
            if self._client is None or self._client.closed:
                await self._drop()
                self._client = await SpeechClient.connect(
                    self._socket_path, timeout_s=self._connect_timeout_s
                )
            return self._client

    async def close(self) -> None:
        """Hang up for good; harmless when repeated. A connection being made is waited for."""
        self._closed = True
        async with self._connecting:
            await self._drop()

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
