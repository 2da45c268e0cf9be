"""The table of what calls out have reserved: a line, minutes and money, from the permit to the end."""

from __future__ import annotations

import sqlalchemy as sa

from telephony.store.instants import Instant
from telephony.store.tables import metadata

dial_reservation = sa.Table(
    "dial_reservation",
    metadata,
    sa.Column("call_id", sa.String(80), primary_key=True),
    sa.Column("key_id", sa.String(32), nullable=False),
    sa.Column("number", sa.String(32), nullable=False),
    sa.Column("caller_id", sa.String(64)),
    sa.Column("trunk", sa.String(64), nullable=False),
    sa.Column("reserved_at", Instant, nullable=False),
    # Since then it has a line; before it waits for one.
    sa.Column("begun_at", Instant),
    # By then it is over, whatever became of it.
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("settled_at", Instant),
    # The longest it may last, and what that costs; the real figures once it is settled.
    sa.Column("longest_s", sa.Float, nullable=False),
    sa.Column("held_s", sa.Float, nullable=False),
    sa.Column("held_micros", sa.BigInteger, nullable=False),
    # Of a minute; None where the price table had none.
    sa.Column("price_micros", sa.BigInteger),
    sa.Column("increment_s", sa.Integer, nullable=False),
)
sa.Index("ix_dial_reservation_reserved", dial_reservation.c.reserved_at)
sa.Index("ix_dial_reservation_number", dial_reservation.c.number, dial_reservation.c.reserved_at)
sa.Index("ix_dial_reservation_key", dial_reservation.c.key_id, dial_reservation.c.reserved_at)
sa.Index("ix_dial_reservation_trunk", dial_reservation.c.trunk, dial_reservation.c.begun_at)
sa.Index(
    "ix_dial_reservation_open",
    dial_reservation.c.expires_at,
    sqlite_where=dial_reservation.c.settled_at.is_(None),
    postgresql_where=dial_reservation.c.settled_at.is_(None),
)
