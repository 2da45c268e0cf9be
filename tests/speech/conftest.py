"""One fake engine a test, and one real engine for all tests that need its models."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.speech.fakes import FakeEngine, fake_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="speech-") as folder:
        yield Path(folder)


@pytest_asyncio.fixture
async def engine(short_path: Path) -> AsyncIterator[FakeEngine]:
    """A running server over fake models."""
    async with fake_engine(short_path / "speech.sock") as running:
        yield running


@pytest.fixture(scope="session")
def real_engine() -> Iterator[Path]:
    """The socket of a running engine with its real models."""
    with running_engine() as socket:
        yield socket


@contextmanager
def running_engine() -> Iterator[Path]:
    """An engine as an operator would start it; its socket."""
    with tempfile.TemporaryDirectory(prefix="speech-") as folder:
        socket, ready = Path(folder) / "speech.sock", Path(folder) / "ready.json"
        process = start_engine(socket, ready)
        try:
            wait_until_ready(process, ready)
            yield socket
        finally:
            process.terminate()
            process.communicate(timeout=10)


def start_engine(socket: Path, ready: Path, *options: str) -> subprocess.Popen[str]:
    """Start an engine as an operator would."""
    command = [sys.executable, "-m", "telephony.speech.engine", "--socket", str(socket)]
    return subprocess.Popen(
        [*command, "--ready-file", str(ready), "--log-level", "WARNING", *options],
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_ready(process: subprocess.Popen[str], ready: Path, patience_s: float = 60.0) -> None:
    """Return once the ready file is there; fail with what the engine said otherwise."""
    deadline = time.monotonic() + patience_s
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"the engine did not start: {process.communicate()[1]}")
        time.sleep(0.05)
    assert json.loads(ready.read_text())["pid"] == process.pid
