"""The line that a test by telephone starts: the operator's own, with one assistant, and nothing real."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioning.config import load_config
from telephony.assistants.loader import read_assistant
from telephony.errors import ConfigError
from telephony.workshop.calling import line_for, write_line
from telephony.workshop.place import find
from tests.e2e.sample import CONFIG

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.config import LineConfig
    from telephony.workshop.place import Place

pytestmark = pytest.mark.component

ROOT = "http://127.0.0.1:9999"
LINE = {
    "LIVEKIT_URL": "ws://127.0.0.1:7880",
    "LIVEKIT_API_KEY": "key",
    "LIVEKIT_API_SECRET": "s" * 32,
    "REDIS_ADDRESS": "127.0.0.1:6379",
}


def written(place: Place, folder: Path) -> LineConfig:
    return load_config(write_line(place, place.assistant(), folder, ROOT), env=LINE)


def test_every_number_is_answered_by_the_assistant(tmp_path: Path) -> None:
    """Trunks, speech and the rest are the operator's; who answers is the one that is tried."""
    config = written(find("starter", CONFIG), tmp_path)
    own = load_config(CONFIG, env=LINE)
    assert config.sip_trunks == own.sip_trunks
    assert {rule.assistant for rule in config.routing.inbound_rules} == {"starter"}
    assert config.speech == own.speech
    assert config.assistants.allowed_networks == []


def test_http_tools_are_pointed_at_this_machine(tmp_path: Path) -> None:
    """The copy asks the simulated server, without the secret, and nothing else of it differs."""
    place = find("weather", CONFIG)
    config = written(place, tmp_path)
    assert config.assistants.directory is not None
    copied = read_assistant(tmp_path / "assistants" / "weather.yaml")
    tool = copied.http_tools["weather"]
    assert tool.url == f"{ROOT}/tool/weather/v1/current?city={{city}}"
    assert tool.headers == {}
    assert config.assistants.allowed_networks == ["127.0.0.0/8"]
    assert copied.flow == place.assistant().flow


def test_a_line_without_a_model_gets_a_simulated_one(tmp_path: Path) -> None:
    """An assistant of instructions alone is answered from its answers' file."""
    free = tmp_path / "free.yaml"
    free.write_text(
        "name: free\ngreeting: Hello.\ninstructions: Be kind.\nsilence: {prompts: [Hello?], goodbye: Bye.}\n"
        "not_understood: [Sorry?]\ntime_is_up: Time is up.\n"
    )
    config = written(find(str(free), CONFIG), tmp_path)
    assert config.speech.llm.provider == "openai"


async def test_a_model_that_hears_and_speaks_is_not_stood_in_for() -> None:
    """Over the telephone a realtime assistant needs a line that has such a model, and nothing is started."""
    place = find("consultant", CONFIG)
    with pytest.raises(ConfigError, match="realtime"):
        async with line_for(place, place.assistant()):
            raise AssertionError("it has started")


def test_no_file_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no line yet is given the smallest that can be called."""
    monkeypatch.chdir(tmp_path)
    config = written(find("starter", None), tmp_path)
    assert config.sip_trunks[0].numbers == ["+15550100100"]
