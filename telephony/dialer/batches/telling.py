"""Changes of a batch as events of the line, in the transaction that makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from telephony.logs import get_logger
from telephony.store import batches, line

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database
    from telephony.store.stored import StoredEvent

log = get_logger(__name__)

State = Literal["running", "paused", "cancelled", "finished"]
By = Literal["operator", "breaker", "line"]
Change = Literal["created", "paused", "resumed", "cancelled", "finished"]


async def tell(
    database: Database, connection: AsyncConnection, batch_id: str, change: Change, by: By, now: datetime
) -> StoredEvent:
    """Tell what a batch has become, with its counts; after the change was written."""
    row = await batches.get(connection, batch_id)
    assert row is not None, "a batch is never deleted"
    counted = (await batches.counts(connection, [batch_id]))[batch_id]
    data = {
        "batch_id": batch_id,
        "name": row["name"],
        "state": row["state"],
        "by": by,
        "reason": row["reason"],
        "size": row["size"],
        **{name: counted[name] for name in ("waiting", "under_way", "done", "outcomes")},
    }
    log.info("batch_changed", batch_id=batch_id, change=change, by=by, reason=row["reason"])
    kept = {field: value for field, value in data.items() if value is not None}
    return await line.tell(database, connection, f"batch.{change}", kept, now)
