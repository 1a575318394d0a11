"""Documents of dictionaries and of their entries, as the lists of the contract show them (dictionaries.md 3)."""

from projections.custom_members import with_custom
from projections.index import EntityProjection, project, wire_object

DICTIONARY_DOCUMENT = with_custom(
    wire_object(
        id="t.id",
        key="t.key",
        name="t.name",
        description="t.description",
        isSystem="t.is_system",
        isActive="t.is_active",
        managerVisibility="t.manager_visibility",
        entrySortMode="t.entry_sort_mode",
        organizationId="t.organization_id",
        createdAt="iso_ms(t.created_at)",
        updatedAt="iso_ms(t.updated_at)",
    ),
    "t",
)

ENTRY_DOCUMENT = with_custom(
    wire_object(
        id="t.id",
        value="t.value",
        label="t.label",
        color="t.color",
        icon="t.icon",
        position="t.position",
        isDefault="t.is_default",
        createdAt="iso_ms(t.created_at)",
        updatedAt="iso_ms(t.updated_at)",
    ),
    "t",
)

DICTIONARIES = project(
    EntityProjection(
        entity_type="dictionaries:dictionary",
        table="dictionaries",
        select=(
            f"select t.id, t.organization_id, null::uuid as parent_id, {DICTIONARY_DOCUMENT} as doc,"
            " null::bigint as position, lower(t.name) as name_lc, t.created_at, t.updated_at, t.deleted_at,"
            " concat_ws(' ', t.name, t.key) as search from dictionaries t"
        ),
        search_columns=frozenset({"name", "key"}),
        version=2,
    )
)

ENTRIES = project(
    EntityProjection(
        entity_type="dictionaries:entry",
        table="dictionary_entries",
        select=(
            f"select t.id, t.organization_id, t.dictionary_id as parent_id, {ENTRY_DOCUMENT} as doc,"
            " t.position::bigint as position, lower(t.label) as name_lc, t.created_at, t.updated_at,"
            " null::timestamptz as deleted_at, concat_ws(' ', t.label, t.value) as search from dictionary_entries t"
        ),
        search_columns=frozenset({"label", "value"}),
        version=2,
        counted_columns=frozenset({"organization_id", "dictionary_id"}),
    )
)
