"""Every exception that reaches HTTP becomes an answer here, and nowhere else (command-bus.md, section 7)."""

from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from app.http.locale import request_locale
from app.http.reply import Reply
from app.http.trace import trace_of
from domain.errors import Problem, issue
from domain.i18n import DEFAULT, localized

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.http")

_CONFLICTS = {
    "23505": "The change collides with a record that already exists",
    "23503": "Another record depends on this one, or one that it refers to is gone",
    "23514": "The change breaks a rule of the stored data",
    "23P01": "The change collides with a record that already exists",
    "23502": "The change breaks a rule of the stored data",
}
_BUSY = frozenset(("55P03", "57014", "57P01", "57P02", "57P03", "40001", "40P01"))
_UNREACHABLE = (ConnectionError, TimeoutError, asyncpg.PostgresConnectionError)


def problem_of(error: BaseException) -> Problem | None:
    """The problem that an exception stands for; None when it is a fault of ours."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, NotFoundException | MethodNotAllowedException):
        return Problem.not_found("Not Found")
    if isinstance(error, HTTPException) and error.status_code < 500:
        return Problem(error.status_code, {"error": error.detail or "Bad request"})
    if isinstance(error, RecursionError):
        return Problem.invalid([issue("Invalid input: the body is nested too deeply")])
    if isinstance(error, asyncpg.InternalClientError):  # the server took leave between two statements
        return Problem.unavailable()
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | OSError):
        return _database_problem(error)
    return None


def _database_problem(error: BaseException) -> Problem | None:
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, asyncpg.DataError) or state.startswith("22"):
        return Problem.invalid([issue("Invalid input: a value cannot be stored")])
    if state in _CONFLICTS:
        return Problem.conflict("Conflict", "conflict", message=_CONFLICTS[state])
    if state in _BUSY or state.startswith("53") or isinstance(error, _UNREACHABLE) or _closed(error):
        return Problem.unavailable()
    return None


def _closed(error: BaseException) -> bool:
    """Whether the driver found its connection closed; its other complaints are faults of ours."""
    return isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)


def answer_problem(problem: Problem, locale: str = DEFAULT) -> Reply:
    """The HTTP answer of a problem, its sentences in the language `locale`."""
    return Reply(
        msgspec.json.encode(problem.body if locale == DEFAULT else localized(problem.body, locale)),
        problem.status,
        headers=problem.headers,
        raw_cookies=problem.cookies,
    )


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Reply:
    """The HTTP answer of any exception; faults of ours are logged with their traceback and tell only the request id."""
    problem = problem_of(error)
    if problem is not None:
        if problem.status >= 500 and problem is not error:
            logger.warning("database unavailable", exc_info=error)
        return answer_problem(problem, _locale(request))
    trace = trace_of(request.scope)
    logger.error("request failed", template=trace.template, exc_info=error)
    body = {"error": "Internal server error", "message": f"The server failed; request id {trace.request_id}"}
    return answer_problem(Problem(500, body), _locale(request))


def _locale(request: Request[Any, Any, Any]) -> str:
    application = request.app.state.get("application")
    return request_locale(request, None if application is None else application.settings.force_locale)


ExceptionHandler = Callable[[Request[Any, Any, Any], Exception], Response[Any]]

EXCEPTION_HANDLERS: dict[int | type[Exception], ExceptionHandler] = {Exception: answer_error}
"""For `Litestar(exception_handlers=…)`: everything that an operation's own wrapper does not see."""
