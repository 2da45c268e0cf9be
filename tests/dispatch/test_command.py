"""The dispatcher as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from telephony.dispatch.client import DispatchClient
from tests.bridge.servers import API_KEY, API_SECRET
from tests.dispatch.machine import NOWHERE
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component

_ENV = {"LIVEKIT_URL": NOWHERE, "LIVEKIT_API_KEY": API_KEY, "LIVEKIT_API_SECRET": API_SECRET}


async def _start(*arguments: str, env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "telephony.dispatch",
        *arguments,
        env={**os.environ, **env},
        stderr=asyncio.subprocess.PIPE,
    )


async def test_it_starts_says_so_and_stops_at_a_signal(tmp_path: Path) -> None:
    """The ready file has port and pid, bridges can connect, SIGTERM ends it with 0 and leaves no file."""
    ready, path = tmp_path / "ready.json", tmp_path / "d.sock"
    process = await _start(
        "--socket", str(path), "--ready-file", str(ready), "--agent", "reception", env=_ENV
    )
    try:
        await until(ready.exists, timeout_s=30)
        said = json.loads(ready.read_text())
        assert said["pid"] == process.pid
        client = DispatchClient(path)
        client.start()
        await until(lambda: client.serves("reception"))
        await client.close()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE * 10) == 0
        assert not ready.exists()
        assert not path.exists()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("missing", sorted(_ENV))
async def test_what_is_missing_is_one_sentence(tmp_path: Path, missing: str) -> None:
    """Without server or key it exits 1 and names the variable."""
    env = {name: "" if name == missing else value for name, value in _ENV.items()}
    process = await _start("--socket", str(tmp_path / "d.sock"), env=env)
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE * 30)
    assert process.returncode == 1
    assert said.decode().strip() == f"{missing}: {missing} is not set. Set it in the environment."
