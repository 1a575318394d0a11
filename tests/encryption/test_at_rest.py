"""Nothing plain at rest: what was put into encrypted fields is in no table, no file of the database and no log."""

import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.database import Target
from app.main import Application
from tests.conftest import Tenant
from tests.encryption.conftest import define, save_map

ENTITY = "user:patient"
RECORDS = "/entities/records"
ACTIONS = "/audit_logs/audit-logs/actions"


class Planted:
    """Texts that occur nowhere else, each noted when it is made."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def new(self) -> str:
        """A further one."""
        self.texts.append(f"Plant{uuid4().hex}")
        return self.texts[-1]

    def found_in(self, content: bytes) -> list[str]:
        """Those that occur, in any of the spellings that normalising or changing case makes."""
        lowered = content.lower()
        return [text for text in self.texts if text.lower().encode() in lowered]


async def use_everything(client: httpx.AsyncClient, tenant: Tenant, planted: Planted) -> None:
    """Write, read, export, undo, redo and fail with planted values."""
    await save_map(client, "auth:user", "name")
    await client.post("/entities/entities", json={"entityId": ENTITY, "label": "Patient"})
    for key, more in (("ssn", {}), ("notes", {"editor": "htmlRichText"}), ("tags", {"multi": True})):
        await define(client, ENTITY, key, "multiline" if key == "notes" else "text", encrypted=True, **more)
    values = {
        "ssn": planted.new(),
        "notes": f"<p>{planted.new()}</p>",
        "tags": [planted.new(), planted.new()],
    }
    key = {"idempotency-key": uuid4().hex, "x-backstep-reason": "a test"}
    made = await client.post(RECORDS, json={"entityId": ENTITY, "values": values}, headers=key)
    assert made.status_code == 200, made.text
    again = await client.post(RECORDS, json={"entityId": ENTITY, "values": values}, headers=key)
    assert again.json() == made.json()
    id = made.json()["item"]["recordId"]
    change: dict[str, Any] = {"entityId": ENTITY, "recordId": id, "values": {"ssn": planted.new()}}
    await client.put(RECORDS, json=change, headers={"x-backstep-dry-run": "true"})
    assert (await client.put(RECORDS, json=change)).status_code == 200
    newest = (await client.get(ACTIONS, params={"limit": "1"})).json()["items"][0]
    assert (await client.post(f"{ACTIONS}/undo", json={"undoToken": newest["undoToken"]})).status_code == 200
    assert (await client.post(f"{ACTIONS}/redo", json={"logId": newest["id"]})).status_code == 200
    refused = {"entityId": ENTITY, "values": {"ssn": planted.new(), "unknown": 1}}
    assert (await client.post(RECORDS, json=refused)).status_code == 400
    for kind in ("csv", "json"):
        export = await client.get(RECORDS, params={"entityId": ENTITY, "format": kind})
        assert planted.found_in(export.content), "the values are there, only not at rest"
    await client.get(RECORDS, params={"entityId": ENTITY, "ssn": planted.texts[0]})
    await client.get(RECORDS, params={"entityId": ENTITY, "search": planted.texts[0], "searchFields": "ssn"})
    for body in ({"id": str(tenant.employee.id), "name": planted.new()}, {"id": str(uuid4()), "name": "x"}):
        await client.put("/auth/users", json=body, headers={"idempotency-key": uuid4().hex})
    steps = [
        {
            "command": "entities.records.create",
            "input": {"entityId": ENTITY, "values": {"ssn": planted.new()}},
        },
        {"command": "auth.users.update", "input": {"id": str(tenant.employee.id), "name": planted.new()}},
    ]
    batch = await client.post("/commands/batch", json={"commands": steps, "label": "Two"})
    assert batch.status_code in (200, 400), batch.text
    batch = await client.post("/commands/batch", json={"commands": steps[:1], "label": "One"})
    assert batch.status_code == 200, batch.text
    deleted = await client.delete(RECORDS, params={"entityId": ENTITY, "recordId": id})
    assert deleted.status_code == 200


async def tables(connection: asyncpg.Connection) -> dict[str, bytes]:
    """Every table of the database as text."""
    names = await connection.fetch(
        "select format('%I.%I', n.nspname, c.relname) as name from pg_class c"
        " join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')"
    )
    found: dict[str, bytes] = {}
    for row in names:
        parts: list[bytes] = []

        async def keep(data: bytes, parts: list[bytes] = parts) -> None:
            parts.append(data)

        await connection.copy_from_query(f"select * from {row['name']}", output=keep)
        found[row["name"]] = b"".join(parts)
    return found


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.slow
async def test_nothing_that_was_put_into_encrypted_fields_is_plain_anywhere(
    admin: httpx.AsyncClient,
    tenant: Tenant,
    application: Application,
    target: Target,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    planted, plain = Planted(), Planted()
    with caplog.at_level(logging.DEBUG):
        await use_everything(admin, tenant, planted)
        values = {"ssn": planted.new(), "city": plain.new()}
        await define(admin, ENTITY, "city")
        await admin.post(RECORDS, json={"entityId": ENTITY, "values": values})
    connection = await asyncpg.connect(target.admin_dsn)
    try:
        dumped = await tables(connection)
        await connection.execute("checkpoint")
        folder = Path(await connection.fetchval("show data_directory"))
    finally:
        await connection.close()
    assert sum(b"bse1:" in content for content in dumped.values()) >= 5, "tables, documents, log, answers"
    assert {name: found for name, content in dumped.items() if (found := planted.found_in(content))} == {}
    assert any(plain.found_in(content) for content in dumped.values()), "what is plain would be found"
    if target.embedded:
        assert any(plain.found_in(_read(path)) for path in files(folder))
        held = {str(path): found for path in files(folder) if (found := planted.found_in(_read(path)))}
        assert held == {}, "files of the database, its write-ahead log and its own log"
    kept = {str(p): f for p in files(application.settings.data) if (f := planted.found_in(_read(p)))}
    assert kept == {}
    out, err = capfd.readouterr()
    assert planted.found_in((out + err + caplog.text).encode()) == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # the database took it away meanwhile
        return b""
