"""Runs a migration that is written as one SQL script."""

from pathlib import Path

from alembic import op


def run_script(migration: str) -> None:
    """Execute the script beside the migration file `migration` (its `__file__`) in the migration's transaction.

    The driver begins its transaction with the first statement, and scripts of several statements cannot be
    prepared; so one statement goes first, and the script goes to the driver as it is.
    """
    bind = op.get_bind()
    bind.exec_driver_sql("select 1")
    script = Path(migration).with_suffix(".sql").read_text(encoding="utf-8")
    bind.connection.dbapi_connection.run_async(lambda connection: connection.execute(script))  # type: ignore[union-attr]
