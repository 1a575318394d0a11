"""Command replay: recorded inputs through today's handlers; what they do otherwise than then is found."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from app.database import Target
from app.main import Application
from app.replay.copy import Span
from app.replay.run import Run, Silent, Wanted
from commands import registry
from commands.api_keys import CreateKey
from commands.auth import CreateUser, RequestPasswordReset, UpdateProfile, UpdateUser
from commands.auth.resets import ConfirmPasswordReset
from commands.batch import Batch, Step
from commands.dictionaries import CreateDictionary, CreateEntry, SetDefaultEntry, UpdateEntry
from commands.feature_toggles import CreateToggle
from commands.registry import Command
from domain.errors import Problem
from domain.scope import system_scope
from tests.conftest import MakeTenant, Tenant
from tests.heart.proofs import exact_state_of
from tests.heart.scenes import id_of, label, scene, token_of
from tests.replay.conftest import Replay, behind


@contextmanager
def handled_by(cls: type[Command], handler: Any) -> Iterator[None]:
    """Today's handler of a command is another one."""
    former = registry.handler_of(cls)
    registry.handles(cls)(handler)
    try:
        yield
    finally:
        registry.handles(cls)(former)


async def test_given_commands_undos_redos_and_batches_then_all_do_again_what_they_did(
    application: Application, tenant: Tenant, replay: Replay
) -> None:
    bus, scope = application.bus, tenant.admin.scope
    place = await scene(bus, scope, "red", "green")
    await bus.execute(SetDefaultEntry(dictionary_id=place.dictionary_id, entry_id=place.entry_ids[0]), scope)
    last = await bus.execute(
        SetDefaultEntry(dictionary_id=place.dictionary_id, entry_id=place.entry_ids[1]), scope
    )
    assert last.log is not None
    await bus.undo(token_of(last), scope)
    await bus.redo(last.log.id, scope)
    steps = [
        Step(
            command="dictionaries.entries.create",
            input={"dictionaryId": str(place.dictionary_id), "value": v},
        )
        for v in ("one", "two")
    ]
    await bus.execute(Batch(commands=steps), scope)
    before = await exact_state_of(application.database, tenant.id)
    report = await replay(tenant.id, "commands")
    assert (report.verdict, report.diverged, report.broken, report.applied) == ("equal", [], [], {})
    assert report.executed == 9 <= report.log_rows, "what others did to shared rows is applied"
    assert await exact_state_of(application.database, tenant.id) == before


async def test_given_a_bug_in_a_handler_then_the_commands_that_meet_it_are_found_and_no_others(
    application: Application, tenant: Tenant, replay: Replay
) -> None:
    bus, scope = application.bus, tenant.admin.scope
    place = await scene(bus, scope, "red", "green")
    bad = await label(bus, scope, place, "Rot")
    fine = await bus.execute(
        UpdateEntry(dictionary_id=place.dictionary_id, entry_id=place.entry_ids[0], icon="star"), scope
    )
    undone = await label(bus, scope, place, "Grün", 1)
    await bus.undo(token_of(undone), scope)
    right = registry.handler_of(UpdateEntry)

    async def wrong(command: Any, unit: Any) -> Any:
        shouted = command.label if command.label is msgspec.UNSET else command.label.upper()
        return await right(msgspec.structs.replace(command, label=shouted), unit)

    with handled_by(UpdateEntry, wrong):
        report = await replay(tenant.id, "commands")
    assert bad.log is not None and undone.log is not None and fine.log is not None
    assert (report.verdict, report.exit_code) == ("not_equal", 1)
    assert [one.command.log_id for one in report.diverged] == [bad.log.id, undone.log.id]
    (row,) = report.diverged[0].rows
    assert (row.table, row.id) == ("dictionary_entries", str(place.entry_ids[0]))
    assert row.columns == {"label": ('"Rot"', '"ROT"')}
    assert any('label: "Rot" then, "ROT" now' in line for line in report.lines())


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Problem.conflict("No more"), "it is refused: 409 No more"),
        (KeyError("color"), "it fails: KeyError: 'color'"),
    ],
)
async def test_given_a_handler_that_refuses_or_fails_today_then_it_says_how(
    application: Application, tenant: Tenant, replay: Replay, error: Exception, why: str
) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red")
    await label(application.bus, tenant.admin.scope, place, "Rot")

    async def refuse(command: Any, unit: Any) -> Any:
        raise error

    with handled_by(CreateEntry, refuse):
        report = await replay(tenant.id, "commands")
    assert [one.why for one in report.diverged] == [why], (
        "the edit of the entry stands on the recorded changes"
    )


async def test_given_a_command_that_is_gone_then_it_diverges(
    application: Application, tenant: Tenant, replay: Replay, target: Target
) -> None:
    await scene(application.bus, tenant.admin.scope)
    async with behind(target, tenant.id) as connection:
        await connection.execute(
            "update action_logs set command_id = 'dictionaries.gone'"
            " where tenant_id = $1 and command_id = 'dictionaries.dictionaries.create'",
            tenant.id,
        )
    report = await replay(tenant.id, "commands")
    assert [one.why for one in report.diverged] == [
        "it fails: LookupError: there is no command dictionaries.gone any more"
    ]


async def test_given_secret_inputs_then_what_they_led_to_supplies_them(
    application: Application, tenant: Tenant, replay: Replay
) -> None:
    bus, scope = application.bus, tenant.admin.scope
    email = f"{uuid4().hex}@example.com"
    made = await bus.execute(
        CreateUser(
            email=email,
            email_hash=uuid4().hex,
            organization_id=tenant.organization_id,
            password_hash="sealed",
            roles=["employee"],
        ),
        scope,
    )
    user = made.result["id"]
    await bus.execute(UpdateUser(id=user, password_hash="sealed again"), scope)
    await bus.execute(UpdateUser(id=user, email=email.upper(), email_hash=uuid4().hex, name="E"), scope)
    await bus.execute(UpdateProfile(password_hash="mine"), scope)
    key = CreateKey(
        name="key", organization_id=tenant.organization_id, key_prefix=uuid4().hex[:12], key_hash="hash"
    )
    await bus.execute(key, scope)
    report = await replay(tenant.id, "commands")
    assert (report.verdict, report.diverged, report.applied) == ("equal", [], {})
    assert report.executed == 6 <= report.log_rows, "what others did to shared rows is applied"


async def test_given_what_is_outside_of_history_then_it_is_applied_and_counted(
    application: Application, tenant: Tenant, replay: Replay
) -> None:
    user, system = tenant.employee.id, system_scope(tenant.id)
    link = uuid4().hex
    await application.bus.execute(RequestPasswordReset(user, link, "letter"), system)
    await application.bus.execute(ConfirmPasswordReset(user, link, "new password"), system)
    report = await replay(tenant.id, "commands")
    assert report.verdict == "equal"
    assert report.applied == {
        "what it does is not part of history": 1,
        "it needs the link that was mailed, which is not part of history": 1,
    }


async def test_given_rights_that_have_changed_since_then_commands_run_with_those_of_then(
    application: Application, target: Target, tenant: Tenant, replay: Replay
) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red")
    await label(application.bus, tenant.admin.scope, place, "Rot")
    report = await replay(tenant.id, "commands")
    assert report.verdict == "equal"
    async with behind(target, tenant.id) as connection:
        await connection.execute(
            "update action_logs set scope_id = null"
            " where tenant_id = $1 and command_id = 'dictionaries.entries.update'",
            tenant.id,
        )
    report = await replay(tenant.id, "commands")
    assert report.verdict == "equal" and report.applied == {"its scope was not recorded": 1}


async def test_given_a_row_that_all_tenants_share_then_the_replay_of_another_tenant_knows_it(
    application: Application, make_tenant: MakeTenant, replay: Replay
) -> None:
    maker, user = await make_tenant(), await make_tenant()
    toggle = CreateToggle(identifier=f"t{uuid4().hex}", name="T", type="boolean", default_value=False)
    made = await application.bus.execute(toggle, maker.superadmin.scope)
    change = registry.definition("feature_toggles.overrides.changeState")
    assert change is not None
    override = msgspec.convert(
        {"toggleId": str(made.result.id), "isOverride": True, "overrideValue": True}, change.type
    )
    await application.bus.execute(override, user.superadmin.scope)
    report = await replay(user.id, "commands")
    assert (report.verdict, report.diverged, report.executed) == ("equal", [], 2)


async def test_given_a_replay_then_nothing_reacts_to_it(
    application: Application, target: Target, tenant: Tenant, template: str
) -> None:
    user, system = tenant.employee.id, system_scope(tenant.id)
    await application.bus.execute(RequestPasswordReset(user, uuid4().hex, "letter"), system)
    await scene(application.bus, tenant.admin.scope, "red")
    wanted = Wanted("commands", Span(tenant.id), keep=False)
    async with Run(application.database, application.settings, wanted, Silent(), template).finished() as done:
        connection = await asyncpg.connect(done.scratch.dsn)
        written = {
            table: await connection.fetchval(f"select count(*) from {table}")
            for table in ("outbox", "event_stream", "mail_outbox", "jobs.pgqueuer", "idempotency_keys")
        }
        await connection.close()
    assert set(written.values()) == {0}, written


async def test_given_a_focus_then_only_its_commands_are_executed(
    application: Application, tenant: Tenant, replay: Replay
) -> None:
    place = await scene(application.bus, tenant.admin.scope, "red")
    for text in ("one", "two"):
        await label(application.bus, tenant.admin.scope, place, text)
    focus = f"dictionaries.entry:{place.entry_ids[0]}"
    report = await replay(tenant.id, "commands", focus=focus)
    assert (report.verdict, report.executed, report.applied) == ("equal", 3, {"not asked for": 2})


async def test_given_a_place_in_history_then_the_commands_up_to_it_are_executed(
    application: Application, tenant: Tenant, replay: Replay
) -> None:
    first = await application.bus.execute(CreateDictionary(key="one", name="One"), tenant.admin.scope)
    await application.bus.execute(CreateDictionary(key="two", name="Two"), tenant.admin.scope)
    assert first.log is not None and isinstance(id_of(first), UUID)
    report = await replay(tenant.id, "commands", until_log=first.log.id)
    assert (report.verdict, report.executed) == ("equal", 2)
