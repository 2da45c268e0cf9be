"""An apply that is interrupted: by Ctrl-C, by a service manager, by a server that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from provisioning.apply import apply_line
from provisioning.cli import app
from provisioning.config import load
from provisioning.lease import read_lease
from provisioning.objects import Kind
from provisioning.plan import make_plan
from telephony.errors import LiveKitError
from tests.provisioning.kills import ROOT
from tests.provisioning.large_file import large_file
from tests.waiting import limit

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.apply import Written
    from provisioning.config import LineConfig
    from tests.provisioning.conftest import LiveKit

pytestmark = pytest.mark.component

_SIZE = 40
_LONG = 150
"""So that a signal sent at its first write comes long before its last."""


@pytest.fixture
def file(livekit: LiveKit, tmp_path: Path) -> Path:
    """A file whose apply takes long enough to be interrupted."""
    path = tmp_path / "line.yaml"
    path.write_text(text(livekit, _SIZE))
    return path


def text(livekit: LiveKit, size: int) -> str:
    return large_file(
        size,
        url=livekit.url,
        api_key=livekit.api_key,
        api_secret=livekit.api_secret,
        redis=livekit.redis_address,
    )


async def unlike(livekit: LiveKit, config: LineConfig) -> int:
    async with livekit.service() as service:
        return len(make_plan(config, await service.list_all()).changes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_stop_finishes_what_was_begun_and_leaves_the_rest(
    number: signal.Signals, livekit: LiveKit, file: Path
) -> None:
    """No trunk is left without its rule, the lock is let go, and the next run makes the rest."""
    file.write_text(text(livekit, _LONG))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "provisioning", "apply", "--config", str(file)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    async with limit(60):
        while not (await process.stdout.readline()).startswith(b"  created"):
            pass
        process.send_signal(number)
        _, said = await process.communicate()
    assert process.returncode == 130
    assert b"what was begun is finished" in said
    assert b"Traceback" not in said
    async with livekit.service() as service:
        lives = await service.list_all()
        names = {kind: {live.message.name for live in lives if live.kind is kind} for kind in Kind}
        assert {name.removeprefix("t") for name in names[Kind.INBOUND]} == {
            name.removeprefix("r") for name in names[Kind.RULE]
        }
        assert not [live for live in await service.list_kind(Kind.OUTBOUND) if read_lease(live.message)]
    config = load(file, {}).config
    await apply_line(config, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)
    assert await unlike(livekit, config) == 0


async def test_a_server_that_restarts_in_the_middle_loses_nothing(livekit: LiveKit, file: Path) -> None:
    """Apply says in a sentence that the server is gone; run again it makes exactly what was missing."""
    config = load(file, {}).config

    def restart_soon(written: Written) -> None:
        if len(seen) == _SIZE // 3:
            livekit.server.stop()
        seen.append(written)

    seen: list[Written] = []

    async def come_back() -> None:
        while livekit.server.running:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(livekit.server.start)

    coming_back = asyncio.create_task(come_back())
    try:
        with pytest.raises(LiveKitError, match=r"cannot reach|did not answer|refused") as error:
            await apply_line(
                config,
                url=livekit.url,
                api_key=livekit.api_key,
                api_secret=livekit.api_secret,
                on_change=restart_soon,
            )
    finally:
        await coming_back
    assert error.value.retryable
    assert 0 < await unlike(livekit, config) < 2 * _SIZE
    await apply_line(config, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)
    assert await unlike(livekit, config) == 0
    async with livekit.service() as service:
        assert len(await service.list_all()) == 2 * _SIZE


@pytest.mark.parametrize("command", ["apply", "destroy"])
async def test_nothing_is_deleted_where_nobody_can_be_asked(
    command: str, livekit: LiveKit, tmp_path: Path
) -> None:
    """Without a terminal and without --yes deletions are refused in a sentence; nothing is written."""
    file = tmp_path / "line.yaml"
    file.write_text(text(livekit, 2))
    config = load(file, {}).config
    await apply_line(config, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)
    file.write_text(text(livekit, 1))
    refused = await asyncio.to_thread(CliRunner().invoke, app, [command, "--config", str(file)])
    assert refused.exit_code == 1
    assert "would be deleted" in refused.output
    assert "--yes" in refused.output
    assert await unlike(livekit, config) == 0
    done = await asyncio.to_thread(CliRunner().invoke, app, [command, "--yes", "--config", str(file)])
    assert done.exit_code == 0, done.output
    async with livekit.service() as service:
        assert len(await service.list_all()) == (2 if command == "apply" else 0)


@pytest.mark.parametrize(
    ("answer", "code", "left"),
    [(b"y\n", 0, 2), (b"\n", 1, 4), (b"no\n", 1, 4), (b"\x04", 1, 4), (None, 1, 4)],
    ids=["yes", "enter", "no", "end of input", "Ctrl-C"],
)
async def test_a_deletion_is_asked_for_on_a_terminal(
    answer: bytes | None, code: int, left: int, livekit: LiveKit, tmp_path: Path
) -> None:
    """Only a yes deletes; Ctrl-C at the question ends it at once and nothing is written."""
    file = tmp_path / "line.yaml"
    file.write_text(text(livekit, 2))
    config = load(file, {}).config
    await apply_line(config, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)
    file.write_text(text(livekit, 1))
    terminal, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "provisioning", "apply", "--config", str(file)),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
    )
    os.close(theirs)
    said = b""
    async with limit(30):
        while b"[y/N]" not in said:
            said += await asyncio.to_thread(os.read, terminal, 4096)
        if answer is None:
            process.send_signal(signal.SIGINT)
        else:
            os.write(terminal, answer)
        await process.wait()
    with contextlib.suppress(OSError):
        said += os.read(terminal, 4096)
    os.close(terminal)
    assert process.returncode == code, said
    assert b"Traceback" not in said
    async with livekit.service() as service:
        assert len(await service.list_all()) == left
