"""The command ``trunkline caller``."""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from telephony.audio.detect import dominant_frequency
from telephony.audio.tones import sine
from telephony.caller.cli import app
from telephony.speech.recogniser import Recognised
from telephony.speech.server import SpeechServer
from tests.caller.tone_agent import DAY, GREETING, SENTENCES, Sentence, ToneAgent, running
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from telephony.audio.frame import Samples

pytestmark = pytest.mark.component

SCRIPT = """\
name: booking
steps:
  - expect: {begins: [hello], all: [riverside clinic]}
  - say: book it
  - expect: which day
  - hang_up
"""


class ToneModel:
    """Understands the sentences of a tone agent, and speaks in a tone of its own."""

    name = "tones"

    def recognise(
        self,
        samples: Samples,
        rate: int,
        *,
        hint: str = "",
        language: str = "en",
        abandoned: Callable[[], bool] = lambda: False,
    ) -> Recognised:
        heard = dominant_frequency(samples, rate)
        text = next((words for tone, words in SENTENCES.items() if abs(tone - heard) < 15), "")
        return Recognised(text, 0.9, 0.1, len(samples) / rate, 0.01, 10)

    def speak(
        self, text: str, *, rate: int, speed: float = 1.0, seed: int = 0, language: str = "en"
    ) -> Samples:
        return sine(620, 0.1 * len(text) / speed, rate=rate)


@asynccontextmanager
async def engine() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="caller-") as folder:
        server = SpeechServer(ToneModel(), ToneModel())
        await server.start(Path(folder) / "speech.sock")
        try:
            yield Path(folder) / "speech.sock"
        finally:
            await server.close()


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "booking.yaml"
    path.write_text(SCRIPT)
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


async def test_a_call_is_made_shown_and_reported(script: Path, tmp_path: Path) -> None:
    """The conversation on standard error, the report as JSON on the last line of standard output."""
    agent = ToneAgent([Sentence(GREETING), Sentence(DAY)])
    async with limit(30), engine() as socket, running(agent):
        result = await asyncio.to_thread(
            invoke,
            "run",
            script,
            "--to",
            agent.address,
            "--report",
            tmp_path / "out",
            "--json",
            "--speech",
            socket,
        )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["ok"] is True
    assert report["report"] == str(tmp_path / "out")
    assert "caller   book it" in result.stderr
    assert "agent    Which day would you like?" in result.stderr
    assert "went as scripted" in result.stderr
    assert (tmp_path / "out" / "report.html").exists()
    assert agent.heard_frequency() == pytest.approx(620, abs=5)


async def test_a_call_that_fails_exits_with_one(script: Path) -> None:
    """And says what was wrong."""
    agent = ToneAgent(refuse=404)
    async with limit(30), engine() as socket, running(agent):
        result = await asyncio.to_thread(invoke, "run", script, "--to", agent.address, "--speech", socket)
    assert result.exit_code == 1
    assert "404 Not Found" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-script", "--to", "sip:a@127.0.0.1"], "cannot be read"),
        (["hello", "--to", "sip:a@127.0.0.1", "--user", "anna"], "no password"),
    ],
)
def test_wrong_usage_exits_with_two(arguments: list[str], said: str) -> None:
    """One sentence, before anything was started."""
    result = invoke("run", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_an_engine_that_is_not_there_is_named(script: Path, tmp_path: Path) -> None:
    """A wrong socket is an error of its own, not a call that failed."""
    result = invoke("run", script, "--to", "sip:a@127.0.0.1", "--speech", tmp_path / "nobody.sock")
    assert result.exit_code == 1
    assert "speech engine answers on" in result.stderr


async def test_an_address_that_is_none_exits_with_two(script: Path) -> None:
    """Before anybody is called."""
    async with engine() as socket:
        result = await asyncio.to_thread(invoke, "run", script, "--to", "clinic", "--speech", socket)
    assert result.exit_code == 2
    assert "not a URI" in result.stderr


def test_a_script_can_be_checked(script: Path) -> None:
    """Right ones say what is in them, wrong ones where they are wrong."""
    good = invoke("check", script)
    assert good.exit_code == 0
    assert good.stdout == "booking: 4 steps, 1 lines to speak.\n"
    script.write_text("name: a\nsteps:\n  - sing: la\n")
    bad = invoke("check", script)
    assert bad.exit_code == 2
    assert "line 3" in bad.stderr


def test_shipped_scripts_are_listed() -> None:
    """Each with what it is about."""
    result = invoke("scripts")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == [
        "demo",
        "hello",
        "person",
        "voicemail",
    ]
