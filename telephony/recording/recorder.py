"""Recordings of one process: fed from the event loop, encoded and written by one thread.

Guarantee: feeding never blocks, whatever the disk does; what cannot be written ends the recording, with a
log line, and not the call. What was fed up to 0.4 s before a kill is in the file.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from telephony.audio.frame import RATE
from telephony.logs import get_logger
from telephony.recording.container import CONTAINERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telephony.audio.frame import Samples
    from telephony.recording.container import Container

log = get_logger(__name__)

FRAMES_AT_ONCE = 10
"""Frames handed to the thread together."""

MAX_WAITING = 1500
"""Batches that may wait for the disk, of all recordings together; more end the recording that brings them."""

_CLOSE_S = 5.0


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A recording that is complete."""

    path: Path
    format: str
    duration_s: float
    started_at: datetime

    def to_event(self) -> dict[str, Any]:
        """The data of ``recording.ready``."""
        return {
            "path": str(self.path),
            "format": self.format,
            "channels": 2,
            "sample_rate": RATE,
            "duration_s": round(self.duration_s, 3),
            "started_at": self.started_at.isoformat(timespec="milliseconds"),
        }


class Recorder:
    """All recordings of one process."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def open(self, folder: Path, name: str, kind: str) -> StereoRecording | None:
        """Begin a recording; None, with a log line, where no file can be made.

        Args:
            folder: made if it is missing, for its owner alone.
            name: the file's, without suffix; another is chosen beside a file that is there already.
            kind: ``ogg`` or ``wav``.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = _free_path(folder, name, kind)
            path.touch(mode=0o600)
        except OSError as error:
            log.error("recording_not_begun", recording=name, reason=error.strerror)
            return None
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()
        return StereoRecording(self, path, kind)

    def submit(self, work: Callable[[], None], *, always: bool = False) -> bool:
        """Let the thread do something; False if too much waits already, unless it must be done ``always``."""
        if self._work.qsize() >= MAX_WAITING and not always:
            return False
        self._work.put(work)
        return True

    def close(self) -> None:
        """Write what waits and end the thread; bounded."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._work.put(None)
            thread.join(_CLOSE_S)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


class StereoRecording:
    """One call's recording; made by ``Recorder.open``."""

    def __init__(self, recorder: Recorder, path: Path, kind: str) -> None:
        self.path = path
        self._kind = kind
        self._recorder = recorder
        self._loop = asyncio.get_running_loop()
        self._left: list[Samples] = []
        self._right: list[Samples] = []
        self._samples = 0
        self._started_at = datetime.now(UTC)
        self._container: Container | None = None
        self._failed = False
        self._closed = False
        self._recorder.submit(self._begin, always=True)

    def add(self, left: Samples, right: Samples) -> None:
        """The next 20 ms of both legs, int16 of shape (160,); never blocks."""
        if self._failed or self._closed:
            return
        self._left.append(left)
        self._right.append(right)
        if len(self._left) >= FRAMES_AT_ONCE:
            self._hand_over()

    async def close(self) -> RecordedFile | None:
        """Complete the file; None if nothing could be recorded. Bounded, harmless when repeated."""
        if self._closed:
            return None
        self._closed = True
        if self._left:
            self._hand_over()
        done: asyncio.Future[None] = self._loop.create_future()
        self._recorder.submit(lambda: self._end(done), always=True)
        try:
            async with asyncio.timeout(_CLOSE_S):
                await done
        except TimeoutError:
            log.warning("recording_close_timed_out", file=self.path.name)
        if not self._samples:
            self.path.unlink(missing_ok=True)
            return None
        return RecordedFile(self.path, self._kind, self._samples / RATE, self._started_at)

    def _hand_over(self) -> None:
        left, right = np.concatenate(self._left), np.concatenate(self._right)
        self._left.clear()
        self._right.clear()
        if not self._recorder.submit(lambda: self._write(left, right)):
            self._fail("the disk is too slow")

    # In the thread

    def _begin(self) -> None:
        try:
            self._container = CONTAINERS[self._kind](self.path)
        except Exception as error:
            self._fail(str(error))

    def _write(self, left: Samples, right: Samples) -> None:
        if self._failed or self._container is None:
            return
        try:
            self._container.write(left, right)
            self._samples += len(left)
        except Exception as error:
            self._fail(str(error))

    def _end(self, done: asyncio.Future[None]) -> None:
        try:
            if self._container is not None:
                self._container.close()
        except Exception as error:
            self._fail(str(error))
        self._container = None
        try:
            self._loop.call_soon_threadsafe(_resolve, done)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            log.debug("recording_ended_late", file=self.path.name)

    def _fail(self, reason: str) -> None:
        if not self._failed:
            self._failed = True
            log.error("recording_failed", file=self.path.name, reason=reason)


def _free_path(folder: Path, name: str, kind: str) -> Path:
    path = folder / f"{name}.{kind}"
    number = 2
    while path.exists():
        path = folder / f"{name}-{number}.{kind}"
        number += 1
    return path


def _resolve(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
