"""Talk to the speech engine: recognise and speak over its Unix socket, many requests at once.

Knows nothing of LiveKit and loads no model. A request that is given up (its task cancelled, its
iterator closed) is cancelled in the engine as well. When the connection ends, every request on it fails
with a retryable ``SpeechError`` and the client stays closed: connect anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from telephony.errors import SpeechError
from telephony.logs import get_logger
from telephony.speech import framing
from telephony.speech.messages import (
    MAX_HINT,
    AudioReply,
    Cancel,
    Done,
    Failure,
    Hello,
    Synthesize,
    Transcribe,
    TranscriptReply,
    parse_reply,
)

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator
    from types import TracebackType

    from numpy.typing import NDArray

    from telephony.speech.messages import Reply, Request

log = get_logger(__name__)

CONNECT_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was recognised.

    ``text`` is empty when nobody spoke; ``confidence`` and ``no_speech_prob`` are 0 to 1; ``duration_ms``
    is the length of the audio, ``processing_ms`` what the recogniser took without waiting for its turn.
    """

    text: str
    confidence: float
    no_speech_prob: float
    duration_ms: float
    processing_ms: float = 0.0


_Answer = tuple["Reply", "NDArray[np.int16]"]


class SpeechClient:
    """One connection to the engine; made by ``connect``, usable with ``async with``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: Hello) -> None:
        self._reader = reader
        self._writer = writer
        self.recogniser = hello.recogniser
        """The model that recognises."""
        self.voice = hello.voice
        """The voice that speaks."""
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[_Answer | SpeechError]] = {}
        self._sending = asyncio.Lock()
        self._ended: SpeechError | None = None
        self._task = asyncio.create_task(self._read(), name="speech-client")

    @classmethod
    async def connect(
        cls, socket_path: str | os.PathLike[str], *, timeout_s: float = CONNECT_TIMEOUT_S
    ) -> SpeechClient:
        """Connect to the engine that listens on ``socket_path``.

        Raises:
            SpeechError: nobody answers there in time, or it is not an engine of this version; the first
                is retryable.
        """
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_unix_connection(str(socket_path))
                reply, _ = await _receive(reader)
            if not isinstance(reply, Hello):
                raise SpeechError(
                    reply.message if isinstance(reply, Failure) else "The speech engine did not greet.",
                    retryable=True,
                )
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            _drop(writer)
            raise SpeechError(
                f"No speech engine answers on {socket_path}.",
                fix="Start it: python -m telephony.speech.engine --socket PATH.",
                retryable=True,
            ) from error
        except BaseException:
            _drop(writer)
            raise
        return cls(reader, writer, reply)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, from whichever side."""
        return self._ended is not None

    async def transcribe(
        self, samples: NDArray[np.int16], rate: int, *, hint: str = "", language: str = "en"
    ) -> Transcript:
        """Recognise one utterance.

        Args:
            samples: shape (n,), int16, mono, at most 75 s.
            rate: their rate in Hz, 8000 to 48,000.
            hint: what is likely to be heard, in the words it may be said in; its end counts.
            language: ISO 639-1 code.

        Raises:
            SpeechError: the engine refused, broke or went away.
        """
        number = next(self._ids)
        request = Transcribe(id=number, rate=rate, hint=hint[-MAX_HINT:], language=language)
        async with self._request(request, np.ascontiguousarray(samples, np.int16)) as answers:
            reply, _ = await _next(answers)
        if not isinstance(reply, TranscriptReply):
            raise SpeechError(f"The speech engine answered a transcription with {reply.type}.")
        return Transcript(
            reply.text, reply.confidence, reply.no_speech_prob, reply.duration_ms, reply.processing_ms
        )

    async def synthesize(
        self, text: str, *, rate: int = 8000, speed: float = 1.0, seed: int = 0, language: str = ""
    ) -> AsyncIterator[NDArray[np.int16]]:
        """Speak a text; yields it sentence by sentence, each as soon as it is ready.

        Args:
            text: at most 5000 characters, English or Russian.
            rate: samples per second wanted in Hz, 8000 to 48,000.
            speed: pace, 0.5 to 2, 1 is the voice's own.
            seed: the same seed and text give the same samples.
            language: ISO 639-1 code; empty to tell from the text's letters.

        Yields:
            Shape (n,), int16, mono, n > 0; nothing at all for a text that cannot be said, such as "…".

        Raises:
            SpeechError: the engine refused, broke or went away.
        """
        request = Synthesize(
            id=next(self._ids), text=text, rate=rate, speed=speed, seed=seed, language=language
        )
        async with self._request(request, framing.NO_SAMPLES) as answers:
            while True:
                reply, samples = await _next(answers)
                if isinstance(reply, Done):
                    return
                if not isinstance(reply, AudioReply):
                    raise SpeechError(f"The speech engine answered a synthesis with {reply.type}.")
                yield samples

    async def close(self) -> None:
        """Hang up; what is still awaited fails. Returns within about a second."""
        self._end(SpeechError("The speech client was closed."))
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):  # the engine may be gone already
            await asyncio.wait_for(self._writer.wait_closed(), 1.0)

    async def __aenter__(self) -> SpeechClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @contextlib.asynccontextmanager
    async def _request(
        self, request: Transcribe | Synthesize, samples: NDArray[np.int16]
    ) -> AsyncIterator[asyncio.Queue[_Answer | SpeechError]]:
        answers: asyncio.Queue[_Answer | SpeechError] = asyncio.Queue()
        self._waiting[request.id] = answers
        try:
            await self._send(request, samples)
            yield answers
        finally:
            # Still waiting means that the caller gave up; the engine is told without waiting for it.
            if self._waiting.pop(request.id, None) is not None and not self.closed:
                self._writer.write(framing.pack(Cancel(id=request.id).encode()))

    async def _send(self, request: Request, samples: NDArray[np.int16]) -> None:
        if self._ended is not None:
            raise SpeechError(self._ended.message, retryable=True)
        frame = framing.pack(request.encode(), samples)
        try:
            async with self._sending, asyncio.timeout(SEND_TIMEOUT_S):
                self._writer.write(frame)
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise SpeechError("The speech engine takes no request.", retryable=True) from error

    async def _read(self) -> None:
        reason = SpeechError("The speech engine hung up.", retryable=True)
        try:
            while True:
                reply, samples = await _receive(self._reader)
                if isinstance(reply, Hello):
                    continue
                if isinstance(reply, Failure) and not reply.id:
                    reason = SpeechError(reply.message, retryable=reply.retryable)
                    continue
                self._deliver(reply, samples)
        except (asyncio.IncompleteReadError, OSError):
            pass  # the engine hung up, perhaps after saying why
        except SpeechError as error:
            reason = error
        self._end(reason)
        self._writer.close()

    def _deliver(self, reply: Reply, samples: NDArray[np.int16]) -> None:
        assert not isinstance(reply, Hello)
        answers = self._waiting.get(reply.id)
        if answers is None:
            return  # it was given up a moment ago
        if not isinstance(reply, AudioReply):
            del self._waiting[reply.id]
        if isinstance(reply, Failure):
            answers.put_nowait(SpeechError(reply.message, retryable=reply.retryable))
        else:
            answers.put_nowait((reply, samples))

    def _end(self, reason: SpeechError) -> None:
        if self._ended is None:
            self._ended = reason
        for answers in self._waiting.values():
            answers.put_nowait(SpeechError(reason.message, retryable=True))
        self._waiting.clear()


async def _next(answers: asyncio.Queue[_Answer | SpeechError]) -> _Answer:
    answer = await answers.get()
    if isinstance(answer, SpeechError):
        raise answer
    return answer


async def _receive(reader: asyncio.StreamReader) -> _Answer:
    lengths = framing.read_prefix(await reader.readexactly(framing.PREFIX_BYTES))
    header = await reader.readexactly(lengths.header)
    payload = await reader.readexactly(lengths.payload)
    return parse_reply(header), framing.samples_of(payload)


def _drop(writer: asyncio.StreamWriter | None) -> None:
    if writer is not None:
        writer.close()
