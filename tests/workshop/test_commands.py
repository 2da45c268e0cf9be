"""``trunkline assistant``: made, checked, talked to and tried, as somebody at a terminal does it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from telephony.workshop.cli import app
from telephony.workshop.scaffold import templates

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's empty folder, with no line's file in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=typed)


def test_a_new_assistant_is_right_and_passes_its_scripts(tmp_path: Path) -> None:
    """Three commands: it is there, it is right, it works."""
    made = run("new", "salon")
    assert made.exit_code == 0, made.output
    assert (tmp_path / "assistants" / "salon.yaml").read_text().count("name: salon") == 1
    written = {path.name for path in (tmp_path / "assistants" / "scripts").iterdir()}
    assert written == {"salon.yaml", "salon.callback.yaml"}
    assert run("check", "salon").exit_code == 0
    tried = run("test", "salon", "--json")
    assert tried.exit_code == 0, tried.output
    told = json.loads(tried.stdout)
    assert told["ok"] is True
    assert [line["who"] for line in told["scripts"][0]["lines"]][:2] == ["agent", "caller"]


@pytest.mark.parametrize("template", sorted(templates()))
def test_every_sample_can_be_copied(template: str) -> None:
    """The copy is a right assistant of its own name."""
    made = run("new", "mine", "--from", template)
    assert made.exit_code == 0, made.output
    assert run("check", "mine").exit_code == 0


def test_the_samples_are_listed_with_what_they_are_for() -> None:
    """Who does not know the names sees them."""
    listed = run("new", "--list")
    assert listed.exit_code == 0
    assert all(about for about in templates().values() if about)
    for name in ("starter", "delivery", "questionnaire", "consultant", "handover", "weather"):
        assert name in listed.output


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A second time is refused, and the first stays as it was changed."""
    run("new", "salon")
    path = tmp_path / "assistants" / "salon.yaml"
    path.write_text("mine")
    refused = run("new", "salon")
    assert refused.exit_code == 2
    assert "is there already" in refused.output
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["My Salon", "../salon", "9to5", "Ü"])
def test_a_name_that_is_none_is_refused_with_one_that_is(name: str) -> None:
    """The sentence says what to type instead."""
    refused = run("new", name)
    assert refused.exit_code == 2
    assert "trunkline assistant new " in refused.output


def test_a_mistake_is_told_with_its_place_and_the_nearest_key(tmp_path: Path) -> None:
    """Line, column, key, and what was probably meant; as JSON too."""
    run("new", "salon")
    path = tmp_path / "assistants" / "salon.yaml"
    path.write_text(
        path.read_text().replace("greeting: >-", "greting: >-").replace("goto: hours", "goto: ours")
    )
    checked = run("check", "salon", "--json")
    assert checked.exit_code == 2
    assert "greting: there is no such key here. Did you mean greeting?" in checked.output
    told = json.loads(checked.stdout)
    assert told["ok"] is False
    assert told["assistants"][0]["problems"][0].startswith("salon.yaml:")


def test_a_wrong_script_is_told_by_the_check(tmp_path: Path) -> None:
    """The check reads what belongs to the assistant as well."""
    run("new", "salon")
    (tmp_path / "assistants" / "scripts" / "salon.yaml").write_text("name: x\nsteps: []\n")
    checked = run("check", "salon")
    assert checked.exit_code == 2
    assert "steps" in checked.output


def test_an_assistant_that_is_not_there_is_told_with_those_that_are() -> None:
    """One sentence, and how to make it."""
    refused = run("chat", "nobody")
    assert refused.exit_code == 2
    assert "trunkline assistant new nobody" in refused.output
    assert "reception" in refused.output


def test_a_talk_in_the_terminal() -> None:
    """Typed words are answered, keys are pressed, fields are shown, and the agent's end is the end."""
    typed = "/help\n\n/keys 2\nAnna Keller.\n/fields\n12345.\nYes.\n"
    talked = run("chat", "starter", typed=typed)
    assert talked.exit_code == 0, talked.output
    for said in ("/quit hangs up", "your name", "which number", "name: Anna Keller", "the agent hangs up"):
        assert said.lower() in talked.output.lower()


def test_a_talk_can_be_left_at_any_time() -> None:
    """By a word, or by the end of the input."""
    assert run("chat", "starter", typed="/quit\n").exit_code == 0
    assert run("chat", "starter", typed="").exit_code == 0


def test_what_a_call_brings_along_can_be_given() -> None:
    """The data of a call that we dial, as the request for it would bring them."""
    talked = run("chat", "delivery", "--data", "order=77", typed="/quit\n")
    assert "заказа 77" in talked.output
    assert run("chat", "delivery", "--data", "order", typed="").exit_code == 2


def test_a_script_that_goes_wrong_is_shown_with_its_conversation(tmp_path: Path) -> None:
    """Exit code 1, the conversation up to there, and what was missing."""
    run("new", "salon")
    script = tmp_path / "wrong.yaml"
    script.write_text("name: x\nsteps:\n  - say: Your opening hours?\n  - expect: we never close\n")
    tried = run("test", "salon", "--script", str(script))
    assert tried.exit_code == 1
    for told in ("✗", "caller", "We are open", "line 4", "we never close"):
        assert told in tried.output


def test_an_assistant_without_a_script_is_told_where_to_write_one(tmp_path: Path) -> None:
    """Not a silent success."""
    run("new", "salon")
    for path in (tmp_path / "assistants" / "scripts").iterdir():
        path.unlink()
    tried = run("test", "salon")
    assert tried.exit_code == 2
    assert "has no script" in tried.output


def test_a_model_that_nobody_gave_is_told(tmp_path: Path) -> None:
    """An assistant of instructions alone needs a model, or answers in its place."""
    run("new", "free", "--from", "consultant")
    (tmp_path / "assistants" / "scripts" / "free.answers.yaml").unlink()
    talked = run("chat", "free", typed="Hello\n")
    assert talked.exit_code == 2
    assert "led by a language model" in talked.output
