"""Operations about the server itself: is it alive, is it ready, and what does its API look like."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from msgspec import Struct

from app.http.answers import Answer
from app.http.call import Call
from app.http.operation import operation
from app.http.reply import Reply

if TYPE_CHECKING:
    from app.database import Database

PROBE_SECONDS = 1.0
"""A readiness check that takes longer counts as failed."""

_JSON_OBJECT: dict[str, Any] = {"type": "object"}
_TEXT: dict[str, Any] = {"type": "string"}

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.ready")

Probe = Callable[[], Awaitable[str | None]]
"""One readiness check: answers a short note, or None; raises when the part is not ready."""


class NotReady(Exception):
    """A part of the server cannot serve yet; the text says why and is shown to anybody."""


class Health(Struct, frozen=True):
    """The process answers."""

    ok: bool = True


class Check(Struct, frozen=True, omit_defaults=True):
    """The state of one part of the server; `ms` is how long the check took."""

    ok: bool
    ms: float
    note: str | None = None


class Readiness(Struct, frozen=True):
    """Whether the server can serve, and the state of its parts by name."""

    ok: bool
    checks: dict[str, Check]


@operation(
    "GET",
    "/health",
    tag="System",
    summary="Is the process alive",
    description="Answers without touching the database.",
    auth=False,
    answers={200: Answer(Health, "The process is alive")},
)
async def health(call: Call[None]) -> Reply:
    """Live: no I/O."""
    return call.json(b'{"ok":true}')


@operation(
    "GET",
    "/ready",
    tag="System",
    summary="Can the server serve",
    description="Checks the database, its migrations and the background work; each check has one second.",
    auth=False,
    answers={200: Answer(Readiness, "Ready"), 503: Answer(Readiness, "Not ready; the checks say why")},
)
async def ready(call: Call[None]) -> Reply:
    """Ready: every check of the application passes."""
    probes: dict[str, Probe] = call.app.probes
    checks = dict(zip(probes, await asyncio.gather(*map(_checked, probes.values())), strict=True))
    passed = all(check.ok for check in checks.values())
    return call.json(Readiness(passed, checks), 200 if passed else 503)


@operation(
    "GET",
    "/openapi.json",
    tag="System",
    summary="OpenAPI document",
    auth=False,
    answers={200: Answer(_JSON_OBJECT, "The document, OpenAPI 3.1")},
)
async def openapi_json(call: Call[None]) -> Reply:
    """The document at the place where tools look for it."""
    return call.json(_document_bytes())


@operation(
    "GET",
    "/docs/openapi",
    tag="System",
    summary="OpenAPI document",
    auth=False,
    answers={200: Answer(_JSON_OBJECT, "The document, OpenAPI 3.1")},
)
async def docs_openapi(call: Call[None]) -> Reply:
    """The document at the place where clients of this API look for it (`/api/docs/openapi`)."""
    return call.json(_document_bytes())


@operation(
    "GET",
    "/docs/markdown",
    tag="System",
    summary="The API as Markdown",
    auth=False,
    answers={200: Answer(_TEXT, "All operations, with curl examples", media_type="text/markdown")},
)
async def docs_markdown(call: Call[None]) -> Reply:
    """All operations in a form to read."""
    return Reply(_markdown_bytes(), 200, "text/markdown; charset=utf-8")


def database_probe(database: "Database") -> Probe:
    """The database answers a query."""

    async def probe() -> None:
        async with database.system() as connection:
            await connection.fetchval("select 1")

    return probe


def migration_probe(database: "Database", head: str) -> Probe:
    """The schema is at the revision `head` that this code was written for."""

    async def probe() -> str:
        async with database.system() as connection:
            found = await connection.fetchval("select version_num from alembic_version")
        if found != head:
            raise NotReady(f"schema is at {found}, expected {head}")
        return head

    return probe


def age_probe(seconds_since: Callable[[], float | None], limit: float) -> Probe:
    """Background work showed itself at most `limit` seconds ago; `seconds_since` None means never."""

    async def probe() -> str:
        age = seconds_since()
        if age is None or age > limit:
            raise NotReady("has not started" if age is None else f"silent for {age:.0f} s")
        return f"{age:.1f} s ago"

    return probe


async def _checked(probe: Probe) -> Check:
    started = perf_counter()

    def check(ok: bool, note: str | None) -> Check:
        return Check(ok, round((perf_counter() - started) * 1000, 2), note)

    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return check(True, await probe())
    except NotReady as reason:
        return check(False, str(reason))
    except TimeoutError:
        return check(False, "no answer in time")
    except Exception as error:
        logger.warning("readiness check failed", exc_info=error)
        return check(False, "failed")


@cache
def _document_bytes() -> bytes:
    from app.http.openapi import whole_document

    return msgspec.json.encode(whole_document())


@cache
def _markdown_bytes() -> bytes:
    from app.http.markdown import render
    from app.http.openapi import whole_document

    return render(whole_document()).encode()
