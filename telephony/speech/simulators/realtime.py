"""OpenAI's realtime API over a WebSocket, as livekit-plugins-openai speaks it, at OpenAI or Azure.

``/v1/realtime`` is OpenAI's, ``/openai/v1/realtime`` Azure's, ``/openai/realtime`` Azure's older one with its
flat session and older event names. The caller's turns are found by loudness; what was said and what is
answered is asked of functions, scripts by default. Sound comes five times faster than it is spoken.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from aiohttp import WSMsgType, web

from telephony.logs import get_logger
from telephony.speech.simulators import deepgram, openai
from telephony.speech.simulators.cartesia import tone
from telephony.speech.simulators.endpointing import Endpointer, SpeechBegan, Utterance
from telephony.speech.simulators.faults import SLOW_S, Fault, before, drop
from telephony.speech.simulators.realtime_response import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telephony.speech.simulators.cartesia import Speak
    from telephony.speech.simulators.deepgram import Hear
    from telephony.speech.simulators.openai import Think

log = get_logger(__name__)

RATE = 24_000
"""Samples per second, both ways, in Hz."""
_OLDER = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "conversation.item.added": "conversation.item.created",
}
"""What Azure's older API calls them."""


@dataclass(slots=True)
class RealtimeSimulator:
    """One simulated realtime API.

    ``hear`` says what was said, ``think`` what is answered, ``speak`` makes its sound; without ``api_key``
    every key is good, without ``models`` every model. ``delay_s`` passes between the end of the caller's turn
    and the first sound. ``events`` are all events of clients so far, without audio; ``fault`` is what it does
    wrong from now on.
    """

    hear: Hear = field(default_factory=lambda: deepgram.scripted(["Hello."]))
    think: Think = field(default_factory=lambda: openai.scripted([openai.Answer("Hello, how can I help?")]))
    speak: Speak = tone
    api_key: str | None = None
    models: tuple[str, ...] = ()
    delay_s: float = 0.05
    loud_dbfs: float = -45.0
    events: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    fault: Fault | None = None

    def app(self) -> web.Application:
        """The server, to be run by ``serving.serve``; ``base_url`` is its root and ``/v1``."""
        app = web.Application()
        app.add_routes(self.routes())
        return app

    def routes(self) -> list[web.RouteDef]:
        """Its paths, for a server that is more than this."""
        paths = ("/v1/realtime", "/openai/v1/realtime", "/openai/realtime")
        return [web.get(path, self._talk) for path in paths]

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        self.paths.append(str(request.rel_url))
        self._check(request)
        await before(request, self.fault)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connection = Connection(self, socket, request, older="api-version" in request.query)
        try:
            await connection.run(request.query.get("model") or request.query.get("deployment") or "")
        finally:
            await connection.close()
        return socket

    def _check(self, request: web.Request) -> None:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        key = request.headers.get("api-key") if request.path.startswith("/openai") else bearer
        wrong = not key or (not request.path.startswith("/openai") and scheme != "Bearer")
        if wrong or (self.api_key and not hmac.compare_digest(key or "", self.api_key)):
            raise web.HTTPUnauthorized(text="Incorrect API key provided.")


class Connection:
    """One client."""

    def __init__(
        self, server: RealtimeSimulator, socket: web.WebSocketResponse, request: web.Request, *, older: bool
    ) -> None:
        self.server = server
        self._socket = socket
        self._request = request
        self._older = older
        self._numbers: Iterator[int] = itertools.count(1)
        self.session: dict[str, Any] = {}
        self.items: list[dict[str, Any]] = []
        self._endpointer = Endpointer(RATE)
        self._speaking = ""
        self.response: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, model: str) -> None:
        """Serve it until it goes."""
        if self.server.models and model not in self.server.models:
            await self.error("model_not_found", f"The model `{model}` does not exist.")
            return
        await self.send("session.created", session={"id": self.number("sess"), "model": model})
        async for message in self._socket:
            fault = self.server.fault
            if fault in ("refuse", "error"):
                drop(self._request)
                return
            if message.type is not WSMsgType.TEXT or fault in ("mute", "hang"):
                continue
            if fault == "malformed":
                await self._socket.send_str('{"type": "response.created", "response":')
                continue
            await self._obey(json.loads(message.data))

    async def close(self) -> None:
        """The client is gone."""
        for task in (*self._tasks, *([self.response] if self.response else [])):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    def number(self, kind: str) -> str:
        """A name that nothing else has, such as ``item_7``."""
        return f"{kind}_{next(self._numbers)}"

    async def send(self, kind: str, **fields: Any) -> None:
        """One event."""
        if self._older:
            kind = _OLDER.get(kind, kind)
        if not self._socket.closed:
            with contextlib.suppress(ConnectionError):
                await self._socket.send_json({"type": kind, "event_id": self.number("event"), **fields})

    async def error(self, code: str, message: str, event_id: str | None = None) -> None:
        """Something was asked that cannot be done."""
        error = {"type": "invalid_request_error", "code": code, "message": message, "event_id": event_id}
        await self.send("error", error=error)

    def break_off(self) -> None:
        """Drop the connection in the middle."""
        drop(self._request)

    # What clients ask for

    async def _obey(self, event: dict[str, Any]) -> None:
        kind = event.get("type", "")
        if kind == "input_audio_buffer.append":
            await self._listen(np.frombuffer(base64.b64decode(event["audio"]), "<i2"))
            return
        self.server.events.append(event)
        match kind:
            case "session.update":
                await self._update(event["session"])
            case "conversation.item.create":
                await self.add_item(event["item"], event.get("previous_item_id"))
            case "conversation.item.delete":
                self.items = [item for item in self.items if item["id"] != event["item_id"]]
                await self.send("conversation.item.deleted", item_id=event["item_id"])
            case "conversation.item.truncate":
                told = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
                await self.send("conversation.item.truncated", **told)
            case "response.create":
                await self._respond(event.get("response") or {}, event.get("event_id"))
            case "response.cancel":
                if self.responding:
                    await self._cancel("client_cancelled")
                else:
                    await self.error("response_cancel_not_active", "Cancellation failed: no active response")
            case "input_audio_buffer.commit":
                await self._heard(self._endpointer.finish())
            case "input_audio_buffer.clear":
                self._endpointer.finish()
                await self.send("input_audio_buffer.cleared")
            case _:
                await self.error("unknown_event", f"Unknown event {kind!r}.", event.get("event_id"))

    async def _update(self, asked: dict[str, Any]) -> None:
        before_it = self._turn_detection()
        self.session = {**self.session, **asked}
        detection = self._turn_detection() or before_it
        if detection != before_it:
            silence_s = float(detection.get("silence_duration_ms") or 500) / 1000
            self._endpointer = Endpointer(RATE, silence_s=silence_s, loud_dbfs=self.server.loud_dbfs)
        await self.send("session.updated", session=self.session)

    def _turn_detection(self) -> dict[str, Any]:
        heard = (self.session.get("audio") or {}).get("input") or {}
        return heard.get("turn_detection") or self.session.get("turn_detection") or {}

    async def add_item(self, item: dict[str, Any], previous: str | None = None) -> None:
        """Put it into the conversation."""
        item = {"object": "realtime.item", "status": "completed", **item}
        item.setdefault("id", self.number("item"))
        after = None if previous == "root" else previous or (self.items[-1]["id"] if self.items else None)
        self.items.append(item)
        told = {key: value for key, value in item.items() if key != "said"}
        await self.send("conversation.item.added", previous_item_id=after, item=told)
        if not self._older:
            await self.send("conversation.item.done", previous_item_id=after, item=told)

    # The caller

    async def _listen(self, samples: np.ndarray[Any, np.dtype[np.int16]]) -> None:
        for found in self._endpointer.feed(samples):
            if isinstance(found, SpeechBegan):
                self._speaking = self.number("item")
                at_ms = round(found.at_s * 1000)
                await self.send(
                    "input_audio_buffer.speech_started", audio_start_ms=at_ms, item_id=self._speaking
                )
                if self.responding and self._turn_detection().get("interrupt_response", True):
                    await self._cancel("turn_detected")
            else:
                await self._heard(found)

    async def _heard(self, utterance: Utterance | None) -> None:
        if utterance is None:
            await self.error("input_audio_buffer_commit_empty", "The buffer is empty.")
            return
        item_id = self._speaking or self.number("item")
        ended_ms = round((utterance.start_s + len(utterance.samples) / RATE) * 1000)
        await self.send("input_audio_buffer.speech_stopped", audio_end_ms=ended_ms, item_id=item_id)
        before_it = self.items[-1]["id"] if self.items else None
        await self.send("input_audio_buffer.committed", previous_item_id=before_it, item_id=item_id)
        content = {"type": "input_audio", "transcript": None}
        await self.add_item({"id": item_id, "type": "message", "role": "user", "content": [content]})
        text = await self.server.hear(utterance.samples, RATE)
        next(item for item in self.items if item["id"] == item_id)["said"] = text
        self._spawn(self._transcribe(item_id, text))
        if self._turn_detection().get("create_response", True):
            await self._respond({}, None)

    async def _transcribe(self, item_id: str, text: str) -> None:
        about = {"item_id": item_id, "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        await asyncio.sleep(self.server.delay_s)
        half = text[: len(text) // 2]
        await self.send(f"{kind}.delta", delta=half, **about)
        usage = {"type": "duration", "seconds": 1.0}
        await self.send(f"{kind}.completed", transcript=text, usage=usage, **about)

    # The model

    @property
    def responding(self) -> bool:
        """Whether an answer is being made."""
        return self.response is not None and not self.response.done()

    async def _respond(self, asked: dict[str, Any], event_id: str | None) -> None:
        if self.responding:
            text = "Conversation already has an active response in progress."
            await self.error("conversation_already_has_active_response", text, event_id)
            return
        response = Response(self, asked.get("metadata"))
        self.response = asyncio.create_task(response.run(), name="simulated_response")

    async def _cancel(self, reason: str) -> None:
        if self.response is not None:
            self.response.cancel(reason)
            await asyncio.gather(self.response, return_exceptions=True)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def before_sound(self) -> None:
        """What passes before the first sound of an answer."""
        await asyncio.sleep(SLOW_S if self.server.fault == "slow" else self.server.delay_s)
