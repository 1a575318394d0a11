"""Any command can be undone and redone exactly, and at any time the log explains the tables and the index.

Random walks over the whole registry of commands. `WALKS=2000 pytest tests/heart/test_properties.py` walks
longer, and elsewhere each time; `SHRINK=1` looks for the shortest walk that fails, which takes minutes.
"""

import os
from typing import TypeVar
from uuid import UUID

import msgspec
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from app.main import Application
from commands.bus import Outcome
from commands.dictionaries import CreateDictionary, CreateEntry
from commands.registry import Command
from domain.errors import Problem
from domain.scope import Options, Scope
from tests import generators
from tests.conftest import new_tenant
from tests.heart.proofs import State, assert_proven, differing, exact_state_of, state_of, world_of

WALKS = int(os.environ.get("WALKS", "0"))
SHRINK = bool(os.environ.get("SHRINK"))
walks = settings(
    max_examples=WALKS or 40,
    derandomize=not WALKS,
    database=None,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink] if SHRINK else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)
DRY = Options(dry_run=True)
T = TypeVar("T")


class Done(Struct):
    """A log row that could be reversed: its token, and who did it."""

    log_id: UUID
    token: str
    scope: Scope


class Walk:
    """One random walk: commands, undos and redos by two people of a tenant, and what is known of them."""

    def __init__(self, application: Application, actors: dict[str, Scope], data: st.DataObject) -> None:
        self.application = application
        self.bus = application.bus
        self.tenant_id = actors["admin"].tenant_id
        self.actors = actors
        self.data = data
        self.names: dict[str, str] = {}
        self.done: list[Done] = []
        self.spent: list[Done] = []

    def any_of(self, items: list[T], label: str) -> T:
        return self.data.draw(st.sampled_from(items), label=label)

    def recent(self, items: list[Done]) -> Done:
        return items[-self.data.draw(st.integers(1, min(len(items), 6)), label="how long ago")]

    def actor(self) -> Scope:
        return self.actors[self.any_of(sorted(self.actors), "actor")]

    async def state(self) -> State:
        return await state_of(self.application.database, self.tenant_id)

    async def exactly(self) -> State:
        return await exact_state_of(self.application.database, self.tenant_id)

    async def command(self) -> Command:
        world = await world_of(self.application.database, self.tenant_id, self.names)
        return self.data.draw(generators.commands(world), label="command")

    async def execute(self, dry: bool = False) -> Done | None:
        """Give a random command; what was refused, dry or without effect must have changed nothing."""
        command, scope = await self.command(), self.actor()
        before = await self.exactly()
        try:
            outcome = await self.bus.execute(command, scope, DRY if dry else Options())
            event(f"{type(command).__name__}: {'dry' if dry else 'done' if outcome.log else 'no change'}")
        except Problem as problem:
            assert 400 <= problem.status < 500, problem.body
            event(f"{type(command).__name__}: {problem.status}")
            outcome = Outcome(None)
        if outcome.log is None:
            assert differing(before, await self.exactly()) == {}
            return None
        return self.note(outcome, scope)

    def note(self, outcome: Outcome, scope: Scope) -> Done:
        assert outcome.log is not None and outcome.log.undo_token is not None
        done = Done(outcome.log.id, outcome.log.undo_token, scope)
        self.done.append(done)
        return done

    async def undo(self, done: Done, scope: Scope) -> bool:
        """Try to take a log row back; a refusal must have changed nothing."""
        before = await self.exactly()
        try:
            outcome = await self.bus.undo(done.token, scope)
        except Problem as problem:
            assert problem.status == 400 and problem.code, problem.body
            event(f"undo: {problem.code}")
            assert differing(before, await self.exactly()) == {}
            return False
        assert outcome.log is not None and outcome.log.undo_token is None
        assert done not in self.spent, "a token worked twice"
        self.spent.append(done)
        return True

    async def redo(self, done: Done, scope: Scope) -> Done | None:
        """Try to put an undone log row forward again; a refusal must have changed nothing."""
        before = await self.exactly()
        try:
            outcome = await self.bus.redo(done.log_id, scope)
        except Problem as problem:
            assert problem.status == 400 and problem.code, problem.body
            event(f"redo: {problem.code}")
            assert differing(before, await self.exactly()) == {}
            return None
        return self.note(outcome, scope)

    async def wander(self, steps: int) -> None:
        """Commands, and undos and redos in any order by anybody: some are refused, none may do harm."""
        for _ in range(steps):
            match self.any_of(["command", "command", "command", "dry", "undo", "undo", "redo"], "step"):
                case "undo" if self.done:
                    await self.undo(self.recent(self.done), self.actor())
                case "redo" if self.spent:
                    await self.redo(self.recent(self.spent), self.actor())
                case step:
                    await self.execute(dry=step == "dry")

    async def pile_up(self, steps: int) -> list[Done]:
        """Commands, and undos and redos of the newest only: returns what is done and can be taken back in turn."""
        pile: list[Done] = []
        undone: list[Done] = []
        for _ in range(steps):
            match self.any_of(["command", "command", "command", "undo", "redo"], "step"):
                case "undo" if pile:
                    assert await self.undo(pile[-1], pile[-1].scope), "the newest action can be undone"
                    undone.append(pile.pop())
                case "redo" if undone:
                    if (again := await self.redo(undone[-1], undone[-1].scope)) is not None:
                        undone.pop()
                        pile.append(again)
                case _:
                    if (done := await self.execute()) is not None:
                        pile.append(done)
        return pile


async def started(application: Application, data: st.DataObject) -> Walk:
    """A walk through a fresh tenant with two dictionaries, by its admin and its super admin."""
    tenant = await new_tenant(application)
    walk = Walk(application, {"admin": tenant.admin.scope, "superadmin": tenant.superadmin.scope}, data)
    for key in ("colors", "sizes"):
        made = await walk.bus.execute(CreateDictionary(key=key, name=key), tenant.admin.scope)
        id = UUID(msgspec.json.decode(made.result["id"]))
        for value in ("red", "blue", "Straße"):
            await walk.bus.execute(CreateEntry(dictionary_id=id, value=value), tenant.superadmin.scope)
    return walk


def test_every_undoable_command_has_a_generator() -> None:
    assert generators.without_generator() == []


@walks
@given(data=st.data())
async def test_given_any_history_when_all_is_undone_and_redone_then_every_row_is_as_it_was(
    application: Application, data: st.DataObject
) -> None:
    walk = await started(application, data)
    await walk.wander(data.draw(st.integers(2, 14), label="steps before"))
    await assert_proven(application, walk.tenant_id)

    first = await walk.state()
    pile = await walk.pile_up(data.draw(st.integers(2, 14), label="steps"))
    last = await walk.state()
    await assert_proven(application, walk.tenant_id)

    for done in reversed(pile):
        assert await walk.undo(done, done.scope), "undone newest first, everything can be undone"
    assert differing(first, await walk.state()) == {}
    await assert_proven(application, walk.tenant_id)

    for done in pile:
        assert await walk.redo(done, done.scope), "redone oldest first, everything can be redone"
    assert differing(last, await walk.state()) == {}
    await assert_proven(application, walk.tenant_id)

    for done in walk.spent:
        assert not await walk.undo(done, done.scope), "a token works once"
