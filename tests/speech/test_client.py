"""The engine's client when the other end is missing, strange, or goes away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.errors import SpeechError
from telephony.speech import framing
from telephony.speech.client import SpeechClient
from telephony.speech.engine_link import EngineLink
from telephony.speech.messages import Hello
from tests.speech.fakes import FakeEngine, fake_engine
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

pytestmark = pytest.mark.component

SPEECH = np.full(800, 1000, np.int16)
GREETING = framing.pack(Hello(recogniser="r", voice="v").encode())


async def impostor(path: Path, *, says: bytes, then_hang_up_after: int | None = None) -> asyncio.Server:
    """A server that says something, reads so many bytes, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(says)
            if then_hang_up_after is None:
                await reader.read()
            elif then_hang_up_after:
                await reader.readexactly(then_hang_up_after)
        finally:
            writer.close()

    return await asyncio.start_unix_server(serve, str(path))


async def stop(server: asyncio.Server) -> None:
    """Stop listening."""
    server.close()
    await server.wait_closed()


async def test_no_engine_is_one_sentence(short_path: Path) -> None:
    """A missing socket names the path and what to start, and may be tried again."""
    with pytest.raises(SpeechError, match=r"No speech engine answers on .*none\.sock\. Start it") as caught:
        await SpeechClient.connect(short_path / "none.sock")
    assert caught.value.retryable


@pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
async def test_another_servers_greeting_is_not_believed(short_path: Path, says: bytes) -> None:
    """Whatever else listens there is not taken for an engine."""
    server = await impostor(short_path / "s", says=says, then_hang_up_after=0)
    with pytest.raises(SpeechError, match=r"not a frame|No speech engine"):
        await SpeechClient.connect(short_path / "s")
    await stop(server)


async def test_a_silent_server_is_not_waited_for(short_path: Path) -> None:
    """Connecting has a deadline."""
    server = await impostor(short_path / "s", says=b"")
    with pytest.raises(SpeechError, match="No speech engine answers"):
        await SpeechClient.connect(short_path / "s", timeout_s=0.05)
    await stop(server)


async def test_an_engine_of_another_version_is_named(short_path: Path) -> None:
    """Versions that do not match are told apart from noise."""
    server = await impostor(short_path / "s", says=b"TLSE\x09\0\0\0" + GREETING[8:], then_hang_up_after=0)
    with pytest.raises(SpeechError, match="version 9"):
        await SpeechClient.connect(short_path / "s")
    await stop(server)


async def test_an_engine_that_dies_fails_its_requests(short_path: Path) -> None:
    """What was awaited fails with a retryable error, and so does what is asked later."""
    server = await impostor(short_path / "s", says=GREETING, then_hang_up_after=20)
    client = await SpeechClient.connect(short_path / "s")
    with pytest.raises(SpeechError, match="hung up") as caught:
        await client.transcribe(SPEECH, 8000)
    assert caught.value.retryable
    assert client.closed
    with pytest.raises(SpeechError):
        await client.transcribe(SPEECH, 8000)
    await client.close()
    await stop(server)


async def test_an_engine_that_talks_nonsense_is_dropped(short_path: Path) -> None:
    """A reply that cannot be read ends the connection and says why."""
    server = await impostor(short_path / "s", says=GREETING + framing.pack(b'{"type":"song","id":1}'))
    client = await SpeechClient.connect(short_path / "s")
    with pytest.raises(SpeechError, match=r"Not a speech reply|hung up"):
        await client.transcribe(SPEECH, 8000)
    await client.close()
    await stop(server)


async def test_closing_a_client_fails_what_it_awaited(engine: FakeEngine) -> None:
    """Nobody is left waiting on a closed client."""
    engine.recogniser.gate.clear()
    client = await SpeechClient.connect(engine.path)
    task = asyncio.create_task(client.transcribe(SPEECH, 8000))
    await asyncio.sleep(0.02)
    await client.close()
    with pytest.raises(SpeechError, match="closed"):
        await task


async def test_a_long_hint_is_cut_at_its_front(engine: FakeEngine) -> None:
    """The end of a hint is what counts, so that is what is kept."""
    async with await SpeechClient.connect(engine.path) as client:
        transcript = await client.transcribe(SPEECH, 8000, hint="x" * 600 + " Monday")
    assert transcript.text.endswith("x Monday")
    assert len(transcript.text) < 530


async def test_a_link_connects_once_and_again_after_a_restart(short_path: Path) -> None:
    """Who asks shares one connection; after the engine came back there is a new one."""
    path = short_path / "speech.sock"
    link = EngineLink(path)
    with pytest.raises(SpeechError, match="No speech engine"):
        await link.client()
    async with fake_engine(path):
        first, second = await asyncio.gather(link.client(), link.client())
        assert first is second
    async with fake_engine(path):
        async with limit(5):
            while not first.closed:
                await asyncio.sleep(0.005)
        again = await link.client()
        assert again is not first
        assert (await again.transcribe(SPEECH, 8000)).text
        await link.close()
    with pytest.raises(SpeechError, match="was closed"):
        await link.client()
