"""Serve the offline models over a Unix socket: many clients, each model used by one thread in turn.

A client that sends nonsense is told so and loses its own connection, nobody else's. A request whose
client has gone, or that was cancelled, is not begun, and its next piece is not made. The socket is open
to its owner alone (mode 0600).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
from typing import TYPE_CHECKING

from telephony.errors import ConfigError, PortTakenError, SpeechError
from telephony.logs import get_logger
from telephony.speech import framing
from telephony.speech.by_language import spoken_in
from telephony.speech.fair_queue import ModelThread
from telephony.speech.messages import (
    MAX_AUDIO_S,
    AudioReply,
    Cancel,
    Done,
    Failure,
    Hello,
    Synthesize,
    Transcribe,
    TranscriptReply,
    parse_request,
    request_id_of,
)
from telephony.speech.sentences import speech_units

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from telephony.speech.messages import Reply, Request
    from telephony.speech.protocols import Recogniser, Voice
    from telephony.speech.recogniser import Recognised

log = get_logger(__name__)

MAX_CONNECTIONS = 256
MAX_REQUESTS_PER_CONNECTION = 8
FRAME_TIMEOUT_S = 10.0
"""How long the rest of a frame may take once its first byte is here, and a reply to be taken."""
MAX_SOCKET_PATH = 107
"""Longest path of a Unix socket on Linux, in bytes (unix(7))."""


class SpeechServer:
    """The engine's server; must be created and used in a running event loop."""

    def __init__(self, recogniser: Recogniser, voice: Voice) -> None:
        self._recogniser = recogniser
        self._voice = voice
        self._hearing = ModelThread("recogniser")
        self._speaking = ModelThread("voice")
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._path: Path | None = None

    async def start(self, path: Path) -> None:
        """Listen.

        Raises:
            PortTakenError: another engine answers on that path.
            ConfigError: no socket can be made there.
        """
        listener = await _listen(path)
        self._path = path
        self._server = await asyncio.start_unix_server(self._serve, sock=listener)

    async def close(self) -> None:
        """Refuse what waits, finish what runs within 3 s, and hang up on everybody."""
        if self._server is not None:
            self._server.close()
        await asyncio.gather(self._hearing.close(), self._speaking.close())
        await asyncio.gather(*(connection.close() for connection in list(self._connections)))
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, reader, writer)
        if len(self._connections) >= MAX_CONNECTIONS:
            await connection.refuse(f"The speech engine serves {MAX_CONNECTIONS} connections already.")
            return
        self._connections.add(connection)
        try:
            await connection.run(Hello(recogniser=self._recogniser.name, voice=self._voice.name))
        finally:
            self._connections.discard(connection)

    async def transcribe(
        self, owner: object, request: Transcribe, samples: NDArray[np.int16]
    ) -> TranscriptReply:
        """Recognise when the owner's turn comes."""
        if len(samples) > MAX_AUDIO_S * request.rate:
            raise SpeechError(
                f"An utterance of {len(samples) / request.rate:.0f} s is longer than {MAX_AUDIO_S:.0f} s."
            )
        given_up = False

        def recognise() -> Recognised:
            return self._recogniser.recognise(
                samples,
                request.rate,
                hint=request.hint,
                language=request.language,
                abandoned=lambda: given_up,
            )

        try:
            heard = await self._hearing.run(owner, recognise)
        except asyncio.CancelledError:
            given_up = True
            raise
        log.info(
            "transcribed",
            audio_ms=round(heard.duration_s * 1000),
            processing_ms=round(heard.processing_s * 1000),
            window_s=heard.window_s,
            characters=len(heard.text),
        )
        return TranscriptReply(
            id=request.id,
            text=heard.text,
            confidence=heard.confidence,
            no_speech_prob=heard.no_speech_prob,
            duration_ms=heard.duration_s * 1000,
            processing_ms=heard.processing_s * 1000,
        )

    async def speak(self, owner: object, request: Synthesize, unit: str) -> NDArray[np.int16]:
        """Synthesise one unit when the owner's turn comes."""
        work = functools.partial(
            self._voice.speak,
            unit,
            rate=request.rate,
            speed=request.speed,
            seed=request.seed,
            language=spoken_in(request.text, request.language),
        )
        return await self._speaking.run(owner, work)


class _Connection:
    """One client: its frames, and a task for each request of its that is being served."""

    def __init__(
        self, server: SpeechServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._sending = asyncio.Lock()
        self._requests: dict[int, asyncio.Task[None]] = {}

    async def run(self, hello: Hello) -> None:
        """Serve until the client hangs up or breaks the protocol."""
        try:
            await self._send(hello)
            while True:
                header, payload = await self._receive()
                await self._take(header, payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client hung up, which is how every connection ends
        except TimeoutError:
            log.warning("speech_client_stalled", timeout_s=FRAME_TIMEOUT_S)
        except SpeechError as error:
            log.warning("speech_client_refused", reason=error.message)
            await self._try_send(Failure(id=0, message=str(error)))
        finally:
            await self.close()

    async def refuse(self, reason: str) -> None:
        """Say why this client is not served, and hang up."""
        log.warning("speech_client_refused", reason=reason)
        await self._try_send(Failure(id=0, message=reason, retryable=True))
        await self.close()

    async def close(self) -> None:
        """Drop every request of this client and hang up."""
        requests = list(self._requests.values())
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):  # the other end may be gone already
            await asyncio.wait_for(self._writer.wait_closed(), 1.0)

    async def _receive(self) -> tuple[bytes, bytes]:
        first = await self._reader.readexactly(1)
        async with asyncio.timeout(FRAME_TIMEOUT_S):
            prefix = first + await self._reader.readexactly(framing.PREFIX_BYTES - 1)
            lengths = framing.read_prefix(prefix)
            header = await self._reader.readexactly(lengths.header)
            return header, await self._reader.readexactly(lengths.payload)

    async def _take(self, header: bytes, payload: bytes) -> None:
        try:
            request = parse_request(header)
            self._check_new(request)
        except SpeechError as error:
            number = request_id_of(header)
            if not number:
                raise
            await self._send(Failure(id=number, message=str(error), retryable=error.retryable))
            return
        match request:
            case Cancel():
                if task := self._requests.get(request.id):
                    task.cancel()
            case Transcribe():
                self._begin(request.id, self._transcribe(request, framing.samples_of(payload)))
            case Synthesize():
                self._begin(request.id, self._synthesize(request))

    def _check_new(self, request: Request) -> None:
        if isinstance(request, Cancel):
            return
        if request.id in self._requests:
            raise SpeechError(f"Request {request.id} is being served already.", field="id")
        if len(self._requests) >= MAX_REQUESTS_PER_CONNECTION:
            raise SpeechError(
                f"{MAX_REQUESTS_PER_CONNECTION} requests of this connection are being served.", retryable=True
            )

    def _begin(self, number: int, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._answer(number, work), name=f"speech-request-{number}")
        self._requests[number] = task
        task.add_done_callback(lambda _: self._requests.pop(number, None))

    async def _answer(self, number: int, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except SpeechError as error:
            await self._try_send(Failure(id=number, message=str(error), retryable=error.retryable))
        except (ConnectionError, TimeoutError):
            # Nobody takes the answers any more; the reader must notice too.
            self._writer.transport.abort()
        except Exception as error:  # a model's own exception must not take the engine down
            log.exception("speech_request_failed", request=number)
            message = f"The model failed: {type(error).__name__}."
            await self._try_send(Failure(id=number, message=message))

    async def _transcribe(self, request: Transcribe, samples: NDArray[np.int16]) -> None:
        await self._send(await self._server.transcribe(self, request, samples))

    async def _synthesize(self, request: Synthesize) -> None:
        for unit in speech_units(request.text):
            samples = await self._server.speak(self, request, unit)
            if len(samples):
                await self._send(AudioReply(id=request.id), samples)
        await self._send(Done(id=request.id))

    async def _send(self, reply: Reply, samples: NDArray[np.int16] = framing.NO_SAMPLES) -> None:
        frame = framing.pack(reply.encode(), samples)
        async with self._sending, asyncio.timeout(FRAME_TIMEOUT_S):
            self._writer.write(frame)
            await self._writer.drain()

    async def _try_send(self, reply: Reply) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):  # nobody is left to be told
            await self._send(reply)


async def _listen(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise ConfigError(
            f"The path of the speech socket is longer than {MAX_SOCKET_PATH} bytes: {path}.",
            fix="Choose a shorter data folder.",
        )
    if await _is_served(path):
        raise PortTakenError(
            f"Another speech engine answers on {path}.", fix="Stop it, or choose another --socket."
        )
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
    except OSError as error:
        listener.close()
        raise ConfigError(f"No speech socket can be made at {path}: {error.strerror}.") from error
    listener.setblocking(False)
    return listener


async def _is_served(path: Path) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_unix_connection(str(path)), 1.0)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
