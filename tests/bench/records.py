"""Records of a custom entity for the bench: the same entity in several sizes, filtered and sorted by its fields."""

from uuid import UUID

import asyncpg

from app.database import Database, Target
from app.main import make_bus
from app.settings import Settings, master_key
from commands.entities.custom_entities import UpsertEntity
from commands.entities.definitions import UpsertDefinition
from domain.keys import tenant_key
from domain.records import RECORD_PROJECTION
from domain.scope import Actor, Scope
from projections.index import NOBODY, EntityProjection, projection_of
from projections.values import fresh_values
from tests.bench.scripts import RECORD_ENTITY, Subject

_CHUNK = 50_000
_TABLES = ("entity_records", "entity_index", "entity_search", "entity_values", "entity_counters")
FIELDS = {"name": "text", "bucket": "integer", "amount": "float", "active": "boolean", "tags": "select"}
"""Keys and kinds; `bucket` has a hundred values, so that each selects one record in a hundred."""

_LOAD = """
insert into entity_records
  (tenant_id, id, organization_id, entity_type, record_id, custom_fields, created_at, updated_at)
select $1, id, $2, $3, id,
       jsonb_build_object('name', 'record ' || i, 'bucket', (i::bigint * 7919) % 100,
         'amount', ((i::bigint * 48271) % 1000003) / 7.0, 'active', i % 2 = 0,
         'tags', jsonb_build_array('t' || i % 10, 'u' || i % 100)),
       now(), now()
  from (select i, overlay(uuidv7()::text placing '4' from 15 for 1)::uuid as id
          from generate_series($4::int, $5::int) i) x
"""


class RecordLoader:
    """Fills tenants with records: rows by SQL, and everything that projections make of them by their own SQL."""

    def __init__(self, settings: Settings, target: Target) -> None:
        self._settings = settings
        self._target = target
        self._master = master_key(settings)

    async def load(self, wanted: list[tuple[Subject, int]]) -> None:
        """Bring each tenant to so many records."""
        database = Database(self._target)
        try:
            bus = make_bus(database, self._settings)
            for subject, _ in wanted:
                scope = Scope(
                    tenant_id=UUID(subject.tenant),
                    actor=Actor(UUID(subject.actor), "user"),
                    home_organization_id=UUID(subject.organization),
                    features=("entities.*",),
                )
                await bus.execute(UpsertEntity(entity_id=RECORD_ENTITY, label="Items"), scope)
                for key, kind in FIELDS.items():
                    await bus.execute(
                        UpsertDefinition(entity_id=RECORD_ENTITY, key=key, kind=kind),  # type: ignore[arg-type]  # a kind
                        scope,
                    )
        finally:
            await database.close()
        admin = await asyncpg.connect(self._target.admin_dsn, timeout=15)
        try:
            # Foreign keys and the guard of commands are for everybody but the loader of a bench.
            await admin.execute("set session_replication_role = replica; set synchronous_commit = off")
            for subject, size in wanted:
                await self._fill(admin, subject, size)
            for table in _TABLES:
                await admin.execute(f"vacuum analyze {table}")
            await admin.execute("checkpoint")
        finally:
            await admin.close()

    async def _fill(self, admin: asyncpg.Connection, subject: Subject, size: int) -> None:
        tenant, organization = UUID(subject.tenant), UUID(subject.organization)
        projection = projection_of(RECORD_PROJECTION)
        assert projection is not None, "the module declares it"
        there = await admin.fetchval("select count(*) from entity_records where tenant_id = $1", tenant)
        for start in range(there, size, _CHUNK):
            async with admin.transaction():
                await admin.execute(
                    _LOAD, tenant, organization, RECORD_ENTITY, start + 1, min(start + _CHUNK, size)
                )
                await self._project(admin, projection, tenant)
        await admin.execute(
            "insert into entity_counters (tenant_id, entity_type, organization_id, parent_id, n)"
            f" values ($1, $2, $3, '{NOBODY}', $4)"
            " on conflict (tenant_id, entity_type, organization_id, parent_id) do update set n = excluded.n",
            tenant,
            RECORD_ENTITY,
            organization,
            max(size, there),
        )

    async def _project(self, admin: asyncpg.Connection, projection: EntityProjection, tenant: UUID) -> None:
        """What projections make of the rows of this transaction."""
        new = "t.tenant_id = $1 and t.entity_type = $2 and t.created_at = now()"
        fresh = f"select * from ({projection.select} where {new}) d"
        key = tenant_key(self._master, tenant, "search")
        await admin.execute(
            "insert into entity_index (tenant_id, entity_type, entity_id, organization_id, parent_id, doc, position,"
            " name_lc, created_at, updated_at, deleted_at, projection_version)"
            f" select $1, $2, d.id, d.organization_id, d.parent_id, d.doc, d.position, d.name_lc, d.created_at,"
            f" d.updated_at, d.deleted_at, {projection.version} from ({fresh}) d",
            tenant,
            RECORD_ENTITY,
        )
        await admin.execute(
            "insert into entity_search (tenant_id, entity_type, entity_id, grams)"
            f" select $1, $2, d.id, search_grams(d.search, $3) from ({fresh}) d",
            tenant,
            RECORD_ENTITY,
            key,
        )
        await admin.execute(
            f"with fresh as ({fresh}), w as ({fresh_values('entity_records', 'fresh', '$1')})"
            " insert into entity_values"
            " (tenant_id, entity_type, entity_id, field, n, organization_id, deleted, number, text, signature)"
            " select $1, $2, w.id, w.field, w.n, w.organization_id, w.deleted, w.number, w.text, w.signature from w",
            tenant,
            RECORD_ENTITY,
        )
