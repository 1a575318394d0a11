"""Several commands as one operation: one transaction, one log row, one undo token."""

from typing import Annotated, Any

import asyncpg
import msgspec
from msgspec import Meta

from commands.conflicts import conflict_of
from commands.registry import Command, Definition, command, definition, handler_of, handles
from commands.unit import Unit
from domain.errors import Problem

MOST = 1_000
"""Commands that one batch may hold; group larger work by a correlation id."""


class Step(Command, frozen=True, kw_only=True, rename="camel"):
    """One command of a batch, by its id and its input in wire form."""

    command: Annotated[str, Meta(min_length=1, max_length=200)]
    input: dict[str, Any]


@command("backstep.batch", resource="backstep.batch", label="Batch")
class Batch(Command, frozen=True, kw_only=True, rename="camel"):
    """Run all of it, or none."""

    commands: Annotated[list[Step], Meta(min_length=1, max_length=MOST)]
    label: Annotated[str, Meta(min_length=1, max_length=200, extra={"trim": True})] | None = None

    def recorded(self) -> dict[str, Any]:
        """What the log keeps: each step without its secrets, and the features that undo needs again."""
        steps = [(step, _known(step)) for step in self.commands]
        features = dict.fromkeys(feature for _, kind in steps for feature in kind.features)
        return {
            "commands": [
                {"command": kind.id, "input": {k: v for k, v in step.input.items() if k not in kind.secrets}}
                for step, kind in steps
            ],
            "label": self.label,
            "features": list(features),
        }


@handles(Batch)
async def run_batch(batch: Batch, unit: Unit) -> dict[str, Any]:
    """The results of the commands, in order. The first refusal ends it all; its answer says which step it was."""
    results = []
    for number, step in enumerate(batch.commands):
        kind = _known(step)
        try:
            missing = unit.scope.missing(kind.features)
            if missing or (kind.system_only and unit.scope.actor.kind != "system"):
                raise Problem.forbidden(missing)
            one = msgspec.convert(step.input, kind.type)
            results.append(await handler_of(kind.type)(one, unit))
        except msgspec.ValidationError as error:
            issue = {"code": "custom", "path": ["commands", number, "input"], "message": str(error)}
            raise Problem.invalid([issue]) from error
        except Problem as problem:
            raise _at(number, problem) from problem
        except asyncpg.IntegrityConstraintViolationError as error:
            conflict = conflict_of(error)
            if conflict is None:
                raise
            raise _at(number, conflict) from error
    return {"ok": True, "results": results}


def _at(number: int, problem: Problem) -> Problem:
    return Problem(problem.status, problem.body | {"step": number}, problem.headers)


def _known(step: Step) -> Definition:
    """The step's command. One whose input has secrets is left out: they are made by the server, not by callers."""
    kind = definition(step.command)
    if kind is None or not kind.undoable or kind.secrets or kind.type is Batch:
        text = f"Unknown command, or one that cannot be part of a batch: {step.command}"
        raise Problem.bad_request(text, "unknown_command")
    return kind
