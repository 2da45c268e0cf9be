"""The engine as an operator starts it, with its real models, and what it makes of a telephone's sound."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.audio.g711 import PCMU
from telephony.audio.level import dbfs
from telephony.audio.tones import dual_tone, noise, sine
from telephony.errors import SpeechError
from telephony.speech.client import SpeechClient
from tests.speech.conftest import start_engine, wait_until_ready
from tests.waiting import PATIENCE, limit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.component


async def say(client: SpeechClient, text: str) -> NDArray[np.int16]:
    """A text as samples at 8 kHz."""
    return np.concatenate([piece async for piece in client.synthesize(text)])


def over_the_phone(samples: NDArray[np.int16], seed: int = 0) -> NDArray[np.int16]:
    """What a telephone makes of it: silence around it, line noise, and mu-law there and back."""
    padded = np.pad(samples, (2400, 4000)).astype(np.int32)
    padded += noise(len(padded) / 8000, -62.0, np.random.default_rng(seed))
    return PCMU.decode(PCMU.encode(np.clip(padded, -32768, 32767).astype(np.int16)))


def words(text: str) -> set[str]:
    """The words of a text without their marks, in small letters."""
    return {word.strip(".,?!").lower() for word in text.split()}


@pytest.mark.parametrize(
    ("sentence", "keywords"),
    [
        ("I would like to book an appointment, please.", {"book", "appointment"}),
        ("What are your opening hours?", {"opening", "hours"}),
        ("Can I speak to the operator?", {"speak", "operator"}),
        ("Tuesday afternoon would be good.", {"tuesday", "afternoon"}),
        ("No, thank you. Goodbye.", {"no", "thank", "goodbye"}),
    ],
)
async def test_what_is_said_over_the_phone_is_understood(
    real_engine: Path, sentence: str, keywords: set[str]
) -> None:
    """The voice, through mu-law and noise, is understood by the recogniser: every keyword is there."""
    async with await SpeechClient.connect(real_engine) as client:
        transcript = await client.transcribe(over_the_phone(await say(client, sentence)), 8000)
    assert keywords <= words(transcript.text)
    assert transcript.text == transcript.text.strip()
    assert transcript.confidence > 0.3
    assert transcript.no_speech_prob < 0.6


async def test_a_repeated_number_is_not_heard_twice(real_engine: Path) -> None:
    """Digits, on which a short window loops, come out once."""
    async with await SpeechClient.connect(real_engine) as client:
        transcript = await client.transcribe(over_the_phone(await say(client, "nine one six three")), 8000)
    assert "".join(char for char in transcript.text if char.isdigit()) == "9163"


async def test_a_hint_helps(real_engine: Path) -> None:
    """A single name is recognised when it is expected."""
    async with await SpeechClient.connect(real_engine) as client:
        heard = over_the_phone(await say(client, "Anna"))
        transcript = await client.transcribe(heard, 8000, hint="Anna, Peter, Maria.")
    assert words(transcript.text) == {"anna"}


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(12_000, np.int16),
        noise(2.0, -50.0, np.random.default_rng(1)),
        sine(425.0, 2.0),
        dual_tone(697, 1209, 0.3),
        np.zeros(0, np.int16),
        np.full(800, 3000, np.int16),
    ],
    ids=["silence", "noise", "ringing tone", "key", "nothing", "burst of 0.1 s"],
)
async def test_what_is_not_speech_is_not_words(real_engine: Path, sound: NDArray[np.int16]) -> None:
    """The phrases that the model invents for silence, noise and tones are thrown away."""
    async with await SpeechClient.connect(real_engine) as client:
        assert (await client.transcribe(sound, 8000)).text == ""


async def test_more_than_a_window_is_recognised_in_pieces(real_engine: Path) -> None:
    """An utterance longer than 30 s keeps its beginning and its end."""
    async with await SpeechClient.connect(real_engine) as client:
        first, last = await say(client, "Good morning, doctor."), await say(client, "See you on Friday.")
        middle = await say(client, "I walked along the river and looked at the boats. ")
        pause = np.zeros(4000, np.int16)
        long = np.concatenate([first, *[pause, middle] * 13, pause, last])
        assert len(long) > 32 * 8000
        transcript = await client.transcribe(long, 8000)
    assert {"morning", "doctor", "river", "friday"} <= words(transcript.text)


async def test_the_same_text_sounds_the_same(real_engine: Path) -> None:
    """Text and seed decide every sample; the rate and the pace are as asked for."""
    async with await SpeechClient.connect(real_engine) as client:
        once, again = await say(client, "Hello there."), await say(client, "Hello there.")
        np.testing.assert_array_equal(once, again)
        fine = np.concatenate([piece async for piece in client.synthesize("Hello there.", rate=24_000)])
        slow = np.concatenate([piece async for piece in client.synthesize("Hello there.", speed=0.5)])
    assert len(fine) == pytest.approx(3 * len(once), rel=0.01)
    assert len(slow) > 1.5 * len(once)
    assert -40 < dbfs(once) < -6


async def test_a_long_text_begins_soon(real_engine: Path) -> None:
    """A text without a mark is spoken in several pieces, not after the whole of it."""
    async with await SpeechClient.connect(real_engine) as client:
        pieces = [len(piece) async for piece in client.synthesize("one more word and " * 40)]
    assert len(pieces) >= 4
    assert max(pieces) < 20 * 8000


async def test_two_clients_are_served_at_once(real_engine: Path) -> None:
    """Two calls speak and listen at the same time, and each understands its own."""

    async def one(sentence: str) -> str:
        async with await SpeechClient.connect(real_engine) as client:
            return (await client.transcribe(over_the_phone(await say(client, sentence)), 8000)).text

    hours, appointment = await asyncio.gather(
        one("What are your opening hours?"), one("I need an appointment on Monday.")
    )
    assert "hours" in words(hours)
    assert {"appointment", "monday"} <= words(appointment)


async def test_a_killed_client_leaves_the_engine_alone(real_engine: Path) -> None:
    """A process that dies in the middle of its requests disturbs nobody."""
    program = (
        "import asyncio, sys, numpy as np\n"
        "from telephony.speech.client import SpeechClient\n"
        "async def main():\n"
        "    client = await SpeechClient.connect(sys.argv[1])\n"
        "    work = [client.transcribe(np.ones(80000, np.int16), 8000) for _ in range(6)]\n"
        "    tasks = [asyncio.ensure_future(w) for w in work]\n"
        "    await asyncio.sleep(0.05)\n"
        "    print('asked', flush=True)\n"
        "    await asyncio.gather(*tasks)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(real_engine), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), PATIENCE * 20) == b"asked\n"
    process.kill()
    await process.wait()
    async with await SpeechClient.connect(real_engine) as client, limit(10):
        transcript = await client.transcribe(over_the_phone(await say(client, "Goodbye.")), 8000)
    assert "goodbye" in words(transcript.text)


async def test_another_language_is_refused(real_engine: Path) -> None:
    """The engine says which it knows."""
    async with await SpeechClient.connect(real_engine) as client:
        with pytest.raises(SpeechError, match="only for en, ru"):
            await client.transcribe(np.ones(8000, np.int16), 8000, language="de")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(short_path: Path, number: signal.Signals) -> None:
    """It exits with 0, says nothing, and leaves neither socket nor ready file."""
    socket, ready = short_path / "speech.sock", short_path / "ready.json"
    process = start_engine(socket, ready)
    wait_until_ready(process, ready)
    assert json.loads(ready.read_text())["socket"] == str(socket)
    os.kill(process.pid, number)
    assert (process.communicate(timeout=10)[1], process.returncode) == ("", 0)
    assert list(short_path.iterdir()) == []


def test_missing_models_are_one_sentence(short_path: Path) -> None:
    """It exits with 1 and a sentence that names the folder and the cure, without a traceback."""
    process = start_engine(short_path / "s", short_path / "r", "--whisper-folder", str(short_path))
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert len(said.splitlines()) == 1
    assert "lacks model.bin, config.json, tokenizer.json." in said
    assert "Name a folder" in said


def test_a_socket_in_use_is_one_sentence(short_path: Path, real_engine: Path) -> None:
    """A second engine on the same socket exits with 1 and says who is there."""
    process = start_engine(real_engine, short_path / "r")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said.splitlines() == [
        f"speech engine: Another speech engine answers on {real_engine}. Stop it, or choose another --socket."
    ]
    assert real_engine.exists()
