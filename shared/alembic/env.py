"""Alembic's environment, one for all services: connection and metadata are handed in by shared.migrate."""

from alembic import context

from shared.migrate import render

options = context.config.attributes
context.configure(
    connection=options["connection"],
    target_metadata=options["metadata"],
    render_item=render,
    compare_type=True,
    render_as_batch=False,
)
with context.begin_transaction():
    context.run_migrations()
