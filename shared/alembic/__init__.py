"""Alembic's environment and the form of a migration."""
