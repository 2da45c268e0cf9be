"""``trunkline simulate``: prints what to write into the file, and serves until it is told to stop."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from telephony.speech.settings import SpeechSettings
from telephony.speech.simulators import cli
from telephony.speech.simulators.cli import app
from telephony.speech.simulators.espeak import espeak
from tests.waiting import PATIENCE, limit

pytestmark = pytest.mark.component


async def test_a_simulated_provider_serves_until_it_is_told_to_stop() -> None:
    """It says where it is once it listens, and ends by itself at SIGTERM."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "telephony.speech.simulators", "realtime", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with limit(60):
        lines = [(await process.stdout.readline()).decode() for _ in range(4)]
    settings = SpeechSettings.model_validate(yaml.safe_load("".join(lines))["speech"])
    assert settings.pipeline == "realtime"
    url = getattr(settings.realtime, "base_url", "")
    async with aiohttp.ClientSession() as http, http.get(f"{url}/realtime") as answer:
        assert answer.status == 401
    process.terminate()
    assert await asyncio.wait_for(process.wait(), PATIENCE * 20) == 0


@pytest.mark.parametrize("name", ["deepgram", "cartesia", "openai", "realtime", "voice"])
def test_what_is_printed_is_a_section_of_the_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, and with each line that is offered beside it."""
    printed: list[str] = []

    async def serve(_: Any, __: int, lines: cli.Lines) -> None:
        printed.extend(lines("http://127.0.0.1:4000"))

    monkeypatch.setattr(cli, "_serve", serve)
    told = CliRunner().invoke(app, [name, "--key", "k", "--fault", "mute"])
    assert told.exit_code == 0, told.output
    assert SpeechSettings.model_validate(yaml.safe_load("\n".join(printed)))
    kind = [line for line in printed if "pipeline" in line]
    for line in printed[len(kind) :]:
        SpeechSettings.model_validate(yaml.safe_load("\n".join([*kind, line.replace("# ", "")])))


def test_an_unknown_fault_is_refused_with_those_there_are() -> None:
    """Nothing is listened on then."""
    told = CliRunner().invoke(app, ["deepgram", "--fault", "lazy"])
    assert told.exit_code == 1
    assert "mute" in told.output


async def test_espeak_speaks_words_at_the_rate_that_is_asked_for() -> None:
    """Sound of about the length of the text."""
    pieces = [piece async for piece in espeak()("We are open from nine to five.", 8000)]
    sound = np.concatenate(pieces)
    assert 0.8 < len(sound) / 8000 < 4
    assert np.abs(sound).max() > 3000
