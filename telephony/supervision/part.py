"""One process of the line: started, known to be ready, known to have died, stopped in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telephony.errors import StartError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

log = get_logger(__name__)

_POLL_S = 0.05
_KILL_WAIT_S = 5.0


@dataclass(slots=True)
class PartSpec:
    """What to run and how to tell that it is up.

    ``ready`` is asked every 50 ms until it says yes; ``stop_signal`` gets ``stop_timeout_s``
    seconds to work before the whole process group is killed.
    """

    name: str
    argv: Sequence[str]
    log_path: Path
    ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_timeout_s: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    before_start: Callable[[], None] | None = None


class Part:
    """A running process of the line.

    It leads a process group of its own, so that a Ctrl-C in the terminal reaches the
    supervisor alone, and it is killed by the kernel when the supervisor dies.
    """

    def __init__(self, spec: PartSpec) -> None:
        self.spec = spec
        self.restarts = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> float:
        """Start it and wait until it is ready.

        Returns:
            The seconds it took.

        Raises:
            StartError: the program is missing, stopped, or was not ready in time; it does not run then.
        """
        started = time.monotonic()
        if self.spec.before_start:
            self.spec.before_start()
        self._process = await self._spawn()
        deadline = started + self.spec.ready_timeout_s
        try:
            while not await self.spec.ready():
                if self._process.returncode is not None:
                    raise self._died_at_start(self._process.returncode)
                if time.monotonic() > deadline:
                    raise StartError(
                        f"{self.name} was not ready after {self.spec.ready_timeout_s:.0f} s.",
                        fix=f"Read {self.spec.log_path}.",
                    )
                await asyncio.sleep(_POLL_S)
        except BaseException:
            await self.stop()
            raise
        return time.monotonic() - started

    async def _spawn(self) -> asyncio.subprocess.Process:
        self.spec.log_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        argv = list(self.spec.argv)
        if setpriv := shutil.which("setpriv"):
            # The kernel kills it when we die, even by SIGKILL: nothing is left running.
            argv = [setpriv, "--pdeathsig", "KILL", "--", *argv]
        descriptor = os.open(self.spec.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env={**os.environ, **self.spec.env},
                start_new_session=True,
            )
        except OSError as error:
            raise StartError(
                f"{self.name} cannot be started: {error.strerror}: {self.spec.argv[0]}.",
                fix="Run scripts/setup run, which installs what is missing.",
            ) from error
        finally:
            os.close(descriptor)

    def _died_at_start(self, code: int) -> StartError:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        said = last_words(self.spec.log_path)
        message = f"{self.name} stopped at start ({how})" + (f": {said}" if said else ".")
        return StartError(message, fix=f"Its log is {self.spec.log_path}.")

    async def wait(self) -> int:
        """Wait until it has died, and return its exit code (negative: the signal)."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """Stop it: its signal first, then the whole group is killed. Bounded; harmless when it is dead."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.spec.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), self.spec.stop_timeout_s)
            except TimeoutError:
                log.warning("part_killed", part=self.name, after_s=self.spec.stop_timeout_s)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # Its children share the group; those it left behind go with it.
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _KILL_WAIT_S)


def last_words(path: Path, limit: int = 400) -> str:
    """The last non-empty line of a log, shortened: what a part said before it stopped."""
    try:
        tail = path.read_bytes()[-8192:].decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return lines[-1][:limit] if lines else ""
