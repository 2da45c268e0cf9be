"""Other people's SIP programs as independent witnesses: what they need, how they are started and stopped."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from telephony.errors import PortTakenError
from telephony.supervision import ports
from tests.waiting import PATIENCE, limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BARESIP = """\
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module sndfile.so
module account.so
module menu.so
audio_source aufile,{folder}/played.wav
audio_srate 8000-8000
audio_channels 1-1
snd_path {folder}
"""
"""baresip's configuration, for its ``port`` and the ``folder`` with what it plays and records."""


def require(program: str, package: str) -> str:
    """The path of a program; without it the test fails in CI, and is skipped elsewhere."""
    path = shutil.which(program)
    if path is None:
        missing = f"{program} is not installed (Debian package {package})"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path


def free_sip_port() -> int:
    """A SIP port that a program may take which cannot choose one itself.

    The next one is free for TCP as well, where baresip puts TLS.
    """
    for _ in range(200):
        port = ports.free_sip_port()
        try:
            ports.require_free(port + 1, field="TLS", kind=socket.SOCK_STREAM)
        except PortTakenError:
            continue
        return port
    pytest.fail("no free SIP port among 200 tried")


@asynccontextmanager
async def program(*argv: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program in a folder, its output in ``output`` there; it is stopped at the end."""
    with (folder / "output").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *argv, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), PATIENCE * 5)
            except TimeoutError:
                process.kill()
                await process.wait()


async def says(folder: Path, words: str, *, within_s: float = 15.0) -> None:
    """Wait until a program has printed some words."""
    async with limit(within_s):
        while words not in (folder / "output").read_text(errors="replace"):
            await asyncio.sleep(0.05)
