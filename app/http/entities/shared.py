"""What the routes of custom entities share: bodies, the form of their faults, documented answers."""

from typing import Any, TypeVar

from msgspec import Struct

from app.http.answers import Answer, IssueView
from app.http.call import Call
from app.http.decode import convert_body, parse_body
from app.http.kit import OPERATION_HEADER
from domain.errors import Issue, Problem
from domain.scope import Scope
from queries.entities import organization_of

TAG = "Entities"
INVALID = "Validation failed"
MISSING_ENTITY = "The entity id is required"
MISSING_FIELD = "The entity id and the key of the field are required"

B = TypeVar("B")


class Faults(Struct, rename="camel"):
    """What is wrong, by field of the body, and with the body as a whole."""

    form_errors: list[str]
    field_errors: dict[str, list[str]]


class Refused(Struct, omit_defaults=True):
    """Why a request was refused; a body without the documented form has `details`."""

    error: str
    code: str | None = None
    details: Faults | list[IssueView] | None = None


REFUSED = Answer(Refused, "Validation failed")
NO_ENTITY_ID = Answer(Refused, "The entity id is missing")
BROKEN = Answer(Refused, "The server failed; the message carries the request id")
STALE = Answer(Refused, "The record was modified since it was read")


def done(schema: Any, description: str) -> Answer:
    """The documented answer of a change that can be undone."""
    return Answer(schema, description, headers=OPERATION_HEADER)


def body_of(call: Call[None], wanted: type[B]) -> B:
    """The JSON body as it is valid. Raises Problem 400: `{error}` for no JSON, else with `details` by field."""
    parsed = parse_body(call.raw)
    if parsed.fault is not None and not parsed.fault["path"]:
        raise Problem.bad_request("Invalid JSON")
    try:
        body: B = convert_body(wanted, parsed, {})
    except Problem as problem:
        raise by_field(problem.body["details"]) from None
    return body


def by_field(issues: list[Issue]) -> Problem:
    """400 with the faults by top-level field, as a form shows them."""
    fields: dict[str, list[str]] = {}
    for one in issues:
        if one["path"]:
            fields.setdefault(str(one["path"][0]), []).append(one["message"])
    form = [one["message"] for one in issues if not one["path"]]
    return Problem(400, {"error": INVALID, "details": {"formErrors": form, "fieldErrors": fields}})


def named(call: Call[None], *names: str) -> list[str]:
    """Texts of the JSON body that must be there and not empty. Raises Problem 400."""
    parsed = parse_body(call.raw)
    if parsed.fault is not None:
        raise Problem.bad_request("Invalid JSON")
    body = parsed.value if isinstance(parsed.value, dict) else {}
    found = [body.get(name) for name in names]
    if not all(isinstance(text, str) and text for text in found):
        raise Problem.bad_request(MISSING_FIELD if len(names) > 1 else MISSING_ENTITY)
    return [str(text) for text in found]


def require_place(scope: Scope) -> None:
    """Raises Problem 401 for somebody without any organization; a super admin may look at the tenant's own rows."""
    if organization_of(scope) is None and not scope.is_super_admin:
        raise Problem.unauthorized()
