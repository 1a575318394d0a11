"""What the bench works on: tenants made by commands, and their many entries loaded straight into the tables."""

import asyncio
import os
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import msgspec

from app.database import Database, Target
from app.main import make_bus
from app.settings import Settings, master_key
from app.sign_in import sign_in_keys
from commands.auth import OpenSession
from commands.bus import Bus
from commands.dictionaries import CreateDictionary
from commands.setup import FirstUser, InstallTenant
from domain.credentials import new_session_token, sign_access_token
from domain.ids import random_id
from domain.keys import tenant_key
from domain.scope import Actor, Scope, system_scope
from projections.index import projection_of
from tests.bench.scripts import Subject

ENTRY_TYPE = "dictionaries:entry"
SAMPLE = 2_000
"""Most entries of a tenant that requests name."""
_CHUNK = 50_000
_SLOW_INDEXES = ("entity_search", "entity_index")

_LOAD = """
insert into dictionary_entries (tenant_id, id, organization_id, dictionary_id, value, normalized_value, label, color,
                                position, created_at, updated_at)
select $1, overlay(uuidv7()::text placing '4' from 15 for 1)::uuid, $2, $3, v, v, v, '#808080', i, now(), now()
  from (select i, 'item ' || i as v from generate_series($4::int, $5::int) i)
"""


class Loader:
    """Makes tenants with entries in an empty, migrated database."""

    def __init__(self, settings: Settings, target: Target) -> None:
        self._settings = settings
        self._target = target
        self._master = master_key(settings)
        self._keys = sign_in_keys(settings, self._master)

    async def load(self, sizes: dict[str, int]) -> dict[str, Subject]:
        """A tenant for each name with so many entries; existing tenants are used again."""
        database = Database(self._target)
        bus = make_bus(database, self._settings)
        try:
            made = {name: await self._tenant(database, bus, name) for name in sizes}
            await self._fill({name: (made[name], size) for name, size in sizes.items()})
            return {name: await self._sampled(subject) for name, subject in made.items()}
        finally:
            await database.close()

    async def _tenant(self, database: Database, bus: Bus, name: str) -> Subject:
        email = f"admin@{name}.bench.test"
        async with database.system() as connection:
            row = await connection.fetchrow(
                "select tenant_id, id, organization_id from users where email = $1", email
            )
        if row is None:
            tenant_id = random_id()
            user = FirstUser(email, self._keys.email_hash(email), "", "admin", f"Admin of {name}")
            installed = (
                await bus.execute(
                    InstallTenant(name=name, organization_name=name, users=(user,)), system_scope(tenant_id)
                )
            ).result
            organization_id, user_id = installed.organization_id, installed.users[email]
        else:
            tenant_id, organization_id, user_id = row["tenant_id"], row["organization_id"], row["id"]
        dictionary = await self._dictionary(database, bus, tenant_id, organization_id, user_id, email)
        token = await self._token(bus, tenant_id, organization_id, user_id, email)
        return Subject(str(tenant_id), str(organization_id), str(user_id), token, dictionary, [])

    async def _dictionary(
        self, database: Database, bus: Bus, tenant_id: UUID, organization_id: UUID, user_id: UUID, email: str
    ) -> str:
        async with database.system() as connection:
            found = await connection.fetchval("select id from dictionaries where tenant_id = $1", tenant_id)
        if found is None:
            scope = Scope(
                tenant_id=tenant_id,
                actor=Actor(user_id, "user", email, None),
                home_organization_id=organization_id,
                features=("dictionaries.*",),
            )
            found = (await bus.execute(CreateDictionary(key="items", name="Items"), scope)).result["id"]
            return str(msgspec.json.decode(found))
        return str(found)

    async def _token(
        self, bus: Bus, tenant_id: UUID, organization_id: UUID, user_id: UUID, email: str
    ) -> str:
        command = OpenSession(
            user_id=user_id, token_hash=self._keys.session_hash(new_session_token()), lifetime_seconds=28_800
        )
        session = (await bus.execute(command, system_scope(tenant_id))).result.session_id
        return sign_access_token(
            self._keys.jwt,
            user_id=user_id,
            session_id=session,
            tenant_id=tenant_id,
            organization_id=organization_id,
            email=email,
            roles=["admin"],
            now=datetime.now(UTC),
        )

    async def _sampled(self, subject: Subject) -> Subject:
        admin = await asyncpg.connect(self._target.admin_dsn)
        try:
            rows = await admin.fetch(
                "select id from dictionary_entries where tenant_id = $1 and dictionary_id = $2 order by id limit $3",
                UUID(subject.tenant),
                UUID(subject.dictionary),
                SAMPLE,
            )
        finally:
            await admin.close()
        return msgspec.structs.replace(subject, entries=[str(row["id"]) for row in rows])

    async def _fill(self, wanted: dict[str, tuple[Subject, int]]) -> None:
        """Load what is missing: rows, documents by the projection's own select, search tokens, counters."""
        admin = await asyncpg.connect(self._target.admin_dsn, timeout=15)
        try:
            missing = []
            for subject, size in wanted.values():
                there = await admin.fetchval(
                    "select count(*) from dictionary_entries where tenant_id = $1", UUID(subject.tenant)
                )
                missing += [
                    (subject, start, min(start + _CHUNK, size)) for start in range(there, size, _CHUNK)
                ]
            if not missing:
                return
            bulk = sum(end - start for _, start, end in missing) > 50_000
            definitions = await self._drop_indexes(admin) if bulk else []
            await self._load_chunks(missing)
            for definition in definitions:
                await admin.execute(definition)
            for subject, _ in wanted.values():
                await self._count(admin, subject)
            for table in ("dictionary_entries", "entity_index", "entity_search", "entity_counters"):
                await admin.execute(f"vacuum analyze {table}")
            await admin.execute("checkpoint")
        finally:
            await admin.close()

    async def _drop_indexes(self, admin: asyncpg.Connection) -> list[str]:
        rows = await admin.fetch(
            "select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition from pg_index"
            " where indrelid = any($1::regclass[]) and not indisprimary",
            list(_SLOW_INDEXES),
        )
        for row in rows:
            await admin.execute(f"drop index {row['name']}")
        return [row["definition"] for row in rows]

    async def _load_chunks(self, missing: list[tuple[Subject, int, int]]) -> None:
        queue = list(reversed(missing))

        async def work() -> None:
            connection = await asyncpg.connect(self._target.admin_dsn, timeout=15)
            # Foreign keys and the guard of commands are for everybody but the loader of a bench.
            await connection.execute("set session_replication_role = replica; set synchronous_commit = off")
            try:
                while queue:
                    await self._load_chunk(connection, *queue.pop())
            finally:
                await connection.close()

        await asyncio.gather(*(work() for _ in range(max(1, os.cpu_count() or 1))))

    async def _load_chunk(
        self, connection: asyncpg.Connection, subject: Subject, start: int, end: int
    ) -> None:
        tenant, organization, dictionary = (
            UUID(subject.tenant),
            UUID(subject.organization),
            UUID(subject.dictionary),
        )
        projection = projection_of(ENTRY_TYPE)
        assert projection is not None, "the module declares it"
        chosen = "t.tenant_id = $1 and t.dictionary_id = $2 and t.position between $3 and $4"
        fresh = f"select * from ({projection.select} where {chosen}) d"
        async with connection.transaction():
            await connection.execute("select set_config('app.command_id', 'bench.load', true)")
            await connection.execute(_LOAD, tenant, organization, dictionary, start + 1, end)
            await connection.execute(
                "insert into entity_index"
                " (tenant_id, entity_type, entity_id, organization_id, parent_id, doc, position,"
                " name_lc, created_at, updated_at, deleted_at, projection_version)"
                f" select $1, '{ENTRY_TYPE}', d.id, d.organization_id, d.parent_id, d.doc, d.position, d.name_lc,"
                f" d.created_at, d.updated_at, d.deleted_at, {projection.version} from ({fresh}) d",
                tenant,
                dictionary,
                start + 1,
                end,
            )
            await connection.execute(
                "insert into entity_search (tenant_id, entity_type, entity_id, grams)"
                f" select $1, '{ENTRY_TYPE}', d.id, search_grams(d.search, $5) from ({fresh}) d",
                tenant,
                dictionary,
                start + 1,
                end,
                tenant_key(self._master, tenant, "search"),
            )

    async def _count(self, admin: asyncpg.Connection, subject: Subject) -> None:
        await admin.execute(
            "insert into entity_counters (tenant_id, entity_type, organization_id, parent_id, n)"
            " select $1, $2, $3, $4, count(*) from entity_index"
            " where tenant_id = $1 and entity_type = $2 and parent_id = $4"
            " on conflict (tenant_id, entity_type, organization_id, parent_id) do update set n = excluded.n",
            UUID(subject.tenant),
            ENTRY_TYPE,
            UUID(subject.organization),
            UUID(subject.dictionary),
        )
