"""Batches of commands, and the catalogue of what can be commanded. Ours: the documented API has neither."""

from typing import Any

import msgspec
from litestar import Response
from msgspec import Struct

from app.http.call import Call
from app.http.decode import trimmed
from app.http.identity import require_valid_selection
from app.http.operation import Answer, operation
from commands import registry
from commands.batch import Batch, Step

TAG = "Commands"


class Refused(Struct):
    """Why it was refused; `step` is the number of the command, from 0."""

    error: str
    step: int | None = None


class Results(Struct):
    """What each command of a batch answered, in order."""

    ok: bool
    results: list[Any]


class CommandType(Struct, rename="camel"):
    """One command that the server knows."""

    id: str
    label: str
    resource: str
    features: list[str]
    undoable: bool
    logged: bool
    why: str | None


class CommandTypes(Struct):
    """All commands, by id."""

    items: list[CommandType]


@operation(
    "POST",
    "/commands/batch",
    tag=TAG,
    summary="Run several commands as one operation",
    description="All or nothing, in one transaction, with one log row and one undo token.",
    body=Batch,
    example={
        "label": "Two colours",
        "commands": [
            {
                "command": "dictionaries.entries.create",
                "input": {"dictionaryId": "00000000-0000-4000-8000-000000000000", "value": "red"},
            }
        ],
    },
    answers={
        200: Answer(Results, "Everything was done.", headers={"x-om-operation": "Log row and undo token."}),
        400: Answer(Refused, "A command is unknown or its input is invalid; nothing was done"),
        403: Answer(Refused, "A command needs features that the caller lacks; nothing was done"),
        404: Answer(Refused, "A record was not found; nothing was done"),
        409: Answer(Refused, "A conflict; nothing was done"),
    },
)
async def run_batch(call: Call[Batch]) -> Response[Any]:
    """200 with the results."""
    require_valid_selection(call.scope)
    steps = [_trimmed(step) for step in call.body.commands]
    return call.answer(await call.execute(msgspec.structs.replace(call.body, commands=steps)))


def _trimmed(step: Step) -> Step:
    """A step as its own operation would have read it; an unknown command is left for the batch to refuse."""
    kind = registry.definition(step.command)
    return step if kind is None else msgspec.structs.replace(step, input=trimmed(kind.type, step.input))


@operation(
    "GET",
    "/commands",
    tag=TAG,
    summary="List commands",
    description="Every command with its features, and the reason of each that cannot be undone or is not logged.",
    answers={200: Answer(CommandTypes, "All commands.")},
)
async def list_commands(call: Call[None]) -> Response[Any]:
    """200 with the catalogue."""
    items = [
        CommandType(d.id, d.label, d.resource, list(d.features), d.undoable, d.logged, d.why)
        for d in registry.definitions()
        if not d.system_only
    ]
    return call.json(CommandTypes(items))
