"""Sealed values are repeated as they were sealed, with the key of then; without that key, they are left as recorded."""

from uuid import uuid4

import pytest

from app.database import Target
from app.main import Application
from app.reencryption import reencrypted, rotated
from commands.auth import UpdateUser
from commands.encryption import FieldOfMap, UpsertMap
from tests.conftest import Tenant
from tests.encryption.test_keys import settled
from tests.replay.conftest import Replay, behind


@pytest.fixture
async def sealed(application: Application, tenant: Tenant) -> Tenant:
    """A tenant whose users' names are sealed, by two keys one after the other, and not all of them sealed anew."""
    bus, scope = application.bus, tenant.admin.scope
    await bus.execute(UpsertMap(entity_id="auth:user", fields=[FieldOfMap(field="name")]), scope)
    await settled(application, tenant.id)
    await bus.execute(UpdateUser(id=tenant.employee.id, name=f"first {uuid4().hex}"), scope)
    await rotated(application.database, application.encryption, bus, tenant.id)
    last = await bus.execute(UpdateUser(id=tenant.employee.id, name=f"second {uuid4().hex}"), scope)
    assert last.log is not None and last.log.undo_token is not None
    assert b"bse1:2:" in bytes(last.log.input) and b"bse1:1:" in bytes(last.log.changes)
    await bus.undo(last.log.undo_token, scope)
    return tenant


async def test_given_sealed_values_and_a_rotated_key_then_every_command_seals_as_it_did(
    application: Application, sealed: Tenant, replay: Replay
) -> None:
    async for _ in reencrypted(application.database, application.bus, sealed.id, ["users"]):
        pass
    assert (await replay(sealed.id)).verdict == "equal"
    report = await replay(sealed.id, "commands")
    assert (report.verdict, report.diverged) == ("equal", []), report.lines()
    assert report.applied.keys() <= {"what it does is not part of history"}


async def test_given_a_destroyed_key_then_what_it_sealed_is_applied_as_recorded(
    application: Application, sealed: Tenant, target: Target, replay: Replay
) -> None:
    async for _ in reencrypted(application.database, application.bus, sealed.id, ["users"]):
        pass
    async with behind(target, sealed.id) as connection:
        await connection.execute(
            "delete from data_keys where tenant_id = $1 and purpose = 'data' and number = 1", sealed.id
        )
    report = await replay(sealed.id, "commands")
    assert (report.verdict, report.diverged) == ("equal", []), report.lines()
    assert report.applied["what it met is sealed with a key that there is no more"] >= 3
