"""OpenAI's HTTP API, as livekit-plugins-openai asks: chat completions, transcriptions, speech, models.

Completions stream server-sent events word by word, tool calls included, and the usage when it is asked for.
What is answered is asked of a function, a script by default. Azure's paths are served as well.
"""

from __future__ import annotations

import asyncio
import hmac
import io
import itertools
import json
import time
import wave
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from aiohttp import web

from telephony.speech.simulators.cartesia import tone
from telephony.speech.simulators.deepgram import scripted as hearing
from telephony.speech.simulators.faults import SLOW_S, Fault, abort, before, nothing, send_sound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from telephony.speech.simulators.cartesia import Speak
    from telephony.speech.simulators.deepgram import Hear

    Think = Callable[[Sequence[Mapping[str, Any]]], Awaitable["Answer"]]
    """From the request's messages to the answer."""

SPEECH_RATE = 24_000
"""Samples per second of its speech, in Hz."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says, and the functions it calls: pairs of name and arguments."""

    text: str = ""
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()


def scripted(answers: Sequence[Answer]) -> Think:
    """Give the answers in turn, from the first again after the last."""
    endless = itertools.cycle(answers)

    async def think(_: Sequence[Mapping[str, Any]]) -> Answer:
        return next(endless)

    return think


@dataclass(slots=True)
class OpenAiSimulator:
    """One simulated OpenAI.

    ``think`` answers, ``hear`` transcribes and ``speak`` speaks; without ``api_key`` every key is good,
    without ``models`` every model; ``delay_s`` passes before the first word.
    ``requests`` are the bodies of all requests so far; ``fault`` is what it does wrong from now on.
    """

    think: Think = field(default_factory=lambda: scripted([Answer("Hello, how can I help?")]))
    api_key: str | None = None
    delay_s: float = 0.05
    models: tuple[str, ...] = ()
    hear: Hear = field(default_factory=lambda: hearing(["Hello."]))
    speak: Speak = tone
    requests: list[dict[str, Any]] = field(default_factory=list)
    fault: Fault | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def app(self) -> web.Application:
        """The server, to be run by ``serving.serve``; ``base_url`` is its root and ``/v1``."""
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._completions)
        app.router.add_post("/openai/deployments/{deployment}/chat/completions", self._completions)
        app.router.add_post("/v1/audio/transcriptions", self._transcriptions)
        app.router.add_post("/v1/audio/speech", self._speech)
        return app

    async def _models(self, request: web.Request) -> web.Response:
        self._check(request)
        about = {"object": "model", "created": 0, "owned_by": "trunkline"}
        data = [{"id": model, **about} for model in self.models]
        return web.json_response({"object": "list", "data": data})

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        asked = await request.json()
        self.requests.append(asked)
        deployment = request.match_info.get("deployment", "")
        if deployment:
            self._check_model(deployment)
        if not asked.get("model") or not isinstance(asked.get("messages"), list):
            raise _error(web.HTTPBadRequest, "model and messages are needed")
        self._check_model(deployment or asked["model"])
        await before(request, self.fault)
        answer = await self.think(asked["messages"])
        await asyncio.sleep(SLOW_S if self.fault == "slow" else self.delay_s)
        completion = _Completion(f"chatcmpl-{next(self._numbers)}", asked["model"], answer)
        if not asked.get("stream"):
            return web.json_response(completion.whole())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        for number, chunk in enumerate(completion.chunks(with_usage=with_usage)):
            if number == 1 and self.fault == "mute":
                await nothing()
            if number == 1 and self.fault == "malformed":
                await response.write(b'data: {"choices": "none", \n\n')
            if number == 3 and self.fault == "cut":
                await abort(response, request)
                return response
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _transcriptions(self, request: web.Request) -> web.Response:
        self._check(request)
        form = await request.post()
        file, model = form.get("file"), str(form.get("model") or "")
        if not isinstance(file, web.FileField) or not model:
            raise _error(web.HTTPBadRequest, "file and model are needed")
        with file.file:
            data = file.file.read()
        self._check_model(model)
        self.requests.append({key: value for key, value in form.items() if isinstance(value, str)})
        await before(request, self.fault)
        if self.fault == "malformed":
            return web.Response(text='{"text": ', content_type="application/json")
        samples, rate = _wav(data)
        await asyncio.sleep(SLOW_S if self.fault == "slow" else self.delay_s)
        text = await self.hear(samples, rate)
        whole = {"text": text, "language": str(form.get("language") or "en"), "duration": len(samples) / rate}
        verbose = form.get("response_format") == "verbose_json"
        if self.fault in ("mute", "cut"):
            return await self._half(request, json.dumps(whole).encode())
        return web.json_response(whole if verbose else {"text": text})

    async def _half(self, request: web.Request, body: bytes) -> web.Response:
        """An answer that begins, and then breaks off or never ends."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        if self.fault == "mute":
            await nothing()
        await abort(response, request)
        return web.Response()

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        asked = await request.json()
        self.requests.append(asked)
        if not asked.get("input") or asked.get("response_format") != "pcm":
            raise _error(web.HTTPBadRequest, "this simulator speaks pcm only, and needs input")
        self._check_model(asked.get("model") or "")
        await before(request, self.fault)
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        await response.prepare(request)
        await asyncio.sleep(SLOW_S if self.fault == "slow" else self.delay_s)
        if self.fault == "mute":
            await nothing()
        await send_sound(response, request, self.speak(asked["input"], SPEECH_RATE), self.fault)
        return response

    def _check_model(self, model: str) -> None:
        if self.models and model not in self.models:
            raise _error(web.HTTPNotFound, f"The model `{model}` does not exist.", "model_not_found")

    def _check(self, request: web.Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if request.path.startswith("/openai/"):
            scheme, key = "Bearer", request.headers.get("api-key", "")
        if scheme != "Bearer" or not key or (self.api_key and not hmac.compare_digest(key, self.api_key)):
            raise _error(web.HTTPUnauthorized, "Incorrect API key provided.")


@dataclass(frozen=True, slots=True)
class _Completion:
    id: str
    model: str
    answer: Answer

    @property
    def finish_reason(self) -> str:
        return "tool_calls" if self.answer.calls else "stop"

    def chunks(self, *, with_usage: bool) -> Iterator[dict[str, Any]]:
        yield self._chunk({"role": "assistant", "content": ""})
        for word in words_of(self.answer.text):
            yield self._chunk({"content": word})
        for call in self._calls():
            yield self._chunk({"tool_calls": [call]})
        yield self._chunk({}, self.finish_reason)
        if with_usage:
            yield self._envelope("chat.completion.chunk") | {"choices": [], "usage": self._usage()}

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.answer.text or None}
        if self.answer.calls:
            message["tool_calls"] = self._calls()
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        return self._envelope("chat.completion") | {"choices": [choice], "usage": self._usage()}

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self._envelope("chat.completion.chunk") | {"choices": [choice]}

    def _calls(self) -> list[dict[str, Any]]:
        return [
            {
                "index": index,
                "id": f"call_{self.id}_{index}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(dict(arguments))},
            }
            for index, (name, arguments) in enumerate(self.answer.calls)
        ]

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": int(time.time()), "model": self.model}

    def _usage(self) -> dict[str, int]:
        words = len(self.answer.text.split())
        return {"prompt_tokens": 10, "completion_tokens": words, "total_tokens": 10 + words}


def words_of(text: str) -> list[str]:
    """A text in pieces, each word with the space before it."""
    words = text.split(" ") if text else []
    return [word if index == 0 else f" {word}" for index, word in enumerate(words)]


def _wav(data: bytes) -> tuple[NDArray[np.int16], int]:
    with wave.open(io.BytesIO(data)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()


def _error(kind: type[web.HTTPError], message: str, code: str | None = None) -> web.HTTPError:
    body = {"error": {"message": message, "type": "invalid_request_error", "code": code}}
    return kind(text=json.dumps(body), content_type="application/json")
