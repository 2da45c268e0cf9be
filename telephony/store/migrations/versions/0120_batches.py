"""Batches with their rows and attempts, and the numbers that must not be called."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telephony.store.instants import Instant

revision = "0120"
down_revision = "0110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _batches()
    _rows()
    _attempts()
    op.create_table(
        "do_not_call",
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("added_at", Instant, nullable=False),
        sa.Column("source", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(200)),
        sa.Column("call_id", sa.String(80)),
        sa.Column("key_id", sa.String(32)),
        sa.PrimaryKeyConstraint("number", name="pk_do_not_call"),
    )


def _batches() -> None:
    op.create_table(
        "batch",
        sa.Column("batch_id", sa.String(48), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("paused_by", sa.String(12)),
        sa.Column("reason", sa.String(300)),
        sa.Column("options", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("breaker", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("next_start_at", Instant, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("finished_at", Instant),
        sa.PrimaryKeyConstraint("batch_id", name="pk_batch"),
    )
    op.create_index(
        "ix_batch_open",
        "batch",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def _rows() -> None:
    op.create_table(
        "batch_row",
        sa.Column("batch_id", sa.String(48), nullable=False),
        sa.Column("row", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("rang", sa.Integer, nullable=False),
        sa.Column("claimed_at", Instant),
        sa.Column("lease_until", Instant),
        sa.Column("call_id", sa.String(80)),
        sa.Column("outcome", sa.String(16)),
        sa.Column("answered_by", sa.String(12)),
        sa.Column("sip_status", sa.Integer),
        sa.Column("reason", sa.String(300)),
        sa.Column("retries", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("metadata", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("finished_at", Instant),
        sa.PrimaryKeyConstraint("batch_id", "row", name="pk_batch_row"),
    )
    op.create_index("ix_batch_row_due", "batch_row", ["batch_id", "state", "due_at", "row"], unique=False)
    op.create_index("ix_batch_row_number", "batch_row", ["number"], unique=False)


def _attempts() -> None:
    op.create_table(
        "batch_attempt",
        sa.Column("batch_id", sa.String(48), nullable=False),
        sa.Column("row", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("rang", sa.Boolean, nullable=False),
        sa.Column("call_id", sa.String(80)),
        sa.Column("outcome", sa.String(16)),
        sa.Column("reason", sa.String(300)),
        sa.Column("ended_at", Instant),
        sa.PrimaryKeyConstraint("batch_id", "row", "attempt", name="pk_batch_attempt"),
    )
    op.create_index("ix_batch_attempt_number", "batch_attempt", ["number", "started_at"], unique=False)


def downgrade() -> None:
    for name in ("do_not_call", "batch_attempt", "batch_row", "batch"):
        op.drop_table(name)
