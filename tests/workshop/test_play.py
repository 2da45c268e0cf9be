"""Every sample's scripts in text, offline: the real session, flow or model, and tools; nothing outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telephony.assistants.loader import load_assistant, sample_names
from telephony.caller.script_file import load_script, parse_script
from telephony.errors import AssistantError
from telephony.speech.settings import SpeechSettings
from telephony.workshop.outside import Answers, pointed_at, read_answers, simulated
from telephony.workshop.place import find, scripts_of
from telephony.workshop.play import play
from telephony.workshop.talk import open_talk
from telephony.workshop.trial import try_in_text

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.workshop.play import Played

pytestmark = [pytest.mark.component, pytest.mark.asyncio]

SCRIPTS = [
    (name, path) for name in (*sample_names(), "reception") for path, _ in scripts_of(find(name, None), None)
]


async def played(text: str, name: str = "reception") -> Played:
    async with open_talk(load_assistant(name), SpeechSettings()) as talk:
        return await play(parse_script(text), talk)


@pytest.mark.parametrize(("name", "path"), SCRIPTS, ids=[path.name for _, path in SCRIPTS])
async def test_a_sample_goes_as_its_script_says(name: str, path: Path) -> None:
    """What comes with the product to be copied is right, in words, tools and fields."""
    place = find(name, None)
    went = await try_in_text(place, place.assistant(), load_script(path))
    assert went.ok, went.to_json()


async def test_every_sample_has_a_script() -> None:
    """Nothing is there to be copied that nobody tries."""
    assert {name for name, _ in SCRIPTS} == {*sample_names(), "reception"}


async def test_words_that_do_not_come_are_told_with_the_line() -> None:
    """The problem names the line of the script, what was missing, and what was said instead."""
    went = await played("name: x\nsteps:\n  - expect: riverside\n  - say: Hello.\n  - expect: pizza\n")
    assert not went.ok
    assert went.problems[0].startswith("line 5: the agent did not say: pizza. It said: Sorry,")


async def test_an_end_that_does_not_come_is_told() -> None:
    """An agent that goes on talking has not hung up."""
    went = await played("name: x\nsteps:\n  - say: Opening hours?\n  - expect_hang_up\n")
    assert "was to hang up" in went.problems[0]


async def test_what_is_said_after_the_end_is_told() -> None:
    """Nobody talks to an agent that has hung up."""
    went = await played("name: x\nsteps:\n  - say: Goodbye.\n  - say: Wait.\n")
    assert "had hung up before: Wait." in went.problems[0]


async def test_wrong_fields_are_told() -> None:
    """The record must hold what the script says."""
    went = await played("name: x\nsteps:\n  - say: Goodbye.\nfields: { day: monday }\n")
    assert went.problems == ["the field day is None, not 'monday'"]


async def test_a_beginning_that_was_cut_is_told() -> None:
    """The first word counts."""
    went = await played("name: x\nsteps:\n  - expect: { begins: [good morning] }\n")
    assert "beginning with good morning" in went.problems[0]


async def test_keys_are_taken_as_a_keypad_takes_them() -> None:
    """One key chooses; several end with their key; what follows is the next input."""
    text = "name: x\nsteps:\n  - press: '2'\n  - expect: we are open\n  - hang_up\n"
    assert (await played(text)).ok
    went = await played(
        "name: x\nsteps:\n  - say: Call me back.\n  - say: Anna.\n  - press: '12#'\n  - expect: '1 2'\n"
        "  - press: '1'\n"
        "  - expect_hang_up\n",
        "starter",
    )
    assert went.ok, went.to_json()


async def test_an_unwritten_tool_answer_is_a_failure_of_the_service() -> None:
    """A test reaches no real server: what nobody wrote down is not there."""
    weather = load_assistant("weather")
    async with simulated(Answers()) as root:
        pointed = pointed_at(weather, root)
        assert pointed.version == weather.version
        async with open_talk(pointed, SpeechSettings(), allowed_networks=["127.0.0.0/8"]) as talk:
            shown = await talk.hear("Berlin.")
    assert "does not answer" in shown[-1].text


async def test_answers_are_read_strictly(tmp_path: Path) -> None:
    """A mistake in them is told by line and column, as in the assistant's own file."""
    path = tmp_path / "x.answers.yaml"
    path.write_text("modle: []\n")
    with pytest.raises(AssistantError, match=r"x\.answers\.yaml:1:1: modle: .* Did you mean model"):
        read_answers(path)
