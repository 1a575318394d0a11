"""The choices of relation fields (contract: entities.md 5.1)."""

from functools import partial
from typing import Any

from litestar import Response
from msgspec import UNSET, Struct, UnsetType

from app.http.answers import Answer
from app.http.call import Call
from app.http.entities.shared import TAG, require_place
from app.http.operation import Parameter, operation
from app.http.pagination import words_of
from domain.entities import VIEW
from queries.relations import CONTEXT, MOST, Capped, Wanted, choices


class Option(Struct, rename="camel"):
    """One choice; `routeContext` holds the further fields that were asked for, where there are any."""

    value: str
    label: str
    route_context: dict[str, Any] | UnsetType = UNSET


class OptionsMeta(Struct, rename="camel"):
    """What there is to know of choices whose labels are sealed."""

    encrypted_sort_row_cap_warning: Capped


class Options(Struct, omit_defaults=True):
    """Choices by label."""

    items: list[Option]
    meta: OptionsMeta | UnsetType = UNSET


@operation(
    "GET",
    "/entities/relations/options",
    tag=TAG,
    summary="List relation options",
    description=f"Rows of an entity to choose from, by label; at most {MOST}.",
    features=(VIEW,),
    query=[
        Parameter(
            "entityId", "The entity, as `module:entity`", required=True, example="directory:organization"
        ),
        Parameter("labelField", "The field to show; otherwise the one that the entity prescribes"),
        Parameter("q", "Part of a label"),
        Parameter("ids", "Only these rows: ids separated by commas"),
        Parameter("routeContextFields", f"Further fields, of {', '.join(sorted(CONTEXT))}"),
    ],
    answers={200: Answer(Options, "Option list")},
)
async def list_options(call: Call[None]) -> Response[Any]:
    """200 with the choices; none without an entity, or for an unknown one."""
    require_place(call.scope)
    entity_id = (call.first("entityId") or "").strip()
    if not entity_id:
        return call.json(Options([]))
    wanted = Wanted(
        entity_id,
        (call.first("labelField") or "").strip() or None,
        (call.first("q") or "").strip()[:200] or None,
        tuple(words_of(call.query, "ids")[:MOST]),
        tuple(words_of(call.query, "routeContextFields")),
    )
    async with call.app.database.read(call.scope.tenant_id) as connection:
        opening = partial(call.app.encryption.reading, call.scope.tenant_id)
        most = call.app.settings.encrypted_sort_max_rows
        found = await choices(connection, call.scope, wanted, opening, most)
    items = [Option(one.value, one.label, one.context or UNSET) for one in found.items]
    return call.json(Options(items, UNSET if found.capped is None else OptionsMeta(found.capped)))
