"""Alembic's entry: runs the scripts on the connection that ``telephony.store.schema`` hands over."""

from __future__ import annotations

from alembic import context

from telephony.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    # One transaction around all steps, begun by the caller: a step that fails leaves nothing behind.
    transactional_ddl=True,
)
context.run_migrations()
