"""Alembic revisions, each a script of SQL."""
