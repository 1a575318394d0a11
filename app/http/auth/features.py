"""The catalogue of features, and which of them the caller has (contract: auth.md 7.15 and 7.16)."""

from typing import Annotated, Any

import msgspec
from litestar import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from app.http.answers import Answer
from app.http.auth.replies import TAG, RefusedView
from app.http.call import Call
from app.http.decode import parse_body
from app.http.operation import operation
from domain.auth import ACL_MANAGE
from domain.errors import Problem
from domain.features import catalogue, modules
from queries.entities import restricted_features

MOST_FEATURES = 50


class FeatureView(Struct, rename="camel", omit_defaults=True):
    """A feature; `dependsOn` names features without which it is of little use."""

    id: str
    title: str
    module: str
    depends_on: list[str] | UnsetType = UNSET


class ModuleView(Struct):
    """A part of the product."""

    id: str
    title: str


class Features(Struct):
    """All features by module and id, and all modules by id."""

    items: list[FeatureView]
    modules: list[ModuleView]


class FeatureCheck(Struct):
    """The features that are asked for."""

    features: Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=MOST_FEATURES)]


class Checked(Struct, rename="camel"):
    """Whether all are granted, and which ones are."""

    ok: bool
    granted: list[str]
    user_id: str


@operation(
    "GET",
    "/auth/features",
    tag=TAG,
    summary="List declared feature flags",
    description="Every feature that a role may grant, and the module that it belongs to.",
    features=(ACL_MANAGE,),
    answers={200: Answer(Features, "Aggregated feature catalog")},
)
async def list_features(call: Call[None]) -> Response[Any]:
    """200 with the catalogue, and the features that the tenant's restricted entities bring along at its end."""
    async with call.app.database.read(call.scope.tenant_id) as connection:
        own = await restricted_features(connection, call.scope.tenant_id)
    items = [
        FeatureView(one.id, one.title, one.module, list(dict.fromkeys(one.depends_on)) or UNSET)
        for one in (*catalogue(), *own)
    ]
    known = [ModuleView(one.id, one.title) for one in sorted(modules(), key=lambda module: module.id)]
    return call.json(Features(items, known))


@operation(
    "POST",
    "/auth/feature-check",
    tag=TAG,
    summary="Check feature grants for the current user",
    description="Which of at most 50 features the caller has here.",
    body=FeatureCheck,
    raw_body=True,
    no_command="It reads only.",
    example={"features": ["dictionaries.view"]},
    answers={
        200: Answer(Checked, "Evaluation result"),
        400: Answer(RefusedView, "The list of features is missing, too long, or holds something else"),
    },
)
async def check_features(call: Call[None]) -> Response[Any]:
    """200 with the granted ones in the order of the request; all of it, when all are granted."""
    parsed = parse_body(call.raw)
    try:
        asked = msgspec.convert(parsed.value, FeatureCheck).features
    except msgspec.ValidationError:
        raise _refused() from None
    if parsed.fault is not None:
        raise _refused()
    scope = call.scope
    granted = [feature for feature in asked if scope.can(feature)]
    actor = f"api_key:{scope.actor.id}" if scope.actor.kind == "api_key" else str(scope.actor.id)
    return call.json(Checked(len(granted) == len(asked), granted, actor))


def _refused() -> Problem:
    return Problem(400, {"ok": False, "error": "Invalid request"})
