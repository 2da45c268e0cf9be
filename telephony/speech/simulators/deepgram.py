"""Deepgram's live recognition, as livekit-plugins-deepgram speaks it (``/v1/listen``, a WebSocket).

Utterances are found by loudness; what they say is asked of a function, a script by default. Sends
``SpeechStarted``, interim and final ``Results`` and ``Metadata``; understands ``KeepAlive``, ``Finalize``
and ``CloseStream``. Anything that Deepgram would refuse is refused.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from aiohttp import WSMsgType, web

from telephony.logs import get_logger
from telephony.speech.simulators.endpointing import Endpointer, SpeechBegan, Utterance
from telephony.speech.simulators.faults import SLOW_S, Fault, before, drop
from telephony.speech.simulators.flux import FluxListening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from numpy.typing import NDArray

    Hear = Callable[[NDArray[np.int16], int], Awaitable[str]]
    """From samples and their rate in Hz to what was said."""

log = get_logger(__name__)

_CONFIDENCE = 0.98
_CUT_S = 0.5


def scripted(lines: Sequence[str]) -> Hear:
    """Hear the lines in turn, from the first again after the last."""
    endless = itertools.cycle(lines)

    async def hear(_: NDArray[np.int16], __: int) -> str:
        return next(endless)

    return hear


@dataclass(slots=True)
class DeepgramSimulator:
    """One simulated Deepgram.

    ``hear`` says what was said; without ``api_key`` every key is good; ``silence_s`` ends an utterance,
    in s, unless the client asks for longer; ``models`` are those it has, any by default; ``foresees`` says
    that ``hear`` needs no samples, as a script does. ``queries`` are the parameters of every connection so
    far; ``fault`` is what it does wrong from now on, a ``cut`` in the middle of each utterance.
    """

    hear: Hear = field(default_factory=lambda: scripted(["Hello."]))
    api_key: str | None = None
    silence_s: float = 0.3
    models: tuple[str, ...] = ()
    foresees: bool = True
    queries: list[dict[str, str]] = field(default_factory=list)
    fault: Fault | None = None

    def app(self) -> web.Application:
        """The server, to be run by ``serving.serve``."""
        app = web.Application()
        app.router.add_get("/v1/listen", self._listen)
        app.router.add_get("/v2/listen", self._listen)
        return app

    async def _listen(self, request: web.Request) -> web.WebSocketResponse:
        query = dict(request.query)
        self.queries.append(query)
        self._check(request, query)
        await before(request, self.fault)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        call = await self._listener(socket, query, flux=request.path.startswith("/v2"))
        async for message in socket:
            if self.fault in ("mute", "hang"):
                continue
            if self.fault in ("refuse", "error", "limited") or (
                self.fault == "cut" and call.heard_s > _CUT_S
            ):
                drop(request)
                break
            if self.fault == "malformed":
                await socket.send_str('{"type": "Results", "channel": []')
            elif message.type is WSMsgType.BINARY:
                call.delay_s = SLOW_S if self.fault == "slow" else 0.0
                await call.take(np.frombuffer(message.data, "<i2"))
            elif message.type is WSMsgType.TEXT and not await call.obey(json.loads(message.data)):
                break
        return socket

    async def _listener(
        self, socket: web.WebSocketResponse, query: dict[str, str], *, flux: bool
    ) -> _Listening | FluxListening:
        if flux:
            turns = FluxListening(self.hear, socket, query, silence_s=self.silence_s, foresees=self.foresees)
            await turns.connected()
            return turns
        rate, silence_s = int(query["sample_rate"]), _milliseconds(query.get("endpointing", "10")) / 1000
        endpointer = Endpointer(rate, silence_s=max(self.silence_s, silence_s))
        return _Listening(self.hear, rate, endpointer, socket, query)

    def _check(self, request: web.Request, query: dict[str, str]) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Token" or not key or (self.api_key and not hmac.compare_digest(key, self.api_key)):
            raise web.HTTPUnauthorized(
                text='{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials."}',
                content_type="application/json",
            )
        if query.get("encoding") != "linear16" or not query.get("sample_rate", "").isdigit():
            raise _bad_request("linear16 and a sample_rate are needed.")
        model = query.get("model", "")
        if not _is_here(model, request.path) or (self.models and model not in self.models):
            raise _bad_request(f"No such model {model}.")


def _bad_request(message: str) -> web.HTTPBadRequest:
    text = json.dumps({"err_code": "Bad Request", "err_msg": message})
    return web.HTTPBadRequest(text=text, content_type="application/json")


def _is_here(model: str, path: str) -> bool:
    """Whether a model is served by this version of the API."""
    return model.startswith("flux") == path.startswith("/v2")


class _Listening:
    """One connection."""

    def __init__(
        self,
        hear: Hear,
        rate: int,
        endpointer: Endpointer,
        socket: web.WebSocketResponse,
        query: dict[str, str],
    ) -> None:
        self._hear = hear
        self._rate = rate
        self._endpointer = endpointer
        self._socket = socket
        self._query = query
        self._heard_samples = 0
        self.delay_s = 0.0

    @property
    def heard_s(self) -> float:
        """Audio so far."""
        return self._heard_samples / self._rate

    async def take(self, samples: NDArray[np.int16]) -> None:
        """Listen to the next samples."""
        self._heard_samples += len(samples)
        for found in self._endpointer.feed(samples):
            if isinstance(found, SpeechBegan):
                await self._say({"type": "SpeechStarted", "channel": [0], "timestamp": found.at_s})
            else:
                await self._recognise(found)

    async def obey(self, command: dict[str, Any]) -> bool:
        """Do what a control message says; False ends the connection."""
        kind = command.get("type")
        if kind in {"Finalize", "CloseStream"} and (utterance := self._endpointer.finish()) is not None:
            await self._recognise(utterance)
        if kind == "CloseStream":
            duration_s = self._heard_samples / self._rate
            await self._say({"type": "Metadata", "duration": duration_s, "channels": 1, "request_id": "sim"})
            return False
        if kind not in {"KeepAlive", "Finalize"}:
            log.warning("deepgram_message_unknown", kind=str(kind))
        return True

    async def _recognise(self, utterance: Utterance) -> None:
        text = await self._hear(utterance.samples, self._rate)
        await asyncio.sleep(self.delay_s)
        if self._query.get("interim_results") == "true":
            half = " ".join(text.split()[: math.ceil(len(text.split()) / 2)])
            await self._say(self._results(half, utterance, final=False))
        await self._say(self._results(text, utterance, final=True))

    def _results(self, text: str, utterance: Utterance, *, final: bool) -> dict[str, Any]:
        words = text.split()
        duration_s = len(utterance.samples) / self._rate
        each = duration_s / max(1, len(words))
        return {
            "type": "Results",
            "channel_index": [0, 1],
            "start": utterance.start_s,
            "duration": duration_s,
            "is_final": final,
            "speech_final": final,
            "metadata": {"request_id": "sim"},
            "channel": {
                "alternatives": [
                    {
                        "transcript": text,
                        "confidence": _CONFIDENCE if words else 0.0,
                        "words": [
                            {
                                "word": word.strip(".,?!").lower(),
                                "punctuated_word": word,
                                "start": utterance.start_s + index * each,
                                "end": utterance.start_s + (index + 1) * each,
                                "confidence": _CONFIDENCE,
                            }
                            for index, word in enumerate(words)
                        ],
                    }
                ]
            },
        }

    async def _say(self, message: dict[str, Any]) -> None:
        if not self._socket.closed:
            await self._socket.send_json(message)


def _milliseconds(text: str) -> int:
    return int(text) if text.isdigit() else 0
