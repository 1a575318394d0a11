"""Encryption maps, data keys, and sealing anew what is stored (contract: entities.md 5.3; decision 0023)."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from commands.registry import Command, command, guards, handles
from commands.sealing import Seals
from commands.unit import Change, Unit
from domain import snapshots
from domain.custom_fields import ENTITY_ID
from domain.encryption.jobs import REENCRYPT_JOB, ReencryptRequest
from domain.encryption.plan import CUSTOM, place_of, resource_of_entity
from domain.encryption.tables import data_keys, encryption_maps
from domain.encryption.tokens import ERASED, Reader, open_value, subjects_in
from domain.errors import Problem
from domain.resources import Resource, all_resources, resource_of
from domain.wire import iso_ms

MANAGE = "entities.definitions.manage"
MOST_ROWS = 500
"""Rows that one re-encryption command looks at."""

_OWN = """
select id from encryption_maps where tenant_id = $1 and entity_id = $2 and organization_id is not distinct from $3
"""

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class FieldOfMap(Struct, frozen=True, rename="camel"):
    """One field of a map."""

    field: Name
    hash_field: Name | None = None


@command(
    "entities.encryption_maps.upsert",
    resource="entities.encryption_map",
    label="Save encryption map",
    features=(MANAGE,),
    undoable=False,
    why="What was written since is sealed: taking the map back would not open it, and would write later values plain.",
)
class UpsertMap(Command, frozen=True, rename="camel"):
    """Say which fields of an entity are sealed in the caller's organization, or (without one) in the tenant."""

    entity_id: Annotated[str, Meta(max_length=200, pattern=ENTITY_ID)]
    fields: Annotated[tuple[FieldOfMap, ...], Meta(min_length=1, max_length=500)]
    is_active: bool = True


@handles(UpsertMap)
async def upsert_map(command: UpsertMap, unit: Unit) -> dict[str, Any]:
    """Replaces the map of exactly this place. `notApplied` names fields that cannot be sealed, if there are any."""
    scope = unit.scope
    organization = scope.selected_organization_id or scope.home_organization_id
    if not scope.may_touch(organization):
        raise Problem.forbidden()
    values = {
        "fields": [{"field": one.field, "hashField": one.hash_field} for one in command.fields],
        "is_active": command.is_active,
    }
    own = await unit.fetchval(_OWN, scope.tenant_id, command.entity_id, organization)
    if own is None:
        place = {"organization_id": organization, "entity_id": command.entity_id}
        image = await unit.insert(encryption_maps, {**place, **values})
    else:
        image = await unit.update(encryption_maps, own, values)
    assert image is not None, "the row was read under the lock"
    left_out = [one.field for one in command.fields if place_of(command.entity_id, one.field) is None]
    answer: dict[str, Any] = {"ok": True, "updatedAt": image.wire()["updatedAt"]}
    return answer | {"notApplied": left_out} if left_out else answer


@command(
    "entities.encryption_keys.rotate",
    resource="entities.encryption_key",
    label="Rotate encryption key",
    features=(MANAGE,),
    undoable=False,
    why="What was sealed with the new key needs it.",
    system_only=True,
)
class RotateKey(Command, frozen=True, rename="camel"):
    """Seal with a new data key from now on; what was sealed before keeps its own."""

    number: Annotated[int, Meta(ge=2)]
    wrapped: Annotated[str, Meta(extra={"secret": True})]
    wrapped_by: str


@handles(RotateKey)
async def rotate_key(command: RotateKey, unit: Unit) -> dict[str, Any]:
    """Raises Problem 409 when another rotation was faster."""
    newest = await unit.fetchval(
        "select max(number) from data_keys where tenant_id = $1 and purpose = 'data'", unit.scope.tenant_id
    )
    if newest is None or newest + 1 != command.number:
        raise Problem.conflict("The key was rotated meanwhile", "key_rotated")
    await unit.insert(
        data_keys,
        {
            "purpose": "data",
            "number": command.number,
            "wrapped": command.wrapped,
            "wrapped_by": command.wrapped_by,
        },
    )
    return {"number": command.number, "createdAt": iso_ms(unit.now)}


@guards("encryption_maps", "field_definitions")
async def catch_up(unit: Unit) -> None:
    """Have what is stored already brought to what a changed map or definition asks for."""
    entities = {
        msgspec.json.decode(image["entity_id"], type=str)
        for change in unit.changes
        if change.t in ("encryption_maps", "field_definitions") and _decides(change)
        for image in (change.u if change.o == "u" else change.a or change.b,)
        if image
    }
    tables = sorted({found.name for found in map(resource_of_entity, sorted(entities)) if found is not None})
    if tables:
        unit.enqueue(REENCRYPT_JOB, ReencryptRequest(tuple(tables)))


def _decides(change: Change) -> bool:
    """Whether a change of a map or a definition may change what is sealed."""
    if change.t == "encryption_maps":
        return True
    sides = [
        b'"encrypted": true' in bytes(image.get("config", b"")) for image in (change.b or {}, change.a or {})
    ]
    switched = "is_active" in (change.a or {}) or "deleted_at" in (change.a or {})
    kept = b'"encrypted": true' in bytes((change.u or {}).get("config", b""))
    return any(sides) or (switched and kept)


class Resealed(Struct, frozen=True, rename="camel"):
    """What one step of a re-encryption did; `last` is the id to go on after, None at the end of the table."""

    seen: int
    rewritten: int
    unreadable: int
    last: UUID | None


@command(
    "entities.encryption.reencrypt",
    resource="entities.encryption_key",
    label="Re-encrypt stored values",
    features=(MANAGE,),
    undoable=False,
    why="It changes how values are stored, not what they are.",
    system_only=True,
)
class Reencrypt(Command, frozen=True, rename="camel"):
    """Bring rows of a table to what the maps and the newest key ask for: sealed, sealed anew, or opened."""

    table: str
    after: UUID | None = None
    most: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = MOST_ROWS


@handles(Reencrypt)
async def reencrypt(command: Reencrypt, unit: Unit) -> Resealed:
    """Rows are rewritten in one statement. Raises Problem 400 for a table without such fields."""
    if command.table not in sealable_tables():
        raise Problem.bad_request("This table has no encrypted fields", "not_encryptable")
    resource = resource_of(command.table)
    if unit.seals is None:
        return Resealed(0, 0, 0, None)
    columns = sealable_columns(resource)
    places = [name for name in ("entity_type", "organization_id") if name in resource.table.columns]
    rows = await unit.fetch(
        f"select to_jsonb(x)::text as row from (select id, {', '.join([*columns, *places])} from {resource.name}"
        " where tenant_id = $1 and ($2::uuid is null or id > $2) order by id limit $3) x",
        unit.scope.tenant_id,
        command.after,
        command.most,
    )
    unreadable = _Unreadable(unit.seals)
    stored = [snapshots.decode(row["row"]) for row in rows]
    await unit.seals.learn(unit.connection, {id for row in rows for id in subjects_in(row["row"].encode())})
    opened = [open_value(row, unreadable.read) for row in stored]
    await unit.seals.meet(unit.connection, resource, [(row, {}) for row in opened])
    wanted = [(row, unit.seals.row(resource, plain, {})) for row, plain in zip(stored, opened, strict=True)]
    patches = [
        {"id": row["id"], **{name: _exact(sealed[name]) for name in columns if sealed[name] != row[name]}}
        for row, sealed in wanted
        if any(sealed[name] != row[name] for name in columns)
    ]
    await unit.update_many(resource.table, patches)
    for change in unit.changes:
        change.b = {}  # what was plain before must not be written down once more
    last = UUID(stored[-1]["id"]) if len(stored) == command.most else None
    return Resealed(len(stored), len(patches), unreadable.count, last)


def sealable_tables() -> list[str]:
    """The tables that may have designated fields."""
    return [one.name for one in all_resources() if one.logged and sealable_columns(one)]


def sealable_columns(resource: Resource) -> list[str]:
    """The columns of a table that may hold sealed values."""
    own = sorted(resource.encryptable)
    return [*own, CUSTOM] if CUSTOM in resource.table.columns else own


def _exact(value: Any) -> Raw:
    """A value that was read from a row, as it goes back: fractions keep their digits."""
    return Raw(snapshots.encode(value))


class _Unreadable:
    """Opens tokens and counts those that cannot be opened, which stay as they are; what was erased stays too."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals
        self.count = 0

    @property
    def read(self) -> Reader:
        """For `open_value`."""

        def read(token: str) -> Raw | None:
            value = self._seals.read(token)
            self.count += value is None
            return None if value is ERASED else value

        return read
