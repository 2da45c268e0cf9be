"""A list of JSON objects in one file that several processes add to.

An addition holds a lock beside the file and replaces the file whole, so a reader never sees half of
it and two calls never overwrite each other. Without a path the list lives in memory.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from telephony.errors import AssistantError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Outcome = TypeVar("Outcome")
Record = dict[str, Any]


class RecordFile:
    """The list; all methods block briefly, so call them off the event loop.

    Args:
        path: the file, made when the first record is added; None keeps the records in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._memory: list[Record] = []

    def all(self) -> list[Record]:
        """Every record, oldest first.

        Raises:
            AssistantError: the file is not what this class has written.
        """
        if self._path is None:
            return list(self._memory)
        try:
            records = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise self._unreadable(str(error)) from error
        if not isinstance(records, list):
            raise self._unreadable("it holds no list")
        return records

    def change(self, decide: Callable[[list[Record]], tuple[Outcome, Record | None]]) -> Outcome:
        """Look at all records and perhaps add one, with nobody else adding meanwhile.

        Args:
            decide: from the records to an outcome and the record to add.
        """
        with self._alone():
            records = self.all()
            outcome, added = decide(records)
            if added is not None:
                self._write([*records, added])
        return outcome

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._path is None:
            yield
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, records: list[Record]) -> None:
        if self._path is None:
            self._memory = records
            return
        new = self._path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(records, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(new, self._path)

    def _unreadable(self, reason: str) -> AssistantError:
        return AssistantError(f"cannot read {self._path}: {reason}.", fix="Move the file away.")
