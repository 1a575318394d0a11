"""What random storms and their replay brought to light, each made small."""

import pytest

from app.main import Application
from commands.dictionaries import UpdateEntry
from commands.directory.organizations import CreateOrganization, UpdateOrganization
from commands.restore import RestoreRecord
from commands.undo_many import UndoMany
from domain.errors import Problem
from tests.conftest import Tenant
from tests.heart.proofs import assert_proven
from tests.heart.scenes import label, scene
from tests.replay.conftest import Replay


async def test_given_actions_that_cancel_out_then_undoing_them_with_others_leaves_no_unrecorded_stamp(
    application: Application, tenant: Tenant, replay: Replay
) -> None:
    bus, scope = application.bus, tenant.admin.scope
    place = await scene(bus, scope, "red", "blue")
    done = [await label(bus, scope, place, text) for text in ("other", "red")]
    done.append(await label(bus, scope, place, "azure", 1))
    await bus.execute(UndoMany(log_ids=[one.log.id for one in done if one.log is not None]), scope)
    icon = UpdateEntry(dictionary_id=place.dictionary_id, entry_id=place.entry_ids[0], icon="star")
    await bus.execute(icon, scope)
    await assert_proven(application, tenant.id)
    assert (await replay(tenant.id)).verdict == "equal"


async def test_given_organizations_that_would_hang_on_each_other_then_going_back_is_refused(
    application: Application, tenant: Tenant
) -> None:
    bus, scope = application.bus, tenant.admin.scope
    upper = (await bus.execute(CreateOrganization(name="Upper"), scope)).result["id"]
    made = await bus.execute(CreateOrganization(name="Lower", parent_id=upper), scope)
    lower = made.result["id"]
    away = await bus.execute(UpdateOrganization(id=lower, parent_id=None), scope)
    await bus.execute(UpdateOrganization(id=upper, parent_id=lower), scope)
    assert made.log is not None and away.log is not None
    back = RestoreRecord(resource_kind="directory.organization", resource_id=lower, at=str(made.log.id))
    for command in (back, UndoMany(log_ids=[away.log.id])):
        with pytest.raises(Problem) as refused:
            await bus.execute(command, scope)
        assert (refused.value.status, refused.value.code) in (
            (400, "changed_since"),
            (409, "undo_many_blocked"),
        )
    await assert_proven(application, tenant.id)
