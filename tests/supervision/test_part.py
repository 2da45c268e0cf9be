"""One process of a line: start, readiness, death, stop."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest

from telephony.errors import StartError
from telephony.supervision.part import Part, PartSpec
from telephony.supervision.ready import file_written
from tests.processes import alive
from tests.waiting import limit

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


def spec(folder: Path, program: str, **changes: float) -> PartSpec:
    """A part that runs a few lines of Python."""
    ready = folder / "ready"
    result = PartSpec(
        name="sample",
        argv=[sys.executable, "-c", program, str(ready)],
        log_path=folder / "logs" / "sample.log",
        ready=file_written(ready),
        ready_timeout_s=changes.get("ready_timeout_s", 20.0),
        stop_timeout_s=changes.get("stop_timeout_s", 5.0),
    )
    return result


SLEEPER = "import sys, time, pathlib; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
STUBBORN = (
    "import sys, time, pathlib, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
)
PARENT = (
    "import subprocess, sys, pathlib, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "pathlib.Path(sys.argv[1]).write_text(str(child.pid)); time.sleep(60)"
)


async def test_a_part_is_started_and_stopped(tmp_path: Path) -> None:
    """It is ready when its file is there, and gone after stop."""
    part = Part(spec(tmp_path, SLEEPER))
    await part.start()
    pid = part.pid
    assert pid
    assert alive(pid)
    await part.stop()
    assert part.pid is None
    assert not alive(pid)


async def test_a_part_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    """Stop is bounded, whatever the process does."""
    part = Part(spec(tmp_path, STUBBORN, stop_timeout_s=0.2))
    await part.start()
    async with limit(10):
        await part.stop()
    assert part.pid is None


async def test_the_children_of_a_part_go_with_it(tmp_path: Path) -> None:
    """A process that forks leaves nobody behind."""
    part = Part(spec(tmp_path, PARENT))
    await part.start()
    async with limit(10):
        while not (tmp_path / "ready").read_text():
            await asyncio.sleep(0.02)
    child = int((tmp_path / "ready").read_text())
    await part.stop()
    async with limit(10):
        while alive(child):
            await asyncio.sleep(0.02)


async def test_a_part_that_dies_at_start_says_its_last_words(tmp_path: Path) -> None:
    """The error carries the exit code, what the program said last and where its log is."""
    part = Part(spec(tmp_path, "import sys; sys.exit('the configuration is wrong')"))
    with pytest.raises(StartError, match=r"exit code 1.*the configuration is wrong") as failure:
        await part.start()
    assert "sample.log" in (failure.value.fix or "")
    assert part.pid is None


async def test_a_part_that_never_gets_ready_is_stopped(tmp_path: Path) -> None:
    """Waiting has an end, and nothing runs afterwards."""
    part = Part(spec(tmp_path, "import time; time.sleep(60)", ready_timeout_s=0.3))
    with pytest.raises(StartError, match="not ready"):
        await part.start()
    assert part.pid is None


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    """A program that is not there leads to what installs it."""
    broken = spec(tmp_path, "")
    broken.argv = [os.fspath(tmp_path / "no-such-program")]
    with pytest.raises(StartError, match="no-such-program"):
        await Part(broken).start()
