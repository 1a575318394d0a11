"""A log saved as a file after retention removed a part of it: what history begins with is in the file too."""

import gzip
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.main import Application
from app.replay import archive, scratch
from app.replay.copy import snapshot
from app.replay.run import Mode, Run, Silent, Wanted
from tests.conftest import Tenant
from tests.heart.proofs import differing
from tests.heart.scenes import Scene, label
from tests.retention.conftest import Age, Remove, keep

_SHOWN = ("dictionaries", "dictionary_entries", "users", "roles", "organizations")


async def save(application: Application, tenant_id: UUID, path: Path) -> int:
    """The log of one tenant as a file."""
    async with snapshot(application.database.target) as live:
        await live.execute(f"set local role backstep_app; set local app.tenant_id = '{tenant_id}'")
        return await archive.save(live, path, "test")


async def tables(connection: Any, tenant_id: UUID) -> dict[str, str]:
    """Some tables of a tenant, each as JSON text."""
    return {
        table: await connection.fetchval(
            f"select jsonb_agg(to_jsonb(r) order by r.id)::text from {table} r where r.tenant_id = $1",
            tenant_id,
        )
        for table in _SHOWN
    }


@pytest.mark.parametrize("mode", ["state", "commands"])
async def test_given_a_log_saved_after_retention_then_it_leads_to_the_tables_it_was_saved_from(
    application: Application,
    tenant: Tenant,
    place: Scene,
    age: Age,
    remove: Remove,
    template: str,
    tmp_path: Path,
    mode: Mode,
) -> None:
    await keep(application, tenant)
    await age()
    removed = await remove()
    await label(application.bus, tenant.admin.scope, place, "Rosso", number=2)
    path = tmp_path / "log.jsonl.gz"
    assert (removed > 5, await save(application, tenant.id, path)) == (True, 1)
    async with application.database.system() as connection:
        live = await tables(connection, tenant.id)
    wanted = Wanted(mode, log=str(path))
    async with Run(application.database, application.settings, wanted, Silent(), template).finished() as done:
        assert (done.report.verdict, done.report.log_rows) == ("equal", 1), done.report.lines()
        connection = await scratch.connect(done.scratch)
        try:
            assert differing(live, await tables(connection, tenant.id)) == {}
        finally:
            await connection.close()


async def test_given_rows_that_stayed_from_before_the_base_then_they_are_in_the_file_and_not_replayed(
    application: Application,
    tenant: Tenant,
    place: Scene,
    age: Age,
    remove: Remove,
    template: str,
    tmp_path: Path,
) -> None:
    await keep(application, tenant, "dictionaries.entry")
    await age()
    await remove()
    await label(application.bus, tenant.admin.scope, place, "Rosso", number=2)
    path = tmp_path / "log.jsonl.gz"
    replayed = await save(application, tenant.id, path)
    async with application.database.system() as connection:
        live = await tables(connection, tenant.id)
        kept = await connection.fetchval("select count(*) from action_logs where tenant_id = $1", tenant.id)
    assert 0 < replayed < kept
    wanted = Wanted("state", log=str(path))
    async with Run(application.database, application.settings, wanted, Silent(), template).finished() as done:
        assert (done.report.verdict, done.report.log_rows, done.report.broken) == ("equal", replayed, [])
        connection = await scratch.connect(done.scratch)
        try:
            assert differing(live, await tables(connection, tenant.id)) == {}
            assert await connection.fetchval("select count(*) from action_logs") == kept
        finally:
            await connection.close()


async def test_given_a_saved_log_without_its_base_then_a_replay_says_what_does_not_fit(
    application: Application,
    tenant: Tenant,
    place: Scene,
    age: Age,
    remove: Remove,
    template: str,
    tmp_path: Path,
) -> None:
    """What a file of a program that saved no base would lead to: the test above would see it."""
    await keep(application, tenant)
    await age()
    await remove()
    await label(application.bus, tenant.admin.scope, place, "Rosso", number=2)
    whole, without = tmp_path / "log.jsonl.gz", tmp_path / "without.jsonl.gz"
    await save(application, tenant.id, whole)
    with gzip.open(whole) as file, gzip.open(without, "wb") as other:
        for line in file:
            if msgspec.json.decode(line).get("table") not in ("log_bases", "log_base_rows"):
                other.write(line)
    wanted = Wanted("state", log=str(without))
    async with Run(application.database, application.settings, wanted, Silent(), template).finished() as done:
        assert done.report.verdict == "not_equal" and done.report.broken
