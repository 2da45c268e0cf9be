"""Jobs that died with their worker are found by the next one, once, and only if they are dead."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from livekit.protocol import agent as wire
from livekit.protocol import models

from telephony.agent import orphans

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure

JOB = wire.Job(id="AJ_aaaaaaaaaaaa", room=models.Room(name="call_1"), metadata="{}", agent_name="desk")


def _dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def _note_of_the_dead(folder: Path, job: wire.Job = JOB) -> Path:
    orphans.note(folder, job)
    path = folder / f"{job.id}.job"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": _dead_pid()}))
    return path


def test_a_dead_process_leaves_its_whole_job_once(tmp_path: Path) -> None:
    """What is found is the job as it was given; the second to look finds nothing."""
    _note_of_the_dead(tmp_path)
    assert list(orphans.adopt(tmp_path)) == [JOB]
    assert list(orphans.adopt(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_living_process_keeps_its_call(tmp_path: Path) -> None:
    """A second worker that starts takes nothing from the first."""
    orphans.note(tmp_path, JOB)
    assert list(orphans.adopt(tmp_path)) == []
    assert (tmp_path / f"{JOB.id}.job").exists()


def test_a_job_that_ended_leaves_nothing(tmp_path: Path) -> None:
    """Settled once or twice, it is nobody's orphan."""
    path = _note_of_the_dead(tmp_path)
    orphans.settle(tmp_path, JOB.id)
    orphans.settle(tmp_path, JOB.id)
    assert not path.exists()
    assert list(orphans.adopt(tmp_path)) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": 1, "job": "?"}', '{"pid": "x", "job": ""}'])
def test_what_cannot_be_read_is_removed(tmp_path: Path, text: str) -> None:
    """A note that was cut costs its call, not the worker."""
    (tmp_path / "AJ_x.job").write_text(text)
    _note_of_the_dead(tmp_path)
    assert list(orphans.adopt(tmp_path)) == [JOB]
    assert list(tmp_path.iterdir()) == []


def test_a_note_is_private(tmp_path: Path) -> None:
    """It names a caller's room."""
    orphans.note(tmp_path / "journals", JOB)
    assert (tmp_path / "journals" / f"{JOB.id}.job").stat().st_mode & 0o077 == 0
