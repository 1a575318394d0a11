"""A plausible request for every operation of the API, made from its OpenAPI description and the ids of some tenant."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest
from msgspec import Struct

from app.http.openapi import all_operations, whole_document
from app.http.operation import Operation
from app.main import Application
from commands.api_keys import CreateKey
from commands.auth.variants import CreateVariant
from commands.bus import Bus
from commands.entities.custom_entities import UpsertEntity
from commands.entities.definitions import UpsertDefinition
from tests.conftest import Tenant
from tests.heart.scenes import label, scene, token_of

STREAMS = frozenset({"/events/stream"})
"""Operations whose answer does not end; their audience has tests of its own."""
SECRET = "Zwiebelkuchen"
"""A word that stands in every text of the rows of `holdings_of`, unless another is given."""


class Holdings(Struct, frozen=True):
    """Things of one tenant: ids by the names that operations use for them."""

    ids: Mapping[str, str]

    def named_in(self, text: str) -> list[str]:
        """Which of the tenant's ids and texts a text tells."""
        return [word for word in (*self.ids.values(), SECRET) if word in text]


RECORDS = {
    "/api_keys/keys": "keyId",
    "/auth/roles": "roleId",
    "/auth/sessions": "sessionId",
    "/auth/sidebar/variants": "variantId",
    "/auth/users": "userId",
    "/directory/organizations": "organizationId",
    "/directory/tenants": "ownTenantId",
    "/dictionaries": "entryId",
    "/jobs": "jobId",
    "/replays": "replayId",
}
"""What kind of record an `id` stands for, by the beginning of the path. A new module adds its own, and a holding."""


async def holdings_of(bus: Bus, tenant: Tenant, word: str = SECRET) -> Holdings:
    """Gives a tenant a dictionary with entries, an action that can be undone, and one that can be redone."""
    scope = tenant.admin.scope
    place = await scene(bus, scope, word, f"{word} 2", name=word)
    undone = await label(bus, scope, place, f"{word} 3", number=1)
    await bus.undo(token_of(undone), scope)
    done = await label(bus, scope, place, f"{word} 4")
    await _entity(bus, tenant, word)
    assert undone.log is not None and done.log is not None
    return Holdings(
        {
            "dictionaryId": str(place.dictionary_id),
            "entryId": str(place.entry_ids[0]),
            "ids": str(place.entry_ids[0]),
            "undoToken": token_of(done),
            "logId": str(undone.log.id),
            "resourceId": str(place.entry_ids[0]),
            "organizationId": str(tenant.organization_id),
            "actorUserId": str(tenant.admin.id),
            "userId": str(tenant.employee.id),
            "roleId": str(tenant.employee.scope.role_ids[0]),
            "sessionId": str(tenant.employee.scope.actor.session_id),
            "ownTenantId": str(tenant.id),
            "variantId": await _variant(bus, tenant, word),
            "keyId": await _key(bus, tenant, word),
            "jobId": await _job(bus, tenant),
            "replayId": await _replay(bus, tenant, word),
        }
    )


async def _entity(bus: Bus, tenant: Tenant, word: str) -> None:
    """A custom entity with a field; other tenants have one of the same id, so it is told by its labels."""
    scope = tenant.admin.scope
    await bus.execute(UpsertEntity(entity_id="user:thing", label=word, show_in_sidebar=True), scope)
    field = UpsertDefinition(
        entity_id="user:thing", key="size", kind="integer", config_json={"label": word, "description": word}
    )
    await bus.execute(field, scope)


async def _variant(bus: Bus, tenant: Tenant, word: str) -> str:
    made = await bus.execute(CreateVariant(name=word), tenant.admin.scope)
    return str(made.result["variant"]["id"])


async def _key(bus: Bus, tenant: Tenant, word: str) -> str:
    command = CreateKey(
        name=word, organization_id=None, key_prefix=f"omk_{uuid4().hex[:8]}", key_hash=uuid4().hex, roles=[]
    )
    return str((await bus.execute(command, tenant.admin.scope)).result.id)


async def _job(bus: Bus, tenant: Tenant) -> str:
    """A background job that was given up; its number is long, so that no other text holds it by chance."""
    transaction = await bus._transactions.begin(tenant.id, "tests")
    number = await transaction.connection.fetchval(
        "insert into jobs.pgqueuer (id, priority, status, entrypoint, payload, headers)"
        " values (10 ^ 17 + random(1, 10000000000000), 0, 'failed', 'query_index.coverage.refresh', '{}',"
        " jsonb_build_object('tenant', $1::text)) returning id",
        str(tenant.id),
    )
    await transaction.commit()
    return str(number)


async def _replay(bus: Bus, tenant: Tenant, word: str) -> str:
    """A replay that is over: a new one would keep a process busy."""
    transaction = await bus._transactions.begin(tenant.id, "tests")
    id = await transaction.connection.fetchval(
        "insert into replay_runs (tenant_id, id, mode, state, error, created_at, updated_at)"
        " values ($1, gen_random_uuid(), 'state', 'could_not', $2, now(), now()) returning id",
        tenant.id,
        word,
    )
    await transaction.commit()
    return str(id)


def operations(*, auth: bool | None = None, body: bool | None = None) -> list[Any]:
    """The operations of the API as test parameters, those that need sign-in, or have a JSON body, if so wanted."""
    return [
        pytest.param(item, id=f"{item.method} {item.path}")
        for item in all_operations()
        if (auth is None or item.auth == auth)
        and (body is None or (item.body is not None and not item.raw_body) == body)
        and item.path not in STREAMS
    ]


def path_of(item: Operation, ids: Mapping[str, str]) -> str:
    """The path with ids put in; an operation with a new kind of id needs one in `holdings_of`."""
    return item.path.format_map(path_values(item, ids))


def path_values(item: Operation, ids: Mapping[str, str]) -> dict[str, str]:
    """The values of the path's parameters."""
    named = {"id": _record(item, ids), "resourceKind": "dictionaries.entry", **ids}
    return {name: named[name] for name in item.path_parameters}


def _record(item: Operation, ids: Mapping[str, str]) -> str:
    """The id of a record of the kind that the operation is about."""
    return next((ids[name] for path, name in RECORDS.items() if item.path.startswith(path)), ids["entryId"])


def body_of(item: Operation, ids: Mapping[str, str]) -> Any:
    """The documented example of the request body with ids put in; None when the operation takes none."""
    described = whole_document()["paths"][item.path][item.method.lower()].get("requestBody")
    if described is None:
        return None
    example = next(iter(described["content"].values()))["example"]
    return _with_ids(example, {"id": _record(item, ids), **ids})


def _with_ids(value: Any, ids: Mapping[str, str]) -> Any:
    """The value with ids put in, and no tenant named: a test that wants to name one does."""
    if isinstance(value, dict):
        return {k: ids[k] if k in ids else _with_ids(v, ids) for k, v in value.items() if k != "tenantId"}
    if isinstance(value, list):
        return [_with_ids(inner, ids) for inner in value]
    return value


def query_of(item: Operation, ids: Mapping[str, str]) -> dict[str, str]:
    """Query parameters that ask for things of the tenant."""
    named = {"id": _record(item, ids), "entityId": "user:thing", **ids}
    return {one.name: named[one.name] for one in item.query if one.name in named}


async def ask(
    client: httpx.AsyncClient,
    item: Operation,
    ids: Mapping[str, str],
    headers: Mapping[str, str],
    query: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Send the request."""
    return await client.request(
        item.method,
        path_of(item, ids),
        json=body_of(item, ids),
        params=query_of(item, ids) if query is None else query,
        headers=dict(headers),
        follow_redirects=False,
    )


async def whole_of(application: Application, tenant: Tenant) -> dict[str, str]:
    """Every row of every table of a tenant; what the relay moves on by itself left out."""
    moving = ("outbox", "event_stream", "access_logs", "user_activity", "api_key_usage", "log_seals")
    async with application.database.system() as connection:
        tables = [
            row[0]
            for row in await connection.fetch(
                "select c.relname::text from pg_class c join pg_attribute t on t.attrelid = c.oid"
                " and t.attname = 'tenant_id' where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
                " and not c.relispartition and not c.relname = any ($1::text[])",
                moving,
            )
        ]
        every = " union all ".join(
            f"select '{table}', coalesce(jsonb_agg(to_jsonb(t) order by to_jsonb(t)::text), '[]')::text from {table} t"
            " where tenant_id = $1"
            for table in tables
        )
        return {row[0]: row[1] for row in await connection.fetch(every, tenant.id)}
