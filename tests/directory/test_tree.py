"""The organization tree: moves, deletions, undo, redo, and the stored path (contract: directory.md 1.1, 5, 7, 11)."""

import asyncio
import os
import random
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from app.main import Application
from commands.directory.organizations import CreateOrganization, DeleteOrganization, UpdateOrganization
from domain.directory import MAX_DEPTH
from domain.errors import Problem
from domain.scope import Scope
from tests.conftest import new_tenant
from tests.directory.conftest import Desk, operation_of
from tests.generators import World
from tests.heart.proofs import assert_proven, exact_state_of, world_of

WALKS = int(os.environ.get("WALKS", "0"))


async def assert_true_path(application: Application, tenant_id: UUID) -> None:
    """The stored path of every live organization is what a walk over the parents gives (directory.md 5)."""
    async with application.database.system() as connection:
        rows = await connection.fetch(
            "select *, lower(name) as name_lc from organizations where tenant_id = $1 and deleted_at is null",
            tenant_id,
        )
    below: dict[UUID | None, list[Any]] = {}
    for row in sorted(rows, key=lambda row: (row["name_lc"], row["id"])):
        below.setdefault(row["parent_id"], []).append(row)
    seen: set[UUID] = set()

    def walk(row: Any, ancestors: list[UUID]) -> list[UUID]:
        seen.add(row["id"])
        line = [*ancestors, row["id"]]
        children = below.get(row["id"], [])
        descendants = [id for child in children for id in [child["id"], *walk(child, line)]]
        assert row["ancestor_ids"] == ancestors
        assert row["depth"] == len(ancestors)
        assert row["root_id"] == line[0]
        assert row["tree_path"] == "/".join(str(id) for id in line)
        assert row["child_ids"] == [child["id"] for child in children]
        assert row["descendant_ids"] == descendants
        return descendants

    for root in below.get(None, []):
        walk(root, [])
    assert seen == {row["id"] for row in rows}, "a circle, or a parent that is gone"


async def test_a_move(desk: Desk) -> None:
    a, b = await desk.chain("A", "B")
    c = await desk.create("C")
    moved = await desk.put(b, parentId=c)
    rows = await desk.rows()
    assert rows["A"]["childIds"] == []
    assert rows["C"]["childIds"] == rows["C"]["descendantIds"] == [b]
    assert (rows["B"]["ancestorIds"], rows["B"]["treePath"], rows["B"]["rootId"]) == ([c], f"{c}/{b}", c)
    assert (await desk.undo(moved)).status_code == 200
    assert (await desk.rows())["A"]["childIds"] == [b]


async def test_a_deletion_and_its_undo(desk: Desk) -> None:
    a, b, c = await desk.chain("A", "B", "C")
    gone = await desk.delete(b)
    row = (await desk.rows())["C"]
    assert (row["parentId"], row["depth"], row["treePath"]) == (a, 1, f"{a}/{c}")
    undone = await desk.undo(gone)
    assert undone.status_code == 200
    rows = await desk.rows()
    assert (rows["C"]["parentId"], rows["B"]["parentId"], rows["B"]["id"], rows["B"]["slug"]) == (
        b,
        a,
        b,
        "b",
    )
    assert rows["C"]["treePath"] == f"{a}/{b}/{c}"
    assert (await desk.redo(undone.json()["logId"])).status_code == 200
    assert (await desk.rows())["C"]["treePath"] == f"{a}/{c}"


async def test_the_children_of_a_deleted_root_become_roots(desk: Desk) -> None:
    a, b, _ = await desk.chain("A", "B", "C")
    await desk.delete(a)
    rows = await desk.rows()
    assert (rows["B"]["parentId"], rows["B"]["rootId"], rows["C"]["depth"]) == (None, b, 1)


async def test_a_creation_that_takes_children_in(desk: Desk) -> None:
    a, x = await desk.chain("A", "X")
    made = await desk.send("POST", "/directory/organizations", {"name": "New", "childIds": [x]})
    id = made.json()["id"]
    assert (await desk.rows())["X"]["parentId"] == id
    undone = await desk.undo(made)
    assert undone.status_code == 200
    assert (await desk.rows())["X"]["parentId"] == a
    assert "New" not in await desk.rows()
    redone = await desk.redo(undone.json()["logId"])
    assert redone.status_code == 200
    rows = await desk.rows()
    assert (rows["New"]["id"], rows["X"]["parentId"], rows["New"]["slug"]) == (id, id, "new")


async def test_children_are_replaced(desk: Desk) -> None:
    a = await desk.create("A")
    b, c, d = [await desk.create(name, parentId=a) for name in "BCD"]
    done = await desk.put(a, childIds=[d, b, b])
    assert (await desk.rows())["A"]["childIds"] == [b, d]
    assert (await desk.rows())["C"]["parentId"] is None
    await desk.put(a, childIds=[])
    assert (await desk.rows())["A"]["childIds"] == []
    refused = await desk.undo(done)
    assert (refused.status_code, refused.json()["code"]) == (400, "not_latest")


async def test_a_rename_sorts_the_children_anew(desk: Desk) -> None:
    a = await desk.create("A")
    b, c = [await desk.create(name, parentId=a) for name in "BC"]
    renamed = await desk.put(c, name="AAA")
    assert (await desk.rows())["A"]["childIds"] == [c, b]
    assert (await desk.undo(renamed)).status_code == 200
    assert (await desk.rows())["A"]["childIds"] == [b, c]


async def test_undo_beside_the_moves_of_others(desk: Desk, application: Application) -> None:
    """Siblings that came since do not stand in the way of an undo, and their paths are right after it."""
    a, x = await desk.chain("A", "X")
    freed = await desk.put(x, parentId=None)
    y = await desk.create("Y", parentId=x)
    await desk.create("Z", parentId=a)
    assert (await desk.undo(freed)).status_code == 200
    assert (await desk.rows())["Y"]["ancestorIds"] == [a, x]
    assert y in (await desk.rows())["A"]["descendantIds"]
    await assert_true_path(application, desk.tenant.id)


async def test_an_undo_that_would_make_a_circle_names_the_later_move(
    desk: Desk, application: Application
) -> None:
    a, x = await desk.chain("A", "X")
    freed = await desk.put(x, parentId=None)
    later = await desk.put(a, parentId=x)
    before = await exact_state_of(application.database, desk.tenant.id)
    refused = await desk.undo(freed)
    assert (refused.status_code, refused.json()["code"]) == (400, "changed_since")
    assert refused.json()["changedBy"]["logId"] == operation_of(later)["id"]
    assert await exact_state_of(application.database, desk.tenant.id) == before
    await assert_true_path(application, desk.tenant.id)


async def test_an_undo_under_a_parent_that_was_deleted_since(desk: Desk) -> None:
    p, x = await desk.chain("P", "X")
    freed = await desk.put(x, parentId=None)
    gone = await desk.delete(p)
    refused = await desk.undo(freed)
    assert (refused.status_code, refused.json()["code"]) == (400, "changed_since")
    assert refused.json()["changedBy"]["logId"] == operation_of(gone)["id"]
    assert (await desk.undo(gone)).status_code == 200
    assert (await desk.undo(freed)).status_code == 200


async def test_a_creation_that_others_hang_on_cannot_be_undone(desk: Desk) -> None:
    made = await desk.send("POST", "/directory/organizations", {"name": "P"})
    await desk.create("X", parentId=made.json()["id"])
    refused = await desk.undo(made)
    assert (refused.status_code, refused.json()["code"]) == (400, "in_use")


async def test_no_tree_is_too_deep(desk: Desk, application: Application) -> None:
    scope, bus = desk.tenant.admin.scope, application.bus
    parent: UUID | None = None
    for number in range(MAX_DEPTH + 1):
        parent = (await bus.execute(CreateOrganization(name=str(number), parent_id=parent), scope)).result[
            "id"
        ]
    refused = await desk.send(
        "POST", "/directory/organizations", {"name": "one more", "parentId": str(parent)}
    )
    assert (refused.status_code, refused.json()["code"]) == (400, "too_deep")
    assert (await desk.get("/directory/organizations", view="tree")).status_code == 200
    assert (await desk.get("/directory/organization-switcher")).status_code == 200


async def test_fifty_moves_at_once_leave_a_tree(desk: Desk, application: Application) -> None:
    scope, bus = desk.tenant.admin.scope, application.bus
    ids = [(await bus.execute(CreateOrganization(name=f"N{n}"), scope)).result["id"] for n in range(50)]
    chance = random.Random(50)

    async def move(id: UUID) -> str:
        try:
            await bus.execute(UpdateOrganization(id=id, parent_id=chance.choice(ids)), scope)
        except Problem as problem:
            assert problem.status == 400, problem.body
            return "refused"
        return "moved"

    outcomes = await asyncio.gather(*(move(id) for id in ids))
    assert "moved" in outcomes
    await assert_true_path(application, desk.tenant.id)
    await assert_proven(application, desk.tenant.id)


class Walk:
    """Random commands, undos and redos on one tree; after each step the stored path must be true."""

    def __init__(self, application: Application, scope: Scope, data: st.DataObject) -> None:
        self.application, self.bus, self.scope, self.data = application, application.bus, scope, data
        self.done: list[tuple[UUID, str]] = []
        self.undone: list[UUID] = []

    def draw(self, strategy: Any, label: str) -> Any:
        return self.data.draw(strategy, label=label)

    async def step(self) -> None:
        kind = self.draw(
            st.sampled_from(["create", "move", "move", "move", "delete", "undo", "undo", "redo"]), "step"
        )
        before = await exact_state_of(self.application.database, self.scope.tenant_id)
        try:
            if kind == "undo" and self.done:
                log_id, token = self.draw(st.sampled_from(self.done), "undo of")
                await self.bus.undo(token, self.scope)
                self.undone.append(log_id)
            elif kind == "redo" and self.undone:
                outcome = await self.bus.redo(self.draw(st.sampled_from(self.undone), "redo of"), self.scope)
                self.done.append((outcome.log.id, outcome.log.undo_token))
            else:
                kind = "move" if kind in ("undo", "redo") else kind
                outcome = await self.bus.execute(await self.command(kind), self.scope)
                if outcome.log is not None:
                    self.done.append((outcome.log.id, outcome.log.undo_token))
            event(f"{kind}: done")
        except Problem as problem:
            event(f"{kind}: {problem.code or problem.status}")
            assert problem.status in (400, 404), problem.body
            assert await exact_state_of(self.application.database, self.scope.tenant_id) == before
        await assert_true_path(self.application, self.scope.tenant_id)

    async def command(self, kind: str) -> Any:
        world: World = await world_of(self.application.database, self.scope.tenant_id)
        ids = st.sampled_from(world.ids("organizations", deleted_at=None))
        names = st.sampled_from(["a", "B", "c", "Ä", "d d"])
        if kind == "delete":
            return DeleteOrganization(id=self.draw(ids, "id"))
        parent = self.draw(st.none() | ids, "parent")
        children = self.draw(st.lists(ids, max_size=2), "children")
        if kind == "create":
            return CreateOrganization(name=self.draw(names, "name"), parent_id=parent, child_ids=children)
        id = self.draw(ids, "id")
        match self.draw(st.sampled_from(["parent", "children", "name"]), "what"):
            case "parent":
                return UpdateOrganization(id=id, parent_id=parent)
            case "children":
                return UpdateOrganization(id=id, child_ids=children)
            case _:
                return UpdateOrganization(id=id, name=self.draw(names, "name"))


@settings(
    max_examples=WALKS or 25,
    derandomize=not WALKS,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
async def test_whatever_is_done_undone_and_redone_the_stored_path_is_true(
    application: Application, data: st.DataObject
) -> None:
    tenant = await new_tenant(application)
    walk = Walk(application, tenant.superadmin.scope, data)
    made: list[UUID | None] = [None]
    for name in "abcdef":
        command = CreateOrganization(name=name, parent_id=walk.draw(st.sampled_from(made), "parent"))
        made.append((await walk.bus.execute(command, walk.scope)).result["id"])
    for _ in range(data.draw(st.integers(4, 20), label="steps")):
        await walk.step()
    await assert_proven(application, tenant.id)
