"""The line's folder."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from telephony.errors import StartError
from telephony.line.data import LineData, default_root, write_private

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure


def test_a_folder_serves_one_line_at_a_time(tmp_path: Path) -> None:
    """A second line is told to take another folder; after the first ends it may have it."""
    first, second = LineData(tmp_path / "line"), LineData(tmp_path / "line")
    first.open()
    with pytest.raises(StartError, match="another line"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_a_second_line_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    """The default folder is the first that nobody holds."""
    first = LineData(default_root(tmp_path))
    first.open()
    assert default_root(tmp_path) == tmp_path / "line-2"
    first.close()
    assert default_root(tmp_path) == tmp_path / "line"


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    """Key and secret stay the same over restarts, long enough, readable by the owner alone."""
    data = LineData(tmp_path)
    data.open()
    key, secret = data.credentials()
    assert len(secret) >= 32
    assert data.credentials() == (key, secret)
    assert stat.S_IMODE(data.secret_file.stat().st_mode) == 0o600
    data.close()


def test_what_a_killed_line_left_is_cleared(tmp_path: Path) -> None:
    """An old ready file must not make a new part look ready."""
    data = LineData(tmp_path)
    data.open()
    (data.ready / "bridge.json").write_text("{}")
    data.close()
    data.open()
    assert list(data.ready.iterdir()) == []
    assert data.sockets.is_dir()
    sockets = data.sockets
    data.close()
    assert not sockets.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the folder should be is an error that names it."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(StartError, match="taken"):
        LineData(tmp_path / "taken").open()


def test_a_private_file_replaces_the_old_one_whole(tmp_path: Path) -> None:
    """No draft stays behind and the mode is 0600."""
    path = tmp_path / "file"
    write_private(path, "one")
    write_private(path, "two")
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
