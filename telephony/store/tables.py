"""The tables of the record.

A call is one row; its events are rows numbered by ``seq`` without gaps, which the row's ``last_seq``
hands out inside the transaction that stores them. A delivery is one event for one endpoint. A lane
is the queue of one endpoint's deliveries of one call: it exists while any of them is pending, holds
the lease of whoever is sending, and thereby keeps a call's deliveries in order.
"""

from __future__ import annotations

import sqlalchemy as sa

from telephony.store.instants import Instant

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_json = sa.JSON(none_as_null=True)
_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""A generated key: SQLite numbers only INTEGER PRIMARY KEY by itself."""

call = sa.Table(
    "call",
    metadata,
    sa.Column("call_id", sa.String(80), primary_key=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("outcome", sa.String(16)),
    sa.Column("answered_by", sa.String(12)),
    sa.Column("ended_by", sa.String(12)),
    sa.Column("sip_status", sa.Integer),
    sa.Column("from_number", sa.String(128)),
    sa.Column("to_number", sa.String(128)),
    sa.Column("trunk_id", sa.String(128)),
    sa.Column("assistant", sa.String(128)),
    sa.Column("room", sa.String(256)),
    sa.Column("started_at", Instant),
    sa.Column("answered_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("duration_ms", sa.BigInteger),
    sa.Column("recorded", sa.Boolean, nullable=False),
    sa.Column("last_seq", sa.Integer, nullable=False),
    sa.Column("settle_at", Instant),
    sa.Column("expires_at", Instant),
    sa.Column("record", _json, nullable=False),
)
sa.Index("ix_call_created", call.c.created_at, call.c.call_id)
sa.Index("ix_call_from", call.c.from_number, call.c.created_at, call.c.call_id)
sa.Index("ix_call_to", call.c.to_number, call.c.created_at, call.c.call_id)
sa.Index("ix_call_outcome", call.c.outcome, call.c.created_at, call.c.call_id)
sa.Index("ix_call_assistant", call.c.assistant, call.c.created_at, call.c.call_id)
sa.Index("ix_call_trunk", call.c.trunk_id, call.c.created_at, call.c.call_id)
sa.Index("ix_call_direction", call.c.direction, call.c.created_at, call.c.call_id)
sa.Index("ix_call_ended_by", call.c.ended_by, call.c.created_at, call.c.call_id)
sa.Index("ix_call_sip_status", call.c.sip_status, call.c.created_at, call.c.call_id)
sa.Index("ix_call_recorded", call.c.recorded, call.c.created_at, call.c.call_id)
sa.Index("ix_call_duration", call.c.duration_ms, call.c.created_at, call.c.call_id)
sa.Index(
    "ix_call_room",
    call.c.room,
    sqlite_where=call.c.room.is_not(None),
    postgresql_where=call.c.room.is_not(None),
)
sa.Index(
    "ix_call_open",
    call.c.created_at,
    call.c.call_id,
    sqlite_where=call.c.ended_at.is_(None),
    postgresql_where=call.c.ended_at.is_(None),
)
sa.Index(
    "ix_call_state",
    call.c.state,
    call.c.created_at,
    call.c.call_id,
    sqlite_where=call.c.ended_at.is_(None),
    postgresql_where=call.c.ended_at.is_(None),
)
sa.Index(
    "ix_call_settle",
    call.c.settle_at,
    sqlite_where=call.c.settle_at.is_not(None),
    postgresql_where=call.c.settle_at.is_not(None),
)
sa.Index(
    "ix_call_expires",
    call.c.expires_at,
    sqlite_where=call.c.expires_at.is_not(None),
    postgresql_where=call.c.expires_at.is_not(None),
)

event = sa.Table(
    "event",
    metadata,
    # A call's id, or "line" for what happens to the line itself.
    sa.Column("call_id", sa.String(80), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    # What the source said, hashed: the same account twice is one event, whatever its number.
    sa.Column("digest", sa.LargeBinary(16), nullable=False),
    sa.Column("type", sa.String(40), nullable=False),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("source_seq", sa.Integer, nullable=False),
    sa.Column("time", Instant, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("late", sa.Boolean, nullable=False),
    sa.Column("data", _json, nullable=False),
    sa.UniqueConstraint("call_id", "digest", name="uq_event_digest"),
    sa.Index("ix_event_received", "received_at"),
)

counter = sa.Table(
    "counter",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

erased_call = sa.Table(
    "erased_call",
    metadata,
    sa.Column("call_id", sa.String(80), primary_key=True),
    sa.Column("erased_at", Instant, nullable=False),
    sa.Column("reason", sa.String(16), nullable=False),
)

recording = sa.Table(
    "recording",
    metadata,
    sa.Column("recording_id", sa.String(48), primary_key=True),
    sa.Column("call_id", sa.String(80), nullable=False, index=True),
    sa.Column("status", sa.String(12), nullable=False),
    # Where the audio path left the file; gone once it is stored.
    sa.Column("source_path", sa.String(1024)),
    sa.Column("location", sa.String(512)),
    sa.Column("format", sa.String(16), nullable=False),
    sa.Column("channels", sa.Integer),
    sa.Column("sample_rate", sa.Integer),
    sa.Column("duration_s", sa.Float),
    sa.Column("started_at", Instant),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("sha256", sa.String(64)),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("stored_at", Instant),
    sa.Column("expires_at", Instant),
    sa.Column("deleted_at", Instant),
    sa.Column("reason", sa.String(200)),
)
sa.Index(
    "ix_recording_due",
    recording.c.due_at,
    sqlite_where=recording.c.due_at.is_not(None),
    postgresql_where=recording.c.due_at.is_not(None),
)
sa.Index(
    "ix_recording_expires",
    recording.c.expires_at,
    sqlite_where=recording.c.expires_at.is_not(None),
    postgresql_where=recording.c.expires_at.is_not(None),
)

endpoint = sa.Table(
    "endpoint",
    metadata,
    sa.Column("endpoint_id", sa.String(48), primary_key=True),
    sa.Column("url", sa.String(2048), nullable=False),
    sa.Column("description", sa.String(512), nullable=False),
    sa.Column("types", _json, nullable=False),
    sa.Column("secrets", _json, nullable=False),
    sa.Column("origin", sa.String(8), nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.String(200)),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("failing_since", Instant),
    sa.Column("last_success_at", Instant),
    sa.Column("last_failure", sa.String(300)),
)

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("delivery_id", _number, primary_key=True, autoincrement=True),
    sa.Column("endpoint_id", sa.String(48), nullable=False),
    sa.Column("call_id", sa.String(80), nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("replay", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    # Of the last attempt.
    sa.Column("duration_ms", sa.Integer),
    sa.Column("http_status", sa.Integer),
    sa.Column("error", sa.String(300)),
    sqlite_autoincrement=True,
)
sa.Index("ix_delivery_endpoint", delivery.c.endpoint_id, delivery.c.delivery_id)
sa.Index("ix_delivery_call", delivery.c.call_id, delivery.c.delivery_id)
sa.Index("ix_delivery_created", delivery.c.created_at)
sa.Index(
    "ix_delivery_pending",
    delivery.c.endpoint_id,
    delivery.c.call_id,
    delivery.c.delivery_id,
    sqlite_where=delivery.c.status == sa.literal_column("'pending'"),
    postgresql_where=delivery.c.status == sa.literal_column("'pending'"),
)
sa.Index(
    "ix_delivery_dead",
    delivery.c.endpoint_id,
    delivery.c.delivery_id,
    sqlite_where=delivery.c.status == sa.literal_column("'dead'"),
    postgresql_where=delivery.c.status == sa.literal_column("'dead'"),
)

attempt = sa.Table(
    "attempt",
    metadata,
    # The failed ones; the one that succeeded is in its delivery's own row.
    sa.Column("attempt_id", _number, primary_key=True, autoincrement=True),
    sa.Column("delivery_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("http_status", sa.Integer),
    sa.Column("error", sa.String(300)),
    sa.Column("response", sa.String(1024)),
)

lane = sa.Table(
    "lane",
    metadata,
    sa.Column("endpoint_id", sa.String(48), primary_key=True),
    sa.Column("call_id", sa.String(80), primary_key=True),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("lease_owner", sa.String(48)),
    sa.Column("lease_until", Instant),
    sa.Index("ix_lane_due", "endpoint_id", "due_at"),
    sqlite_with_rowid=False,
)

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("key_id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    sa.Column("scopes", _json, nullable=False),
    # Its own caps on calls out; None: those of the file alone.
    sa.Column("dial_limits", _json),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("last_used_at", Instant),
    sa.Column("revoked_at", Instant),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("key_id", sa.String(32), primary_key=True),
    sa.Column("idempotency_key", sa.String(256), primary_key=True),
    sa.Column("request_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("created_at", Instant, nullable=False, index=True),
    # None while the request that holds the key is being answered.
    sa.Column("status", sa.Integer),
    sa.Column("response", _json),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("audit_id", _number, primary_key=True, autoincrement=True),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("key_id", sa.String(32), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("target", sa.String(128), nullable=False),
    sa.Column("detail", _json, nullable=False),
    sa.Column("remote", sa.String(64), nullable=False),
)

dial = sa.Table(
    "dial",
    metadata,
    # One request for a call out. Its permit is there from the start, and consumed once: consumed_at.
    sa.Column("call_id", sa.String(80), primary_key=True),
    sa.Column("permit_id", sa.String(48), nullable=False, unique=True),
    sa.Column("key_id", sa.String(32), nullable=False),
    sa.Column("batch_id", sa.String(48)),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("request", _json, nullable=False),
    # What is dialled, as the guard read it.
    sa.Column("number", sa.String(32), nullable=False),
    sa.Column("trunk", sa.String(128), nullable=False),
    sa.Column("room", sa.String(128), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("deadline", Instant, nullable=False),
    sa.Column("due_at", Instant),
    sa.Column("lease_owner", sa.String(48)),
    sa.Column("lease_until", Instant),
    sa.Column("consumed_at", Instant),
    sa.Column("cancelled_at", Instant),
    sa.Column("over_at", Instant),
    sa.Column("outcome", sa.String(16)),
)
sa.Index(
    "ix_dial_due",
    dial.c.due_at,
    sqlite_where=dial.c.due_at.is_not(None),
    postgresql_where=dial.c.due_at.is_not(None),
)
sa.Index("ix_dial_batch", dial.c.batch_id, dial.c.created_at)
