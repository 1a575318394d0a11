"""From a recorded input back to the command.

Most inputs are recorded as they came. Secret fields are left out of the log; what they led to stands in the row images,
so it is from there that they are taken, unless the command says otherwise (`commands.registry.revives`).
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import NODEFAULT, Raw

from commands.batch import Batch
from commands.registry import Command, Definition, Outcome, definition, reviver_of
from commands.replay.log import LogRow
from commands.sealing import Seals
from domain.encryption.tokens import ERASED, hides_token, open_value
from domain.resources import Row, resource_of_kind
from domain.upcasters import current_input


class Unrepeatable(Exception):
    """The command cannot be executed again, for a reason that lies in the record and is no fault."""


def command_of(kind: Definition, row: LogRow, left: Sequence[Outcome], seals: Seals | None = None) -> Command:
    """The command that a log row records; `seals` opens what is sealed in it.

    Raises Unrepeatable, and msgspec.ValidationError when today's command does not take the recorded input.
    """
    text = current_input(kind.id, row.input or "{}", row.schema_rev)
    recorded: dict[str, Any] = msgspec.json.decode(text)
    if kind.type is Batch:
        _upcast_steps(recorded, row.schema_rev)
    reviver = reviver_of(kind.type)
    whole = reviver(recorded, left) if reviver is not None else _with_secrets(kind, recorded, left)
    if isinstance(whole, str):
        raise Unrepeatable(whole)
    if seals is not None:
        whole = open_value(whole, lambda token: _opened(seals, token))
    if hides_token(whole):
        raise Unrepeatable("its input is sealed with a key that there is no more")
    return msgspec.convert(whole, kind.type)


def _opened(seals: Seals, token: str) -> Raw | None:
    value = seals.read(token)
    return None if value is ERASED else value


def outcomes(row: LogRow, found: dict[tuple[str, str], Row]) -> list[Outcome]:
    """What a log row left of each row that it changed; `found` are those rows as they are before it."""
    rows: dict[tuple[str, str], tuple[Row, Row, set[str]]] = {}
    for change in row.changes:
        place = (change.t, bytes(change.k["id"])[1:-1].decode())
        before, after, changed = rows.get(place) or (found.get(place, {}), found.get(place, {}), set())
        if change.o == "d":
            rows[place] = before, {}, changed | (change.b or {}).keys()
        else:
            rows[place] = before, after | (change.a or {}), changed | (change.a or {}).keys()
    return [
        Outcome(table, _decoded(before), _decoded(after), frozenset(changed))
        for (table, _), (before, after, changed) in rows.items()
    ]


def _decoded(row: Row) -> dict[str, Any]:
    return {column: msgspec.json.decode(value) for column, value in row.items()}


def _with_secrets(
    kind: Definition, recorded: dict[str, Any], left: Sequence[Outcome]
) -> dict[str, Any] | str:
    """The input with each secret field taken from the column of its name."""
    if not kind.secrets:
        return recorded
    resource = resource_of_kind(kind.resource)
    own = next((one for one in left if resource is not None and one.table == resource.name), None)
    whole = dict(recorded)
    for field in msgspec.structs.fields(kind.type):
        if field.encode_name not in kind.secrets:
            continue
        if own is not None and field.name in own.changed:
            whole[field.encode_name] = own.row[field.name]
        elif field.default is NODEFAULT:
            return f"its input {field.encode_name} is secret"
    return whole


def _upcast_steps(recorded: dict[str, Any], rev: int) -> None:
    """The inputs of a batch's steps in today's form."""
    for step in recorded.get("commands", ()):
        if definition(step["command"]) is not None:
            text = msgspec.json.encode(step["input"]).decode()
            step["input"] = msgspec.json.decode(current_input(step["command"], text, rev))
