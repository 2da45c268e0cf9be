"""Assistants that were read ahead are never older than their files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from telephony.agent.assistant_shelf import AssistantShelf
from telephony.agent.editions import Editions
from telephony.assistants.loader import BUNDLED
from telephony.errors import AssistantError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure

BUNDLED_TEXT = (BUNDLED / "reception.yaml").read_text()


def write(folder: Path, greeting: str, at_ns: int) -> None:
    """An assistant of the operator's, as the bundled one but for its greeting."""
    path = folder / "reception.yaml"
    lines = [
        f"greeting: {greeting}" if line.startswith("greeting:") else line
        for line in BUNDLED_TEXT.splitlines()
    ]
    path.write_text("\n".join(lines) + "\n")
    os.utime(path, ns=(at_ns, at_ns))


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """The second call gets the very same assistant."""
    shelf = AssistantShelf([tmp_path])
    assert shelf.get("reception") is shelf.get("reception")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """What the operator has written since is what the next call says."""
    write(tmp_path, "One.", 1)
    shelf = AssistantShelf([tmp_path])
    assert shelf.get("reception").greeting.startswith("One.")
    write(tmp_path, "Two.", 2)
    assert shelf.get("reception").greeting.startswith("Two.")


def test_the_operators_file_covers_the_bundled_one_and_uncovers_it(tmp_path: Path) -> None:
    """A file that appears or goes counts from the next call on."""
    shelf = AssistantShelf([tmp_path])
    bundled = shelf.get("reception").greeting
    write(tmp_path, "Mine.", 1)
    assert shelf.get("reception").greeting.startswith("Mine.")
    (tmp_path / "reception.yaml").unlink()
    assert shelf.get("reception").greeting == bundled


def test_an_assistant_that_is_not_there_is_said_each_time(tmp_path: Path) -> None:
    """An error is not kept: the file may come."""
    shelf = AssistantShelf([tmp_path])
    for _ in range(2):
        with pytest.raises(AssistantError):
            shelf.get("nobody")


def test_a_file_saved_half_edited_ends_no_call(tmp_path: Path) -> None:
    """Calls are led by the last edition that was right, in another process as well, until it is again."""
    folder, kept = tmp_path / "mine", Editions(tmp_path / "kept")
    folder.mkdir()
    write(folder, "One.", 1)
    good = AssistantShelf([folder], kept).get("reception")
    (folder / "reception.yaml").write_text("name: reception\ngreting: Half\n")
    for _ in range(2):
        led = AssistantShelf([folder], kept).get("reception")
        assert (led.greeting, led.version) == (good.greeting, good.version)
    write(folder, "Two.", 2)
    assert AssistantShelf([folder], kept).get("reception").greeting.startswith("Two.")


def test_the_file_of_each_version_is_kept(tmp_path: Path) -> None:
    """What a record of last month says of an assistant can be looked up."""
    folder = tmp_path / "mine"
    folder.mkdir()
    versions = []
    for number, greeting in enumerate(("One.", "Two."), start=1):
        write(folder, greeting, number)
        versions.append(AssistantShelf([folder], Editions(tmp_path / "kept")).get("reception").version)
    for version, greeting in zip(versions, ("One.", "Two."), strict=True):
        text = (tmp_path / "kept" / "reception" / version / "reception.yaml").read_text()
        assert f"greeting: {greeting}" in text


def test_a_file_that_never_was_right_is_an_error(tmp_path: Path) -> None:
    """There is nothing to fall back on, and a name that leads out of the folder finds nothing."""
    (tmp_path / "desk.yaml").write_text("name: desk\n")
    shelf = AssistantShelf([tmp_path], Editions(tmp_path / "kept"))
    for name in ("desk", "../kept"):
        with pytest.raises(AssistantError):
            shelf.get(name)


def test_a_folder_that_cannot_be_written_fails_no_call(tmp_path: Path) -> None:
    """Keeping is a help, not a duty."""
    (tmp_path / "kept").write_text("a file")
    assert AssistantShelf([], Editions(tmp_path / "kept")).get("reception").name == "reception"
