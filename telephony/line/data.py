"""The line's folder on disk: who owns it, where things lie in it, its own LiveKit key.

One line, one folder: a lock held while the line runs keeps a second one out.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from telephony.errors import StartError


class LineData:
    """A line's folder, locked while it is open.

    Layout: ``config/`` files the parts are started with, ``logs/``, ``events/`` (spooled facts of
    calls), ``calls/`` (reports of simulated calls), ``ready/`` (what each part says of itself),
    ``livekit.key`` and ``livekit.secret``. Sockets lie in a short private folder of their own,
    since a Unix socket's path may have 107 bytes at most.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "config"
        self.logs = root / "logs"
        self.events = root / "events"
        self.calls = root / "calls"
        self.ready = root / "ready"
        self.secret_file = root / "livekit.secret"
        self._key_file = root / "livekit.key"
        self._lock: int | None = None
        self._sockets: Path | None = None

    @property
    def sockets(self) -> Path:
        """Where the line's Unix sockets lie; exists while the folder is open."""
        assert self._sockets is not None
        return self._sockets

    def open(self) -> None:
        """Make the folder, take its lock, and clear what a line that was killed left in it.

        Raises:
            StartError: another line uses it, or it cannot be written.
        """
        try:
            for folder in (self.root, self.config, self.logs, self.events, self.calls, self.ready):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StartError(
                f"the folder {self.root} cannot be used: {error.strerror}.",
                field="--data",
                fix="Choose a folder that you may write to.",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            self._lock = None
            raise StartError(
                f"another line already uses the folder {self.root}.",
                field="--data",
                fix="Stop that line, or give this one a folder of its own.",
            ) from error
        for stale in self.ready.iterdir():
            stale.unlink()
        self._sockets = Path(tempfile.mkdtemp(prefix="trunkline-"))

    def close(self) -> None:
        """Give the lock back and remove the sockets' folder; harmless when it was never opened."""
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def credentials(self) -> tuple[str, str]:
        """The line's own LiveKit key and secret, made once and kept with mode 0600."""
        if not (self._key_file.exists() and self.secret_file.exists()):
            write_private(self._key_file, "API" + secrets.token_hex(6))
            write_private(self.secret_file, secrets.token_urlsafe(36))
        return self._key_file.read_text().strip(), self.secret_file.read_text().strip()


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
    return path


def default_root(base: Path) -> Path:
    """The first of ``line``, ``line-2``, … below ``base`` that no running line holds."""
    for number in range(1, 100):
        root = base / ("line" if number == 1 else f"line-{number}")
        if not _held(root / "lock"):
            return root
    raise StartError(f"99 lines already run from {base}.", field="--data", fix="Stop some of them.")


def _held(lock: Path) -> bool:
    if not lock.exists():
        return False
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
