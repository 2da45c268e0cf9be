"""The webhook endpoints of the operator's file, brought into the record at start.

The file is the truth for the endpoints it names: their URL, filter and secret follow it, and one that
is no longer there is switched off. A changed secret goes on signing beside the new one for a day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.errors import ConfigError
from telephony.logs import get_logger
from telephony.store import endpoints
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.api.settings import FileEndpoint
    from telephony.store.database import Database
    from telephony.webhooks.guard import AddressGuard

log = get_logger(__name__)

OVERLAP_S = 86_400.0
"""How long an old secret signs beside a new one, in s."""


async def bring_in(database: Database, wanted: Sequence[FileEndpoint], guard: AddressGuard) -> None:
    """Make the record's endpoints those of the file.

    Raises:
        ConfigError: an URL is one that webhooks are never sent to.
    """
    for place, entry in enumerate(wanted):
        objection = guard.objection(entry.url)
        if objection is not None:
            raise ConfigError(objection, field=f"webhooks.endpoints[{place}].url")
    now = utc_now()
    async with database.write() as connection:
        rows = await endpoints.every(connection)
        known = {row["endpoint_id"]: row for row in rows if row["origin"] == "file"}
        for entry in wanted:
            await _bring_in(connection, entry, known.pop(_id(entry.name), None), now)
        for endpoint_id in known:
            if await endpoints.disable(connection, endpoint_id, "It is no longer in the file.", now):
                log.info("endpoint_left_the_file", endpoint_id=endpoint_id)


async def _bring_in(
    connection: AsyncConnection, entry: FileEndpoint, row: RowMapping | None, now: datetime
) -> None:
    endpoint_id = _id(entry.name)
    if row is None:
        row = await endpoints.create(
            connection,
            url=entry.url,
            types=entry.types,
            description=entry.name,
            secret=entry.secret,
            now=now,
            origin="file",
            endpoint_id=endpoint_id,
        )
    if row["secrets"][-1]["secret"] != entry.secret:
        await endpoints.rotate(connection, endpoint_id, entry.secret, overlap_s=OVERLAP_S, now=now)
    if not entry.enabled:
        await endpoints.disable(connection, endpoint_id, "It is switched off in the file.", now)
    same = row["url"] == entry.url and tuple(row["types"]) == entry.types and row["enabled"] == entry.enabled
    if not same:
        await endpoints.change(connection, endpoint_id, now, url=entry.url, types=list(entry.types))
    # One that was switched off for failing stays off until somebody says otherwise, or its URL changes.
    ours = row["disabled_reason"] in ("It is no longer in the file.", "It is switched off in the file.")
    if entry.enabled and not row["enabled"] and (ours or row["url"] != entry.url):
        await endpoints.change(
            connection, endpoint_id, now, enabled=True, disabled_reason=None, failing_since=None
        )


def _id(name: str) -> str:
    return f"whe_file_{name}"[:48]
