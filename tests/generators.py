"""Random commands: one generator for each command that can be undone, in `tests/<module>/generators*.py`.

A generator is given the rows that stand in a tenant and answers with a strategy of commands over them, most of them
possible, some of them not (unknown ids, taken values). An undoable command without one fails the property test.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import UNSET, Struct

from commands.batch import Batch, Step
from commands.registry import Command, Definition, definition, definition_of, definitions

Rows = Sequence[Mapping[str, Any]]
T = TypeVar("T")

UNKNOWN = UUID("00000000-dead-4bad-8000-000000000000")


class World(Struct, frozen=True):
    """What stands in a tenant: table to rows, each as its column values."""

    rows: Mapping[str, Rows]
    names: Mapping[str, str] = {}
    """Names by id, of rows whose names are sealed by now: how they are sealed is another in each run."""

    def ids(self, table: str, **wanted: Any) -> list[UUID]:
        """The ids of the rows of a table whose columns are as `wanted`."""
        return [UUID(str(row["id"])) for row in self.matching(table, **wanted)]

    def matching(self, table: str, **wanted: Any) -> list[Mapping[str, Any]]:
        """The rows of a table whose columns are as `wanted`, oldest first.

        Rows of one command are in the order of their names, because that of their ids is another in each run.
        """
        found = [row for row in self.rows[table] if all(row[key] == value for key, value in wanted.items())]
        return sorted(found, key=self._place)

    def _place(self, row: Mapping[str, Any]) -> list[str]:
        name = self.names.get(str(row["id"]), row.get("name"))
        return [str(value) for value in (row.get("created_at"), name, row.get("email"))]


Generator = Callable[[World], SearchStrategy[Command]]

_generators: dict[str, Generator] = {}


def generates(command: type[Command]) -> Callable[[Generator], Generator]:
    """Declare the generator of a command type."""

    def register(generator: Generator) -> Generator:
        _generators[definition_of(command).id] = generator
        return generator

    return register


def undoable_commands() -> list[Definition]:
    """Every command that a person may give and that can be undone."""
    return [kind for kind in definitions() if kind.undoable and not kind.system_only]


@cache
def load() -> None:
    """Import the generators of all modules."""
    for found in sorted(Path(__file__).parent.glob("*/generators*.py")):
        import_module(f"tests.{found.parent.name}.{found.stem}")


def without_generator() -> list[str]:
    """The ids of undoable commands that nobody wrote a generator for."""
    load()
    return [kind.id for kind in undoable_commands() if kind.id not in _generators]


def commands(world: World) -> SearchStrategy[Command]:
    """Any command, over what stands in the tenant."""
    load()
    return st.sampled_from(sorted(_generators)).flatmap(lambda id: _generators[id](world))


# Values

WORDS = ["red", "Red", " RED", "blue", "Ünïcödé", "straße", "STRASSE", "İstanbul", "ı", "ﬁ", "e\u0301"]
QUOTED = ["a'b\"c\\d", "😀", "null", "1.10"]
texts = st.sampled_from(WORDS + QUOTED) | st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12
).map(lambda text: text.strip() or "x")


def maybe(strategy: SearchStrategy[T]) -> SearchStrategy[Any]:
    """The value, or nothing said about it."""
    return st.just(UNSET) | strategy


def one_of_ids(ids: Sequence[UUID]) -> SearchStrategy[UUID]:
    """One of the ids; rarely one that does not exist."""
    known = st.sampled_from(ids) if ids else st.just(UNKNOWN)
    return st.integers(0, 15).flatmap(lambda n: st.just(UNKNOWN) if n == 0 else known)


custom_keys = st.sampled_from(("size", "color", "note", "estimated_seats", "Strange key"))
custom_scalars: SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.sampled_from((0.1, 2.5, "b", "", "<b>x</b>"))
    | texts
)
custom_values = custom_scalars | st.lists(custom_scalars, max_size=3) | st.just({"deep": [1, None]})


def some_custom() -> SearchStrategy[Any]:
    """Values of custom fields for a command; more often than not nothing is said about them."""
    return st.just(UNSET) | st.just(UNSET) | st.dictionaries(custom_keys, custom_values, max_size=3)


# Batches


@generates(Batch)
def batch(world: World) -> SearchStrategy[Command]:
    """Some commands as one; they are chosen over the rows from before the batch."""
    single = st.sampled_from(sorted(id for id in _generators if _may_be_a_step(id)))
    step = single.flatmap(lambda id: _generators[id](world)).map(as_step)
    return st.builds(Batch, commands=st.lists(step, min_size=1, max_size=4), label=st.none() | texts)


def _may_be_a_step(command_id: str) -> bool:
    kind = definition(command_id)
    return kind is not None and kind.type is not Batch and not kind.secrets


def as_step(command: Command) -> Step:
    """A command as a step of a batch."""
    return Step(command=definition_of(type(command)).id, input=msgspec.to_builtins(command))
