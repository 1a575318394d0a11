"""Documents of organizations and tenants, for the search index (directory.md 8).

They hold an organization's own columns only: names of parents and of the tenant are joined by the lists.
"""

from projections.custom_members import with_custom
from projections.index import EntityProjection, project, wire_object

ORGANIZATION_DOCUMENT = with_custom(
    wire_object(
        id="t.id",
        name="t.name",
        slug="t.slug",
        logoUrl="t.logo_url",
        tenantId="t.tenant_id",
        parentId="t.parent_id",
        depth="t.depth",
        rootId="t.root_id",
        treePath="t.tree_path",
        ancestorIds="t.ancestor_ids",
        childIds="t.child_ids",
        descendantIds="t.descendant_ids",
        isActive="t.is_active",
        createdAt="iso_ms(t.created_at)",
        updatedAt="iso_ms(t.updated_at)",
    ),
    "t",
)

TENANT_DOCUMENT = with_custom(
    wire_object(
        id="t.id",
        name="t.name",
        isActive="t.is_active",
        createdAt="iso_ms(t.created_at)",
        updatedAt="iso_ms(t.updated_at)",
    ),
    "t",
)

ORGANIZATIONS = project(
    EntityProjection(
        entity_type="directory:organization",
        table="organizations",
        select=(
            f"select t.id, t.id as organization_id, t.parent_id, {ORGANIZATION_DOCUMENT} as doc,"
            " null::bigint as position, lower(t.name) as name_lc, t.created_at, t.updated_at, t.deleted_at,"
            " concat_ws(' ', t.name, t.slug) as search from organizations t"
        ),
        search_columns=frozenset({"name", "slug"}),
        version=2,
        counted_columns=frozenset({"parent_id", "deleted_at"}),
    )
)

TENANTS = project(
    EntityProjection(
        entity_type="directory:tenant",
        table="tenants",
        select=(
            f"select t.id, null::uuid as organization_id, null::uuid as parent_id, {TENANT_DOCUMENT} as doc,"
            " null::bigint as position, lower(t.name) as name_lc, t.created_at, t.updated_at, t.deleted_at,"
            " t.name as search from tenants t"
        ),
        search_columns=frozenset({"name"}),
        version=2,
    )
)
