"""Every command that exists, by declaration."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from commands.unit import Unit


class Command(Struct, frozen=True, kw_only=True, rename="camel"):
    """An intent and its data. Camel case on the wire; immutable."""

    def recorded(self) -> dict[str, Any]:
        """The data in wire form, as the log keeps it (secrets are taken out by the bus)."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data

    def about(self) -> str | None:
        """The kind of the record that it is logged for, where that is not the same for every such command."""
        return None


Handler = Callable[[Any, Unit], Awaitable[Any]]
Preparer = Callable[[Any, Unit], Awaitable[None]]
Guard = Callable[[Unit], Awaitable[None]]


class Outcome(Struct, frozen=True):
    """What a recorded command left of one row, which may be gone: its table, all columns as they were found (none for
    a new row) and as they were left (none for a deleted row), and which of them it changed.
    """

    table: str
    found: dict[str, Any]
    row: dict[str, Any]
    changed: frozenset[str]


Reviver = Callable[[dict[str, Any], Sequence[Outcome]], dict[str, Any] | str]


class Definition(Struct, frozen=True):
    """What the bus must know of a command."""

    id: str
    type: type[Command]
    resource: str
    label: str
    features: tuple[str, ...]
    undoable: bool
    logged: bool
    why: str | None
    target: str | None
    system_only: bool
    secrets: frozenset[str]


_by_id: dict[str, Definition] = {}
_by_type: dict[type[Command], Definition] = {}
_handlers: dict[type[Command], Handler] = {}
_preparers: dict[type[Command], Preparer] = {}
_guards: dict[str, list[Guard]] = {}
_piecewise: set[Guard] = set()
_revivers: dict[type[Command], Reviver] = {}

C = TypeVar("C", bound=Command)


def command(
    id: str,
    *,
    resource: str,
    label: str,
    features: tuple[str, ...] = (),
    undoable: bool = True,
    logged: bool = True,
    why: str | None = None,
    target: str | None = None,
    system_only: bool = False,
) -> Callable[[type[C]], type[C]]:
    """Declare a command.

    `features` are checked by the bus, on undo and redo too. `target` names the field that holds the resource id;
    without it, the id is that of the first row of the resource that the command touches. A command that cannot be
    undone, or is not logged, says `why`. `system_only` ones are never accepted from a person or an API key.
    """
    if not (undoable and logged) and not why:
        raise ValueError(f"{id} is an exception and must say why")

    def register(cls: type[C]) -> type[C]:
        secrets = frozenset(_secret_fields(cls))
        definition = Definition(
            id, cls, resource, label, features, undoable and logged, logged, why, target, system_only, secrets
        )
        _by_id[id] = definition
        _by_type[cls] = definition
        return cls

    return register


def handles(
    cls: type[C],
) -> Callable[[Callable[[C, Unit], Awaitable[Any]]], Callable[[C, Unit], Awaitable[Any]]]:
    """Declare the handler of a command type."""

    def register(handler: Callable[[C, Unit], Awaitable[Any]]) -> Callable[[C, Unit], Awaitable[Any]]:
        _handlers[cls] = handler
        return handler

    return register


def prepares(cls: type[C]) -> Callable[[Preparer], Preparer]:
    """Declare what a command may do before it waits for its tenant's lock, in its own transaction: long reading.

    Nothing that it found need be true any more when the handler runs, and the handler must do without it. It raises no
    Problem. A dry run of such a command does not wait for the lock at all.
    """

    def register(preparer: Preparer) -> Preparer:
        _preparers[cls] = preparer
        return preparer

    return register


def preparer_of(cls: type[Command]) -> Preparer | None:
    """What a command may do before it waits, if anything."""
    return _preparers.get(cls)


def revives(cls: type[Command]) -> Callable[[Reviver], Reviver]:
    """Declare how replay completes the recorded input of a command whose input is not recorded as a whole.

    The function is given the recorded input in wire form and what the command left of the rows that it changed. It
    answers with the whole input, or says (as text) why the command cannot be executed again. Without a declaration, a
    secret field is the column of the same name in the row of the command's resource.
    """

    def register(reviver: Reviver) -> Reviver:
        _revivers[cls] = reviver
        return reviver

    return register


def reviver_of(cls: type[Command]) -> Reviver | None:
    """The declared completion of a command's recorded input, if any."""
    return _revivers.get(cls)


def guards(*tables: str, piecewise: bool = False) -> Callable[[Guard], Guard]:
    """Declare what must hold whenever rows of these tables were changed, by whichever command, undo or redo.

    The guard is asked in the transaction, when everything is written and nothing is committed: `unit.changes` says what
    was done, queries see the outcome. It raises Problem to refuse all of it. One that looks at each change for itself
    is `piecewise`: a command that touches very many rows asks it of some at a time.
    """

    def register(guard: Guard) -> Guard:
        for table in tables:
            _guards.setdefault(table, []).append(guard)
        if piecewise:
            _piecewise.add(guard)
        return guard

    return register


def guards_of(tables: Iterable[str]) -> list[Guard]:
    """The guards of any of these tables, each once."""
    return list(dict.fromkeys(guard for table in sorted(tables) for guard in _guards.get(table, ())))


def is_piecewise(guard: Guard) -> bool:
    """Whether a guard may be asked of some changes at a time."""
    return guard in _piecewise


def definition_of(cls: type[Command]) -> Definition:
    """The definition of a command type."""
    return _by_type[cls]


def definition(command_id: str) -> Definition | None:
    """The definition of a command id, if it exists."""
    return _by_id.get(command_id)


def handler_of(cls: type[Command]) -> Handler:
    """The handler of a command type."""
    return _handlers[cls]


def definitions() -> list[Definition]:
    """All commands, by id."""
    return [_by_id[key] for key in sorted(_by_id)]


def check() -> None:
    """Refuse to start with a command that nobody handles."""
    orphans = [d.id for d in definitions() if d.type not in _handlers]
    if orphans:
        raise RuntimeError(f"commands without a handler: {', '.join(orphans)}")


def recorded_input(definition: Definition, command: Command) -> dict[str, Any]:
    """The command's data as the log keeps it: in wire form, without the fields marked secret."""
    data = command.recorded()
    return {key: value for key, value in data.items() if key not in definition.secrets}


def _secret_fields(cls: type[Struct]) -> list[str]:
    hints = get_type_hints(cls, include_extras=True)
    wire = {field.name: field.encode_name for field in msgspec.structs.fields(cls)}
    return [wire[name] for name, hint in hints.items() if name in wire and _is_secret(hint)]


def _is_secret(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return any(isinstance(m, Meta) and m.extra and m.extra.get("secret") for m in get_args(hint)[1:])
    return any(_is_secret(part) for part in get_args(hint))
