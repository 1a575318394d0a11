"""Documents of the feature toggles, in the tenant that each is filed under (contract: feature-toggles.md section 5)."""

from projections.index import EntityProjection, project, wire_object

TOGGLE_DOCUMENT = wire_object(
    id="t.id",
    identifier="t.identifier",
    name="t.name",
    description="t.description",
    category="t.category",
    type="t.type",
    defaultValue="t.default_value",
    createdAt="iso_ms(t.created_at)",
    updatedAt="iso_ms(t.updated_at)",
)

TOGGLES = project(
    EntityProjection(
        entity_type="feature_toggles:feature_toggle",
        table="feature_toggles",
        select=(
            f"select t.id, null::uuid as organization_id, null::uuid as parent_id, {TOGGLE_DOCUMENT} as doc,"
            " null::bigint as position, lower(t.name) as name_lc, t.created_at, t.updated_at, t.deleted_at,"
            " concat_ws(' ', t.identifier, t.name, t.description, t.category) as search from feature_toggles t"
        ),
        search_columns=frozenset({"identifier", "name", "description", "category"}),
        counted_columns=frozenset({"deleted_at"}),
    )
)
