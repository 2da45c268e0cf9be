"""Assistants that were read ahead are never older than their files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from telephony.agent.assistant_shelf import AssistantShelf
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
