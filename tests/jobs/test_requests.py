"""Jobs as administrators see them: listed, retried, deleted, by request and by command line."""

import json
import subprocess
import sys
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.jobs.queue import enqueue
from app.main import Application
from tests.conftest import MakeTenant, Person, Tenant
from tests.jobs.conftest import Note, Put, Told, state, until, until_async


async def ask(client: httpx.AsyncClient, person: Person, method: str, path: str) -> httpx.Response:
    return await client.request(method, f"/jobs{path}", headers=person.headers)


@pytest.fixture
async def failed(application: Application, tenant: Tenant, put: Put, told: Told, note: Note) -> int:
    """A job of the tenant that was given up."""
    told.fail = 1
    number = await put(tenant.id, note, "tests.once")
    assert number is not None

    async def is_failed() -> bool:
        return await state(application, number) == "failed"

    await until_async(is_failed)
    return number


async def waiting(application: Application, tenant_id: UUID, note: Note) -> int:
    async with application.database.system() as connection:
        number = await enqueue(connection, "tests.note", note, tenant_id=tenant_id, delay=3600)
    assert number is not None
    return number


async def delivered(application: Application) -> None:
    """Wait until the subscribers of other tests have dealt with the making of the tenants."""

    async def idle() -> bool:
        async with application.database.system() as connection:
            return not await connection.fetchval(
                "select exists (select from outbox) or exists (select from jobs.pgqueuer"
                " where entrypoint like 'events.%' and status <> 'failed')"
            )

    await until_async(idle, 60)


async def test_the_list_shows_jobs_of_the_tenant_with_their_last_error(
    client: httpx.AsyncClient,
    application: Application,
    tenant: Tenant,
    make_tenant: MakeTenant,
    failed: int,
    note: Note,
) -> None:
    other = await make_tenant()
    theirs = await waiting(application, other.id, note)
    mine = await waiting(application, tenant.id, note)
    await delivered(application)
    answer = (await ask(client, tenant.admin, "GET", "")).json()
    assert [item["id"] for item in answer["items"]] == [str(mine), str(failed)]
    assert answer["counts"] == {"waiting": 1, "running": 0, "failed": 1}
    one = answer["items"][1]
    assert (one["name"], one["state"], one["attempts"], one["error"]) == (
        "tests.once",
        "failed",
        1,
        "failure number 1",
    )
    for query, ids in (
        ("?state=failed", [str(failed)]),
        ("?state=waiting", [str(mine)]),
        ("?state=gone", []),
        ("?name=tests.once", [str(failed)]),
        ("?pageSize=1&page=2", [str(failed)]),
    ):
        found = (await ask(client, tenant.admin, "GET", query)).json()["items"]
        assert [item["id"] for item in found] == ids, query
    for method, path in (("POST", f"/{theirs}/retry"), ("DELETE", f"/{theirs}")):
        assert (await ask(client, tenant.admin, method, path)).status_code == 404
    assert await state(application, theirs) == "queued"


async def test_a_failed_job_is_retried_as_if_new(
    client: httpx.AsyncClient, application: Application, tenant: Tenant, failed: int, told: Told
) -> None:
    answer = await ask(client, tenant.admin, "POST", f"/{failed}/retry")
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert "x-om-operation" not in answer.headers
    await until(lambda: len(told.attempts) == 2)
    assert told.attempts == [1, 1]

    async def gone() -> bool:
        return await state(application, failed) is None

    await until_async(gone)
    assert (await ask(client, tenant.admin, "POST", f"/{failed}/retry")).status_code == 404
    async with application.database.system() as connection:
        kind = await connection.fetchrow(
            "select resource_kind, resource_id, undo_token from action_logs"
            " where tenant_id = $1 and command_id = 'jobs.job.retry'",
            tenant.id,
        )
    assert tuple(kind) == ("jobs.job", str(failed), None)


async def test_all_failed_jobs_of_the_tenant_are_retried_at_once(
    client: httpx.AsyncClient, tenant: Tenant, make_tenant: MakeTenant, failed: int, told: Told
) -> None:
    other = await make_tenant()
    assert (await ask(client, other.admin, "POST", "/retry")).json() == {"ok": True, "retried": 0}
    assert (await ask(client, tenant.admin, "POST", "/retry")).json() == {"ok": True, "retried": 1}
    await until(lambda: len(told.attempts) == 2)


async def test_jobs_are_deleted_unless_they_are_under_way(
    client: httpx.AsyncClient,
    application: Application,
    tenant: Tenant,
    failed: int,
    put: Put,
    told: Told,
    note: Note,
) -> None:
    mine = await waiting(application, tenant.id, note)
    for number in (mine, failed):
        assert (await ask(client, tenant.admin, "DELETE", f"/{number}")).status_code == 200
        assert await state(application, number) is None
        assert (await ask(client, tenant.admin, "DELETE", f"/{number}")).status_code == 404
    told.hold, told.fail = 0.6, 0
    running = await put(tenant.id, note)
    await until(lambda: told.running)
    assert (await ask(client, tenant.admin, "DELETE", f"/{running}")).status_code == 409
    await until(lambda: not told.running)


@pytest.mark.parametrize("text", ["x", "0", "-1", "1.5", "9" * 30, "٣"])
async def test_a_number_that_is_none(client: httpx.AsyncClient, tenant: Tenant, text: str) -> None:
    assert (await ask(client, tenant.admin, "DELETE", f"/{text}")).status_code == 400
    assert (await ask(client, tenant.admin, "POST", f"/{text}/retry")).status_code == 400


async def test_employees_have_none_of_it(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for method, path in (("GET", ""), ("POST", "/1/retry"), ("POST", "/retry"), ("DELETE", "/1")):
        assert (await ask(client, tenant.employee, method, path)).status_code == 403


async def test_the_command_line_lists_retries_and_deletes(
    application: Application, tenant: Tenant, failed: int, told: Told, note: Note
) -> None:
    mine = await waiting(application, tenant.id, note)
    run = await _command_line(application)
    await delivered(application)
    listed: list[dict[str, Any]] = json.loads(run("list", "--tenant", str(tenant.id), "--json"))
    assert [(row["id"], row["state"]) for row in listed] == [(mine, "waiting"), (failed, "failed")]
    assert "failure number 1" in run("list", "--tenant", str(tenant.id), "--state", "failed")
    assert run("retry", str(failed)).strip() == "1 jobs wait again."
    await until(lambda: len(told.attempts) == 2)
    assert run("delete", str(mine), "999999999").strip() == "1 jobs deleted."
    assert await state(application, mine) is None


async def _command_line(application: Application) -> Any:
    dsn = application.database.target.admin_dsn
    name = await _user(application)

    def run(*arguments: str) -> str:
        environment = {
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": dsn,
            "BACKSTEP_DATA": str(application.settings.data),
        }
        done = subprocess.run(
            [sys.executable, "-m", "app", "jobs", *arguments],
            env=environment | {"PGUSER": name},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


async def _user(application: Application) -> str:
    async with application.database.system() as connection:
        found: str = await connection.fetchval("select current_user")
        return found
