"""Erasing a person: what was sealed for a record can be opened nowhere any more, and everything else goes on."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest
from msgspec.structs import replace

from app.database import Database, Target
from app.encryption import Encryption
from app.encryption_check import look
from app.main import Application, make_bus
from app.reencryption import rotated
from app.settings import Settings
from commands.auth import UpdateUser
from commands.bus import Work
from commands.dictionaries import CreateEntry, DeleteEntry
from commands.erasure import Erase
from commands.restore import RestoreRecord
from commands.sealing import Seals
from commands.undo_many import UndoMany
from commands.unit import Unit
from domain.auth import users
from domain.encryption.subjects import subjects_by_id
from domain.encryption.tokens import Place, Subject, Unreadable, head_of, subjects_in
from domain.errors import Problem
from domain.scope import Options
from tests.conftest import MakeTenant, Tenant
from tests.encryption.conftest import define, save_map, stored
from tests.encryption.test_at_rest import tables
from tests.encryption.test_keys import rename, run, settled
from tests.entities.conftest import new_organization
from tests.heart.proofs import assert_proven
from tests.heart.requests import whole_of
from tests.heart.scenes import id_of, scene, token_of
from tests.heart.test_round_trips import Statements
from tests.replay.conftest import Replay

PATH = "/entities/encryption/erase"
ACTIONS = "/audit_logs/audit-logs/actions"
RECORDS = "/entities/records"
PATIENT = "user:patient"
TOKEN = re.compile(rb"bse1:\d{1,9}:[0-9a-f]{32}:\.?[A-Za-z0-9_-]{54,}")
REASON = "Request of the person"


async def erase(client: httpx.AsyncClient, entity: str, id: object, status: int = 200) -> dict[str, Any]:
    body = {"entityId": entity, "recordId": str(id), "reason": REASON}
    answer = await client.post(PATH, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
async def office(admin: httpx.AsyncClient, application: Application, tenant: Tenant) -> httpx.AsyncClient:
    """The administrator, in a tenant where the names of users are sealed."""
    await save_map(admin, "auth:user", "name")
    await settled(application, tenant.id)
    return admin


@pytest.fixture
async def clinic(admin: httpx.AsyncClient, application: Application, tenant: Tenant) -> httpx.AsyncClient:
    """The administrator, in a tenant with records of sealed fields, one of them with a lookup hash beside it."""
    await admin.post("/entities/entities", json={"entityId": PATIENT, "label": "Patient"})
    await define(admin, PATIENT, "ssn", encrypted=True)
    await define(admin, PATIENT, "ssn_hash")
    await define(admin, PATIENT, "allergies", encrypted=True, multi=True)
    await define(admin, PATIENT, "price", "float")
    fields = [
        {"field": "cf_ssn", "hashField": "ssn_hash"},
        {"field": "cf_allergies", "hashField": None},
    ]
    saved = await admin.post("/entities/encryption", json={"entityId": PATIENT, "fields": fields})
    assert saved.status_code == 200, saved.text
    await settled(application, tenant.id)
    return admin


async def add(client: httpx.AsyncClient, **values: object) -> str:
    answer = await client.post(RECORDS, json={"entityId": PATIENT, "values": values})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["item"]["recordId"])


async def newest(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(ACTIONS, params={"limit": "1"})).json()["items"][0]
    return found


class Vault:
    """Every token in the tables of the database, and what the keys that are left open of them."""

    def __init__(self, application: Application, target: Target, tenant: Tenant) -> None:
        self._application, self._target, self._tenant = application, target, tenant

    async def dump(self) -> bytes:
        """The rows of all tables as text, those of this tenant and of the others."""
        connection = await asyncpg.connect(self._target.admin_dsn)
        try:
            return b"\n".join((await tables(connection)).values())
        finally:
            await connection.close()

    async def tokens(self) -> dict[str, str | None]:
        """The tenant's tokens of the newer form, wherever they are, and what each opens to; None: to nothing."""
        found = {token.decode() for token in TOKEN.findall(await self.dump())}
        keys = await self._application.encryption.keys(self._tenant.id)
        assert keys is not None
        known = await self.subjects(found)
        opened: dict[str, str | None] = {}
        for token in found:
            try:
                opened[token] = bytes(keys.open(token, known).value).decode()
            except Unreadable:
                if (head := head_of(token)) is not None and head.subject in known:
                    opened[token] = None
        return opened

    async def subjects(self, found: set[str]) -> dict[UUID, Subject]:
        """The subjects of tokens, with the secrets that are left."""
        ids = subjects_in("\n".join(found).encode())
        async with self._application.database.system() as connection:
            return {one.id: one for one in await subjects_by_id(connection, self._tenant.id, ids)}


@pytest.fixture
def vault(application: Application, target: Target, tenant: Tenant) -> Vault:
    return Vault(application, target, tenant)


async def test_given_an_erased_user_then_lists_history_and_exports_show_null_and_never_a_token(
    office: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    for turn in range(3):
        await rename(office, tenant, f"{secret} {turn}")
    undone = await office.post(f"{ACTIONS}/undo", json={"undoToken": (await newest(office))["undoToken"]})
    assert undone.status_code == 200
    done = await erase(office, "auth:user", tenant.employee.id)
    assert done == {"ok": True, "erased": True, "fields": ["name"], "olderActions": 0}
    assert await stored(database, tenant, "users", "name", str(tenant.employee.id)) is None
    listed = await office.get("/auth/users", params={"id": str(tenant.employee.id)})
    assert listed.json()["items"][0]["name"] is None and "x-backstep-erased" not in listed.headers
    history = await office.get(ACTIONS, params={"resourceKind": "auth.user", "limit": "50"})
    own = [one for one in history.json()["items"] if one["resourceId"] == str(tenant.employee.id)]
    assert len(own) == 5 and int(history.headers["x-backstep-erased"]) >= 6
    assert {one["snapshotAfter"]["name"] for one in own if one["snapshotAfter"]} == {None}
    exported = await office.get(ACTIONS, params={"resourceKind": "auth.user", "format": "json"})
    for answer in (listed, history, exported):
        assert answer.status_code == 200 and secret not in answer.text and "bse1:" not in answer.text
    others = (await office.get("/auth/users", params={"pageSize": "50"})).json()["items"]
    assert "Admin" in {one["name"] for one in others}, "nobody else's name is gone"


async def test_given_an_erasure_then_the_log_says_who_and_why_and_no_value(
    office: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    await rename(office, tenant, secret)
    await erase(office, "auth:user", tenant.employee.id)
    async with database.system() as connection:
        row = await connection.fetchrow(
            "select *, changes::text || coalesce(input::text, '') as kept from action_logs"
            " where tenant_id = $1 and command_id = 'entities.encryption.erase'",
            tenant.id,
        )
    assert (row["actor_user_id"], row["reason"]) == (tenant.admin.id, REASON)
    assert (row["resource_kind"], row["resource_id"]) == ("auth.user", str(tenant.employee.id))
    assert row["undo_token"] is None and secret not in row["kept"]


async def test_given_all_keys_that_are_left_then_nothing_of_the_record_opens_and_everything_else_does(
    clinic: httpx.AsyncClient, application: Application, tenant: Tenant, vault: Vault, secret: str
) -> None:
    one = await add(clinic, ssn=f" {secret} ", allergies=["nuts", f"{secret} bees"], price=1.5)
    other = await add(clinic, ssn=f"{secret} other")
    change = {"entityId": PATIENT, "recordId": one, "values": {"ssn": f"{secret} new"}}
    assert (await clinic.put(RECORDS, json=change)).status_code == 200
    steps = [
        {
            "command": "entities.records.update",
            "input": {"entityId": PATIENT, "recordId": id, "values": {"ssn": f"{secret} both"}},
        }
        for id in (one, other)
    ]
    assert (await clinic.post("/commands/batch", json={"commands": steps})).status_code == 200
    before = await vault.tokens()
    mine = {token for token, text in before.items() if text and secret in text and "other" not in text}
    assert len(mine) >= 5 and None not in before.values()
    keys = await application.encryption.keys(tenant.id)
    assert keys is not None
    texts = (secret, f"{secret} new", f"{secret} both", f"{secret} bees", "nuts")
    hashes = {
        keys.lookup_hash("entity_records", f"custom_fields.{field}", text)
        for field in ("ssn", "allergies")
        for text in texts
    }
    fields = (await erase(clinic, PATIENT, one))["fields"]
    assert set(fields) == {"cf_ssn", "cf_allergies", "cf_ssn_hash"}
    after = await vault.tokens()
    assert {text for text in after.values() if text and secret in text} == {
        f'"{secret} both"',
        f'"{secret} other"',
    }, "the other record's"
    gone = {token for token, text in after.items() if text is None}
    assert gone and all(before[token] for token in gone)
    assert {token: text for token, text in before.items() if token not in gone} == {
        token: text for token, text in after.items() if token not in gone
    }
    dump = await vault.dump()
    shared = keys.lookup_hash("entity_records", "custom_fields.ssn", f"{secret} both")
    found = {one for one in hashes if one.encode() in dump}
    assert found == {shared}, "only of the record that is not erased"
    await assert_proven(application, tenant.id)


async def test_given_an_erased_record_then_no_filter_finds_it_and_what_is_not_sealed_stays(
    clinic: httpx.AsyncClient, tenant: Tenant, database: Database, secret: str
) -> None:
    id = await add(clinic, ssn=secret, price=1.10)

    async def found(**query: str) -> list[str]:
        answer = await clinic.get(RECORDS, params={"entityId": PATIENT, **query})
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    shown = (await clinic.get(RECORDS, params={"entityId": PATIENT})).json()["items"][0]
    assert await found(ssn=secret) == await found(ssn_hash=shown["ssn_hash"]) == [id]
    await erase(clinic, PATIENT, id)
    assert await found(ssn=secret) == await found(ssn_hash=shown["ssn_hash"]) == []
    assert await found() == [id]
    text = await stored(database, tenant, "entity_records", "custom_fields", id)
    assert msgspec.json.decode(text) == {"ssn": None, "ssn_hash": None, "price": 1.1}


async def test_given_an_erased_record_when_it_is_filled_again_then_only_the_new_value_is_shown(
    office: httpx.AsyncClient, application: Application, tenant: Tenant, vault: Vault, secret: str
) -> None:
    await rename(office, tenant, f"{secret} old")
    await erase(office, "auth:user", tenant.employee.id)
    await rename(office, tenant, f"{secret} new")
    seen = (await office.get("/auth/users", params={"id": str(tenant.employee.id)})).json()["items"][0]
    assert seen["name"] == f"{secret} new"
    changed = await newest(office)
    assert changed["changes"]["name"] == {"from": None, "to": f"{secret} new"}
    texts = set((await vault.tokens()).values())
    assert f'"{secret} new"' in texts and f'"{secret} old"' not in texts
    undone = await office.post(f"{ACTIONS}/undo", json={"undoToken": changed["undoToken"]})
    assert undone.status_code == 200, undone.text
    assert (await erase(office, "auth:user", tenant.employee.id))["erased"] is True
    await assert_proven(application, tenant.id)


async def test_given_an_erasure_then_once_more_and_a_dry_run_change_nothing(
    office: httpx.AsyncClient, application: Application, tenant: Tenant, secret: str
) -> None:
    await rename(office, tenant, secret)
    await application.relay.stop()
    try:
        before = await whole_of(application, tenant)
        body = {"entityId": "auth:user", "recordId": str(tenant.employee.id), "reason": REASON}
        tried = await office.post(PATH, json=body, headers={"x-backstep-dry-run": "true"})
        assert tried.status_code == 200 and tried.json()["result"]["fields"] == ["name"]
        assert await whole_of(application, tenant) == before
        await erase(office, "auth:user", tenant.employee.id)
        before = await whole_of(application, tenant)
        again = await erase(office, "auth:user", tenant.employee.id)
        assert again == {"ok": True, "erased": False, "fields": [], "olderActions": 0}
        assert await whole_of(application, tenant) == before
    finally:
        await application.relay.start()


async def test_given_an_erasure_then_changes_of_other_fields_can_be_undone_and_those_of_erased_ones_not(
    office: httpx.AsyncClient, application: Application, tenant: Tenant, secret: str
) -> None:
    id = str(tenant.employee.id)
    await define(office, "auth:user", "note")
    await rename(office, tenant, secret)
    renamed = await newest(office)
    assert (await office.put("/auth/users", json={"id": id, "cf_note": "one"})).status_code == 200
    noted = await newest(office)
    await erase(office, "auth:user", id)
    assert (await newest(office))["undoToken"] is None
    undone = await office.post(f"{ACTIONS}/undo", json={"undoToken": noted["undoToken"]})
    assert undone.status_code == 200, undone.text
    refused = await office.post(f"{ACTIONS}/undo", json={"undoToken": renamed["undoToken"]})
    assert refused.status_code == 400 and refused.json()["code"] == "changed_since"
    assert refused.json()["changedBy"]["commandId"] == "entities.encryption.erase"
    await assert_proven(application, tenant.id)


@pytest.fixture
async def entry(
    office: httpx.AsyncClient, application: Application, tenant: Tenant, secret: str
) -> dict[str, Any]:
    """A dictionary entry with a sealed value that was made and deleted, for good."""
    await define(office, "dictionaries:dictionary_entry", "code", encrypted=True)
    await settled(application, tenant.id)
    bus, scope = application.bus, tenant.admin.scope
    place = await scene(bus, scope)
    made = await bus.execute(
        CreateEntry(dictionary_id=place.dictionary_id, value="red", custom_fields={"code": secret}), scope
    )
    id = id_of(made)
    deleted = await bus.execute(DeleteEntry(dictionary_id=place.dictionary_id, entry_id=id), scope)
    return {"id": id, "place": place, "made": made, "deleted": deleted}


async def test_given_a_deleted_record_when_it_is_erased_then_it_does_not_come_back(
    office: httpx.AsyncClient,
    application: Application,
    tenant: Tenant,
    vault: Vault,
    secret: str,
    entry: dict[str, Any],
) -> None:
    assert f'"{secret}"' in set((await vault.tokens()).values())
    done = await erase(office, "dictionaries:dictionary_entry", entry["id"])
    assert done["erased"] is True and done["fields"] == []
    assert f'"{secret}"' not in set((await vault.tokens()).values())
    before = await whole_of(application, tenant)
    undo = {"undoToken": token_of(entry["deleted"])}
    refused = await office.post(f"{ACTIONS}/undo", json=undo)
    assert (refused.status_code, refused.json()["code"]) == (400, "erased"), refused.text
    many = UndoMany(log_ids=[entry["deleted"].log.id])
    with pytest.raises(Problem) as stuck:
        await application.bus.execute(many, tenant.superadmin.scope)
    assert stuck.value.code == "erased"
    assert (await whole_of(application, tenant))["dictionary_entries"] == before["dictionary_entries"]
    history = await office.get(ACTIONS, params={"resourceKind": "dictionaries.entry"})
    assert secret not in history.text and "bse1:" not in history.text
    await assert_proven(application, tenant.id)


async def test_given_an_undone_creation_when_the_record_is_erased_then_it_cannot_be_redone(
    office: httpx.AsyncClient, application: Application, tenant: Tenant, entry: dict[str, Any], secret: str
) -> None:
    bus, scope = application.bus, tenant.admin.scope
    made = await bus.execute(
        CreateEntry(
            dictionary_id=entry["place"].dictionary_id, value="blue", custom_fields={"code": f"{secret} 2"}
        ),
        scope,
    )
    assert made.log is not None
    await bus.undo(token_of(made), scope)
    await erase(office, "dictionaries:dictionary_entry", id_of(made))
    refused = await office.post(f"{ACTIONS}/redo", json={"logId": str(made.log.id)})
    assert (refused.status_code, refused.json()["code"]) == (400, "erased"), refused.text


async def test_given_an_erased_record_when_it_is_restored_to_an_earlier_moment_then_what_was_erased_is_null(
    clinic: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    id = await add(clinic, ssn=secret, price=1.5)
    made = await newest(clinic)
    change = {"entityId": PATIENT, "recordId": id, "values": {"price": 2.5}}
    assert (await clinic.put(RECORDS, json=change)).status_code == 200
    await erase(clinic, PATIENT, id)
    path = f"/audit_logs/audit-logs/history/entities.record/{id}/state"
    then = await clinic.get(path, params={"at": made["id"]})
    assert then.status_code == 200 and secret not in then.text and "bse1:" not in then.text
    restore = RestoreRecord(resource_kind="entities.record", resource_id=UUID(id), at=made["id"])
    await application.bus.execute(restore, tenant.superadmin.scope)
    text = await stored(database, tenant, "entity_records", "custom_fields", id)
    assert msgspec.json.decode(text) == {"ssn": None, "ssn_hash": None, "price": 1.5}
    await assert_proven(application, tenant.id)


async def test_given_two_processes_then_the_other_one_hears_of_an_erasure(
    office: httpx.AsyncClient,
    application: Application,
    elsewhere: Application,
    tenant: Tenant,
    database: Database,
    secret: str,
) -> None:
    await rename(office, tenant, secret)
    token = await stored(database, tenant, "users", "name", str(tenant.employee.id))
    content = f'"{token}"'.encode()
    assert await elsewhere.encryption.opened(tenant.id, content) == f'"{secret}"'.encode()
    assert any(place[0] == tenant.id for place in elsewhere.encryption._subjects), "it remembers the secret"
    await erase(office, "auth:user", tenant.employee.id)
    assert await application.encryption.opened(tenant.id, content) == b"null"
    async with asyncio.timeout(5):
        while await elsewhere.encryption.opened(tenant.id, content) != b"null":
            await asyncio.sleep(0.02)
    await elsewhere.bus.execute(UpdateUser(id=tenant.employee.id, name=f"{secret} 2"), tenant.admin.scope)
    again = await stored(database, tenant, "users", "name", str(tenant.employee.id))
    opened = await application.encryption.opened(tenant.id, f'"{again}"'.encode())
    assert opened == f'"{secret} 2"'.encode(), "what is written by it is sealed with a new secret"


async def test_given_a_process_that_has_not_heard_yet_then_what_it_writes_is_not_lost(
    office: httpx.AsyncClient, elsewhere: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    await elsewhere.relay.stop()
    rename_it = UpdateUser(id=tenant.employee.id, name=secret)
    await elsewhere.bus.execute(rename_it, tenant.admin.scope)
    await erase(office, "auth:user", tenant.employee.id)
    rename_it = UpdateUser(id=tenant.employee.id, name=f"{secret} again")
    await elsewhere.bus.execute(rename_it, tenant.admin.scope)
    seen = (await office.get("/auth/users", params={"id": str(tenant.employee.id)})).json()["items"][0]
    assert seen["name"] == f"{secret} again"


async def test_given_an_erasure_then_both_replays_are_equal(
    clinic: httpx.AsyncClient, application: Application, tenant: Tenant, replay: Replay, secret: str
) -> None:
    one, other = await add(clinic, ssn=secret), await add(clinic, ssn=f" {secret} other", price=1.5)
    for id in (one, other):
        change = {"entityId": PATIENT, "recordId": id, "values": {"ssn": f"{secret} {id}"}}
        assert (await clinic.put(RECORDS, json=change)).status_code == 200
    await erase(clinic, PATIENT, one)
    change = {"entityId": PATIENT, "recordId": one, "values": {"ssn": f"{secret} after"}}
    assert (await clinic.put(RECORDS, json=change)).status_code == 200
    report = await replay(tenant.id)
    assert (report.verdict, report.broken) == ("equal", []), report.lines()
    report = await replay(tenant.id, "commands")
    assert (report.verdict, report.diverged) == ("equal", []), report.lines()
    assert report.applied["what it met is sealed with a key that there is no more"] == 3, report.applied


async def test_given_an_erasure_then_rotation_and_reencryption_go_on(
    office: httpx.AsyncClient, application: Application, tenant: Tenant, vault: Vault, secret: str
) -> None:
    await rename(office, tenant, secret)
    renaming = {"id": str(tenant.admin.id), "name": f"{secret} admin"}
    assert (await office.put("/auth/users", json=renaming)).status_code == 200
    await erase(office, "auth:user", tenant.employee.id)
    await rotated(application.database, application.encryption, application.bus, tenant.id)
    step = (await run(application, tenant))["users"]
    assert (step.rewritten, step.unreadable) == (2, 0)
    texts = set((await vault.tokens()).values())
    assert f'"{secret} admin"' in texts and f'"{secret}"' not in texts
    await assert_proven(application, tenant.id)


async def write(application: Application, tenant: Tenant, name: str) -> None:
    """Give the employee a name as it stands, which a command of today would seal in the newer form."""

    async def perform(unit: Unit) -> None:
        await unit.update(users, tenant.employee.id, {"name": name})

    work = Work("auth.users.update", "Update user", "auth.user", True, True, None, perform)
    await application.bus.run(work, tenant.admin.scope, Options())


async def test_given_values_of_the_older_form_then_they_open_and_are_sealed_anew_and_an_erasure_counts_them(
    office: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    id = str(tenant.employee.id)
    keys = await application.encryption.keys(tenant.id)
    assert keys is not None
    older = keys.seal(Place("users", "name", tenant.employee.id), secret)
    await write(application, tenant, older)
    assert await stored(database, tenant, "users", "name", id) == older
    seen = (await office.get("/auth/users", params={"id": id})).json()["items"][0]
    assert seen["name"] == secret
    found = await look(database, application.encryption, tenant.id)
    users_found = next(one for one in found if one.table == "users")
    assert users_found.older == 1 and users_found.ok
    assert (await run(application, tenant))["users"].rewritten == 1
    newer = await stored(database, tenant, "users", "name", id)
    assert newer.startswith("bse1:1:") and ":." in newer
    assert (await run(application, tenant))["users"].rewritten == 0
    seen = (await office.get("/auth/users", params={"id": id})).json()["items"][0]
    assert seen["name"] == secret
    done = await erase(office, "auth:user", id)
    assert done["olderActions"] == 1, "its image is in the log in the older form"
    assert (await office.get("/auth/users", params={"id": id})).json()["items"][0]["name"] is None


class Older(Encryption):
    """Seals as the product did before records had secrets."""

    async def seals(self, connection: Any, tenant_id: UUID) -> Seals | None:
        """What one command seals."""
        found = await super().seals(connection, tenant_id)
        if found is not None:
            found.older_form = True
        return found


async def test_given_history_of_the_older_form_then_its_commands_are_executed_again_in_that_form(
    office: httpx.AsyncClient,
    application: Application,
    settings: Settings,
    tenant: Tenant,
    database: Database,
    replay: Replay,
    secret: str,
) -> None:
    older = make_bus(database, settings, Older(database, settings))
    await older.execute(UpdateUser(id=tenant.employee.id, name=secret), tenant.admin.scope)
    token = await stored(database, tenant, "users", "name", str(tenant.employee.id))
    assert token.startswith("bse1:1:") and ":." not in token
    await rename(office, tenant, f"{secret} since")
    report = await replay(tenant.id, "commands")
    assert (report.verdict, report.diverged) == ("equal", []), report.lines()
    assert report.applied.keys() <= {"what it does is not part of history"}


async def test_given_a_value_of_the_older_form_then_the_erasure_does_not_write_it_down_again(
    office: httpx.AsyncClient, application: Application, tenant: Tenant, database: Database, secret: str
) -> None:
    keys = await application.encryption.keys(tenant.id)
    assert keys is not None
    older = keys.seal(Place("users", "name", tenant.employee.id), secret)
    await write(application, tenant, older)
    await erase(office, "auth:user", tenant.employee.id)
    async with database.system() as connection:
        kept = await connection.fetchval(
            "select changes::text from action_logs where tenant_id = $1 and command_id = 'entities.encryption.erase'",
            tenant.id,
        )
    assert older not in kept
    await assert_proven(application, tenant.id)


async def test_sealing_takes_one_round_trip_more_and_so_does_the_first_look_at_what_is_sealed(
    office: httpx.AsyncClient,
    application: Application,
    tenant: Tenant,
    make_tenant: MakeTenant,
    statements: Statements,
) -> None:
    numbers = iter(range(1000))

    def renames(client: httpx.AsyncClient, one: Tenant) -> Callable[[], Awaitable[httpx.Response]]:
        body = {"id": str(one.employee.id)}
        headers = one.admin.headers
        return lambda: client.put("/auth/users", json=body | {"name": f"n {next(numbers)}"}, headers=headers)

    other = await make_tenant()
    plain = await statements.of(renames(office, other))
    sealed = await statements.of(renames(office, tenant))
    # one tells where the row is, as it did before; the other one gives the secret
    assert len(sealed) == len(plain) + 2, (plain, sealed)
    asked = [one for one in sealed if "subject_keys" in one]
    assert len(asked) == 1, sealed
    look_at = lambda: office.get("/auth/users", headers=tenant.admin.headers)  # noqa: E731
    known = await statements.of(look_at)
    assert not any("subject_keys" in one for one in known), known
    application.encryption._subjects.clear()
    await statements.forget()
    await look_at()
    assert len(await statements.sent()) == len(known) + 1


async def test_given_many_records_then_their_secrets_are_asked_for_at_once(
    clinic: httpx.AsyncClient, application: Application, statements: Statements, secret: str
) -> None:
    for number in range(30):
        await add(clinic, ssn=f"{secret} {number}")
    look_at = lambda: clinic.get(RECORDS, params={"entityId": PATIENT, "pageSize": "30"})  # noqa: E731
    known = await statements.of(look_at)
    application.encryption._subjects.clear()
    await statements.forget()
    answer = await look_at()
    assert len({one["ssn"] for one in answer.json()["items"]}) == 30
    assert len(await statements.sent()) == len(known) + 1
    application.encryption._subjects.clear()
    export = await clinic.get(RECORDS, params={"entityId": PATIENT, "format": "csv", "exportScope": "full"})
    assert export.text.count(secret) >= 30 and "bse1:" not in export.text


async def test_the_gates(
    office: httpx.AsyncClient,
    application: Application,
    tenant: Tenant,
    make_tenant: MakeTenant,
    secret: str,
) -> None:
    await rename(office, tenant, secret)
    id, other = str(tenant.employee.id), await make_tenant()
    before = await whole_of(application, other)
    await erase(office, "auth:user", other.employee.id, 404)
    await erase(office, "auth:user", uuid4(), 404)
    await erase(office, "auth:session", id, 400)
    await erase(office, "user:nothing", id, 403)
    assert await whole_of(application, other) == before
    for body in ({"entityId": "auth:user"}, {"entityId": "auth:user", "recordId": "x", "reason": "y"}, []):
        assert (await office.post(PATH, json=body)).status_code == 400
    blank = {"entityId": "auth:user", "recordId": id, "reason": " "}
    assert (await office.post(PATH, json=blank)).status_code == 400
    body = blank | {"reason": REASON}
    refused = await office.post(PATH, json=body, headers=tenant.employee.headers)
    assert refused.json()["requiredFeatures"] == ["entities.definitions.manage"]
    assert (await office.post(PATH, json=body, headers={"authorization": ""})).status_code == 401
    foreign = await office.post(PATH, json=body, headers=other.admin.headers)
    assert foreign.status_code == 404
    assert (await office.get("/auth/users", params={"id": id})).json()["items"][0]["name"] == secret


async def test_given_somebody_who_may_not_delete_the_record_or_reach_its_place_then_it_is_not_erased(
    office: httpx.AsyncClient, application: Application, tenant: Tenant, secret: str
) -> None:
    await rename(office, tenant, secret)
    command = Erase(entity_id="auth:user", record_id=tenant.employee.id, reason=REASON)
    narrowed = replace(tenant.admin.scope, features=("entities.definitions.manage",), is_super_admin=False)
    with pytest.raises(Problem) as refused:
        await application.bus.execute(command, narrowed)
    assert refused.value.status == 403
    child = await new_organization(application, tenant, None)
    beyond = replace(tenant.admin.scope, allowed_ids=frozenset({child}), selected_organization_id=child)
    with pytest.raises(Problem) as refused:
        await application.bus.execute(command, beyond)
    assert refused.value.status == 404
    seen = (await office.get("/auth/users", params={"id": str(tenant.employee.id)})).json()["items"][0]
    assert seen["name"] == secret
