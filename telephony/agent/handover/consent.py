"""What an operator says to a caller who is announced: by key or by voice.

A key counts at any moment; words count only once the question has been asked, since the operator's first
"Yes?" is no answer to it. Voicemail and machines say neither, and so take no caller.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

from livekit import rtc
from livekit.agents import stt

from telephony.assistants.slots.answer import parse_answer
from telephony.assistants.wording import words_of
from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.agent.handover.operator_leg import OperatorLeg
    from telephony.assistants.schema import Operator

log = get_logger(__name__)

Consent = Literal["accepted", "declined"]

_RATE = 16_000
_FRAME_MS = 20


class Ears:
    """Listens to one operator.

    Args:
        leg: the operator's telephone.
        recogniser: for words, a stream of its own; None where only keys count.
        wanted: which keys mean what.
    """

    def __init__(self, leg: OperatorLeg, recogniser: stt.STT[Any] | None, wanted: Operator) -> None:
        self._leg = leg
        self._recogniser = recogniser
        self._wanted = wanted
        self._asked = False
        self._answer: asyncio.Future[Consent] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []
        leg.on_key = self._key

    def listen(self) -> None:
        """Begin; words are waited for as soon as the operator's track is there."""
        if self._recogniser is not None:
            self._tasks.append(asyncio.create_task(self._hear(self._recogniser), name="hear_operator"))

    @property
    def answered(self) -> asyncio.Future[Consent]:
        """The answer, once there is one."""
        return self._answer

    def asked(self) -> None:
        """The question has been asked: from now on words count."""
        self._asked = True

    async def close(self) -> None:
        """Listen no more."""
        self._leg.on_key = None
        self._answer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def words(self, text: str) -> None:
        """The operator said something."""
        answer = parse_answer(words_of(text)) if self._asked else None
        if answer is not None:
            self._settle("accepted" if answer == "yes" else "declined")

    def _key(self, digit: str) -> None:
        if digit == self._wanted.accept_key:
            self._settle("accepted")
        elif digit == self._wanted.decline_key:
            self._settle("declined")

    def _settle(self, answer: Consent) -> None:
        if not self._answer.done():
            log.info("operator_answered", answer=answer)
            self._answer.set_result(answer)

    async def _hear(self, recogniser: stt.STT[Any]) -> None:
        try:
            audio = rtc.AudioStream(
                await self._leg.track(), sample_rate=_RATE, num_channels=1, frame_size_ms=_FRAME_MS
            )
            async with recogniser.stream() as stream:
                feeding = asyncio.create_task(_feed(audio, stream), name="feed_operator")
                try:
                    async for event in stream:
                        if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT and event.alternatives:
                            self.words(event.alternatives[0].text)
                finally:
                    feeding.cancel()
                    await asyncio.gather(feeding, return_exceptions=True)
                    await audio.aclose()
        except Exception as error:
            # Keys are there still.
            log.warning("operator_not_heard", reason=str(error) or type(error).__name__)


async def _feed(audio: rtc.AudioStream, stream: stt.RecognizeStream) -> None:
    async for event in audio:
        stream.push_frame(event.frame)
