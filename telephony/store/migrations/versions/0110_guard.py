"""What calls out have reserved, and the caps of single keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telephony.store.instants import Instant

revision = "0110"
down_revision = "0100"
branch_labels = None
depends_on = None

TABLE = "dial_reservation"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("call_id", sa.String(length=80), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("caller_id", sa.String(length=64), nullable=True),
        sa.Column("trunk", sa.String(length=64), nullable=False),
        sa.Column("reserved_at", Instant(), nullable=False),
        sa.Column("begun_at", Instant(), nullable=True),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("longest_s", sa.Float(), nullable=False),
        sa.Column("held_s", sa.Float(), nullable=False),
        sa.Column("held_micros", sa.BigInteger(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=True),
        sa.Column("increment_s", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_dial_reservation")),
    )
    op.create_index("ix_dial_reservation_reserved", TABLE, ["reserved_at"])
    op.create_index("ix_dial_reservation_number", TABLE, ["number", "reserved_at"])
    op.create_index("ix_dial_reservation_key", TABLE, ["key_id", "reserved_at"])
    op.create_index("ix_dial_reservation_trunk", TABLE, ["trunk", "begun_at"])
    is_open = sa.text("settled_at IS NULL")
    op.create_index(
        "ix_dial_reservation_open", TABLE, ["expires_at"], sqlite_where=is_open, postgresql_where=is_open
    )
    op.add_column("api_key", sa.Column("dial_limits", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("api_key", "dial_limits")
    op.drop_table(TABLE)
