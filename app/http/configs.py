"""Cache administration, system status and upgrade actions (contract: configs.md)."""

from datetime import UTC, datetime
from typing import Any, Final, Literal

import structlog
from litestar import Response
from msgspec import Struct

from app import VERSION
from app.cache import CacheDown
from app.http.answers import Answer
from app.http.call import Call
from app.http.decode import parse_body
from app.http.errors import problem_of
from app.http.kit import BROKEN, Failure
from app.http.list_cache import PREFIX, segment_tag
from app.http.operation import operation
from app.system_status import Category, categories, runtime_mode
from app.upgrades import pending
from commands.configs import ClearCache, ExecuteUpgrade, PurgeCache, upgrade_organization
from domain.configs import CACHE_MANAGE, CACHE_VIEW, MANAGE, STATUS_VIEW
from domain.errors import Problem
from domain.i18n import translate
from domain.wire import iso_ms
from queries import configs as queries

TAG: Final = "Configs"
UNAVAILABLE: Final = Answer(Failure, "Cache service unavailable")
_DOWN: Final = "The cache is not available"
_MAX_SEGMENT: Final = 200

_logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.configs")


class Statistics(Struct):
    """How many answers the cache holds of a tenant: in all, and by segment."""

    total: int
    segments: dict[str, int]


class Purge(Struct):
    """What to throw out: everything, or a segment."""

    action: Literal["purgeAll", "purgeSegment"] = "purgeAll"
    segment: str | None = None


class Purged(Struct, omit_defaults=True):
    """What was thrown out, and what is left; `segment` and `deleted` for a segment only."""

    action: Literal["purgeAll", "purgeSegment"]
    stats: Statistics
    segment: str | None = None
    deleted: int | None = None


async def _statistics(call: Call[Any]) -> Statistics:
    """What the cache holds of the scope's tenant now. Raises Problem 503."""
    segments: dict[str, int] = {}
    try:
        for key in await call.app.cache.entries(call.scope.tenant_id, PREFIX):
            segment = key.removeprefix(PREFIX).rpartition("|")[0]
            segments[segment] = segments.get(segment, 0) + 1
    except CacheDown:
        raise Problem.unavailable(_DOWN) from None
    return Statistics(sum(segments.values()), dict(sorted(segments.items())))


@operation(
    "GET",
    "/configs/cache",
    tag=TAG,
    summary="Get cache statistics",
    description="How many answers of lists and widgets the cache holds of the tenant, by segment.",
    features=(CACHE_VIEW,),
    answers={
        200: Answer(Statistics, "Cache statistics", example={"total": 1, "segments": {"companies": 1}}),
        500: BROKEN,
        503: UNAVAILABLE,
    },
)
async def cache_statistics(call: Call[None]) -> Response[Any]:
    """200 with the numbers."""
    return call.json(await _statistics(call))


@operation(
    "POST",
    "/configs/cache",
    tag=TAG,
    summary="Purge cache",
    description="Throws out a segment of the tenant's cache, or all that the cache holds of the tenant.",
    features=(CACHE_MANAGE,),
    body=Purge,
    raw_body=True,
    commands=("configs.cache.purge",),
    example={"action": "purgeAll"},
    answers={
        200: Answer(
            Purged,
            "Cache segment cleared successfully",
            example={
                "action": "purgeSegment",
                "segment": "companies",
                "deleted": 1,
                "stats": {"total": 1, "segments": {"people": 1}},
            },
        ),
        400: Answer(Failure, "A purge of a segment that names none"),
        500: BROKEN,
        503: UNAVAILABLE,
    },
)
async def purge_cache(call: Call[None]) -> Response[Any]:
    """200 with what is left. The log says who purged what; a dry run purges nothing."""
    body = parse_body(call.raw).value
    wanted = body if isinstance(body, dict) else {}
    if wanted.get("action") != "purgeSegment":
        command = PurgeCache(action="purgeAll", deleted=await _throw_out(call, None))
        outcome = await call.execute(command)
        return call.answer(outcome, body=Purged("purgeAll", await _statistics(call)))
    segment = wanted.get("segment")
    segment = segment.strip() if isinstance(segment, str) else ""
    if not segment or len(segment) > _MAX_SEGMENT:
        raise Problem.bad_request("A segment is required")
    deleted = await _throw_out(call, segment)
    outcome = await call.execute(PurgeCache(action="purgeSegment", segment=segment, deleted=deleted))
    return call.answer(outcome, body=Purged("purgeSegment", await _statistics(call), segment, deleted))


async def _throw_out(call: Call[Any], segment: str | None) -> int:
    """Purge a segment, or all, in every process; how many entries this one (or the shared store) held."""
    app, tenant_id = call.app, call.scope.tenant_id
    prefix = "" if segment is None else f"{PREFIX}{segment}|"
    try:
        if call.options.dry_run:
            return len(await app.cache.entries(tenant_id, prefix))
        if segment is None:
            deleted, tag = await app.cache.clear(tenant_id), (tenant_id, "*")
        else:
            deleted, tag = await app.cache.delete(tenant_id, prefix), (tenant_id, segment_tag(segment))
    except CacheDown:
        raise Problem.unavailable(_DOWN) from None
    app.relay.announce_stale([tag])
    return deleted


class Status(Struct, rename="camel"):
    """The variables of the environment that say how the process works, by category."""

    generated_at: str
    runtime_mode: Literal["development", "production", "test", "unknown"]
    categories: list[Category]
    version: str
    log: queries.LogSize


@operation(
    "GET",
    "/configs/system-status",
    tag=TAG,
    summary="Get system health status",
    description="The state of documented variables; only super admins see what they are set to. Never a password.",
    features=(STATUS_VIEW,),
    answers={200: Answer(Status, "System status snapshot"), 500: BROKEN},
)
async def system_status(call: Call[None]) -> Response[Any]:
    """200 with all six categories; beside them the version and the size of the tenant's log."""
    async with call.app.database.read(call.scope.tenant_id) as connection:
        log = await queries.log_size(connection, call.scope.tenant_id)
    shown = categories(call.scope.is_super_admin)
    mode = runtime_mode(call.app.settings)
    return call.json(Status(iso_ms(datetime.now(UTC)), mode, shown, VERSION, log))


class Cleared(Struct):
    """The cache holds nothing of the tenant any more."""

    cleared: bool


@operation(
    "POST",
    "/configs/system-status",
    tag=TAG,
    summary="Clear system cache",
    description="Throws out everything that the cache holds of the tenant.",
    features=(MANAGE,),
    commands=("configs.cache.clear",),
    answers={200: Answer(Cleared, "Cache cleared successfully"), 500: BROKEN, 503: UNAVAILABLE},
)
async def clear_cache(call: Call[None]) -> Response[Any]:
    """200 `{"cleared": true}`."""
    outcome = await call.execute(ClearCache(deleted=await _throw_out(call, None)))
    return call.answer(outcome, body=Cleared(True))


class UpgradeView(Struct, rename="camel"):
    """An upgrade action that waits to be executed, in the language of the request."""

    id: str
    version: str
    message: str
    cta_label: str
    success_message: str
    loading_label: str


class Upgrades(Struct):
    """The version of the program, and the next pending action, if there is one."""

    version: str
    actions: list[UpgradeView]


@operation(
    "GET",
    "/configs/upgrade-actions",
    tag=TAG,
    summary="List pending upgrade actions",
    description="At most one: the pending action of the earliest version.",
    features=(MANAGE,),
    answers={
        200: Answer(Upgrades, "List of pending upgrade actions"),
        400: Answer(Failure, "Missing organization or tenant context"),
        500: BROKEN,
    },
)
async def list_upgrades(call: Call[None]) -> Response[Any]:
    """200 with the action; none where the mechanism is off."""
    if not call.app.settings.upgrade_actions:
        return call.json(Upgrades(VERSION, []))
    organization_id = upgrade_organization(call.scope)
    if organization_id is None:
        raise Problem.bad_request("Tenant and organization context are required")
    async with call.app.database.read(call.scope.tenant_id) as connection:
        runs = await queries.upgrade_runs(connection, call.scope.tenant_id)
    action = pending(runs, organization_id)
    if action is None:
        return call.json(Upgrades(VERSION, []))
    texts = (action.message, action.cta_label, action.success_message, action.loading_label)
    said = (translate(text, call.scope.locale) for text in texts)
    return call.json(Upgrades(VERSION, [UpgradeView(action.id, action.version, *said)]))


class Execution(Struct, rename="camel"):
    """Which action to execute."""

    action_id: str


class Executed(Struct):
    """How it ended; `version` is the program's."""

    status: Literal["completed", "already_completed"]
    message: str
    version: str


class ExecutionFailure(Struct):
    """Why an action could not be executed."""

    error: str
    details: str | None = None


@operation(
    "POST",
    "/configs/upgrade-actions",
    tag=TAG,
    summary="Execute upgrade action",
    description="Runs an upgrade action, once for each organization or tenant. It cannot be undone.",
    features=(MANAGE,),
    body=Execution,
    raw_body=True,
    commands=("configs.upgrade_actions.execute",),
    example={"actionId": "dictionaries.install-system"},
    answers={
        200: Answer(Executed, "Upgrade action executed successfully"),
        400: Answer(Failure, "Invalid request body or missing context"),
        500: Answer(ExecutionFailure, "Failed to execute upgrade action"),
    },
)
async def execute_upgrade(call: Call[None]) -> Response[Any]:
    """200 also when it was executed before; then nothing is done again."""
    if not call.app.settings.upgrade_actions:
        raise Problem.forbidden(error="Upgrade actions are disabled")
    if upgrade_organization(call.scope) is None:
        raise Problem.bad_request("Tenant and organization context are required")
    body = parse_body(call.raw).value
    given = body.get("actionId") if isinstance(body, dict) else None
    action_id = given.strip() if isinstance(given, str) else ""
    if not action_id:
        raise Problem.bad_request("Invalid request body")
    try:
        outcome = await call.execute(ExecuteUpgrade(action_id=action_id, version=VERSION))
    except Exception as error:
        if problem_of(error) is not None:
            raise
        _logger.exception("upgrade action failed", action=action_id)
        raise Problem(500, {"error": "The upgrade action failed", "details": None}) from error
    if outcome.dry_run is not None or outcome.replayed:
        return call.answer(outcome)
    run = outcome.result
    message = translate(run.message, call.scope.locale)
    return call.answer(outcome, body=Executed(run.status, message, VERSION))
