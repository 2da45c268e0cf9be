"""The first words: kept from an earlier time, else synthesised while the room is still being connected to.

A caller who has heard the last ring must hear the greeting, not a pause in which a voice is still
thinking about it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.agents import utils

from telephony.agent.session import PROVIDER_LIMITS
from telephony.audio.frame import RATE
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from livekit.agents import AgentSession, tts
    from livekit.agents.voice import SpeechHandle

    from telephony.agent.talk import Talk

log = get_logger(__name__)

GO_ON = "The line was interrupted for a moment. Go on where you were, without greeting again."
"""What a language model is told that takes over a call."""
_PIECE_BYTES = 2 * RATE // 10


class PreparedSpeech:
    """A text whose audio is there, or fetched at once, and spoken later.

    Args:
        voice: who speaks.
        text: what.
        kept: its audio, PCM, 16 bit, 8 kHz, mono; None to ask the voice for it.
    """

    def __init__(self, voice: tts.TTS[Any], text: str, kept: bytes | None = None) -> None:
        self._voice = voice
        self.text = text
        self._frames = utils.aio.Chan[rtc.AudioFrame]()
        self._heard_any = False
        work = self._cut(kept) if kept else self._fetch()
        self._task = asyncio.create_task(work, name="prepared_speech")

    def say(self, session: AgentSession[Any]) -> SpeechHandle:
        """Speak it; if its audio could not be had, the session tries by itself."""
        if self._task.done() and not self._heard_any:
            return session.say(self.text)
        return session.say(self.text, audio=self._play())

    async def aclose(self) -> None:
        """Stop fetching; harmless once it has ended."""
        await utils.aio.cancel_and_wait(self._task)
        self._frames.close()

    async def _cut(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), _PIECE_BYTES):
            piece = pcm[at : at + _PIECE_BYTES]
            self._frames.send_nowait(rtc.AudioFrame(piece, RATE, 1, len(piece) // 2))
        self._heard_any = True
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


def greet(talk: Talk, greeting: PreparedSpeech, *, must_hear: bool) -> None:
    """Say the first words of a call.

    Args:
        must_hear: whether they are heard to their end, though the caller talks over them.
    """
    handle = greeting.say(talk.session)
    if must_hear:
        talk.turns.promise(handle, "disclosure")


def go_on(talk: Talk, *, scripted: bool) -> None:
    """Say the first words of a job that has taken a call over.

    Args:
        scripted: whether a flow leads the call.
    """
    if scripted:
        # Nothing new was said: the flow repeats its last words.
        talk.session.generate_reply()
    else:
        talk.session.generate_reply(instructions=GO_ON)
