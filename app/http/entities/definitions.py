"""Routes of field definitions (contract: entities.md section 2)."""

from typing import Annotated, Any

from litestar import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from app.http.answers import Answer
from app.http.call import Call
from app.http.decode import parse_body
from app.http.entities.shared import (
    BROKEN,
    MISSING_ENTITY,
    NO_ENTITY_ID,
    REFUSED,
    STALE,
    TAG,
    Refused,
    body_of,
    done,
    named,
    require_place,
)
from app.http.identity import require_valid_selection
from app.http.kit import Done
from app.http.operation import Parameter, operation
from app.http.pagination import words_of
from commands.entities.batch import UpsertDefinitions
from commands.entities.definitions import (
    DeleteDefinition,
    EntityId,
    Key,
    RestoreDefinition,
    UpsertDefinition,
)
from domain.custom_fields import RESERVED_ENTITIES, FieldDefinition, Kind
from domain.custom_fields.configuration import FieldConfig
from domain.custom_fields.shown import fieldsets_of, merged
from domain.entities import MANAGE
from domain.errors import Problem
from domain.wire import iso_ms_or_none
from queries import entities as queries

MOST_ENTITIES = 200

ENTITY_ID = Parameter("entityId", "The entity, as `module:entity`", required=True, example="user:thing")


class DefinitionBody(Struct, rename="camel"):
    """A field definition. Keys of `configJson` that are not described are kept as they are."""

    entity_id: EntityId
    key: Key
    kind: Kind
    config_json: FieldConfig | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class FieldName(Struct, rename="camel"):
    """The field that is meant."""

    entity_id: Annotated[str, Meta(min_length=1)]
    key: Annotated[str, Meta(min_length=1)]


class DefinitionItem(Struct, rename="camel"):
    """A definition as it is stored."""

    id: str
    key: str
    kind: Kind
    config_json: dict[str, Any]
    is_active: bool


class Saved(Struct, rename="camel"):
    """What was saved."""

    ok: bool
    item: DefinitionItem


class Versioned(Struct):
    """It is done; `version` is that of the entity's definitions now."""

    ok: bool
    version: str | None


class Managed(Struct, rename="camel"):
    """A definition with its place."""

    id: str
    key: str
    kind: Kind
    config_json: dict[str, Any] | None
    is_active: bool
    organization_id: str | None
    tenant_id: str | None


class Settings(Struct, rename="camel"):
    """How fieldsets are used."""

    single_fieldset_per_record: bool


class Snapshot(Struct, rename="camel"):
    """Everything that an editor of definitions needs."""

    items: list[Managed]
    deleted_keys: list[str]
    fieldsets: list[dict[str, Any]]
    settings: Settings
    version: str | None


class Item(Struct, rename="camel"):
    """A field as forms and lists use it; options that a field does not have are left out."""

    key: str
    kind: Kind
    label: str
    multi: bool
    filterable: bool
    form_editable: bool
    list_visible: bool
    priority: float
    entity_id: str
    description: str | UnsetType = UNSET
    options: list[dict[str, str]] | UnsetType = UNSET
    options_url: str | UnsetType = UNSET
    editor: str | UnsetType = UNSET
    input: str | UnsetType = UNSET
    dictionary_id: str | UnsetType = UNSET
    dictionary_inline_create: bool | UnsetType = UNSET
    validation: list[dict[str, Any]] | UnsetType = UNSET
    default_value: Any = UNSET
    max_attachment_size_mb: float | UnsetType = UNSET
    accept_extensions: list[Any] | UnsetType = UNSET
    default_country_iso2: str | UnsetType = UNSET
    fieldset: str | UnsetType = UNSET
    fieldsets: list[str] | UnsetType = UNSET
    group: dict[str, str] | UnsetType = UNSET


class Items(Struct, rename="camel", omit_defaults=True):
    """The fields of one or several entities."""

    items: list[Item]
    fieldsets_by_entity: dict[str, list[dict[str, Any]]] = {}
    entity_settings: dict[str, Settings] = {}


@operation(
    "GET",
    "/entities/definitions",
    tag=TAG,
    summary="List active custom field definitions",
    description="The fields of one or several entities for the current organization; of equal keys, one stays.",
    query=[
        Parameter("entityId", "The entity, as `module:entity`; may be repeated", example="user:thing"),
        Parameter("entityIds", "Several entities, separated by commas"),
        Parameter("fieldset", "Only fields of this fieldset"),
    ],
    answers={200: Answer(Items, "Definition list"), 400: NO_ENTITY_ID},
)
async def list_definitions(call: Call[None]) -> Response[Any]:
    """200 with the fields by priority."""
    asked = [text.strip() for text in call.query.get("entityId", ()) if text.strip()]
    ids = list(dict.fromkeys((*asked, *words_of(call.query, "entityIds"))))
    if not ids:
        raise Problem.bad_request(MISSING_ENTITY)
    if len(ids) > MOST_ENTITIES:
        raise Problem.bad_request(f"At most {MOST_ENTITIES} entities can be asked for at once")
    ids = [id for id in ids if id not in RESERVED_ENTITIES]
    if not ids:
        return call.json({"items": []})
    async with call.app.database.read(call.scope.tenant_id, one_plan=True) as connection:
        found = await queries.definitions(connection, call.scope, ids)
    fieldset = (call.first("fieldset") or "").strip()
    fields = [field for field in found.active if not fieldset or fieldset in fieldsets_of(field)]
    return call.json(
        {
            "items": merged(fields, ids),
            "fieldsetsByEntity": {id: found.fieldsets[id]["fieldsets"] for id in ids},
            "entitySettings": {id: _settings(found, id) for id in ids},
        }
    )


def _settings(found: queries.Definitions, entity_id: str) -> Settings:
    return Settings(found.fieldsets[entity_id]["singleFieldsetPerRecord"])


@operation(
    "POST",
    "/entities/definitions",
    tag=TAG,
    summary="Upsert custom field definition",
    description="Defines a field in the current organization, or defines it anew.",
    features=(MANAGE,),
    body=DefinitionBody,
    raw_body=True,
    commands=("entities.definitions.upsert",),
    example={"entityId": "user:thing", "key": "size", "kind": "integer", "configJson": {"label": "Size"}},
    answers={200: done(Saved, "Definition saved"), 400: REFUSED},
)
async def upsert_definition(call: Call[None]) -> Response[Any]:
    """200 with the definition, made or changed."""
    require_valid_selection(call.scope)
    body = body_of(call, DefinitionBody)
    command = UpsertDefinition(
        entity_id=body.entity_id,
        key=body.key,
        kind=body.kind,
        config_json=parse_body(call.raw).value.get("configJson", UNSET),
        is_active=body.is_active is not False,
    )
    return call.answer(await call.execute(command))


@operation(
    "DELETE",
    "/entities/definitions",
    tag=TAG,
    summary="Soft delete custom field definition",
    description="Takes the field from the current organization; others keep what they inherit.",
    features=(MANAGE,),
    body=FieldName,
    raw_body=True,
    commands=("entities.definitions.delete",),
    example={"entityId": "user:thing", "key": "size"},
    answers={
        200: done(Versioned, "Definition deleted"),
        400: Answer(Refused, "Missing entity id or key"),
        404: Answer(Refused, "Definition not found"),
    },
)
async def delete_definition(call: Call[None]) -> Response[Any]:
    """200 with the version."""
    require_valid_selection(call.scope)
    entity_id, key = named(call, "entityId", "key")
    return call.answer(await call.execute(DeleteDefinition(entity_id=entity_id, key=key)))


@operation(
    "POST",
    "/entities/definitions.batch",
    tag=TAG,
    summary="Save multiple custom field definitions",
    description="Saves definitions in their order, and the fieldsets; all of it or nothing.",
    features=(MANAGE,),
    body=UpsertDefinitions,
    raw_body=True,
    example={
        "entityId": "user:thing",
        "definitions": [{"key": "size", "kind": "integer", "configJson": {"label": "Size"}}],
    },
    answers={200: done(Versioned, "Definitions saved"), 400: REFUSED, 409: STALE, 500: BROKEN},
)
async def upsert_definitions(call: Call[None]) -> Response[Any]:
    """200 with the version."""
    require_valid_selection(call.scope)
    return call.answer(await call.execute(body_of(call, UpsertDefinitions)))


@operation(
    "GET",
    "/entities/definitions.manage",
    tag=TAG,
    summary="Get management snapshot",
    description="The definitions of one entity with their places, the deleted keys, the fieldsets and the version.",
    features=(MANAGE,),
    query=[ENTITY_ID],
    answers={200: Answer(Snapshot, "Scoped definitions and deleted keys"), 400: NO_ENTITY_ID},
)
async def manage_definitions(call: Call[None]) -> Response[Any]:
    """200 with the definitions by key."""
    require_place(call.scope)
    entity_id = (call.first("entityId") or "").strip()
    if not entity_id:
        raise Problem.bad_request(MISSING_ENTITY)
    async with call.app.database.read(call.scope.tenant_id, one_plan=True) as connection:
        found = await queries.definitions(connection, call.scope, [entity_id])
    items = sorted(found.active, key=lambda field: field.key)
    return call.json(
        Snapshot(
            [_managed(field, str(call.scope.tenant_id)) for field in items],
            found.hidden,
            found.fieldsets[entity_id]["fieldsets"],
            _settings(found, entity_id),
            iso_ms_or_none(found.version),
        )
    )


def _managed(field: FieldDefinition, tenant_id: str) -> Managed:
    place = None if field.organization_id is None else str(field.organization_id)
    return Managed(str(field.id), field.key, field.kind, field.config, True, place, tenant_id)


@operation(
    "POST",
    "/entities/definitions.restore",
    tag=TAG,
    summary="Restore definition",
    description="Brings the current organization's own definition of a field back.",
    features=(MANAGE,),
    body=FieldName,
    raw_body=True,
    commands=("entities.definitions.restore",),
    example={"entityId": "user:thing", "key": "size"},
    answers={
        200: done(Done, "Definition restored"),
        400: Answer(Refused, "Missing entity id or key"),
        404: Answer(Refused, "Definition not found"),
    },
)
async def restore_definition(call: Call[None]) -> Response[Any]:
    """200 `{"ok": true}`."""
    require_valid_selection(call.scope)
    entity_id, key = named(call, "entityId", "key")
    return call.answer(await call.execute(RestoreDefinition(entity_id=entity_id, key=key)))
