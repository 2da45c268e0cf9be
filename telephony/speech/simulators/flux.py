"""Deepgram's Flux (``/v2/listen``, a WebSocket), as livekit-plugins-deepgram's ``STTv2`` speaks it.

Each turn of the caller's is told by ``TurnInfo``: ``StartOfTurn``, ``Update`` word by word,
``EagerEndOfTurn`` and ``TurnResumed`` where the client asked for them, and ``EndOfTurn``. Turns are found by
loudness. A recogniser that knows what will be said, such as a script, tells its words while they are spoken.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np

from telephony.logs import get_logger
from telephony.speech.simulators.endpointing import Endpointer, SpeechBegan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web
    from numpy.typing import NDArray

    from telephony.speech.simulators.deepgram import Hear

log = get_logger(__name__)

_EAGER_S = 0.16
_WORD_S = 0.3
_UPDATE_S = 0.2
_CONFIDENCE = 0.98


class FluxListening:
    """One connection.

    Args:
        hear: says what was said.
        query: the client's parameters.
        silence_s: silence that ends a turn, in s.
        foresees: whether ``hear`` needs no samples, so that words can be told while they are spoken.
    """

    def __init__(
        self,
        hear: Hear,
        socket: web.WebSocketResponse,
        query: Mapping[str, str],
        *,
        silence_s: float,
        foresees: bool,
    ) -> None:
        self._hear = hear
        self._socket = socket
        self._rate = int(query["sample_rate"])
        self._eager = "eager_eot_threshold" in query
        self._silence_s = max(silence_s, _EAGER_S + 0.02)
        self._foresees = foresees
        self._endpointer = Endpointer(self._rate, silence_s=_EAGER_S)
        self._samples = 0
        self._parts: list[NDArray[np.int16]] = []
        self._text = ""
        self._began_s: float | None = None
        self._quiet_s: float | None = None
        self._told_words = 0
        self._told_s = 0.0
        self._turn = 0
        self.delay_s = 0.0

    @property
    def heard_s(self) -> float:
        """Audio so far."""
        return self._samples / self._rate

    async def connected(self) -> None:
        """Greet, as Flux does."""
        await self._send({"type": "Connected", "request_id": "sim", "sequence_id": 0})

    async def take(self, samples: NDArray[np.int16]) -> None:
        """Listen to the next samples."""
        self._samples += len(samples)
        for found in self._endpointer.feed(samples):
            if isinstance(found, SpeechBegan):
                await self._begin()
            else:
                await self._pause(found.samples)
        if self._quiet_s is not None and self.heard_s - self._quiet_s >= self._silence_s - _EAGER_S:
            await self._end()
        elif self._began_s is not None and self._quiet_s is None:
            await self._update()

    async def obey(self, command: Mapping[str, Any]) -> bool:
        """Do what a control message says; False ends the connection."""
        kind = command.get("type")
        if kind == "CloseStream":
            if (rest := self._endpointer.finish()) is not None:
                self._parts.append(rest.samples)
            if self._began_s is not None:
                await self._end()
            return False
        if kind == "Configure":
            await self._send({"type": "ConfigureSuccess", "request_id": "sim"})
        else:
            log.warning("deepgram_message_unknown", kind=str(kind))
        return True

    async def _begin(self) -> None:
        if self._quiet_s is not None:
            self._quiet_s = None
            if self._eager:
                await self._info("TurnResumed", self._text.split())
            return
        self._began_s = self._told_s = self.heard_s
        self._told_words, self._text = 0, ""
        if self._foresees:
            self._text = await self._hear(np.zeros(0, np.int16), self._rate)
        await self._info("StartOfTurn", [])

    async def _update(self) -> None:
        assert self._began_s is not None, "asked only then"
        words = self._text.split()
        spoken = min(len(words), int((self.heard_s - self._began_s) / _WORD_S))
        if spoken > self._told_words and self.heard_s - self._told_s >= _UPDATE_S:
            self._told_words, self._told_s = spoken, self.heard_s
            await self._info("Update", words[:spoken])

    async def _pause(self, samples: NDArray[np.int16]) -> None:
        self._parts.append(samples)
        self._quiet_s = self.heard_s
        if not self._foresees:
            self._text = await self._hear(np.concatenate(self._parts), self._rate)
        if self._eager:
            await self._info("EagerEndOfTurn", self._text.split())

    async def _end(self) -> None:
        if not self._foresees and self._parts:
            self._text = await self._hear(np.concatenate(self._parts), self._rate)
        await asyncio.sleep(self.delay_s)
        await self._info("EndOfTurn", self._text.split())
        self._turn += 1
        self._parts.clear()
        self._began_s = self._quiet_s = None

    async def _info(self, event: str, words: list[str]) -> None:
        began_s = self._began_s or 0.0
        await self._send(
            {
                "type": "TurnInfo",
                "request_id": "sim",
                "event": event,
                "turn_index": self._turn,
                "audio_window_start": began_s,
                "audio_window_end": self.heard_s,
                "transcript": " ".join(words),
                "words": [{"word": word, "confidence": _CONFIDENCE} for word in words],
                "end_of_turn_confidence": 0.9 if event == "EndOfTurn" else 0.5,
            }
        )

    async def _send(self, message: dict[str, Any]) -> None:
        if not self._socket.closed:
            await self._socket.send_json(message)
