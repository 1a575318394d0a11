"""Random commands of all kinds, by several clients at once."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis.control import BuildContext
from hypothesis.errors import StopTest, UnsatisfiedAssumption
from hypothesis.internal.conjecture.data import ConjectureData
from hypothesis.strategies import SearchStrategy
from msgspec import Struct

from app.database import Database
from commands.bus import Bus
from commands.dictionaries import CreateDictionary, CreateEntry
from commands.registry import Command
from domain.errors import Problem
from domain.scope import Scope
from tests import generators
from tests.conftest import Tenant
from tests.heart.proofs import world_of
from tests.heart.scenes import id_of


class Undoable(Struct):
    """A log row that may be reversed."""

    log_id: Any
    token: str
    scope: Scope


def drawn(strategy: SearchStrategy[Any], chance: random.Random) -> Any:
    """A value of a strategy, by a seeded generator: an example outside of a property test."""
    while True:
        data = ConjectureData(prefix=(), random=random.Random(chance.random()))
        try:
            with BuildContext(data, is_final=True, wrapped_test=drawn):
                return data.draw(strategy)
        except (StopTest, UnsatisfiedAssumption):
            continue


class Storm:
    """What several clients do to some tenants; `counts` says what came of it, by kind of action and outcome."""

    def __init__(self, bus: Bus, database: Database, tenants: Sequence[Tenant], seed: int) -> None:
        self.bus = bus
        self.database = database
        self.scopes = [scope for t in tenants for scope in (t.admin.scope, t.superadmin.scope)]
        self.seed = seed
        self.left = 0
        self.counts: Counter[str] = Counter()
        self.kinds: set[str] = set()
        self._done: list[Undoable] = []
        self._spent: list[Undoable] = []
        self._worlds: dict[Any, tuple[int, generators.World]] = {}

    async def begin(self) -> None:
        """Something to work on in each tenant."""
        for scope in self.scopes[::2]:
            for key in ("colors", "sizes"):
                made = await self.bus.execute(CreateDictionary(key=key, name=key), scope)
                id = id_of(made)
                for value in ("red", "blue", "Straße"):
                    await self.bus.execute(CreateEntry(dictionary_id=id, value=value), scope)

    async def blow(self, actions: int, clients: int = 8) -> None:
        """So many actions, by so many clients at once. Refusals are fine, faults are not."""
        self.left = actions
        await asyncio.gather(*(self._client(random.Random(f"{self.seed}.{n}")) for n in range(clients)))

    async def _client(self, chance: random.Random) -> None:
        while self.left > 0:
            self.left -= 1
            scope = chance.choice(self.scopes)
            action = chance.choice(("do", "do", "do", "undo", "redo"))
            try:
                if action == "undo" and self._done:
                    await self._undo(chance)
                elif action == "redo" and self._spent:
                    await self._redo(chance)
                else:
                    await self._do(chance, scope)
            except Problem as problem:
                assert 400 <= problem.status < 500, problem.body
                self.counts["refused"] += 1

    async def _do(self, chance: random.Random, scope: Scope) -> None:
        command: Command = drawn(generators.commands(await self._world(scope)), chance)
        outcome = await self.bus.execute(command, scope)
        if outcome.log is None or outcome.log.undo_token is None:
            self.counts["no change"] += 1
            return
        self.kinds.add(outcome.log.command_id)
        self.counts["done"] += 1
        self._done.append(Undoable(outcome.log.id, outcome.log.undo_token, scope))

    async def _undo(self, chance: random.Random) -> None:
        one = self._done[-chance.randint(1, min(6, len(self._done)))]
        await self.bus.undo(one.token, one.scope)
        self._spent.append(one)
        self.counts["undone"] += 1

    async def _redo(self, chance: random.Random) -> None:
        one = self._spent[-chance.randint(1, min(6, len(self._spent)))]
        outcome = await self.bus.redo(one.log_id, one.scope)
        assert outcome.log is not None and outcome.log.undo_token is not None
        self._done.append(Undoable(outcome.log.id, outcome.log.undo_token, one.scope))
        self.counts["redone"] += 1

    async def _world(self, scope: Scope) -> generators.World:
        """The rows of the tenant, a few actions old."""
        age, world = self._worlds.get(scope.tenant_id, (0, None))
        if world is None or age >= 5:
            age, world = 0, await world_of(self.database, scope.tenant_id)
        self._worlds[scope.tenant_id] = age + 1, world
        return world
