"""Calls out: what was asked for, its permit, and who is dialling it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telephony.store.instants import Instant

revision = "0100"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dial",
        sa.Column("call_id", sa.String(80), nullable=False),
        sa.Column("permit_id", sa.String(48), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("batch_id", sa.String(48)),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("request", sa.JSON(none_as_null=True), nullable=False),
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
        sa.PrimaryKeyConstraint("call_id", name="pk_dial"),
        sa.UniqueConstraint("permit_id", name="uq_dial_permit_id"),
    )
    some = sa.text("due_at IS NOT NULL")
    op.create_index("ix_dial_due", "dial", ["due_at"], sqlite_where=some, postgresql_where=some)
    op.create_index("ix_dial_batch", "dial", ["batch_id", "created_at"])


def downgrade() -> None:
    op.drop_table("dial")
