"""What a violated constraint means to a client."""

import asyncpg

from domain.errors import Problem
from domain.resources import all_resources


def conflict_of(error: BaseException) -> Problem | None:
    """The 409 that an integrity error of PostgreSQL stands for, as the tables' descriptions word it; else None."""
    if not isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return None
    name = error.constraint_name or ""
    text = next((each.conflicts[name] for each in all_resources() if name in each.conflicts), None)
    if text is not None:
        return Problem.conflict(text)
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return Problem.conflict("Something else depends on this record", "in_use")
    return None
