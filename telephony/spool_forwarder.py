"""Hand spooled events to the api: each source's in its order, each file gone only when nobody needs it.

Guarantee: an event is let go of only after the api has said that it is on disk. While the api is away
everything stays where it is; after a crash of either side the same events are sent again, and the api
knows them. A line that can never be taken is set aside in ``rejected``, so that it holds up nothing.

Run beside the sources of a machine that is not the api's: ``python -m telephony.spool_forwarder
--directory DIR --api URL --key-file FILE``. On the api's own machine the api does it itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import heapq
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp

from telephony import logs
from telephony.errors import StoreError, TrunklineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

log = logs.get_logger(__name__)

LINGER_S = 60.0
"""How long a file of an ended call is kept after its last event."""

_LOOK_S = 0.1
_LOOK_IDLE_S = 0.5
_PER_BATCH = 200
_PER_FILE = 100
_FILES_AT_ONCE = 40
_LARGEST_LINE = 1_000_000
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Taken:
    """The api's answer to a batch: which calls have ended, and which events it will never take."""

    ended: frozenset[str] = frozenset()
    rejected: dict[int, str] = field(default_factory=dict)


class Sink(Protocol):
    """Where events go."""

    async def take(self, events: Sequence[dict[str, Any]]) -> Taken:
        """Take events over; when this returns they are on disk.

        Raises:
            StoreError: they were not taken, and may be sent again.
        """


@dataclass(slots=True)
class _File:
    path: Path
    call_id: str
    size: int = 0
    """Bytes it has."""
    written_at: float = 0.0
    """When it was last written to, in s since 1970."""
    taken: int = 0
    """Bytes from its start that the api has."""
    last: dict[str, Any] | None = None
    ended: bool = False
    asked_at: float = 0.0

    def read(self) -> list[tuple[int, bytes]]:
        """Its next whole lines, each with the offset behind it."""
        with self.path.open("rb") as file:
            file.seek(self.taken)
            block = file.read(_LARGEST_LINE)
        lines, offset = [], self.taken
        for line in block.split(b"\n")[:-1][:_PER_FILE]:
            offset += len(line) + 1
            lines.append((offset, line))
        if not lines and len(block) >= _LARGEST_LINE:
            # Longer than any event: whoever wrote it did not mean an event.
            lines.append((self.taken + len(block), block))
        return lines


@dataclass(order=True, slots=True)
class _Next:
    """The next line of one file, in the order in which lines of all files are sent."""

    time: str
    name: str
    place: int
    offset: int = field(compare=False)
    event: dict[str, Any] | None = field(compare=False)
    line: bytes = field(compare=False)
    file: _File = field(compare=False)


class SpoolForwarder:
    """Empties one directory of spool files into a sink.

    Args:
        directory: where ``telephony.spool.EventSpool`` writes.
        linger_s: see ``LINGER_S``.
    """

    def __init__(self, directory: Path, sink: Sink, *, linger_s: float = LINGER_S) -> None:
        self._directory = directory
        self._sink = sink
        self._linger_s = linger_s
        self._files: dict[str, _File] = {}
        self._failures = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Forward until told to stop; what could not be forwarded stays on disk."""
        while not stop.is_set():
            try:
                busy = await self.round()
                pause = _LOOK_S if busy else _LOOK_IDLE_S
                self._failures = 0
            except (StoreError, OSError) as error:
                pause = _RETRY_S[min(self._failures, len(_RETRY_S) - 1)]
                if self._failures % 20 == 0:
                    reason = error.message if isinstance(error, StoreError) else str(error)
                    log.warning("events_wait", reason=reason, files=len(self._files))
                self._failures += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stop.wait()

    async def round(self) -> bool:
        """Send what is there now; returns whether some calls are still going on.

        Raises:
            StoreError: the sink took nothing; it is all still there.
        """
        await asyncio.to_thread(self._look)
        while batch := await asyncio.to_thread(self._gather):
            await self._send(batch)
        await self._tidy()
        return any(not file.ended for file in self._files.values())

    def _look(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        found: set[str] = set()
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if not (entry.name.startswith("call_") and entry.name.endswith(".jsonl")):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    state = entry.stat()
                    file = self._files.get(entry.name)
                    if file is None:
                        file = _File(Path(entry.path), entry.name.split(".")[0])
                        self._files[entry.name] = file
                    file.size, file.written_at = state.st_size, state.st_mtime
                    found.add(entry.name)
        for name in self._files.keys() - found:
            del self._files[name]

    def _gather(self) -> list[_Next]:
        """The next lines of all files, by time, but never one file's lines out of their order."""
        behind = [file for file in self._files.values() if file.size > file.taken]
        # After a long absence there are more files than one batch can take from: the oldest come first.
        behind.sort(key=lambda file: file.written_at)
        queues = {file.path.name: _queue(file) for file in behind[:_FILES_AT_ONCE]}
        heads = [queue.pop(0) for queue in queues.values() if queue]
        heapq.heapify(heads)
        batch: list[_Next] = []
        while heads and len(batch) < _PER_BATCH:
            head = heapq.heappop(heads)
            batch.append(head)
            if queues[head.name]:
                following = queues[head.name].pop(0)
                # A clock that was set back must not make a later line overtake an earlier one.
                following.time = max(following.time, head.time)
                heapq.heappush(heads, following)
        return batch

    async def _send(self, batch: list[_Next]) -> None:
        readable = [each for each in batch if each.event is not None]
        taken = Taken()
        if readable:
            taken = await self._sink.take([each.event for each in readable if each.event is not None])
        reasons = {id(readable[index]): reason for index, reason in taken.rejected.items()}
        reasons |= {id(each): "it is not JSON" for each in batch if each.event is None and each.line.strip()}
        refused = [(each, reasons[id(each)]) for each in batch if id(each) in reasons]
        await asyncio.to_thread(self._set_aside, refused)
        now = time.monotonic()
        for each in batch:
            each.file.taken = max(each.file.taken, each.offset)
            each.file.size = max(each.file.size, each.file.taken)
            each.file.last = each.event or each.file.last
            each.file.asked_at = now
        self._note_ended(taken.ended)

    def _note_ended(self, ended: Iterable[str]) -> None:
        over = set(ended)
        for file in self._files.values():
            file.ended = file.ended or file.call_id in over

    def _set_aside(self, refused: Sequence[tuple[_Next, str]]) -> None:
        if not refused:
            return
        folder = self._directory / "rejected"
        folder.mkdir(exist_ok=True, mode=0o700)
        for each, reason in refused:
            with (folder / each.file.path.name).open("ab") as file:
                file.write(each.line + b"\n")
            log.error("event_rejected", call_id=each.file.call_id, file=each.file.path.name, reason=reason)

    async def _tidy(self) -> None:
        """Ask after calls that seem over, and remove the files of those that are."""
        now = time.monotonic()
        asked = [
            file
            for file in self._files.values()
            if not file.ended and file.last is not None and now - file.asked_at > self._linger_s
        ]
        for start in range(0, len(asked), _PER_BATCH):
            part = asked[start : start + _PER_BATCH]
            # The last event once more: the api has it, and says whether its call has ended.
            taken = await self._sink.take([file.last for file in part if file.last is not None])
            for file in part:
                file.asked_at = now
            self._note_ended(taken.ended)
        for name in await asyncio.to_thread(self._remove_done):
            self._files.pop(name, None)

    def _remove_done(self) -> list[str]:
        gone = []
        for name, file in self._files.items():
            if not file.ended:
                continue
            with contextlib.suppress(FileNotFoundError):
                state = file.path.stat()
                quiet = time.time() - state.st_mtime >= self._linger_s
                if quiet and state.st_size == file.taken:
                    file.path.unlink()
                    gone.append(name)
        return gone


def _queue(file: _File) -> list[_Next]:
    try:
        lines = file.read()
    except FileNotFoundError:
        return []
    queue = []
    for place, (offset, line) in enumerate(lines):
        event = _parse(line)
        when = str(event.get("time", "")) if event else ""
        queue.append(_Next(when, file.path.name, place, offset, event, line, file))
    return queue


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


class HttpSink:
    """The api over HTTP, with a key that may hand events in.

    The key is read from its file when it is needed and again when it is refused, since the api may
    have made it meanwhile.
    """

    def __init__(self, url: str, key_file: Path) -> None:
        self._url = url.rstrip("/") + "/v1/events"
        self._key_file = key_file
        self._key = ""
        self._session: aiohttp.ClientSession | None = None

    async def take(self, events: Sequence[dict[str, Any]]) -> Taken:
        """See ``Sink.take``."""
        status, answer = await self._post(events)
        if status in (401, 403):
            self._key = ""
            status, answer = await self._post(events)
        if status != 200:
            raise StoreError(f"The api answered {status}: {answer.get('detail', '')}", retryable=True)
        rejected = {int(each["index"]): str(each["reason"]) for each in answer["rejected"]}
        return Taken(frozenset(answer["ended_calls"]), rejected)

    async def _post(self, events: Sequence[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        if not self._key:
            self._key = (await asyncio.to_thread(self._key_file.read_text)).strip()
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S))
        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            async with self._session.post(self._url, json={"events": events}, headers=headers) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise StoreError(f"The api cannot be reached: {type(error).__name__}.", retryable=True) from error
        return response.status, answer if isinstance(answer, dict) else {}

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m telephony.spool_forwarder", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="where the sources write")
    parser.add_argument("--api", required=True, help="the api's URL")
    parser.add_argument("--key-file", type=Path, required=True, help="a key with the scope events:write")
    given = parser.parse_args(arguments)
    logs.configure(os.environ.get("TRUNKLINE_LOG_LEVEL", "INFO"))
    try:
        asyncio.run(_forward(given.directory, given.api, given.key_file))
    except TrunklineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


async def _forward(directory: Path, api: str, key_file: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    sink = HttpSink(api, key_file)
    try:
        await SpoolForwarder(directory, sink).run(stop)
    finally:
        await sink.close()


if __name__ == "__main__":
    sys.exit(main())
