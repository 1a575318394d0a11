"""Idempotency keys: the first answer is stored with its work, and given again (command-bus.md, decision 0012)."""

import hmac
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw

from commands.log import LogEntry
from commands.unit import Unit
from commands.work import Outcome, Work
from domain.errors import Problem
from domain.scope import Scope

_encode = msgspec.json.Encoder().encode


async def stored_answer(connection: Any, work: Work, scope: Scope, key: str, secret: bytes) -> Outcome | None:
    """What was answered to the key before; None for a new key. Raises Problem 422 for a key used for something else."""
    row = await connection.fetchrow(
        "select k.fingerprint, k.result::text as result, to_jsonb(l)::text as entry from idempotency_keys k"
        " left join action_logs l on l.tenant_id = k.tenant_id and l.id = k.log_id"
        " where k.tenant_id = $1 and k.actor_id = $2 and k.key = $3",
        scope.tenant_id,
        _actor_id(scope),
        key,
    )
    if row is None:
        return None
    if bytes(row["fingerprint"]) != _fingerprint(work, secret):
        raise Problem.unprocessable(
            "The idempotency key was used for another request", "idempotency_key_reused"
        )
    entry = msgspec.json.decode(row["entry"], type=LogEntry) if row["entry"] else None
    return Outcome(Raw(row["result"].encode()), entry, replayed=True)


async def store_answer(
    unit: Unit, work: Work, key: str, entry: LogEntry | None, result: Any, secret: bytes
) -> None:
    """Keep the answer with the work that it is the answer to."""
    if work.history_action == "redo" and entry is not None:
        result = result | {"undoToken": entry.undo_token}
    answer = _encode(result) if unit.seals is None else unit.seals.hide(_encode(result), unit.log_id)
    await unit.connection.execute(
        "insert into idempotency_keys (tenant_id, actor_id, key, fingerprint, log_id, result, created_at)"
        " values ($1, $2, $3, $4, $5, $6::text::jsonb, $7)",
        unit.scope.tenant_id,
        _actor_id(unit.scope),
        key,
        _fingerprint(work, secret),
        entry.id if entry else None,
        answer.decode(),
        unit.now,
    )


def _fingerprint(work: Work, secret: bytes) -> bytes:
    """What an idempotency key stands for: the command and its input, or the log row that is to be reversed.

    A keyed hash: the input may hold what is stored nowhere but sealed.
    """
    subject = bytes(work.input) if work.input is not None else b""
    name = work.history_action or work.command_id
    return hmac.digest(secret, name.encode() + b"\0" + subject, "sha256")


def _actor_id(scope: Scope) -> UUID:
    return scope.actor.id or UUID(int=0)
