"""The engine's server over a real socket, with models that count instead of think."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.errors import ConfigError, PortTakenError, SpeechError
from telephony.speech import framing
from telephony.speech.client import SpeechClient
from telephony.speech.messages import Failure, Hello, Synthesize, Transcribe, TranscriptReply, parse_reply
from telephony.speech.server import MAX_REQUESTS_PER_CONNECTION, SpeechServer
from tests.speech.fakes import CountingRecogniser, FakeEngine, ToneVoice
from tests.waiting import limit, until

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.speech.messages import Reply

pytestmark = pytest.mark.component

SPEECH = np.full(800, 1000, np.int16)


class RawClient:
    """A client that can say anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, path: Path) -> RawClient:
        client = cls(*await asyncio.open_unix_connection(str(path)))
        assert isinstance(await client.hear(), Hello)
        return client

    def say(self, frame: bytes) -> None:
        self._writer.write(frame)

    async def hear(self) -> Reply:
        async with limit(10):
            lengths = framing.read_prefix(await self._reader.readexactly(framing.PREFIX_BYTES))
            header = await self._reader.readexactly(lengths.header)
            await self._reader.readexactly(lengths.payload)
        return parse_reply(header)

    async def is_hung_up_on(self) -> bool:
        async with limit(10):
            return await self._reader.read() == b""

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def test_the_socket_is_its_owners_alone(engine: FakeEngine) -> None:
    """Nobody else on the machine may connect: mode 0600."""
    assert stat.S_IMODE(engine.path.stat().st_mode) == 0o600


async def test_an_utterance_is_recognised_with_its_hint(engine: FakeEngine) -> None:
    """Samples, rate and hint reach the recogniser as they were given."""
    async with await SpeechClient.connect(engine.path) as client:
        transcript = await client.transcribe(SPEECH, 8000, hint="Monday.")
        assert transcript.text == "800 at 8000 Monday."
        assert transcript.duration_ms == 100.0
        assert (client.recogniser, client.voice) == ("counting", "tone")


async def test_speech_comes_sentence_by_sentence(engine: FakeEngine) -> None:
    """The first sentence is out while the second is not yet begun."""
    async with await SpeechClient.connect(engine.path) as client:
        pieces = client.synthesize("Hello there. How are you?")
        first = await anext(pieces)
        rest = [piece async for piece in pieces]
    assert engine.voice.spoken == ["Hello there.", "How are you?"]
    assert [len(first), *map(len, rest)] == [12 * 80, 12 * 80]
    assert first.dtype == np.int16


async def test_what_cannot_be_said_gives_no_audio(engine: FakeEngine) -> None:
    """An empty text and a lone dash end at once, without an error."""
    async with await SpeechClient.connect(engine.path) as client:
        assert [piece async for piece in client.synthesize("")] == []
        assert [piece async for piece in client.synthesize("— …")] == []


async def test_many_clients_are_served_at_once(engine: FakeEngine) -> None:
    """Each gets its own answers, recognition and speech side by side."""

    async def one(number: int) -> None:
        async with await SpeechClient.connect(engine.path) as client:
            heard, spoken = await asyncio.gather(
                client.transcribe(SPEECH[:number], 8000), collect(client, "a" * number)
            )
        assert heard.text == f"{number} at 8000"
        assert spoken == number * 80

    await asyncio.gather(*(one(number) for number in range(1, 20)))


async def test_requests_on_one_connection_do_not_mix(engine: FakeEngine) -> None:
    """Answers find their requests, in whatever order they come."""
    async with await SpeechClient.connect(engine.path) as client:
        heard = await asyncio.gather(*(client.transcribe(SPEECH[:n], 8000) for n in range(1, 8)))
    assert [transcript.text for transcript in heard] == [f"{n} at 8000" for n in range(1, 8)]


async def test_long_speech_does_not_hold_up_another_client(engine: FakeEngine) -> None:
    """A short sentence of one client is spoken between the many sentences of another."""
    engine.voice.gate.clear()
    async with (
        await SpeechClient.connect(engine.path) as greedy,
        await SpeechClient.connect(engine.path) as other,
    ):
        long = asyncio.create_task(collect(greedy, "A long tale. " * 20))
        await until(lambda: len(engine.voice.spoken) == 1)
        short = asyncio.create_task(collect(other, "Short."))
        await asyncio.sleep(0.02)
        engine.voice.gate.set()
        await asyncio.gather(long, short)
    assert engine.voice.spoken.index("Short.") == 1


async def test_a_cancelled_request_is_never_begun(engine: FakeEngine) -> None:
    """Giving up while waiting for a turn leaves the model alone."""
    engine.recogniser.gate.clear()
    async with await SpeechClient.connect(engine.path) as client:
        first = asyncio.create_task(client.transcribe(SPEECH[:1], 8000))
        await until(lambda: engine.recogniser.begun == [1])
        second = asyncio.create_task(client.transcribe(SPEECH[:2], 8000))
        await asyncio.sleep(0.02)
        second.cancel()
        third = asyncio.create_task(client.transcribe(SPEECH[:3], 8000))
        await asyncio.sleep(0.02)
        engine.recogniser.gate.set()
        assert (await first).text == "1 at 8000"
        assert (await third).text == "3 at 8000"
    assert engine.recogniser.begun == [1, 3]


async def test_a_running_request_learns_that_it_is_abandoned(engine: FakeEngine) -> None:
    """The recogniser can ask whether anybody still waits, and skip its second look."""
    engine.recogniser.gate.clear()
    async with await SpeechClient.connect(engine.path) as client:
        task = asyncio.create_task(client.transcribe(SPEECH, 8000))
        await until(lambda: engine.recogniser.begun == [800])
        task.cancel()
        await asyncio.sleep(0.05)
        engine.recogniser.gate.set()
        await until(lambda: engine.recogniser.found_abandoned == [800])


async def test_speech_stops_when_its_listener_has_gone(engine: FakeEngine) -> None:
    """Closing the iterator early keeps the remaining sentences from being made."""
    async with await SpeechClient.connect(engine.path) as client:
        pieces = client.synthesize("One. Two. Three. Four. Five. Six. Seven. Eight.")
        engine.voice.gate.clear()
        first = asyncio.ensure_future(anext(pieces))
        await until(lambda: bool(engine.voice.spoken))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await asyncio.sleep(0.05)
        engine.voice.gate.set()
        assert await collect(client, "Nine.") == 5 * 80
    assert engine.voice.spoken == ["One.", "Nine."]


async def test_a_client_that_dies_takes_its_requests_along(engine: FakeEngine) -> None:
    """After a connection broke, its waiting work is passed over and others are served."""
    engine.recogniser.gate.clear()
    dying = await SpeechClient.connect(engine.path)
    tasks = [asyncio.create_task(dying.transcribe(SPEECH[:n], 8000)) for n in (1, 2)]
    await until(lambda: engine.recogniser.begun == [1])
    await dying.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, SpeechError) for result in results)
    async with await SpeechClient.connect(engine.path) as client:
        task = asyncio.create_task(client.transcribe(SPEECH[:3], 8000))
        await asyncio.sleep(0.02)
        engine.recogniser.gate.set()
        assert (await task).text == "3 at 8000"
    assert engine.recogniser.begun == [1, 3]


async def test_a_broken_model_fails_one_request_only(engine: FakeEngine) -> None:
    """An exception inside a model becomes an error of its request; the connection lives on."""
    async with await SpeechClient.connect(engine.path) as client:
        with pytest.raises(SpeechError, match="RuntimeError"):
            await collect(client, "boom")
        assert await collect(client, "fine") == 4 * 80


async def test_too_long_an_utterance_is_refused(engine: FakeEngine) -> None:
    """Audio beyond what a call can hold is refused with its length."""
    async with await SpeechClient.connect(engine.path) as client:
        with pytest.raises(SpeechError, match="76 s is longer"):
            await client.transcribe(np.ones(76 * 8000, np.int16), 8000)
        assert (await client.transcribe(SPEECH, 8000)).text


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\nHost: speech\r\n\r\n",
        b"\0" * 64,
        b"TLSE\x02\0\0\0" + b"\0\0\0\x02" + b"\0\0\0\0" + b"{}",
        b"TLSE\x01\0\0\0" + b"\xff\xff\xff\xff" + b"\0\0\0\0",
        b"TLSE\x01\0\0\0" + b"\0\0\0\x02" + b"\xff\xff\xff\xfe",
        framing.pack(b"nonsense"),
        framing.pack(b'{"op":"transcribe"}'),
    ],
)
async def test_nonsense_ends_its_own_connection_with_a_reason(engine: FakeEngine, nonsense: bytes) -> None:
    """Who does not speak the protocol is told so and hung up on, and nobody else notices."""
    async with await SpeechClient.connect(engine.path) as client:
        hostile = await RawClient.connect(engine.path)
        hostile.say(nonsense)
        reply = await hostile.hear()
        assert isinstance(reply, Failure)
        assert reply.id == 0
        assert reply.message
        assert await hostile.is_hung_up_on()
        await hostile.close()
        assert (await client.transcribe(SPEECH, 8000)).text == "800 at 8000"


async def test_a_wrong_request_is_refused_by_its_number(engine: FakeEngine) -> None:
    """A request that can be named is refused alone; the connection goes on."""
    client = await RawClient.connect(engine.path)
    client.say(framing.pack(b'{"op":"transcribe","id":7,"rate":1}'))
    refused = await client.hear()
    assert isinstance(refused, Failure)
    assert refused.id == 7
    assert "rate" in refused.message
    client.say(framing.pack(Transcribe(id=8, rate=8000).encode(), SPEECH))
    assert isinstance(await client.hear(), TranscriptReply)
    await client.close()


async def test_one_client_cannot_ask_for_everything(engine: FakeEngine) -> None:
    """Beyond its share of open requests a connection is told to try again later."""
    engine.voice.gate.clear()
    client = await RawClient.connect(engine.path)
    for number in range(1, MAX_REQUESTS_PER_CONNECTION + 2):
        client.say(framing.pack(Synthesize(id=number, text="Hi.", rate=8000).encode()))
    refused = await client.hear()
    assert isinstance(refused, Failure)
    assert (refused.id, refused.retryable) == (MAX_REQUESTS_PER_CONNECTION + 1, True)
    engine.voice.gate.set()
    await client.close()


async def test_half_a_frame_is_not_waited_for_for_ever(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that stops in the middle of a frame is dropped."""
    monkeypatch.setattr("telephony.speech.server.FRAME_TIMEOUT_S", 0.05)
    client = await RawClient.connect(engine.path)
    client.say(framing.pack(b"{}")[:9])
    assert await client.is_hung_up_on()
    await client.close()


async def test_a_second_engine_does_not_take_the_socket_away(engine: FakeEngine) -> None:
    """Starting where another engine answers fails, and the first goes on."""
    second = SpeechServer(CountingRecogniser(), ToneVoice())
    with pytest.raises(PortTakenError, match="Another speech engine"):
        await second.start(engine.path)
    await second.close()
    async with await SpeechClient.connect(engine.path) as client:
        assert (await client.transcribe(SPEECH, 8000)).text


async def test_a_socket_left_behind_is_replaced(short_path: Path) -> None:
    """The file of an engine that was killed does not keep the next from starting."""
    path = short_path / "speech.sock"
    left = await asyncio.start_unix_server(lambda _, __: None, str(path))
    left.close()
    await left.wait_closed()
    assert path.exists()
    server = SpeechServer(CountingRecogniser(), ToneVoice())
    await server.start(path)
    async with await SpeechClient.connect(path) as client:
        assert (await client.transcribe(SPEECH, 8000)).text
    await server.close()
    assert not path.exists()


async def test_a_place_for_no_socket_is_explained(short_path: Path) -> None:
    """A folder that is missing and a path that is too long are errors of the configuration."""
    server = SpeechServer(CountingRecogniser(), ToneVoice())
    with pytest.raises(ConfigError, match="No such file"):
        await server.start(short_path / "missing" / "speech.sock")
    with pytest.raises(ConfigError, match="longer than 107 bytes"):
        await server.start(short_path / ("x" * 120))
    await server.close()


async def test_closing_tells_everybody(engine: FakeEngine) -> None:
    """A stopping engine fails what waits with a reason that allows another try, and hangs up."""
    engine.recogniser.gate.clear()
    client = await SpeechClient.connect(engine.path)
    running = asyncio.create_task(client.transcribe(SPEECH[:1], 8000))
    await until(lambda: engine.recogniser.begun == [1])
    waiting = asyncio.create_task(client.transcribe(SPEECH[:2], 8000))
    await asyncio.sleep(0.02)
    closing = asyncio.create_task(engine.server.close())
    with pytest.raises(SpeechError) as caught:
        await waiting
    assert caught.value.retryable
    engine.recogniser.gate.set()
    assert (await running).text == "1 at 8000"
    await closing
    await until(lambda: client.closed)
    await client.close()


async def collect(client: SpeechClient, text: str) -> int:
    """How many samples a text is spoken in."""
    return sum([len(piece) async for piece in client.synthesize(text)])
