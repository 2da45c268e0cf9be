"""Keeps recordings: moves what the audio path left into the store, and deletes what must go.

Guarantee: a file is in the store before its source is removed, and a recording is called deleted
only after its file is. Every step can be repeated after a crash. Nothing outside the folder that is
agreed on is ever read or removed, whatever path an event names.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telephony.errors import StoreError
from telephony.logs import get_logger
from telephony.store import erasure, recordings
from telephony.store.instants import utc_now
from telephony.store.ledger import Ledger

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from telephony.api.hub import Hub
    from telephony.api.settings import RecordingOptions
    from telephony.monitor.metrics import Metrics
    from telephony.store.database import Database
    from telephony.store.files import RecordingFiles
    from telephony.store.ledger import Policy

log = get_logger(__name__)

_AT_ONCE = 20
_RETRY_S = (5.0, 30.0, 300.0, 1800.0)
_GIVE_UP_AFTER = 12
_FORMATS = {"wav": "audio/wav", "ogg": "audio/ogg", "mp3": "audio/mpeg", "flac": "audio/flac"}


def media_type(file_format: str) -> str:
    """The Content-Type of a recording."""
    return _FORMATS.get(file_format, "application/octet-stream")


class RecordingKeeper:
    """One for the process; several processes share the work."""

    def __init__(
        self,
        database: Database,
        files: RecordingFiles,
        options: RecordingOptions,
        policy: Policy,
        hub: Hub,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._files = files
        self._options = options
        self._policy = policy
        self._hub = hub
        self._metrics = metrics
        options.incoming.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def work(self) -> int:
        """Do everything that is due now; returns how many recordings that were."""
        now = utc_now()
        async with self._database.write() as connection:
            await recordings.expire(connection, now)
            due = await recordings.claim_due(connection, now, _AT_ONCE)
        for row in due:
            await self._handle(row)
        return len(due)

    async def erase_call(self, call_id: str, reason: str) -> bool:
        """Delete a call with the files of its recordings; False when there is no such call.

        Raises:
            StoreError: a file could not be deleted; nothing of the call is then removed.
        """
        async with self._database.read() as connection:
            rows = await recordings.of_call(connection, call_id)
        for row in rows:
            await self._remove_files(row)
        async with self._database.write() as connection:
            return await erasure.erase(self._database, connection, call_id, reason, utc_now())

    async def _handle(self, row: RowMapping) -> None:
        try:
            if row["status"] == "deleting":
                await self._delete(row)
            else:
                await self._keep(row)
        except (StoreError, FileNotFoundError, PermissionError) as error:
            await self._postpone(row, error)

    async def _keep(self, row: RowMapping) -> None:
        if await self._unwanted(row["call_id"]):
            await self._delete({**row, "reason": "refused"})
            return
        source = self._inside(row["source_path"])
        if source is None:
            await self._fail(row, "Its path is not below the folder for recordings.")
            return
        location = f"{row['created_at']:%Y/%m/%d}/{row['call_id']}/{row['recording_id']}.{row['format']}"
        kept = await self._files.keep(source, location)
        now = utc_now()
        keep_days = self._options.keep_days
        values: dict[str, Any] = {
            "status": "stored",
            "location": location,
            "bytes": kept.size,
            "sha256": kept.sha256,
            "stored_at": now,
            "expires_at": None if keep_days is None else now + timedelta(days=keep_days),
            "due_at": None,
            "reason": None,
        }
        data = {
            "recording_id": row["recording_id"],
            "format": row["format"],
            "bytes": kept.size,
            "duration_s": row["duration_s"],
            "sha256": kept.sha256,
            "expires_at": values["expires_at"].isoformat() if values["expires_at"] else None,
        }
        if await self._settle(row, values, "recording.stored", data):
            await asyncio.to_thread(source.unlink, missing_ok=True)
            self._metrics.recordings.labels("stored").inc()
        else:
            # It was refused or its call erased while it was being copied.
            await self._files.delete(location)

    async def _delete(self, row: RowMapping | dict[str, Any]) -> None:
        await self._remove_files(row)
        reason = row["reason"] or "request"
        values = {"status": "deleted", "deleted_at": utc_now(), "due_at": None, "source_path": None}
        data = {"recording_id": row["recording_id"], "reason": reason}
        await self._settle(row, values, "recording.deleted", data, whatever_it_is=True)
        self._metrics.recordings.labels("deleted").inc()
        log.info("recording_deleted", call_id=row["call_id"], reason=reason)

    async def _remove_files(self, row: RowMapping | dict[str, Any]) -> None:
        if row["location"]:
            await self._files.delete(row["location"])
        source = self._inside(row["source_path"]) if row["source_path"] else None
        if source is not None:
            with contextlib.suppress(FileNotFoundError):
                await asyncio.to_thread(os.unlink, source)

    async def _settle(
        self,
        row: RowMapping | dict[str, Any],
        values: dict[str, Any],
        event_type: str,
        data: dict[str, Any],
        *,
        whatever_it_is: bool = False,
    ) -> bool:
        """Change the row and tell of it, unless the recording is to be deleted by now."""
        async with self._database.write() as connection:
            ledger = Ledger(self._database, connection, self._policy, utc_now())
            await ledger.open([row["call_id"]], create=False)
            # The call's lock is held: nobody can refuse the recording between the question and the answer.
            current = [
                each
                for each in await recordings.of_call(connection, row["call_id"])
                if each["recording_id"] == row["recording_id"]
            ]
            if not current or not (whatever_it_is or current[0]["status"] == "pending"):
                return False
            await recordings.update(connection, row["recording_id"], **values)
            sheet = ledger.sheets.get(row["call_id"])
            if sheet is not None:
                others = [
                    each
                    for each in await recordings.of_call(connection, row["call_id"])
                    if each["status"] == "stored"
                ]
                sheet.recorded = bool(others)
                ledger.tell(row["call_id"], event_type, {k: v for k, v in data.items() if v is not None})
            stored = await ledger.close()
        self._hub.publish(stored)
        return True

    async def _unwanted(self, call_id: str) -> bool:
        async with self._database.read() as connection:
            from telephony.store import calls

            row = await calls.get(connection, call_id)
        return row is None or "recording_refused_at" in row["record"]["facts"]

    async def _postpone(self, row: RowMapping, error: Exception) -> None:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        if isinstance(error, FileNotFoundError) and row["attempts"] >= 3:
            await self._fail(row, "Its file is not there.")
            return
        if row["attempts"] >= _GIVE_UP_AFTER and row["status"] != "deleting":
            await self._fail(row, reason)
            return
        wait_s = _RETRY_S[min(row["attempts"], len(_RETRY_S)) - 1]
        log.warning("recording_postponed", call_id=row["call_id"], reason=reason, wait_s=wait_s)
        async with self._database.write() as connection:
            due_at = utc_now() + timedelta(seconds=wait_s)
            await recordings.update(connection, row["recording_id"], due_at=due_at, reason=reason)

    async def _fail(self, row: RowMapping, reason: str) -> None:
        log.error("recording_lost", call_id=row["call_id"], reason=reason)
        self._metrics.recordings.labels("lost").inc()
        async with self._database.write() as connection:
            await recordings.update(
                connection, row["recording_id"], status="failed", due_at=None, reason=reason
            )

    def _inside(self, path: str | None) -> Path | None:
        """The file that a path names, if it is a plain file below the agreed folder."""
        if not path:
            return None
        root = self._options.incoming.resolve()
        given = Path(path)
        found = (given if given.is_absolute() else root / given).resolve()
        return found if found.is_relative_to(root) and found != root else None
