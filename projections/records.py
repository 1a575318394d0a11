"""Documents of the records of custom entities, of all of them: their entity type is the custom entity's id."""

from domain.records import RECORD_PROJECTION
from projections.index import EntityProjection, project

# Values stand under bare keys, as the lists show them; what the record itself has wins over a value of the same key.
_DOCUMENT = (
    "(t.custom_fields || jsonb_build_object('id', t.record_id,"
    " 'updated_at', iso_ms(t.updated_at), 'updatedAt', iso_ms(t.updated_at)))::text"
)

RECORDS = project(
    EntityProjection(
        entity_type=RECORD_PROJECTION,
        table="entity_records",
        select=(
            f"select t.id, t.organization_id, null::uuid as parent_id, {_DOCUMENT} as doc,"
            " null::bigint as position, null::text as name_lc, t.created_at, t.updated_at, t.deleted_at,"
            " custom_search_text(t.custom_fields) as search from entity_records t"
        ),
        search_columns=frozenset({"custom_fields"}),
        type_column="entity_type",
    )
)
