"""The first words, synthesised while the room is still being connected to.

A caller who has heard the last ring must hear the greeting, not a pause in which a voice is still
thinking about it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.agents import utils

from telephony.agent.session import PROVIDER_LIMITS
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from livekit.agents import AgentSession, tts
    from livekit.agents.voice import SpeechHandle

log = get_logger(__name__)


class PreparedSpeech:
    """A text whose audio is fetched at once and spoken later.

    Args:
        voice: who speaks.
        text: what.
    """

    def __init__(self, voice: tts.TTS[Any], text: str) -> None:
        self._voice = voice
        self.text = text
        self._frames = utils.aio.Chan[rtc.AudioFrame]()
        self._heard_any = False
        self._task = asyncio.create_task(self._fetch(), name="prepared_speech")

    def say(self, session: AgentSession[Any]) -> SpeechHandle:
        """Speak it; if its audio could not be had, the session tries by itself."""
        if self._task.done() and not self._heard_any:
            return session.say(self.text)
        return session.say(self.text, audio=self._play())

    async def aclose(self) -> None:
        """Stop fetching; harmless once it has ended."""
        await utils.aio.cancel_and_wait(self._task)
        self._frames.close()

    async def _fetch(self) -> None:
        try:
            async with self._voice.synthesize(self.text, conn_options=PROVIDER_LIMITS) as stream:
                async for audio in stream:
                    self._heard_any = True
                    self._frames.send_nowait(audio.frame)
        except Exception as error:
            log.warning("greeting_not_prepared", reason=str(error) or type(error).__name__)
        finally:
            self._frames.close()

    async def _play(self) -> AsyncIterator[rtc.AudioFrame]:
        async for frame in self._frames:
            yield frame
            # The session measures the pace of each frame on the event loop; all of them in one go
            # would hold up the very audio they came with.
            await asyncio.sleep(0)
        if not self._heard_any:
            # It failed after the session had begun to wait for it: once more, and this time to the end.
            async with self._voice.synthesize(self.text, conn_options=PROVIDER_LIMITS) as stream:
                async for audio in stream:
                    yield audio.frame
