"""Whether the api can serve: each thing it depends on, asked briefly."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from telephony.errors import LiveKitError, StoreError

if TYPE_CHECKING:
    from telephony.livekit_client import LiveKit
    from telephony.store.database import Database

_ASK_S = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One answer, with a sentence for whoever looks."""

    ok: bool
    detail: str


async def check(database: Database, livekit: LiveKit | None, *, stopping: bool) -> dict[str, Check]:
    """Ask everything at once; no answer within two seconds is a no."""
    asked = {"database": _database(database)}
    if livekit is not None:
        asked["livekit"] = _livekit(livekit)
    answers = await asyncio.gather(*(_briefly(each) for each in asked.values()))
    found = dict(zip(asked, answers, strict=True))
    found["process"] = Check(not stopping, "It is stopping." if stopping else "It takes requests.")
    return found


async def _briefly(question: object) -> Check:
    try:
        async with asyncio.timeout(_ASK_S):
            return await question  # type: ignore[misc,no-any-return]
    except TimeoutError:
        return Check(False, f"No answer within {_ASK_S:g} s.")


async def _database(database: Database) -> Check:
    try:
        async with database.read() as connection:
            await connection.execute(sa.select(1))
    except StoreError as error:
        return Check(False, error.message)
    return Check(True, "It answers.")


async def _livekit(livekit: LiveKit) -> Check:
    try:
        await livekit.list_rooms(["none"])
    except LiveKitError as error:
        return Check(False, error.message)
    return Check(True, "It answers.")
