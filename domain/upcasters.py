"""Old row images meet new tables: what turns a log row of an earlier schema into one of today's.

A migration that renames, splits, retypes or drops something that row images hold raises SCHEMA_REVISION by one, and
declares here, in the module that the table belongs to, how an image of the revision before becomes one of it. Nothing
in the log is ever rewritten: undo, redo, the views of the audit log and replay read it through `current`.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from domain.snapshots import decode, encode

SCHEMA_REVISION = 1
"""Of the row images and inputs that are recorded from now on."""

Columns = dict[str, Any]
"""Columns of a row by name, as decoded JSON (fractions as Decimal)."""

Upcaster = Callable[[Columns], Columns]
"""Takes some or all columns of a row (an update's image has only those that changed) and gives them in the next form.

It must not assume that a column is there, and must not depend on anything but its argument.
"""

_images: dict[tuple[str, int], Upcaster] = {}
_tables: dict[tuple[str, int], str | None] = {}
_inputs: dict[tuple[str, int], Upcaster] = {}
_changes = msgspec.json.Decoder(list[dict[str, Raw]])
_columns = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode
_SIDES = ("k", "b", "a", "u")


def upcasts(table: str, from_rev: int) -> Callable[[Upcaster], Upcaster]:
    """Declare how images of a table, as it was called in revision `from_rev`, become those of the next one."""

    def register(upcaster: Upcaster) -> Upcaster:
        _images[table, from_rev] = upcaster
        return upcaster

    return register


def upcasts_input(command_id: str, from_rev: int) -> Callable[[Upcaster], Upcaster]:
    """Declare how the recorded input (in wire form) of a command becomes that of the next revision."""

    def register(upcaster: Upcaster) -> Upcaster:
        _inputs[command_id, from_rev] = upcaster
        return upcaster

    return register


def moves_table(table: str, from_rev: int, to: str | None) -> None:
    """Declare that a table has another name after revision `from_rev`; None: it is gone, and so are its changes."""
    _tables[table, from_rev] = to


def current(changes: str, rev: int) -> str:
    """The row changes of a log row (JSON array text) in the form of today's tables.

    What no upcaster touches keeps its text, byte for byte: images are compared as text.
    """
    if rev >= SCHEMA_REVISION:
        return changes
    found = _changes.decode(changes)
    for revision in range(rev, SCHEMA_REVISION):
        found = [moved for change in found if (moved := _next(change, revision)) is not None]
    return _encode(found).decode()


def current_input(command_id: str, recorded: str, rev: int) -> str:
    """The recorded input of a command (JSON text) in the form of today's command."""
    if rev >= SCHEMA_REVISION or not any((command_id, r) in _inputs for r in range(rev, SCHEMA_REVISION)):
        return recorded
    found = decode(recorded)
    for revision in range(rev, SCHEMA_REVISION):
        upcaster = _inputs.get((command_id, revision))
        found = upcaster(found) if upcaster else found
    return encode(found).decode()


def _next(change: dict[str, Raw], revision: int) -> dict[str, Raw] | None:
    """One row change in the form of the next revision; None when its table is gone."""
    table = _text.decode(change["t"])
    upcaster = _images.get((table, revision))
    moved = _tables.get((table, revision), table)
    if moved is None:
        return None
    out = change | {"t": Raw(_encode(moved))}
    for side in _SIDES if upcaster else ():
        if upcaster is not None and side in change and bytes(change[side]) != b"null":
            out[side] = _upcast(upcaster, change[side])
    return out


def _upcast(upcaster: Upcaster, image: Raw) -> Raw:
    """An image in its next form; a value that the upcaster passed on keeps its text."""
    texts = _columns.decode(image)
    values = {column: decode(text) for column, text in texts.items()}
    passed_on = {id(value): texts[column] for column, value in values.items()}
    made = upcaster(dict(values))
    out = {
        column: passed_on.get(id(value)) or Raw(msgspec.json.format(encode(value), indent=0))
        for column, value in made.items()
    }
    return Raw(_encode(out))
