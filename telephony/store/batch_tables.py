"""The tables of batches, and of the numbers that must not be called.

A batch has a row for each number to call, and each row an attempt for each time it was asked to be dialled.
``rang`` attempts are those that may have made a telephone ring: they alone count for the caps of a number.
"""

from __future__ import annotations

import sqlalchemy as sa

from telephony.store.instants import Instant
from telephony.store.tables import metadata

_json = sa.JSON(none_as_null=True)

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("batch_id", sa.String(48), primary_key=True),
    # On whose behalf it calls: the guard's caps by key hold for a batch as well.
    sa.Column("key_id", sa.String(32), nullable=False),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    # "operator" or "breaker", while it is paused.
    sa.Column("paused_by", sa.String(12)),
    sa.Column("reason", sa.String(300)),
    sa.Column("options", _json, nullable=False),
    sa.Column("breaker", _json, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    # The pace: before this instant no further call of it begins.
    sa.Column("next_start_at", Instant, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
)
sa.Index(
    "ix_batch_open",
    batch.c.created_at,
    sqlite_where=batch.c.finished_at.is_(None),
    postgresql_where=batch.c.finished_at.is_(None),
)

batch_row = sa.Table(
    "batch_row",
    metadata,
    sa.Column("batch_id", sa.String(48), primary_key=True),
    # 1, 2, 3 … in the order given.
    sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.String(20), nullable=False),
    # waiting, claimed, calling, done.
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    # Of the last one asked for; 0 before the first.
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("rang", sa.Integer, nullable=False),
    sa.Column("claimed_at", Instant),
    sa.Column("lease_until", Instant),
    sa.Column("call_id", sa.String(80)),
    sa.Column("outcome", sa.String(16)),
    sa.Column("answered_by", sa.String(12)),
    sa.Column("sip_status", sa.Integer),
    sa.Column("reason", sa.String(300)),
    # How many times it was tried again after each outcome.
    sa.Column("retries", _json, nullable=False),
    sa.Column("data", _json, nullable=False),
    sa.Column("metadata", _json, nullable=False),
    sa.Column("finished_at", Instant),
)
sa.Index("ix_batch_row_due", batch_row.c.batch_id, batch_row.c.state, batch_row.c.due_at, batch_row.c.row)
sa.Index("ix_batch_row_number", batch_row.c.number)

batch_attempt = sa.Table(
    "batch_attempt",
    metadata,
    sa.Column("batch_id", sa.String(48), primary_key=True),
    sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.String(20), nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("rang", sa.Boolean, nullable=False),
    sa.Column("call_id", sa.String(80)),
    sa.Column("outcome", sa.String(16)),
    sa.Column("reason", sa.String(300)),
    sa.Column("ended_at", Instant),
)
sa.Index("ix_batch_attempt_number", batch_attempt.c.number, batch_attempt.c.started_at)

do_not_call = sa.Table(
    "do_not_call",
    metadata,
    sa.Column("number", sa.String(20), primary_key=True),
    sa.Column("added_at", Instant, nullable=False),
    # "api", "import" or "call".
    sa.Column("source", sa.String(12), nullable=False),
    sa.Column("reason", sa.String(200)),
    # The call in which it was asked for, and the key that put it here.
    sa.Column("call_id", sa.String(80)),
    sa.Column("key_id", sa.String(32)),
)
