"""Events on disk: each source appends its own file per call, one JSON object a line.

The file is the truth until somebody has taken the events over, so a line is flushed
to the operating system before ``emit`` returns: it survives the death of the process.
Files are named ``<call_id>.<source>.jsonl`` in one directory. A writer holds a shared lock on its file, which
the kernel lets go of when it dies: so whoever comes after it can tell a dead writer from a slow one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telephony.calls.events import Event, EventType, Source
from telephony.calls.ids import is_call_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class EventSpool:
    """Writes one source's events of one call, numbered from where its file ends."""

    def __init__(self, directory: Path, call_id: str, source: Source) -> None:
        if not is_call_id(call_id):
            raise ValueError(f"not a call id: {call_id!r}")
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.call_id = call_id
        self.source: Source = source
        self.path = directory / f"{call_id}.{source}.jsonl"
        self._seq = max((event.source_seq for event in read_events(self.path)), default=0)
        self._file = self.path.open("ab", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_SH)
        self._close_cut_line()

    def emit(self, event_type: EventType, **data: Any) -> Event:
        """Write one event down and return it; ``data`` must be JSON values."""
        self._seq += 1
        event = Event(self.call_id, self.source, self._seq, event_type, datetime.now(UTC), data)
        line = json.dumps(event.to_json(), ensure_ascii=False, separators=(",", ":"))
        self._append(line.encode("utf-8", "replace") + b"\n")
        return event

    def _append(self, line: bytes) -> None:
        """Write one line whole or not at all: what a full disk took of it is taken back."""
        end = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(line) == len(line):
                return
        except OSError:
            os.ftruncate(self._file.fileno(), end)
            raise
        os.ftruncate(self._file.fileno(), end)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def _close_cut_line(self) -> None:
        """End a line that a crash cut short, so that the next event does not become part of it."""
        size = os.fstat(self._file.fileno()).st_size
        if size and self.path.read_bytes()[-1:] != b"\n":
            self._file.write(b"\n")

    def close(self) -> None:
        """Close the file; nothing is lost when this is never called."""
        self._file.close()


def read_events(path: Path) -> Iterator[Event]:
    """Read one spool file; a last line cut short by a crash is passed over."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            yield Event.from_json(json.loads(line))
        except ValueError:
            continue


def left_by_the_dead(directory: Path, source: Source) -> Iterator[Path]:
    """The files of one source that no living process writes to."""
    for path in sorted(directory.glob(f"call_*.{source}.jsonl")):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield path
