"""Commands of the shared dictionaries (contract: dictionaries.md)."""

import re
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Raw, UnsetType

from commands.custom_fields import CustomValues, custom_column
from commands.registry import Command, command, handles
from commands.unit import Image, Unit
from domain.dictionaries import MANAGE, PROTECTED_KEYS, dictionaries, dictionary_entries, normalized
from domain.errors import Problem
from domain.images import wire_row

TRIM = {"trim": True}
KEY_PATTERN = "^[a-z0-9][a-z0-9_-]*$"
Key = Annotated[str, Meta(min_length=1, max_length=100, pattern=KEY_PATTERN, extra=TRIM)]
LooseKey = Annotated[str, Meta(min_length=1, max_length=100, extra=TRIM)]
Name = Annotated[str, Meta(min_length=1, max_length=200, extra=TRIM)]
Description = Annotated[str, Meta(max_length=2000, extra=TRIM)]
SortMode = Literal["label_asc", "label_desc", "value_asc", "value_desc", "created_at_asc", "created_at_desc"]
Value = Annotated[str, Meta(min_length=1, max_length=150, extra=TRIM)]
Color = Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$", extra=TRIM)]
Icon = Annotated[str, Meta(min_length=1, max_length=64, extra=TRIM)]
Position = Annotated[int, Meta(ge=0, le=2_147_483_647)]

Wire = dict[str, Raw]
DICTIONARY_ENTITY = "dictionaries:dictionary"
ENTRY_ENTITY = "dictionaries:dictionary_entry"

DICTIONARY_FIELDS = (
    *("id", "key", "name", "description", "isSystem", "isActive", "managerVisibility", "entrySortMode"),
    *("organizationId", "isInherited", "createdAt", "updatedAt"),
)
ENTRY_FIELDS = ("id", "value", "label", "color", "icon", "position", "isDefault", "createdAt", "updatedAt")

LIVE_OWN = (
    "exists (select from dictionaries d where d.tenant_id = t.tenant_id and d.id = t.dictionary_id"
    " and d.deleted_at is null and d.organization_id = {organization} and d.id = {dictionary})"
)
"""That an entry `t` stands in a live dictionary of the organization that the caller writes in."""


def write_organization(unit: Unit) -> UUID:
    """The organization that a command writes in. Raises Problem 400 when none is selected, 403 when not allowed."""
    scope = unit.scope
    organization = scope.selected_organization_id or scope.home_organization_id
    if organization is None:
        raise Problem.bad_request("Organization context is required")
    if not scope.may_touch(organization):
        raise Problem.forbidden()
    return organization


def dictionary_view(image: Image) -> Wire:
    """A dictionary as the contract shows it."""
    return _view(image, DICTIONARY_FIELDS, {"isInherited": Raw(b"false")})


def entry_view(image: Image) -> Wire:
    """An entry as the contract shows it."""
    return _view(image, ENTRY_FIELDS, {})


def _view(image: Image, fields: tuple[str, ...], more: Wire) -> Wire:
    """Some fields of a record, and then those that are custom."""
    shown = wire_row(image.resource, image.row) | more
    custom = {name: value for name, value in shown.items() if name.startswith("cf_")}
    return {field: shown[field] for field in fields} | custom


@command(
    "dictionaries.dictionaries.create",
    resource="dictionaries.dictionary",
    label="Create dictionary",
    features=(MANAGE,),
)
class CreateDictionary(Command, frozen=True, kw_only=True, rename="camel"):
    """Register a dictionary in the caller's organization."""

    key: Key
    name: Name
    description: Description | UnsetType = UNSET
    is_system: bool = False
    is_active: bool = True
    entry_sort_mode: SortMode = "label_asc"
    custom_fields: CustomValues | UnsetType = UNSET


@handles(CreateDictionary)
async def create_dictionary(command: CreateDictionary, unit: Unit) -> Wire:
    """Insert it; a live dictionary of the same key in the organization is a conflict (409)."""
    organization = write_organization(unit)
    custom = await custom_column(unit, DICTIONARY_ENTITY, command.custom_fields, organization)
    image = await unit.insert(
        dictionaries,
        custom
        | {
            "organization_id": organization,
            "key": command.key,
            "name": command.name,
            "description": command.description or None,
            "is_system": command.is_system,
            "is_active": command.is_active,
            "entry_sort_mode": command.entry_sort_mode,
        },
    )
    assert image is not None, "an unconditional insert gives its row"
    return dictionary_view(image)


@command(
    "dictionaries.dictionaries.update",
    resource="dictionaries.dictionary",
    label="Update dictionary",
    features=(MANAGE,),
    target="dictionary_id",
)
class UpdateDictionary(Command, frozen=True, kw_only=True, rename="camel"):
    """Change attributes of a dictionary; what is absent stays. `isSystem` is accepted and has no effect."""

    dictionary_id: UUID
    key: LooseKey | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    is_system: bool | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    entry_sort_mode: SortMode | UnsetType = UNSET
    custom_fields: CustomValues | UnsetType = UNSET


@handles(UpdateDictionary)
async def update_dictionary(command: UpdateDictionary, unit: Unit) -> Wire:
    """Deactivating a dictionary archives it: it is not found afterwards, until the command is undone."""
    _require_some(command, "dictionary_id")
    stored = await _own_dictionary(unit, command.dictionary_id)
    values: dict[str, Any] = {}
    key = command.key.lower() if isinstance(command.key, str) else stored["key"]
    protected = stored["key"].strip().lower() in PROTECTED_KEYS
    if key != stored["key"].lower():
        if protected:
            raise Problem.bad_request("The key of the currency dictionary cannot be changed")
        if not re.fullmatch(KEY_PATTERN, key):
            raise Problem.bad_request("Use lowercase letters, digits, underscores or hyphens in the key")
        values["key"] = key
    if command.is_active is False:
        if protected:
            raise Problem.bad_request("The currency dictionary cannot be deactivated")
        values |= {"is_active": False, "deleted_at": unit.now}
    elif command.is_active is True:
        values["is_active"] = True
    if command.name is not UNSET:
        values["name"] = command.name
    if command.description is not UNSET:
        values["description"] = command.description or None
    if command.entry_sort_mode is not UNSET:
        values["entry_sort_mode"] = command.entry_sort_mode
    values |= await custom_column(
        unit,
        DICTIONARY_ENTITY,
        command.custom_fields,
        stored["organization_id"],
        stored["custom_fields"],
    )
    image = await unit.update(dictionaries, command.dictionary_id, values)
    assert image is not None, "the dictionary was loaded under the lock"
    return dictionary_view(image)


@command(
    "dictionaries.dictionaries.delete",
    resource="dictionaries.dictionary",
    label="Delete dictionary",
    features=(MANAGE,),
    target="dictionary_id",
)
class DeleteDictionary(Command, frozen=True, kw_only=True, rename="camel"):
    """Archive a dictionary; its entries stay in the table."""

    dictionary_id: UUID


@handles(DeleteDictionary)
async def delete_dictionary(command: DeleteDictionary, unit: Unit) -> dict[str, bool]:
    """The currency dictionary is protected (400)."""
    stored = await _own_dictionary(unit, command.dictionary_id)
    if stored["key"].strip().lower() in PROTECTED_KEYS:
        raise Problem.bad_request("The currency dictionary cannot be deleted")
    await unit.update(dictionaries, command.dictionary_id, {"is_active": False, "deleted_at": unit.now})
    return {"ok": True}


@command(
    "dictionaries.entries.create",
    resource="dictionaries.entry",
    label="Add dictionary entry",
    features=(MANAGE,),
)
class CreateEntry(Command, frozen=True, kw_only=True, rename="camel"):
    """Add an entry. Its label is its value unless given; it stands first unless a position is given."""

    dictionary_id: UUID
    value: Value
    label: Value | UnsetType = UNSET
    color: Color | None = None
    icon: Icon | None = None
    position: Position = 0
    custom_fields: CustomValues | UnsetType = UNSET


@handles(CreateEntry)
async def create_entry(command: CreateEntry, unit: Unit) -> Wire:
    """A value that differs only in case or outer space from another one of the dictionary is a conflict (409)."""
    organization = write_organization(unit)
    custom = await custom_column(unit, ENTRY_ENTITY, command.custom_fields, organization)
    image = await unit.insert(
        dictionary_entries,
        custom
        | {
            "organization_id": organization,
            "dictionary_id": command.dictionary_id,
            "value": command.value,
            "normalized_value": normalized(command.value),
            "label": command.value if command.label is UNSET else command.label,
            "color": command.color and command.color.lower(),
            "icon": command.icon,
            "position": command.position,
        },
        where="exists (select from dictionaries d where d.tenant_id = r.tenant_id and d.id = r.dictionary_id"
        " and d.deleted_at is null and d.organization_id = r.organization_id)",
    )
    if image is None:
        raise Problem.not_found("Dictionary not found")
    return entry_view(image)


@command(
    "dictionaries.entries.update",
    resource="dictionaries.entry",
    label="Update dictionary entry",
    features=(MANAGE,),
    target="entry_id",
)
class UpdateEntry(Command, frozen=True, kw_only=True, rename="camel"):
    """Change an entry; what is absent stays, null clears colour and icon."""

    dictionary_id: UUID
    entry_id: UUID
    value: Value | UnsetType = UNSET
    label: Value | UnsetType = UNSET
    color: Color | UnsetType | None = UNSET
    icon: Icon | UnsetType | None = UNSET
    position: Position | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET
    custom_fields: CustomValues | UnsetType = UNSET


@handles(UpdateEntry)
async def update_entry(command: UpdateEntry, unit: Unit) -> Wire:
    """A new value takes the label with it unless a label is given; another case of the same value is no change.

    One statement where nothing must be read first; a new value or a new default looks at the row before.
    """
    _require_some(command, "dictionary_id", "entry_id")
    organization = write_organization(unit)
    values: dict[str, Any] = {
        name: getattr(command, name)
        for name in ("label", "color", "icon", "position", "is_default")
        if getattr(command, name) is not UNSET
    }
    if isinstance(command.color, str):
        values["color"] = command.color.lower()
    custom = command.custom_fields
    if command.value is not UNSET or command.is_default is True or custom is not UNSET:
        stored = await _own_entry(unit, command.dictionary_id, command.entry_id, organization)
        values |= await custom_column(unit, ENTRY_ENTITY, custom, organization, stored["custom_fields"])
        if command.value is not UNSET and normalized(command.value) != stored["normalized_value"]:
            values |= {"value": command.value, "normalized_value": normalized(command.value)}
            values.setdefault("label", command.value)
        if command.is_default is True:
            await _clear_default(unit, command.dictionary_id, command.entry_id)
    image = await unit.update(
        dictionary_entries,
        command.entry_id,
        values,
        where=LIVE_OWN.format(organization="$4::uuid", dictionary="$5::uuid"),
        args=(organization, command.dictionary_id),
    )
    if image is None:
        raise await _missing(unit, command.dictionary_id, organization)
    return entry_view(image)


@command(
    "dictionaries.entries.delete",
    resource="dictionaries.entry",
    label="Delete dictionary entry",
    features=(MANAGE,),
    target="entry_id",
)
class DeleteEntry(Command, frozen=True, kw_only=True, rename="camel"):
    """Delete an entry for good (until undone). Records that hold its value keep it."""

    dictionary_id: UUID
    entry_id: UUID


@handles(DeleteEntry)
async def delete_entry(command: DeleteEntry, unit: Unit) -> dict[str, bool]:
    """One statement; an entry of another dictionary is not found (404)."""
    organization = write_organization(unit)
    image = await unit.delete(
        dictionary_entries,
        command.entry_id,
        where=LIVE_OWN.format(organization="$3::uuid", dictionary="$4::uuid"),
        args=(organization, command.dictionary_id),
    )
    if image is None:
        raise await _missing(unit, command.dictionary_id, organization)
    return {"ok": True}


class EntryPosition(Command, frozen=True, kw_only=True, rename="camel"):
    """Where one entry goes."""

    id: UUID
    position: Position


@command(
    "dictionaries.entries.reorder",
    resource="dictionaries.dictionary",
    label="Reorder dictionary entries",
    features=(MANAGE,),
    target="dictionary_id",
)
class ReorderEntries(Command, frozen=True, kw_only=True, rename="camel"):
    """Set positions of entries; ids that are not of this dictionary are passed over."""

    dictionary_id: UUID
    entries: Annotated[list[EntryPosition], Meta(min_length=1, max_length=10_000)]


@handles(ReorderEntries)
async def reorder_entries(command: ReorderEntries, unit: Unit) -> dict[str, bool]:
    """The last position of a repeated id counts; entries that are not listed keep theirs."""
    await _own_dictionary(unit, command.dictionary_id)
    wanted = {entry.id: entry.position for entry in command.entries}
    await unit.update_many(
        dictionary_entries,
        [{"id": id, "position": position} for id, position in wanted.items()],
        where="t.dictionary_id = $3 and t.position is distinct from r.position",
        args=(command.dictionary_id,),
    )
    return {"ok": True}


@command(
    "dictionaries.entries.set_default",
    resource="dictionaries.dictionary",
    label="Set default dictionary entry",
    features=(MANAGE,),
    target="dictionary_id",
)
class SetDefaultEntry(Command, frozen=True, kw_only=True, rename="camel"):
    """Make an entry the default of its dictionary."""

    dictionary_id: UUID
    entry_id: UUID


@handles(SetDefaultEntry)
async def set_default_entry(command: SetDefaultEntry, unit: Unit) -> dict[str, bool]:
    """The former default is cleared first: at no moment are there two."""
    organization = write_organization(unit)
    await _own_dictionary(unit, command.dictionary_id)
    await _own_entry(unit, command.dictionary_id, command.entry_id, organization)
    await _clear_default(unit, command.dictionary_id, command.entry_id)
    await unit.update(dictionary_entries, command.entry_id, {"is_default": True})
    return {"ok": True}


class SeedEntry(Command, frozen=True, kw_only=True, rename="camel"):
    """One entry to seed."""

    value: Value
    label: Value | UnsetType = UNSET
    color: Color | None = None
    icon: Icon | None = None
    position: Position = 0


@command(
    "dictionaries.dictionaries.seed",
    resource="dictionaries.dictionary",
    label="Seed dictionary",
    undoable=False,
    why="the installation's own set-up; delete the dictionary instead",
    system_only=True,
)
class SeedDictionary(Command, frozen=True, kw_only=True, rename="camel"):
    """Make sure that a dictionary and its entries exist; what exists is left alone."""

    organization_id: UUID
    key: LooseKey
    name: Name
    description: Description | UnsetType = UNSET
    is_system: bool = True
    visibility: Literal["default", "hidden"] = "default"
    entries: list[SeedEntry]


@handles(SeedDictionary)
async def seed_dictionary(command: SeedDictionary, unit: Unit) -> dict[str, Any]:
    """Matches the dictionary by key and entries by normalized value."""
    id = await unit.fetchval(
        "select id from dictionaries where tenant_id = $1 and organization_id = $2 and key = $3 and deleted_at is null",
        unit.scope.tenant_id,
        command.organization_id,
        command.key,
    )
    if id is None:
        image = await unit.insert(
            dictionaries,
            {
                "organization_id": command.organization_id,
                "key": command.key,
                "name": command.name,
                "description": command.description or None,
                "is_system": command.is_system,
                "manager_visibility": command.visibility,
            },
        )
        assert image is not None, "an unconditional insert gives its row"
        id = image.id
    known = {
        row["normalized_value"]
        for row in await unit.fetch(
            "select normalized_value from dictionary_entries where tenant_id = $1 and dictionary_id = $2",
            unit.scope.tenant_id,
            id,
        )
    }
    fresh = {normalized(e.value): e for e in command.entries if normalized(e.value) not in known}
    await unit.insert_many(
        dictionary_entries,
        [
            {
                "organization_id": command.organization_id,
                "dictionary_id": id,
                "value": entry.value,
                "normalized_value": key,
                "label": entry.value if entry.label is UNSET else entry.label,
                "color": entry.color and entry.color.lower(),
                "icon": entry.icon,
                "position": entry.position,
            }
            for key, entry in fresh.items()
        ],
    )
    return {"id": str(id)}


def _require_some(command: Command, *ids: str) -> None:
    """An update must name something to change."""
    if all(getattr(command, field) is UNSET for field in command.__struct_fields__ if field not in ids):
        raise Problem.invalid(
            [{"code": "custom", "path": [], "message": "Provide at least one field to update"}]
        )


async def _own_dictionary(unit: Unit, id: UUID) -> Any:
    row = await unit.get(dictionaries, id)
    if row is None or row["deleted_at"] is not None or row["organization_id"] != write_organization(unit):
        raise Problem.not_found("Dictionary not found")
    return row


async def _own_entry(unit: Unit, dictionary_id: UUID, entry_id: UUID, organization: UUID) -> Any:
    row = await unit.fetchrow(
        "select t.normalized_value, t.custom_fields from dictionary_entries t where t.tenant_id = $1 and t.id = $2 and "
        + LIVE_OWN.format(organization="$3::uuid", dictionary="$4::uuid"),
        unit.scope.tenant_id,
        entry_id,
        organization,
        dictionary_id,
    )
    if row is None:
        raise await _missing(unit, dictionary_id, organization)
    return row


async def _clear_default(unit: Unit, dictionary_id: UUID, but: UUID) -> None:
    former = await unit.fetch(
        "select id from dictionary_entries where tenant_id = $1 and dictionary_id = $2 and is_default and id <> $3",
        unit.scope.tenant_id,
        dictionary_id,
        but,
    )
    await unit.update_many(dictionary_entries, [{"id": row["id"], "is_default": False} for row in former])


async def _missing(unit: Unit, dictionary_id: UUID, organization: UUID) -> Problem:
    """Which of the two was not found: the dictionary, or the entry in it."""
    await _own_dictionary(unit, dictionary_id)
    return Problem.not_found("Dictionary entry not found")
