"""Checks of a toggle's value, answered from memory (contract: feature-toggles.md section 4)."""

from typing import Any, Literal
from uuid import UUID

from litestar import Response
from msgspec import Struct

from app.http.answers import Answer
from app.http.call import Call
from app.http.feature_toggles.toggles import TAG
from app.http.operation import Parameter, operation
from domain.errors import Problem
from domain.feature_toggles import ToggleType

Source = Literal["override", "default", "missing", "fallback"]


class Resolution(Struct, rename="camel"):
    """How a value was found."""

    value_type: ToggleType
    value: Any
    source: Source
    toggle_id: str
    identifier: str
    tenant_id: UUID


class Checked(Struct, rename="camel"):
    """The value of a toggle, in the documented form and in the one of the live clients."""

    ok: bool
    value_type: ToggleType
    value: Any
    source: Source
    toggle_id: str
    identifier: str
    tenant_id: UUID
    resolution: Resolution


class CheckedFlag(Checked, rename="camel"):
    """The same for a boolean toggle."""

    enabled: bool


class Refused(Struct, omit_defaults=True, rename="camel"):
    """Why there is no value."""

    error: str
    ok: bool = True
    code: Literal["MISSING_TOGGLE", "TYPE_MISMATCH", "INVALID_VALUE"] | None = None
    identifier: str | None = None
    expected_type: ToggleType | None = None
    actual_type: ToggleType | None = None
    source: Source | None = None
    resolution: Resolution | None = None


_IDENTIFIER = [
    Parameter("identifier", "Feature toggle identifier", required=True, example="feature_toggles_ui")
]
_REFUSALS = {
    400: Answer(Refused, "No identifier, or the value is not of the type"),
    404: Answer(Refused, "Tenant or toggle not found"),
}


async def _check(call: Call[None], wanted: ToggleType) -> Response[Any]:
    identifier = call.first("identifier")
    if not identifier:
        raise Problem.bad_request("The parameter identifier is required")
    return call.json(await call.app.toggles.check(call.scope.tenant_id, wanted, identifier))


@operation(
    "GET",
    "/feature_toggles/check/boolean",
    tag=TAG,
    summary="Check if feature is enabled",
    query=_IDENTIFIER,
    answers={200: Answer(CheckedFlag, "Feature status"), **_REFUSALS},
)
async def check_boolean(call: Call[None]) -> Response[Any]:
    """200 with the flag."""
    return await _check(call, "boolean")


@operation(
    "GET",
    "/feature_toggles/check/string",
    tag=TAG,
    summary="Get string config",
    query=_IDENTIFIER,
    answers={200: Answer(Checked, "String config"), **_REFUSALS},
)
async def check_string(call: Call[None]) -> Response[Any]:
    """200 with the text."""
    return await _check(call, "string")


@operation(
    "GET",
    "/feature_toggles/check/number",
    tag=TAG,
    summary="Get number config",
    query=_IDENTIFIER,
    answers={200: Answer(Checked, "Number config"), **_REFUSALS},
)
async def check_number(call: Call[None]) -> Response[Any]:
    """200 with the number."""
    return await _check(call, "number")


@operation(
    "GET",
    "/feature_toggles/check/json",
    tag=TAG,
    summary="Get json config",
    query=_IDENTIFIER,
    answers={200: Answer(Checked, "Json config"), **_REFUSALS},
)
async def check_json(call: Call[None]) -> Response[Any]:
    """200 with whatever JSON the value is."""
    return await _check(call, "json")
