"""What can be asked of the audit logs: query parameters, and the filters that they mean (audit-logs.md 2, 3, 5)."""

from collections.abc import Sequence
from typing import get_args
from uuid import UUID

import msgspec

from app.http.call import Call
from app.http.issues import invalid_uuid, too_small
from app.http.operation import Parameter
from domain.audit_logs import VIEW_TENANT
from domain.errors import Issue, Problem
from domain.wire import parse_time
from queries.audit_logs import AccessFilter, ActionFilter, SortField, Window

INVALID = "Validation failed"
"""The `error` text of a refused filter."""
MAX_PAGE = 1_000_000
MAX_EXPORT = 1_000

_MAX_OFFSET = 1 << 53
_NOBODY = UUID(int=0)
_ACTION_TYPES = ("create", "edit", "delete", "assign")

_TEXT = {"type": "string"}
_UUID = {"type": "string", "format": "uuid"}
_FLAG = {"type": "string", "enum": ["true", "false"]}
_TIME = {"type": "string", "format": "date-time"}


def _number(name: str, description: str, least: int, most: int, default: int) -> Parameter:
    schema = {"type": "integer", "minimum": least, "maximum": most, "default": default}
    return Parameter(name, description, schema, example=default)


_ORGANIZATION = Parameter("organizationId", "Limit results to a specific organization", _UUID)
_PAGE = _number("page", "Page number (default 1)", 1, MAX_PAGE, 1)
_BEFORE = Parameter("before", "Only what was created before this ISO-8601 time", _TIME)
_AFTER = Parameter("after", "Only what was created after this ISO-8601 time", _TIME)
ACCESS_PARAMETERS = (
    _ORGANIZATION,
    Parameter("actorUserId", "Filter by actor (only for those who may view the tenant's logs)", _UUID),
    Parameter("resourceKind", "Only this kind of resource, as `auth.role`", _TEXT),
    Parameter("accessType", "Only this type of access: `read`, `read:list` or `read:item`", _TEXT),
    _PAGE,
    _number("pageSize", "Page size (default 50, max 200)", 1, 200, 50),
    _number("limit", "The page size where `pageSize` is not given (max 200)", 1, 200, 50),
    _BEFORE,
    _AFTER,
)
_ACTION_FILTERS = (
    _ORGANIZATION,
    Parameter(
        "actorUserId", "Filter by actors, comma separated (only for those who may view the tenant's logs)"
    ),
    Parameter(
        "resourceKind", "Only this kind of resource, as `dictionaries.entry`", {**_TEXT, "minLength": 1}
    ),
    Parameter("resourceId", "Only this record", {**_TEXT, "minLength": 1}),
    Parameter("actionType", "Only these types, comma separated: `create`, `edit`, `delete`, `assign`", _TEXT),
    Parameter("fieldName", "Only actions that changed one of these fields, comma separated", _TEXT),
    Parameter("includeRelated", "With kind and id: also actions on records that belong to it", _FLAG),
    Parameter("undoableOnly", "Only actions that the caller can undo now", _FLAG),
)
_ACTION_ORDER = (
    Parameter(
        "sortField",
        "Sort field (default `createdAt`)",
        {**_TEXT, "enum": list(get_args(SortField)), "default": "createdAt"},
    ),
    Parameter(
        "sortDir", "Sort direction (default `desc`)", {**_TEXT, "enum": ["asc", "desc"], "default": "desc"}
    ),
    _BEFORE,
    _AFTER,
)
ACTION_PARAMETERS = (
    *_ACTION_FILTERS,
    Parameter("includeTotal", "Accepted; the total is always in the answer", _FLAG),
    _number("limit", "The page size where `pageSize` is not given (default 50, max 1000)", 1, 1000, 50),
    _number("offset", "How many actions to skip (prefer `page` and `pageSize`)", 0, _MAX_OFFSET, 0),
    _PAGE,
    _number("pageSize", "Page size (default 50, max 200)", 1, 200, 50),
    *_ACTION_ORDER,
)
EXPORT_PARAMETERS = (
    *_ACTION_FILTERS,
    _number("limit", "How many actions to export at most (default and maximum 1000)", 1, 1000, 1000),
    *_ACTION_ORDER,
)


def access_filter(call: Call[None]) -> AccessFilter:
    """The wanted rows. Without an actor in the query it is the caller, also for those who see everybody.

    Raises Problem 400 with all issues.
    """
    scope = call.scope
    actor, issues = scope.actor.id or _NOBODY, list[Issue]()
    named = (call.first("actorUserId") or "").strip()
    if named and scope.can(VIEW_TENANT):
        actor = uuid_of(named) or actor
        issues += [] if uuid_of(named) else [invalid_uuid(["actorUserId"])]
    organization = _organization(call, issues)
    _refuse(issues)
    return AccessFilter(
        actor_id=actor,
        organization_id=organization,
        resource_kind=call.first("resourceKind") or None,
        access_type=call.first("accessType") or None,
        before=parse_time(call.first("before")),
        after=parse_time(call.first("after")),
    )


def access_window(call: Call[None]) -> Window:
    """The page asked for; `limit` is the page size where `pageSize` is not given."""
    page = whole(call, "page", 1, MAX_PAGE) or 1
    size = whole(call, "pageSize", 1, 200) or whole(call, "limit", 1, 200) or 50
    return Window((page - 1) * size, size, page)


def action_filter(call: Call[None]) -> ActionFilter:
    """The wanted actions and their order. Raises Problem 400 with all issues."""
    issues: list[Issue] = []
    actors = _actors(call, issues)
    organization = _organization(call, issues)
    kind, record = (_not_empty(call, name, issues) for name in ("resourceKind", "resourceId"))
    _refuse(issues)
    sort = call.first("sortField") or ""
    return ActionFilter(
        actor_ids=actors,
        organization_id=organization,
        resource_kind=kind,
        resource_id=record,
        include_related=call.flag("includeRelated") is True,
        action_types=tuple(word for word in _words(call, "actionType") if word in _ACTION_TYPES),
        field_names=tuple(_words(call, "fieldName")),
        undoable_only=call.flag("undoableOnly") is True,
        before=parse_time(call.first("before")),
        after=parse_time(call.first("after")),
        sort=msgspec.convert(sort, SortField) if sort in get_args(SortField) else "createdAt",
        descending=call.first("sortDir") != "asc",
    )


def action_window(call: Call[None]) -> Window:
    """`pageSize` before `limit`, `offset` before `page`: all four are documented, and all four count."""
    size = whole(call, "pageSize", 1, 200) or whole(call, "limit", 1, 1000) or 50
    page, offset = whole(call, "page", 1, MAX_PAGE), whole(call, "offset", 0, _MAX_OFFSET)
    start = ((page or 1) - 1) * size if offset is None else offset
    return Window(start, size, page or (1 if offset is None else start // size + 1))


def _actors(call: Call[None], issues: list[Issue]) -> tuple[UUID, ...] | None:
    """The actors whose rows are wanted; None for everybody's. Who may not view the tenant's logs has their own."""
    scope = call.scope
    if not scope.can(VIEW_TENANT):
        return (scope.actor.id or _NOBODY,)
    named = _words(call, "actorUserId")
    found = [uuid_of(word) for word in named]
    if None in found:
        issues.append(invalid_uuid(["actorUserId"]))
    return tuple(actor for actor in found if actor is not None) or None


def _organization(call: Call[None], issues: list[Issue]) -> UUID | None:
    """The organization to narrow to: the one asked for if the caller may see it, else the one they work in."""
    scope = call.scope
    text = (call.first("organizationId") or "").strip()
    default: UUID | None = scope.feature_organization_id
    if text:
        asked = uuid_of(text)
        if asked is not None and (scope.allowed_ids is None or asked in scope.allowed_ids):
            return asked
        if asked is None and scope.allowed_ids is None:
            issues.append(invalid_uuid(["organizationId"]))
    return default


def _not_empty(call: Call[None], name: str, issues: list[Issue]) -> str | None:
    text = call.first(name)
    if text == "":
        issues.append(too_small("string", 1, [name]))
    return text


def _refuse(issues: Sequence[Issue]) -> None:
    if issues:
        raise Problem.invalid(issues, INVALID)


def _words(call: Call[None], name: str) -> list[str]:
    words = (word.strip() for word in (call.first(name) or "").split(","))
    return list(dict.fromkeys(word for word in words if word))


def whole(call: Call[None], name: str, least: int, most: int) -> int | None:
    """A number cut to a whole one and forced into its range; None when there is no readable one."""
    text = (call.first(name) or "").strip()
    try:
        return min(max(int(float(text)), least), most) if len(text) < 64 else None
    except (ValueError, OverflowError):
        return None


def uuid_of(text: str) -> UUID | None:
    """A UUID from its text; None when it is not one."""
    try:
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError:
        return None
