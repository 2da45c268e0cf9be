"""A speech engine for one command: one that is running already, or a private one while it lasts."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from telephony.errors import StartError
from telephony.speech.client import SpeechClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_START_S = 60.0
"""The models are read from disk; a cold, busy machine takes its time."""
_STOP_S = 5.0
_POLL_S = 0.05


@asynccontextmanager
async def speech_engine(socket: Path | None) -> AsyncIterator[SpeechClient]:
    """A connection to the engine on ``socket``, or to a new one that is stopped afterwards.

    Raises:
        SpeechError: nobody answers on the socket.
        StartError: no engine could be started; the message has what it said.
    """
    if socket is not None:
        async with await SpeechClient.connect(socket) as client:
            yield client
        return
    # A Unix socket's path is limited to about 100 bytes, so it lies in the system's temporary folder.
    with tempfile.TemporaryDirectory(prefix="trunkline-speech-") as folder:
        process = await _start(Path(folder))
        try:
            await _ready(process, Path(folder))
            async with await SpeechClient.connect(Path(folder) / "speech.sock") as client:
                yield client
        finally:
            await _stop(process)


async def _start(folder: Path) -> asyncio.subprocess.Process:
    argv = [sys.executable, "-m", "telephony.speech.engine", "--log-level", "WARNING"]
    argv += ["--socket", str(folder / "speech.sock"), "--ready-file", str(folder / "ready.json")]
    if setpriv := shutil.which("setpriv"):
        # The kernel ends it when this command dies, even by SIGKILL.
        argv = [setpriv, "--pdeathsig", "KILL", "--", *argv]
    with (folder / "engine.log").open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # A Ctrl-C in the terminal is for the caller, which still needs it to hang up properly.
            start_new_session=True,
        )


async def _ready(process: asyncio.subprocess.Process, folder: Path) -> None:
    try:
        async with asyncio.timeout(_START_S):
            while not (folder / "ready.json").exists():
                if process.returncode is not None:
                    raise StartError(f"the speech engine stopped at its start: {_last_words(folder)}")
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise StartError(
            f"the speech engine was not ready after {_START_S:.0f} s.", retryable=True
        ) from error


def _last_words(folder: Path) -> str:
    lines = (folder / "engine.log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it did not say why."


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
