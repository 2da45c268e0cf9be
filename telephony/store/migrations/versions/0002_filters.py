"""An index for each filter of the list of calls, so that a rare value costs no more than a common one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_call_direction": "direction",
    "ix_call_ended_by": "ended_by",
    "ix_call_sip_status": "sip_status",
    "ix_call_recorded": "recorded",
    "ix_call_duration": "duration_ms",
}


def upgrade() -> None:
    for name, column in _INDEXES.items():
        op.create_index(name, "call", [column, "created_at", "call_id"], unique=False)
    op.create_index(
        "ix_call_state",
        "call",
        ["state", "created_at", "call_id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_call_state", table_name="call")
    for name in reversed(_INDEXES):
        op.drop_index(name, table_name="call")
