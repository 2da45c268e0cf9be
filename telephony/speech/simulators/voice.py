"""A voice server such as one of one's own, for the provider ``http``: ``/speak`` over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from telephony.speech.simulators.cartesia import tone
from telephony.speech.simulators.faults import SLOW_S, Fault, before, drop, nothing, send_sound

if TYPE_CHECKING:
    from telephony.speech.simulators.cartesia import Speak


@dataclass(slots=True)
class VoiceSimulator:
    """One voice server.

    ``speak`` makes the sound; without ``api_key`` no key is asked for; ``delay_s`` passes before the first
    sound. ``requests`` are all requests so far; ``fault`` is what it does wrong from now on.
    """

    speak: Speak = tone
    api_key: str | None = None
    delay_s: float = 0.05
    requests: list[dict[str, Any]] = field(default_factory=list)
    fault: Fault | None = None

    def app(self) -> web.Application:
        """The server, to be run by ``serving.serve``."""
        app = web.Application()
        app.router.add_post("/speak", self._over_http)
        app.router.add_get("/speak", self._over_socket)
        return app

    async def _over_http(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        asked = await request.json()
        self.requests.append(asked)
        await before(request, self.fault)
        kind = "text/html" if self.fault == "malformed" else "audio/pcm"
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        await self._pause()
        await send_sound(response, request, self.speak(asked["text"], asked["sample_rate"]), self.fault)
        return response

    async def _over_socket(self, request: web.Request) -> web.WebSocketResponse:
        self._check(request)
        await before(request, self.fault)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            asked = message.json()
            self.requests.append(asked)
            await self._pause()
            if self.fault == "malformed":
                await socket.send_str("sound")
                continue
            async for piece in self.speak(asked["text"], asked["sample_rate"]):
                sound = piece.astype("<i2").tobytes()
                if self.fault == "cut":
                    await socket.send_bytes(sound[: len(sound) // 4 * 2])
                    await asyncio.sleep(0.05)
                    drop(request)
                    return socket
                await socket.send_bytes(sound)
            await socket.send_json({"type": "done"})
        return socket

    async def _pause(self) -> None:
        if self.fault == "mute":
            await nothing()
        await asyncio.sleep(SLOW_S if self.fault == "slow" else self.delay_s)

    def _check(self, request: web.Request) -> None:
        _, _, key = request.headers.get("Authorization", "").partition(" ")
        if self.api_key and not hmac.compare_digest(key, self.api_key):
            raise web.HTTPUnauthorized(text="wrong key")
