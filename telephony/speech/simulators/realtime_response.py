"""One answer of the simulated realtime API: its events, in the order in which OpenAI sends them."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

from telephony.speech.simulators.openai import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.speech.simulators.openai import Answer
    from telephony.speech.simulators.realtime import Connection

_CHUNK_S = 0.1
_FASTER = 5.0
_CUT_CHUNKS = 3
_RATE = 24_000


class Response:
    """One answer.

    Args:
        connection: to whom.
        metadata: what the client calls it by; None where the model answers by itself.
    """

    def __init__(self, connection: Connection, metadata: Mapping[str, Any] | None) -> None:
        self._connection = connection
        self._id = connection.number("resp")
        self._metadata = metadata
        self._about: dict[str, Any] = {}

    async def run(self) -> None:
        """Send it whole, or as far as it gets."""
        send = self._connection.send
        await send("response.created", response=self._told("in_progress"))
        if self._connection.server.fault == "limited":
            error = {"type": "tokens", "code": "rate_limit_exceeded"}
            details = {"type": "failed", "error": error}
            await send("response.done", response=self._told("failed", details))
            return
        try:
            await self._connection.before_sound()
            answer = await self._connection.server.think(self._conversation())
            if answer.text:
                await self._say(answer)
            for name, arguments in answer.calls:
                await self._call(name, json.dumps(dict(arguments)))
        except asyncio.CancelledError as cancelled:
            reason = str(cancelled.args[0]) if cancelled.args else "client_cancelled"
            details = {"type": "cancelled", "reason": reason}
            await send("response.done", response=self._told("cancelled", details))
            raise
        await send("response.done", response=self._told("completed"))

    def _told(self, status: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
        told: dict[str, Any] = {
            "id": self._id,
            "object": "realtime.response",
            "status": status,
            "status_details": details,
            "metadata": self._metadata,
            "output": [],
        }
        if status == "completed":
            told["usage"] = {"total_tokens": 60, "input_tokens": 40, "output_tokens": 20}
        return told

    def _conversation(self) -> list[dict[str, Any]]:
        """What was said so far, as chat messages; the session's instructions first."""
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": self._connection.session.get("instructions", "")}
        ]
        for item in self._connection.items:
            if item.get("type") == "function_call_output":
                messages.append({"role": "tool", "content": item.get("output", "")})
            elif item.get("type") == "message":
                texts = [part.get("text") or "" for part in item.get("content", ())]
                messages.append({"role": item["role"], "content": item.get("said") or " ".join(texts)})
        return messages

    async def _say(self, answer: Answer) -> None:
        send, item_id = self._connection.send, self._connection.number("item")
        item = {"id": item_id, "object": "realtime.item", "type": "message", "role": "assistant"}
        await send(
            "response.output_item.added",
            response_id=self._id,
            output_index=0,
            item={**item, "status": "in_progress", "content": []},
        )
        await self._connection.add_item({**item, "content": [], "said": answer.text})
        self._about = {
            "response_id": self._id,
            "item_id": item_id,
            "output_index": 0,
            "content_index": 0,
        }
        await send("response.content_part.added", part={"type": "audio", "transcript": ""}, **self._about)
        await self._sound(answer.text)
        await send("response.output_audio.done", **self._about)
        await send("response.output_audio_transcript.done", transcript=answer.text, **self._about)
        part = {"type": "output_audio", "transcript": answer.text}
        await send("response.content_part.done", part=part, **self._about)
        done = {**item, "status": "completed", "content": [part]}
        await send("response.output_item.done", response_id=self._id, output_index=0, item=done)

    async def _sound(self, text: str) -> None:
        send = self._connection.send
        words, chunks = words_of(text), 0
        async for piece in self._connection.server.speak(text, _RATE):
            step = round(_RATE * _CHUNK_S)
            for start in range(0, len(piece), step):
                for word in words[:2]:
                    await send("response.output_audio_transcript.delta", delta=word, **self._about)
                del words[:2]
                sound = base64.b64encode(piece[start : start + step].astype("<i2").tobytes()).decode()
                await send("response.output_audio.delta", delta=sound, **self._about)
                chunks += 1
                if chunks == _CUT_CHUNKS and self._connection.server.fault == "cut":
                    self._connection.break_off()
                    return
                await asyncio.sleep(_CHUNK_S / _FASTER)
        for word in words:
            await send("response.output_audio_transcript.delta", delta=word, **self._about)

    async def _call(self, name: str, arguments: str) -> None:
        send = self._connection.send
        item_id, call_id = self._connection.number("item"), self._connection.number("call")
        item = {"id": item_id, "object": "realtime.item", "type": "function_call"}
        item |= {"call_id": call_id, "name": name}
        begun = {**item, "status": "in_progress", "arguments": ""}
        await send("response.output_item.added", response_id=self._id, output_index=1, item=begun)
        await self._connection.add_item(begun)
        about = {"response_id": self._id, "item_id": item_id, "output_index": 1, "call_id": call_id}
        await send("response.function_call_arguments.delta", delta=arguments, **about)
        await send("response.function_call_arguments.done", arguments=arguments, **about)
        done = {**item, "status": "completed", "arguments": arguments}
        await send("response.output_item.done", response_id=self._id, output_index=1, item=done)
