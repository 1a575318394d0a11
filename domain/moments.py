"""A record at a moment of its history: which rows it had, worked out from the log and the rows of today.

A row was then what the first change after the moment found it to be; a row that no later change touched is as it is
now. So a moment can be shown, and gone back to, as long as the log after it is there (design.md sections 5 and 11).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from domain.errors import Problem
from domain.resources import Resource, Row, children_of
from domain.retention import BEGINS
from domain.upcasters import current
from domain.wire import parse_time

_row = msgspec.json.Decoder(dict[str, Raw])
_changes = msgspec.json.Decoder(list[dict[str, Any]])


class Subject(Struct, frozen=True):
    """A record: the resource of its root row, and its id."""

    resource: Resource
    id: UUID


class Moment(Struct, frozen=True):
    """A place in a tenant's history: everything up to `seq` had happened. `log_id` when an action was named."""

    seq: int
    at: datetime | None
    log_id: UUID | None = None


class PastRow(Struct, frozen=True):
    """One row of a record: as it was then (None: it was not there), and as it is now.

    `then` lacks secret columns where the row was only changed since.
    """

    resource: Resource
    id: UUID
    then: Row | None
    now: Row | None


TOUCHED = """
  select r.seq, r.log_id from action_log_rows r where r.tenant_id = $1 and r.table_name = $2 and r.row_id = $3::uuid
  union
  select a.seq, a.id from action_logs a
   where a.tenant_id = $1 and a.resource_kind = $4 and a.resource_id = $3::uuid::text
  union
  select a.seq, a.id from action_logs a
   where a.tenant_id = $1 and a.parent_resource_kind = $4 and a.parent_resource_id = $3::uuid::text
"""
"""The log rows that touched a record or its parts: $1 tenant, $2 root table, $3 id, $4 resource kind."""

RELATED = """
  union
  select a.seq, a.id from action_logs a
   where a.tenant_id = $1 and a.related_resource_kind = $4 and a.related_resource_id = $3::uuid::text
"""
"""To go with TOUCHED: those that concern the record."""

OWN = "((c ->> 't' = $2 and c -> 'k' ->> 'id' = $3::uuid::text) or c ->> 'r' = $3::uuid::text)"
"""Whether the row change `c` is one of the record's."""

_LATER = f"""
select distinct on (c ->> 't', c -> 'k' ->> 'id') c::text as change, l.schema_rev
  from ({TOUCHED}) h join action_logs l on l.tenant_id = $1 and l.id = h.log_id,
       jsonb_array_elements(l.changes) with ordinality e (c, place)
 where h.seq > $5 and {OWN}
 order by c ->> 't', c -> 'k' ->> 'id', h.seq, place
"""


def subject_args(tenant_id: UUID, subject: Subject) -> tuple[Any, ...]:
    """The first four arguments of every statement here."""
    return tenant_id, subject.resource.name, subject.id, subject.resource.kind


async def moment_of(connection: Any, tenant_id: UUID, text: str, what: str = "at") -> Moment:
    """The moment that a text means: a log row's id (right after that action), or an ISO time.

    Raises Problem 400 for any other text and for a moment before the history that is kept, and 404 for a log row that
    the tenant does not have.
    """
    try:
        log_id = msgspec.convert(text.strip(), UUID)
    except msgspec.ValidationError:
        at = parse_time(text)
        if at is None:
            text = f"Give `{what}` as an ISO-8601 time or the id of an action"
            raise Problem.bad_request(text, "invalid_moment") from None
        seq = await connection.fetchval(
            "select max(seq) from action_logs where tenant_id = $1 and recorded_at <= $2", tenant_id, at
        )
        return await _known(connection, tenant_id, Moment(seq or 0, at))
    row = await connection.fetchrow(
        "select seq, created_at from action_logs where tenant_id = $1 and id = $2", tenant_id, log_id
    )
    if row is None:
        raise Problem.not_found("No such action")
    return await _known(connection, tenant_id, Moment(row["seq"], row["created_at"], log_id))


async def _known(connection: Any, tenant_id: UUID, moment: Moment) -> Moment:
    """The moment, if history reaches back to it. Raises Problem 400 when what came after it was removed."""
    begins = await connection.fetchrow(BEGINS, tenant_id)
    if begins is None or moment.seq >= begins["seq"]:
        return moment
    if moment.log_id is None and moment.at is not None and moment.at >= begins["recorded_at"]:
        return Moment(begins["seq"], moment.at)
    text = "The history before this moment was removed from the log"
    raise Problem.bad_request(text, "history_removed")


async def rows_at(connection: Any, tenant_id: UUID, subject: Subject, seq: int) -> list[PastRow]:
    """Every row that the record had then or has now, root first."""
    known = {r.name: r for r in (subject.resource, *children_of(subject.resource))}
    found = {(name, id): row for name, id, row in await _rows_now(connection, tenant_id, subject, known)}
    then: dict[tuple[str, str], Row | None] = dict(found)
    for record in await connection.fetch(_LATER, *subject_args(tenant_id, subject), seq):
        for change in _decoded(record["change"], record["schema_rev"]):
            if change["t"] in known:
                then[change["t"], msgspec.json.decode(change["k"]["id"])] = _before(change)
    order = list(known)
    keys = sorted(then.keys() | found.keys(), key=lambda key: (order.index(key[0]), key[1]))
    return [PastRow(known[t], UUID(id), then.get((t, id)), found.get((t, id))) for t, id in keys]


def _decoded(change: str, rev: int) -> list[dict[str, Any]]:
    """A row change with the values of its images left as JSON text."""
    text = current(f"[{change}]", rev)
    images = msgspec.json.Decoder(list[_Change]).decode(text)
    return [{"t": one.t, "o": one.o, "k": one.k, "b": one.b, "u": one.u} for one in images]


class _Change(Struct):
    t: str
    o: str
    k: dict[str, Raw]
    b: Row | None = None
    u: Row | None = None


def _before(change: dict[str, Any]) -> Row | None:
    return None if change["o"] == "i" else {**(change["u"] or {}), **(change["b"] or {})}


async def _rows_now(
    connection: Any, tenant_id: UUID, subject: Subject, known: dict[str, Resource]
) -> list[tuple[str, str, Row]]:
    """The rows of today, all tables in one statement."""
    parts = " union all ".join(
        f"select '{name}' as t, id::text as id, to_jsonb({name})::text as row from {name}"
        f" where tenant_id = $1 and {'id' if resource is subject.resource else resource.parent} = $2"
        for name, resource in known.items()
    )
    rows = await connection.fetch(parts, tenant_id, subject.id)
    return [(row["t"], row["id"], _row.decode(row["row"])) for row in rows]
