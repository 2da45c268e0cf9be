"""``python -m telephony.agent`` as a process of the tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telephony.spool import read_events
from tests.bridge.servers import API_KEY, API_SECRET

if TYPE_CHECKING:
    from telephony.calls.events import Event

_START_S = 40.0
_STOP_S = 20.0


@dataclass
class WorkerProcess:
    """One worker.

    ``config`` is the text of the operator's file.
    """

    folder: Path
    url: str
    config: str
    speech_socket: Path | None = None
    max_calls: int = 10
    env: dict[str, str] = field(default_factory=dict)
    started_in_s: float = 0.0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    def start(self) -> None:
        """Start it and wait until it is registered."""
        self.data.mkdir(parents=True, exist_ok=True)
        config = self.folder / "line.yaml"
        config.write_text(self.config)
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        env = {
            **os.environ,
            "LIVEKIT_URL": self.url,
            "LIVEKIT_API_KEY": API_KEY,
            "LIVEKIT_API_SECRET": API_SECRET,
            "TRUNKLINE_CONFIG": str(config),
            "TRUNKLINE_DATA": str(self.data),
            "TRUNKLINE_MAX_CALLS": str(self.max_calls),
            "TRUNKLINE_WORKER_PORT": "0",
            "TRUNKLINE_READY_FILE": str(ready),
            **({"TRUNKLINE_SPEECH_SOCKET": str(self.speech_socket)} if self.speech_socket else {}),
            **self.env,
        }
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "telephony.agent"], env=env, stdout=log, stderr=log
            )
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() - began > _START_S:
                self.stop()
                raise AssertionError(f"the worker did not start: {self.log.read_text()[-3000:]}")
            time.sleep(0.02)
        self.started_in_s = time.monotonic() - began

    def stop(self) -> int | None:
        """Ask it to end, and make sure; returns its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        tree = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(_STOP_S)
        finally:
            for child in tree & _parents().keys():
                os.kill(child, signal.SIGKILL)

    def wait(self) -> int:
        """Wait until it has ended by itself; returns its exit code."""
        assert self._process is not None
        return self._process.wait(_STOP_S)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def job_pids(self) -> set[int]:
        """Every job process, idle or not, but not the process that they are forked from."""
        parents = _parents()
        return {child for child in descendants(self.pid) if parents.get(child) != self.pid}

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far."""
        lines = []
        for line in self.log.read_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"level": "error", "event": line})
        return lines

    def alarms(self) -> list[dict[str, Any]]:
        """Warnings and worse."""
        return [line for line in self.lines() if line["level"] not in {"debug", "info"}]

    def events(self, call_id: str) -> list[Event]:
        """What the job wrote about one call."""
        return list(read_events(self.data / "events" / f"{call_id}.job.jsonl"))


def _parents() -> dict[int, int]:
    """The parent of every process of this machine that has not ended."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            except (OSError, ValueError):
                continue
            if state != "Z":
                parents[int(entry.name)] = int(parent)
    return parents


def is_running(pid: int) -> bool:
    """Whether a process exists and has not ended."""
    return pid in _parents()


def descendants(pid: int) -> set[int]:
    """All processes below one."""
    parents = _parents()
    found: set[int] = set()
    while new := {child for child, parent in parents.items() if parent in found | {pid}} - found:
        found |= new
    return found
