"""Old images meet new tables: undo, redo, the views of the log and replay all read them in today's form."""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from app.database import Target
from app.main import Application
from commands.dictionaries import DeleteDictionary, UpdateDictionary
from domain import upcasters
from domain.upcasters import current, current_input, moves_table, upcasts, upcasts_input
from tests.conftest import Tenant
from tests.heart.scenes import Scene, scene, token_of
from tests.replay.conftest import Replay, behind

TITLE_IN_IMAGES = """
update action_logs l set changes = (
  select jsonb_agg((select jsonb_object_agg(side, case
             when side in ('b', 'a', 'u') and jsonb_typeof(v) = 'object' and v ? 'name'
             then (v - 'name') || jsonb_build_object('title', v->'name') else v end)
           from jsonb_each(c) e(side, v)) order by n)
    from jsonb_array_elements(l.changes) with ordinality x(c, n))
 where tenant_id = $1 and command_id like 'dictionaries.dictionaries.%'
"""
TITLE_IN_INPUTS = """
update action_logs set input = (input - 'name') || jsonb_build_object('title', input->'name')
 where tenant_id = $1 and command_id = 'dictionaries.dictionaries.update' and input ? 'name'
"""


def _renamed(row: dict[str, Any]) -> dict[str, Any]:
    return {"name" if column == "title" else column: value for column, value in row.items()}


@pytest.fixture
def next_revision(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A release later: what is recorded until now is of an earlier revision, in which `name` was `title`."""
    registries = (upcasters._images, upcasters._tables, upcasters._inputs)
    kept = [dict(registry) for registry in registries]
    monkeypatch.setattr(upcasters, "SCHEMA_REVISION", upcasters.SCHEMA_REVISION + 1)
    yield
    for registry, content in zip(registries, kept, strict=True):
        registry.clear()
        registry.update(content)  # type: ignore[arg-type]  # its own content


@pytest.fixture
async def old(application: Application, target: Target, tenant: Tenant) -> tuple[Scene, str]:
    """A dictionary that was made and renamed while its column was called `title`; the token of the renaming."""
    made = await scene(application.bus, tenant.admin.scope, "red", name="Before")
    rename = UpdateDictionary(dictionary_id=made.dictionary_id, name="After")
    token = token_of(await application.bus.execute(rename, tenant.admin.scope))
    async with behind(target, tenant.id) as connection:
        await connection.execute(TITLE_IN_IMAGES, tenant.id)
        await connection.execute(TITLE_IN_INPUTS, tenant.id)
    return made, token


async def name_of(application: Application, place: Scene) -> str:
    async with application.database.system() as connection:
        sql = "select name from dictionaries where id = $1"
        return str(await connection.fetchval(sql, place.dictionary_id))


def declare() -> None:
    """What the migration that renames the column would declare."""
    before = upcasters.SCHEMA_REVISION - 1
    upcasts("dictionaries", before)(_renamed)
    upcasts_input("dictionaries.dictionaries.update", before)(_renamed)


async def test_given_a_renamed_column_then_undo_and_redo_restore_what_old_images_hold(
    application: Application, tenant: Tenant, old: tuple[Scene, str], next_revision: None
) -> None:
    place, token = old
    declare()
    undone = await application.bus.undo(token, tenant.admin.scope)
    assert await name_of(application, place) == "Before"
    await application.bus.redo(undone.log.source_log_id, tenant.admin.scope)  # type: ignore[union-attr, arg-type]
    assert await name_of(application, place) == "After"


async def test_given_a_renamed_column_then_a_deletion_of_before_is_undone_whole(
    application: Application, target: Target, tenant: Tenant, old: tuple[Scene, str], next_revision: None
) -> None:
    place, _ = old
    gone = await application.bus.execute(
        DeleteDictionary(dictionary_id=place.dictionary_id), tenant.admin.scope
    )
    declare()
    await application.bus.undo(token_of(gone), tenant.admin.scope)
    assert await name_of(application, place) == "After"


async def test_given_a_renamed_column_then_old_actions_are_shown_by_its_new_name(
    client: httpx.AsyncClient, tenant: Tenant, old: tuple[Scene, str], next_revision: None
) -> None:
    declare()
    answer = await client.get(
        "/audit_logs/audit-logs/actions",
        params={"resourceKind": "dictionaries.dictionary"},
        headers=tenant.admin.headers,
    )
    assert answer.status_code == 200, answer.text
    rename = next(i for i in answer.json()["items"] if i["commandId"] == "dictionaries.dictionaries.update")
    assert rename["changes"] == {"name": {"from": "Before", "to": "After"}}


async def test_given_a_renamed_column_then_both_replays_understand_old_log_rows(
    tenant: Tenant, old: tuple[Scene, str], next_revision: None, replay: Replay
) -> None:
    declare()
    assert (await replay(tenant.id)).verdict == "equal"
    report = await replay(tenant.id, "commands")
    assert (report.verdict, report.diverged, report.applied) == ("equal", [], {})


async def test_given_a_renamed_column_without_an_upcaster_then_replay_says_which_rows_it_cannot_read(
    tenant: Tenant, old: tuple[Scene, str], next_revision: None, replay: Replay
) -> None:
    report = await replay(tenant.id)
    assert report.verdict == "not_equal"
    assert {one.why for one in report.broken} == {"has columns that the table does not have: title"}


def test_images_keep_what_the_upcaster_passes_on_byte_for_byte(next_revision: None) -> None:
    before = upcasters.SCHEMA_REVISION - 1
    upcasts("prices", before)(lambda row: row | {"checked": True, "tags": ["a", {"b": 1}]})
    long = "123456789012345678901234567890.5"
    image = f'{{"amount":1.10,"list":["a", "b"],"long":{long}}}'
    text = f'[{{"s":0,"t":"prices","o":"i","k":{{"id":"1"}},"a":{image}}},{{"s":1,"t":"others","o":"d","b":{image}}}]'
    made = current(text, before)
    assert f'"a":{image[:-1]},"checked":true,"tags":["a", {{"b": 1}}]}}' in made
    assert f'"b":{image}' in made


def test_a_table_that_moved_or_is_gone_takes_its_changes_with_it(next_revision: None) -> None:
    before = upcasters.SCHEMA_REVISION - 1
    moves_table("old_things", before, "things")
    moves_table("lost_things", before, None)
    text = (
        '[{"s":0,"t":"old_things","o":"i","k":{"id":"1"}},{"s":1,"t":"lost_things","o":"i","k":{"id":"2"}}]'
    )
    assert [change["t"] for change in msgspec.json.decode(current(text, before))] == ["things"]


def test_what_is_of_today_is_not_touched() -> None:
    upcasters_now = upcasters.SCHEMA_REVISION
    assert current("[ ]", upcasters_now) == "[ ]"
    assert current_input("any", "{ }", upcasters_now) == "{ }"
