"""``python -m telephony.bridge`` as its supervisor sees it: ready file, signals, exit codes, one sentence."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.bridge.line import TestLine
from tests.bridge.servers import free_port
from tests.waiting import limit, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.phone import Phone
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component


class BridgeProcess:
    """The bridge in a process of its own."""

    def __init__(self, line: TestLine, folder: Path, **changes: Any) -> None:
        self.ready_file = folder / "ready.json"
        settings = {**line.settings, "ready_file": str(self.ready_file), **changes}
        self.file = folder / "bridge.yaml"
        self.file.write_text(yaml.safe_dump(settings))
        self.stderr = b""

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "telephony.bridge",
            "--config",
            str(self.file),
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONWARNINGS": "default"},
        )

    async def ready(self) -> dict[str, Any]:
        await until(self.ready_file.exists, timeout_s=20)
        content: dict[str, Any] = json.loads(self.ready_file.read_text())
        return content

    async def ends(self, timeout_s: float = 20.0) -> int:
        """Wait for its end and return its exit code; what it said is in ``stderr``."""
        async with limit(timeout_s):
            _, self.stderr = await self.process.communicate()
        return self.process.returncode or 0

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self.stderr.decode().splitlines()]


@pytest.fixture
async def bare(redis: Server, livekit: Server, tmp_path: Path) -> TestLine:
    """Settings of a line whose own bridge is not started."""
    return TestLine(redis, livekit, tmp_path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sip_prot": 1}, "sip_prot: is not a key of the bridge, did you mean sip_port?"),
        ({"redis": {"address": "127.0.0.1:1"}}, "Redis at 127.0.0.1:1 cannot be reached. Start Redis"),
    ],
)
async def test_what_keeps_it_from_starting_is_one_sentence(
    bare: TestLine, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    """Exit code 1, the sentence on standard error, no traceback, no ready file."""
    process = BridgeProcess(bare, tmp_path, **changes)
    await process.start()
    assert await process.ends() == 1
    text = process.stderr.decode()
    assert says in text
    assert "Traceback" not in text
    assert len(text.strip().splitlines()) == 1
    assert not process.ready_file.exists()


async def test_a_taken_port_is_one_sentence(bare: TestLine, tmp_path: Path) -> None:
    """The port and the way out are named."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        process = BridgeProcess(bare, tmp_path, sip_port=taken.getsockname()[1])
        await process.start()
        assert await process.ends() == 1
        text = process.stderr.decode()
        assert str(taken.getsockname()[1]) in text
        assert "Traceback" not in text


async def test_a_file_that_is_missing_is_one_sentence(bare: TestLine, tmp_path: Path) -> None:
    """The same for the file itself."""
    process = BridgeProcess(bare, tmp_path)
    process.file.unlink()
    await process.start()
    assert await process.ends() == 1
    assert "bridge.yaml cannot be read" in process.stderr.decode()


async def test_sigterm_drains_and_a_good_call_says_nothing_alarming(
    line: TestLine, phone: Phone, tmp_path: Path
) -> None:
    """SIGTERM in the middle of a call: it ends by itself, exit 0, no WARNING, no number in clear."""
    await line.provision()
    folder = tmp_path / "process"
    folder.mkdir()
    process = BridgeProcess(line, folder, sip_port=free_port(socket.SOCK_DGRAM))
    await process.start()
    ready = await process.ready()
    assert ready["pid"] == process.process.pid
    assert ready["health_port"]
    call = await phone.call(line.number, ready["sip_port"], voice_hz=1000)
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak()
        await agent.room.local_participant.send_text("hello", topic="lk.transcription")
        assert (await call.final()).status == 200
        process.process.send_signal(signal.SIGTERM)
        await until(lambda: len(call.heard) > 50)
        assert not call.session.ended.is_set()
        await call.bye()
        assert await process.ends() == 0
    assert not process.ready_file.exists()
    events = [entry["event"] for entry in process.lines]
    assert [name for name in events if name.startswith(("bridge_", "call_"))] == [
        "bridge_ready",
        "call_answered",
        "bridge_draining",
        "call_ended",
        "bridge_cutting",
        "bridge_stopped",
    ]
    assert [entry for entry in process.lines if entry["level"] not in ("info", "debug")] == []
    assert line.number not in process.stderr.decode()
    ended = next(entry for entry in process.lines if entry["event"] == "call_ended")
    order = [
        "invite",
        "auth",
        "dispatch",
        "ringing",
        "joined",
        "published",
        "agent_track",
        "answered",
        "active",
    ]
    assert [name for name in ended["marks_ms"] if name in order] == order


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]])
async def test_sigint_or_a_second_sigterm_hangs_up(
    line: TestLine, phone: Phone, tmp_path: Path, signals: list[signal.Signals]
) -> None:
    """The phone gets BYE and the process exits 0 within seconds."""
    await line.provision()
    folder = tmp_path / "process"
    folder.mkdir()
    process = BridgeProcess(line, folder)
    await process.start()
    ready = await process.ready()
    call = await phone.call(line.number, ready["sip_port"], voice_hz=1000)
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak()
        assert (await call.final()).status == 200
        for number in signals:
            process.process.send_signal(number)
            await asyncio.sleep(0.2)
        await call.hung_up()
        assert await process.ends(timeout_s=8) == 0
