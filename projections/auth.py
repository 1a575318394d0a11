"""Documents of users and roles: what is theirs alone. Names of other records are joined when they are read."""

from projections.custom_members import with_custom
from projections.index import EntityProjection, project, wire_object

USER_DOCUMENT = with_custom(
    wire_object(
        id="t.id",
        email="t.email",
        name="t.name",
        organizationId="t.organization_id",
        tenantId="t.tenant_id",
        updatedAt="iso_ms(t.updated_at)",
    ),
    "t",
)

ROLE_DOCUMENT = with_custom(
    wire_object(
        id="t.id",
        name="t.name",
        tenantId="t.tenant_id",
        updatedAt="iso_ms(t.updated_at)",
    ),
    "t",
)

USERS = project(
    EntityProjection(
        entity_type="auth:user",
        table="users",
        select=(
            f"select t.id, t.organization_id, null::uuid as parent_id, {USER_DOCUMENT} as doc,"
            " null::bigint as position, lower(coalesce(t.name, t.email)) as name_lc,"
            " t.created_at, t.updated_at, t.deleted_at,"
            " concat_ws(' ', t.name, t.email) as search from users t"
        ),
        search_columns=frozenset({"name", "email"}),
        version=2,
    )
)

ROLES = project(
    EntityProjection(
        entity_type="auth:role",
        table="roles",
        select=(
            f"select t.id, null::uuid as organization_id, null::uuid as parent_id, {ROLE_DOCUMENT} as doc,"
            " null::bigint as position, lower(t.name) as name_lc, t.created_at, t.updated_at, t.deleted_at,"
            " t.name as search from roles t"
        ),
        search_columns=frozenset({"name"}),
        version=2,
    )
)
