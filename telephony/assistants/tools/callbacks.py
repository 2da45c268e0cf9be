"""Whom the operator has promised to call back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.assistants.tools.records import Record, RecordFile

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


class CallbackList:
    """Numbers to call, in a file, or in memory without one. Its methods block: call them off the loop."""

    def __init__(self, path: Path | None = None) -> None:
        self._records = RecordFile(path)

    def note(self, number: str, at: datetime, *, call_id: str = "") -> None:
        """Write down that somebody is waiting for a call; once a call is enough."""

        def decide(records: list[Record]) -> tuple[None, Record | None]:
            if call_id and any(record["call_id"] == call_id for record in records):
                return None, None
            return None, {"number": number, "asked_at": at.isoformat(timespec="seconds"), "call_id": call_id}

        self._records.change(decide)

    def numbers(self) -> list[str]:
        """All numbers that are waiting, oldest first."""
        return [str(record["number"]) for record in self._records.all()]
