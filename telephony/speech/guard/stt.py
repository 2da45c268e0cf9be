"""A recogniser that understands in time: a deadline from the end of the caller's speech to its text.

Nobody but the caller knows whether a sound held words, so a recogniser that says nothing in time is doubted,
not replaced: another one is given the same audio, and only where that one finds words in it does it take
over. One that fails outright is replaced at once, and the next one hears what was not understood yet. A
recogniser that rests is tried beside the one that serves before it serves again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, stt, utils

from telephony.logs import get_logger
from telephony.speech.guard.rota import reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from livekit.agents import NotGivenOr

    from telephony.speech.guard.rota import Rota
    from telephony.speech.settings import DeadlineSettings

log = get_logger(__name__)

_Events = Literal["metrics_collected", "error"]

WORTH_S = 0.8
"""Shorter speech may well hold no word."""
JUST_S = 0.7
"""A text that came so shortly before the detector noticed the silence was the text of that speech."""
APART_S = 2.0
"""Sounds so far apart are not one speech."""
PREROLL_S = 1.0
"""Kept of a quiet line: the beginning of a word before it is recognised as speech."""
MOST_S = 20.0
"""Kept of speech that nobody has understood."""
_PAUSES_S = (0.0, 0.3, 1.0, 2.0, 5.0)
_CONNECT_S = 5.0


class GuardedStt(stt.STT[_Events]):
    """Several recognisers as one.

    Args:
        rota: who is asked; all of them stream.
        deadlines: how long each may take.
    """

    def __init__(self, rota: Rota[stt.STT[Any]], deadlines: DeadlineSettings) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True,
                interim_results=all(each.capabilities.interim_results for each in rota.providers),
            )
        )
        self.rota = rota
        self.deadlines = deadlines
        self._listening: GuardedRecognition | None = None
        for recogniser in rota.providers:
            recogniser.on("metrics_collected", self._measured)

    @property
    def model(self) -> str:
        return self.rota.serving.model

    @property
    def provider(self) -> str:
        return self.rota.serving.provider

    def speech_began(self) -> None:
        """The caller was heard to speak."""
        if self._listening is not None:
            self._listening.speech_began()

    def speech_ended(self) -> None:
        """The caller was heard to stop: from now on the text is waited for."""
        if self._listening is not None:
            self._listening.speech_ended()

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        return await self.rota.first.recognize(buffer, language=language, conn_options=conn_options)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> GuardedRecognition:
        """Listen to one call."""
        self._listening = GuardedRecognition(self, language)
        return self._listening

    async def aclose(self) -> None:
        for recogniser in self.rota.providers:
            recogniser.off("metrics_collected", self._measured)
        await asyncio.gather(*(each.aclose() for each in self.rota.providers), return_exceptions=True)

    def _measured(self, *measured: Any) -> None:
        self.emit("metrics_collected", *measured)


@dataclass(eq=False, slots=True)
class _Leg:
    """One recogniser that hears the call."""

    recogniser: stt.STT[Any]
    stream: stt.RecognizeStream
    task: asyncio.Task[None] | None = None
    understood: bool = False


class GuardedRecognition(stt.RecognizeStream):
    """One call being listened to."""

    def __init__(self, guarded: GuardedStt, language: NotGivenOr[str]) -> None:
        self._guarded = guarded
        self._rota = guarded.rota
        self._language = language
        self._unheard: deque[rtc.AudioFrame] = deque()
        self._unheard_s = 0.0
        self._main: _Leg | None = None
        self._second: _Leg | None = None
        self._speaking = False
        self._began_at = 0.0
        self._spoken_s = 0.0
        self._silent_since = float("-inf")
        self._understood_at = float("-inf")
        self._awaiting = False
        self._overdue: asyncio.TimerHandle | None = None
        self._failures = 0
        self._happened: asyncio.Queue[tuple[_Leg, stt.SpeechEvent | BaseException | None]] = asyncio.Queue()
        super().__init__(stt=guarded, conn_options=APIConnectOptions(max_retry=0))

    # The caller

    def speech_began(self) -> None:
        """See ``GuardedStt``."""
        if not self._speaking:
            now = asyncio.get_running_loop().time()
            if now - self._silent_since > APART_S:
                self._spoken_s = 0.0
            self._speaking, self._awaiting = True, True
            self._began_at = now
        self._stop_waiting()

    def speech_ended(self) -> None:
        """See ``GuardedStt``."""
        loop = asyncio.get_running_loop()
        if self._speaking:
            self._spoken_s += loop.time() - self._began_at
            self._silent_since = loop.time()
        self._speaking = False
        self._stop_waiting()
        if loop.time() - self._understood_at < JUST_S:
            # The recogniser was quicker than the detector: those were the words.
            self._awaiting = False
        if not self._awaiting:
            return
        if self._spoken_s < WORTH_S:
            return
        self._overdue = loop.call_later(self._guarded.deadlines.stt_final_ms / 1000, self._doubt)

    # Work

    async def _run(self) -> None:
        self._main = self._open(self._rota.order()[0])
        hearing = asyncio.create_task(self._hear(), name="hear_caller")
        telling = asyncio.create_task(self._tell(), name="tell_words")
        try:
            await hearing
            if self._main is not None and self._main.task is not None:
                await asyncio.wait({self._main.task}, timeout=1.0)
        finally:
            await utils.aio.cancel_and_wait(hearing, telling)
            self._stop_waiting()
            await asyncio.gather(self._close(self._main), self._close(self._second), return_exceptions=True)

    async def _hear(self) -> None:
        async for item in self._input_ch:
            if isinstance(item, rtc.AudioFrame):
                self._keep(item)
            for leg in (self._main, self._second):
                if leg is not None:
                    _push(leg.stream, item)
        for leg in (self._main, self._second):
            if leg is not None:
                try:
                    leg.stream.end_input()
                except RuntimeError as error:
                    log.debug("recogniser_closed_already", reason=str(error))

    def _keep(self, frame: rtc.AudioFrame) -> None:
        self._unheard.append(frame)
        self._unheard_s += frame.duration
        most_s = MOST_S if self._awaiting else PREROLL_S
        while self._unheard_s > most_s:
            self._unheard_s -= self._unheard.popleft().duration

    async def _tell(self) -> None:
        while True:
            leg, told = await self._happened.get()
            if leg is self._main:
                await self._main_told(leg, told)
            elif leg is self._second:
                await self._second_told(leg, told)

    async def _main_told(self, leg: _Leg, told: stt.SpeechEvent | BaseException | None) -> None:
        if isinstance(told, stt.SpeechEvent):
            self._event_ch.send_nowait(told)
            if _has_words(told):
                self._failures = 0
                leg.understood = True
                self._rota.good(leg.recogniser)
                await self._understood()
            return
        reason = "it hung up" if told is None else reason_of(told)
        self._rota.bad(leg.recogniser, "failed", reason)
        await self._close(leg)
        if self._second is not None:
            self._main, self._second = self._second, None
            return
        self._main = None
        # A pause, so that one that refuses at once is not asked a hundred times a second.
        await asyncio.sleep(_PAUSES_S[min(self._failures, len(_PAUSES_S) - 1)])
        self._failures += 1
        self._main = self._open(self._rota.after(leg.recogniser))

    async def _second_told(self, leg: _Leg, told: stt.SpeechEvent | BaseException | None) -> None:
        if not isinstance(told, stt.SpeechEvent):
            self._rota.bad(leg.recogniser, "failed", "it hung up" if told is None else reason_of(told))
            self._second = None
            await self._close(leg)
            return
        if not _has_words(told):
            return
        leg.understood = True
        if self._awaiting:
            # It found words where the other one found none.
            before, self._main, self._second = self._main, leg, None
            if before is not None and before.recogniser is not leg.recogniser:
                self._rota.bad(before.recogniser, "late", "no text in time")
            await self._close(before)
            await self._main_told(leg, told)
        elif leg.recogniser is self._rota.first:
            await self._return(leg)

    async def _understood(self) -> None:
        """The caller's words are told: what was kept for others is needed no more."""
        self._stop_waiting()
        self._awaiting = self._speaking
        self._spoken_s = 0.0
        self._began_at = asyncio.get_running_loop().time()
        self._understood_at = asyncio.get_running_loop().time()
        self._unheard.clear()
        self._unheard_s = 0.0
        trial, first = self._second, self._rota.first
        if trial is not None and trial.understood:
            await self._return(trial)
        elif trial is not None:
            self._second = None
            self._rota.bad(trial.recogniser, "late", "it understood nothing of what another one did")
            await self._close(trial)
        elif self._main is not None and self._main.recogniser is not first and not self._rota.rests(first):
            self._second = self._open(first)

    async def _return(self, leg: _Leg) -> None:
        before, self._main, self._second = self._main, leg, None
        self._rota.good(leg.recogniser)
        await self._close(before)

    def _doubt(self) -> None:
        """The text is overdue: let another one hear the same."""
        if not self._awaiting or self._main is None:
            return
        self._rota.report("late", self._main.recogniser, "no text in time")
        if self._second is None:
            self._second = self._open(self._rota.after(self._main.recogniser))

    def _stop_waiting(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    # Legs

    def _open(self, recogniser: stt.STT[Any]) -> _Leg:
        options = APIConnectOptions(max_retry=0, timeout=_CONNECT_S)
        leg = _Leg(recogniser, recogniser.stream(language=self._language, conn_options=options))
        for frame in self._unheard:
            _push(leg.stream, frame)
        leg.task = asyncio.create_task(self._follow(leg), name="follow_recogniser")
        return leg

    async def _follow(self, leg: _Leg) -> None:
        try:
            async for event in leg.stream:
                self._happened.put_nowait((leg, event))
        except Exception as error:
            self._happened.put_nowait((leg, error))
        else:
            self._happened.put_nowait((leg, None))

    async def _close(self, leg: _Leg | None) -> None:
        if leg is None:
            return
        if leg.task is not None:
            await utils.aio.cancel_and_wait(leg.task)
        try:
            await leg.stream.aclose()
        except Exception as error:
            log.debug("recogniser_not_closed", reason=reason_of(error))

    async def _metrics_monitor_task(self, event_aiter: AsyncIterable[stt.SpeechEvent]) -> None:
        """Whoever listens is measured by itself."""
        async for _ in event_aiter:
            pass


def _push(stream: stt.RecognizeStream, item: rtc.AudioFrame | stt.RecognizeStream._FlushSentinel) -> None:
    try:
        if isinstance(item, rtc.AudioFrame):
            stream.push_frame(item)
        else:
            stream.flush()
    except RuntimeError:
        # It has failed, which it tells by itself.
        return


def _has_words(event: stt.SpeechEvent) -> bool:
    if event.type != stt.SpeechEventType.FINAL_TRANSCRIPT or not event.alternatives:
        return False
    return bool(event.alternatives[0].text.strip())
