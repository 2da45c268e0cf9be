"""The recogniser's events on their way to the session: words wait until somebody lets them through."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit.agents import stt, utils

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

_WORDS = (
    stt.SpeechEventType.INTERIM_TRANSCRIPT,
    stt.SpeechEventType.PREFLIGHT_TRANSCRIPT,
    stt.SpeechEventType.FINAL_TRANSCRIPT,
)


class WordGate:
    """One call's.

    Args:
        heard: told of each event with words in it, and whether they are final; see ``pass_on``.
    """

    def __init__(self, heard: Callable[[stt.SpeechEvent, str, bool], None]) -> None:
        self._heard = heard
        self._out: utils.aio.Chan[stt.SpeechEvent] | None = None

    def pass_on(self, event: stt.SpeechEvent) -> None:
        """Let words through; harmless once the session hears no more."""
        if self._out is not None and not self._out.closed:
            self._out.send_nowait(event)

    async def sort(self, events: AsyncIterable[stt.SpeechEvent]) -> AsyncGenerator[stt.SpeechEvent, None]:
        """What the recogniser tells, as far as it is for the session, and when."""
        out = self._out = utils.aio.Chan[stt.SpeechEvent]()

        async def sort() -> None:
            try:
                async for event in events:
                    text = event.alternatives[0].text if event.alternatives else ""
                    if event.type in _WORDS and text.strip():
                        self._heard(event, text, event.type == stt.SpeechEventType.FINAL_TRANSCRIPT)
                    else:
                        out.send_nowait(event)
            finally:
                out.close()

        sorting = asyncio.create_task(sort(), name="sort_words")
        try:
            async for event in out:
                yield event
            await sorting
        finally:
            await utils.aio.cancel_and_wait(sorting)
