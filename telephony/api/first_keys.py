"""The keys that an empty record needs before anybody can make one: in files that only their owner can read.

``keys/admin.key`` may do everything; ``keys/events.key`` may only hand events in, for the sources of
this machine. They are made when the record has no key at all, and written nowhere else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from telephony.api.keys import Scope, make_key
from telephony.logs import get_logger
from telephony.store import keys
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.store.database import Database

log = get_logger(__name__)

FIRST_KEYS: dict[str, tuple[Scope, ...]] = {"admin": (Scope.ADMIN,), "events": (Scope.EVENTS_WRITE,)}


def key_file(data: Path, name: str) -> Path:
    """Where one of the first keys lies."""
    return data / "keys" / f"{name}.key"


async def make_first_keys(database: Database, data: Path) -> None:
    """Make the first keys, if the record has none; the files are written before the rows are committed."""
    async with database.write() as connection:
        if await keys.every(connection):
            return
        for name, scopes in FIRST_KEYS.items():
            made = make_key()
            await keys.create(
                connection,
                key_id=made.key_id,
                key_hash=made.key_hash,
                name=name,
                scopes=scopes,
                expires_at=None,
                now=utc_now(),
            )
            _write(key_file(data, name), made.text)
    log.info("first_keys_made", folder=str(data / "keys"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, text.encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)
    fresh.replace(path)
