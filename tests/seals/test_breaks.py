"""Whatever is changed in a sealed log, by whoever may write anything, is found, and its place is named."""

import asyncpg
import pytest

from app.database import Target
from app.main import Application
from domain.keys import tenant_key
from domain.seals import COLUMNS, DOCUMENTS
from queries.seals import newest_head
from tests.conftest import Tenant
from tests.heart.scenes import Scene, label
from tests.replay.conftest import behind
from tests.seals.conftest import Seal, Verify, rows_of

OTHER: dict[str, str] = {
    "tenant_id": "",
    "id": "gen_random_uuid()",
    "changed_fields": "array_append(changed_fields, 'x')",
    "xid": "(xid::text::bigint + 1)::text::xid8",
    "created_at": "created_at + interval '1 microsecond'",
    "recorded_at": "recorded_at - interval '1 microsecond'",
    "schema_rev": "schema_rev + 1",
    "actor_kind": "case actor_kind when 'user' then 'system' else 'user' end",
    "action_type": "case action_type when 'edit' then 'create' else 'edit' end",
    "source_key": "case source_key when 'ui' then 'api' else 'ui' end",
    "history_action": "case when history_action is null then 'undo' end",
    "input": "coalesce(input, '{}') || '{\"x\": 1}'",
    "changes": "jsonb_set(changes, '{0,s}', '77')",
    "context": "coalesce(context, '{}') || '{\"x\": 1}'",
    "seq": "",
    "action_label": "''",
    "reason": "'because'",
    **dict.fromkeys(
        ("organization_id", "actor_user_id", "reverses", "source_log_id", "scope_id"), "gen_random_uuid()"
    ),
}


async def test_given_an_untouched_log_then_it_is_intact(
    tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    count = await seal(tenant.id)
    report = await verify(tenant.id)
    assert report.intact and report.breaks == []
    assert report.rows == count and report.unsealed == 0 and report.seals >= 1
    assert await seal(tenant.id) == 0


async def test_every_column_of_the_log_is_sealed(target: Target) -> None:
    connection = await asyncpg.connect(target.admin_dsn)
    try:
        rows = await connection.fetch(
            "select attname from pg_attribute where attrelid = 'action_logs'::regclass and attnum > 0"
            " and not attisdropped"
        )
    finally:
        await connection.close()
    assert {row["attname"] for row in rows} == {*COLUMNS, *DOCUMENTS}, (
        "a new column needs a new form of seals"
    )


async def test_given_any_column_of_a_row_changed_then_the_row_is_named(
    target: Target, tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    await seal(tenant.id)
    async with behind(target, tenant.id) as connection:
        row = (await rows_of(connection, tenant.id))[5]
    for column in (*COLUMNS, *DOCUMENTS):
        value = OTHER.get(column, f"coalesce({column}, '') || 'x'")
        if not value:
            continue
        async with behind(target, tenant.id) as connection:
            await connection.execute(
                f"update action_logs set {column} = {value} where tenant_id = $1 and seq = $2",
                tenant.id,
                row["seq"],
            )
        report = await verify(tenant.id)
        assert not report.intact, f"a change of {column} was not found"
        (found,) = report.breaks
        assert found.seq == row["seq"] and found.log_id == row["id"], column
        assert found.kind == ("missing" if column == "id" else "changed"), column
        async with behind(target, tenant.id) as connection:
            await connection.execute(
                "delete from action_logs where tenant_id = $1 and seq = $2", tenant.id, row["seq"]
            )
            await connection.execute(
                f"insert into action_logs ({', '.join(row.keys())}) values"
                f" ({', '.join(f'${n + 1}' for n in range(len(row)))})",
                *row.values(),
            )
        assert (await verify(tenant.id)).intact, column


async def test_given_a_deleted_row_then_it_is_missing(
    target: Target, tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    await seal(tenant.id)
    async with behind(target, tenant.id) as connection:
        row = (await rows_of(connection, tenant.id))[3]
        await connection.execute(
            "delete from action_logs where tenant_id = $1 and id = $2", tenant.id, row["id"]
        )
    (found,) = (await verify(tenant.id)).breaks
    assert (found.kind, found.seq, found.log_id) == ("missing", row["seq"], row["id"])


async def test_given_swapped_rows_then_both_are_named(
    target: Target, tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    await seal(tenant.id)
    async with behind(target, tenant.id) as connection:
        one, other = (await rows_of(connection, tenant.id))[2:4]
        await connection.execute(
            "update action_logs set seq = case seq when $2 then $3 else $2 end"
            " where tenant_id = $1 and seq in ($2, $3)",
            tenant.id,
            one["seq"],
            other["seq"],
        )
    first, second = (await verify(tenant.id)).breaks
    assert (first.kind, first.seq, first.log_id) == ("reordered", one["seq"], one["id"])
    assert (second.kind, second.seq, second.log_id) == ("reordered", other["seq"], other["id"])


async def test_given_rows_put_in_then_they_are_named(
    target: Target, tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    await seal(tenant.id)
    async with behind(target, tenant.id) as connection:
        rows = await rows_of(connection, tenant.id)
        between = rows[4]["seq"] + 1 if rows[5]["seq"] > rows[4]["seq"] + 1 else rows[0]["seq"] - 1
        await connection.execute(
            "insert into action_logs select (jsonb_populate_record(l, jsonb_build_object('id', gen_random_uuid(),"
            " 'seq', $3::bigint))).* from action_logs l where tenant_id = $1 and id = $2",
            tenant.id,
            rows[4]["id"],
            between,
        )
    (found,) = (await verify(tenant.id)).breaks
    assert (found.kind, found.seq) == ("inserted", between)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("update action_log_reversals set reversed_at = reversed_at + interval '1 second'", "changed"),
        ("delete from action_log_reversals", "changed"),
        ("update action_log_scopes set scope = scope || '{\"x\": 1}'", "changed"),
        ("delete from action_log_scopes", "changed"),
        ("update action_log_marks set undone = not undone", "changed"),
        ("update action_log_marks set origin = gen_random_uuid()", "changed"),
        ("delete from action_log_marks", "missing"),
    ],
)
async def test_given_what_belongs_to_a_row_changed_then_it_is_found(
    target: Target, tenant: Tenant, place: Scene, seal: Seal, verify: Verify, statement: str, kind: str
) -> None:
    await seal(tenant.id)
    async with behind(target, tenant.id) as connection:
        done = await connection.execute(f"{statement} where tenant_id = $1", tenant.id)
    assert int(done.rpartition(" ")[2]) > 0
    report = await verify(tenant.id)
    assert report.breaks and all(one.kind == kind for one in report.breaks)
    assert all(one.seq is not None and one.log_id is not None for one in report.breaks)


async def test_given_reversals_and_marks_put_in_then_they_are_found(
    target: Target, tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    await seal(tenant.id)
    async with behind(target, tenant.id) as connection:
        rows = await rows_of(connection, tenant.id)
        await connection.execute(
            "insert into action_log_reversals values ($1, $2, $3, now())",
            tenant.id,
            rows[0]["id"],
            rows[1]["id"],
        )
        await connection.execute(
            "insert into action_log_marks values ($1, $2, $3, true, now(), $4)",
            tenant.id,
            rows[0]["id"],
            rows[1]["id"],
            rows[1]["seq"],
        )
    breaks = (await verify(tenant.id)).breaks
    assert [one.kind for one in breaks] == ["inserted", "inserted"]
    assert {one.log_id for one in breaks} == {rows[0]["id"]}


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("update log_seals set mac = sha256(mac) where number = 2", "seal_forged"),
        (
            "update log_seals set items = set_byte(items, 29, 255 - get_byte(items, 29)) where number = 2",
            "seal_forged",
        ),
        (
            "update log_seals set sealed_at = sealed_at + interval '1 microsecond' where number = 2",
            "seal_forged",
        ),
        ("delete from log_seals where number = 2", "seal_missing"),
        ("update log_seals set key_id = 'other' where number = 2", "key_wrong"),
    ],
)
async def test_given_a_seal_changed_then_it_is_named(
    application: Application,
    target: Target,
    tenant: Tenant,
    place: Scene,
    seal: Seal,
    verify: Verify,
    statement: str,
    kind: str,
) -> None:
    await seal(tenant.id)
    for name in ("Rosa", "Rosé"):
        await label(application.bus, tenant.admin.scope, place, name)
        await seal(tenant.id)
    assert (await verify(tenant.id)).intact
    async with behind(target, tenant.id) as connection:
        await connection.execute(f"{statement} and tenant_id = $1", tenant.id)
    found = (await verify(tenant.id)).breaks[0]
    assert (found.kind, found.seal) == (kind, 2)


async def test_given_rows_and_their_seal_forged_together_without_the_key_then_the_seal_is_named(
    application: Application, target: Target, tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    from domain.seals import ITEMS, Item, made, seal_key, seal_of

    await seal(tenant.id)
    async with behind(target, tenant.id) as connection:
        seals = await connection.fetch(
            "select * from log_seals where tenant_id = $1 order by number", tenant.id
        )
        first, *later = [seal_of(one) for one in seals]  # the server's own sealer may have made one meanwhile
        await connection.execute(
            "update action_logs set reason = 'forged' where tenant_id = $1 and seq = $2",
            tenant.id,
            first.last_seq,
        )
        items = [Item(*one) for one in await connection.fetch(ITEMS, tenant.id, 0, first.last_seq, 1000)]
        forged = made(seal_key(bytes(32), tenant.id), tenant.id, None, items, first.sealed_at)
        await connection.execute(
            "update log_seals set items = $2, digest = $3, mac = $4 where tenant_id = $1 and number = $5",
            tenant.id,
            forged.items,
            forged.digest,
            forged.mac,
            first.number,
        )
    found, *more = (await verify(tenant.id)).breaks
    assert (found.kind, found.seal) == ("seal_forged", 1)
    assert len(more) <= len(later)


async def test_given_another_key_then_that_is_said(
    tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    await seal(tenant.id)
    (found,) = (await verify(tenant.id, key=tenant_key(bytes(32), tenant.id, "log-seal"))).breaks
    assert found.kind == "key_wrong"


async def test_given_the_end_cut_off_then_only_an_exported_head_tells(
    application: Application, target: Target, tenant: Tenant, place: Scene, seal: Seal, verify: Verify
) -> None:
    await seal(tenant.id)
    await label(application.bus, tenant.admin.scope, place, "Rosa")
    await seal(tenant.id)
    async with application.database.system() as connection:
        head = await newest_head(connection, tenant.id)
    assert head is not None and (await verify(tenant.id, head)).intact
    async with behind(target, tenant.id) as connection:
        await connection.execute("delete from log_seals where tenant_id = $1 and number > 1", tenant.id)
        last = (await rows_of(connection, tenant.id))[-1]
        await connection.execute(
            "delete from action_logs where tenant_id = $1 and id = $2", tenant.id, last["id"]
        )
    assert (await verify(tenant.id)).intact
    (found,) = (await verify(tenant.id, head)).breaks
    assert (found.kind, found.seal) == ("cut_off", 2)
    await label(application.bus, tenant.admin.scope, place, "Rosé")
    await seal(tenant.id)
    (found,) = (await verify(tenant.id, head)).breaks
    assert (found.kind, found.seal) == ("other_history", 2)
