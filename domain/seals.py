"""Seals: the proof that the log of a tenant is what was written (decision 0032).

A seal covers the next rows of a tenant's history, in their order: it has the digest of each, the MAC of the seal
before it, and a MAC of its own under a key that the database never has. The rows are those of the log, each with what
belongs to it (its scope, and the reversal that it is), and the marks of actions taken back together.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.keys import derived_key, tenant_key
from domain.wire import iso_ms

FORM: Final = 1
"""How digests are made; a table that gets another column needs another form, and old seals keep theirs."""
MOST: Final = 256
"""Rows that one seal covers at most."""
NOTHING: Final = bytes(32)
"""What the first seal has in place of the MAC of the seal before it."""

COLUMNS: Final = (
    *(
        "tenant_id",
        "id",
        "seq",
        "organization_id",
        "actor_user_id",
        "actor_kind",
        "command_id",
        "action_label",
    ),
    *("action_type", "resource_kind", "resource_id", "parent_resource_kind", "parent_resource_id"),
    *(
        "related_resource_kind",
        "related_resource_id",
        "undo_token",
        "reverses",
        "history_action",
        "source_log_id",
    ),
    *("source_key", "changed_fields", "primary_changed_field", "reason", "correlation_id", "request_id"),
    *("schema_rev", "created_at", "recorded_at", "xid", "scope_id"),
)
"""Columns of the log that form 1 covers as they are; `DOCUMENTS` are covered each by a digest of its own."""
DOCUMENTS: Final = ("input", "changes", "context")

_NONE = "'\\x0000000000000000000000000000000000000000000000000000000000000000'::bytea"

_REVERSAL: Final = (
    "(case when v.log_id is not null then row(v.log_id, v.reversed_by, v.reversed_at) end)::text"
)
_MARK: Final = "row(m.tenant_id, m.log_id, m.origin, m.undone, m.marked_at, m.seq)::text"


def _text_digest(value: str) -> str:
    return f"coalesce(sha256(convert_to({value}, 'UTF8')), {_NONE})"


ITEMS: Final = f"""
select kind, seq, id, digest from (
  select 'l' as kind, l.seq, l.id, sha256(
           {_text_digest(f"row({', '.join(f'l.{column}' for column in COLUMNS)})::text")}
           || {" || ".join(_text_digest(f"l.{column}::text") for column in DOCUMENTS)}
           || {_text_digest("s.scope::text")}
           || {_text_digest(_REVERSAL)}
         ) as digest
    from action_logs l
    left join action_log_scopes s on s.tenant_id = l.tenant_id and s.id = l.scope_id
    left join action_log_reversals v on v.tenant_id = l.tenant_id and v.log_id = l.reverses and v.reversed_by = l.id
   where l.tenant_id = $1 and l.seq > $2 and l.seq <= $3
  union all
  select 'm', m.seq, m.log_id, sha256({_text_digest(_MARK)})
    from action_log_marks m where m.tenant_id = $1 and m.seq > $2 and m.seq <= $3
) x order by seq, kind limit $4
"""
"""Rows of a tenant ($1) from after a place ($2) up to another ($3), at most $4: kind, place, id, digest."""

Kind = Literal["l", "m"]


class Item(Struct, frozen=True, array_like=True):
    """A row that a seal covers: `l` of the log, `m` a mark (`id`: of the action that it is on)."""

    kind: str
    seq: int
    id: UUID
    digest: bytes


_ITEM: Final = struct.Struct(">cq16s32s")


def packed(items: Iterable[Item]) -> bytes:
    """Items as a seal keeps them."""
    return b"".join(_ITEM.pack(one.kind.encode(), one.seq, one.id.bytes, one.digest) for one in items)


def unpacked(raw: bytes) -> list[Item]:
    """The items of a seal. Raises ValueError for bytes that are none."""
    if len(raw) % _ITEM.size:
        raise ValueError("not a list of sealed rows")
    return [
        Item(kind.decode("latin-1"), seq, UUID(bytes=id), digest)
        for kind, seq, id, digest in _ITEM.iter_unpack(raw)
    ]


class Seal(Struct, frozen=True):
    """One seal, as the table of the same name has it."""

    tenant_id: UUID
    number: int
    first_seq: int
    last_seq: int
    row_count: int
    form: int
    items: bytes
    digest: bytes
    previous: bytes
    mac: bytes
    key_id: str
    sealed_at: datetime


SEAL_COLUMNS: Final = ", ".join(field.name for field in msgspec.structs.fields(Seal))


def seal_of(record: Any) -> Seal:
    """A seal from a row of the table."""
    return Seal(**dict(record))


def seal_key(master: bytes, tenant_id: UUID) -> bytes:
    """The key that signs the seals of a tenant."""
    return tenant_key(master, tenant_id, "log-seal")


def key_id(key: bytes) -> str:
    """What tells one key from another and nothing about either."""
    return hmac.digest(key, b"backstep log-seal key id", "sha256")[:8].hex()


def signature(key: bytes, seal: Seal) -> bytes:
    """The MAC that a seal must have."""
    moment = int(seal.sealed_at.timestamp()) * 1_000_000 + seal.sealed_at.microsecond
    numbers = (seal.number, seal.first_seq, seal.last_seq, seal.row_count, seal.form, moment)
    head = b"backstep seal\0" + seal.tenant_id.bytes + struct.pack(">6q", *numbers)
    return hmac.digest(key, head + seal.digest + seal.previous + seal.key_id.encode(), "sha256")


def made(key: bytes, tenant_id: UUID, last: Seal | None, items: Sequence[Item], now: datetime) -> Seal:
    """The seal that follows `last` (None: the first one) and covers these rows."""
    raw = packed(items)
    seal = Seal(
        tenant_id=tenant_id,
        number=1 if last is None else last.number + 1,
        first_seq=items[0].seq,
        last_seq=items[-1].seq,
        row_count=len(items),
        form=FORM,
        items=raw,
        digest=hashlib.sha256(raw).digest(),
        previous=NOTHING if last is None else last.mac,
        mac=NOTHING,
        key_id=key_id(key),
        sealed_at=now,
    )
    return msgspec.structs.replace(seal, mac=signature(key, seal))


def forgery(key: bytes, seal: Seal) -> str | None:
    """Why a seal is not one that this key made; None when it is. `key` alone means that another key made it."""
    if not hmac.compare_digest(seal.mac, signature(key, seal)):
        return "key" if seal.key_id != key_id(key) else "its signature is not that of its content"
    if hashlib.sha256(seal.items).digest() != seal.digest:
        return "its list of rows was changed"
    if seal.form != FORM:
        return f"it has the form {seal.form}, which this program does not know"
    return None


# What retention removed


class Tombstone(Struct, frozen=True):
    """Which items of a seal were removed by retention: bit `n` of `removed` stands for item `n`."""

    tenant_id: UUID
    id: UUID
    seal_number: int
    removed: bytes
    row_count: int
    mac: bytes
    removed_at: datetime


def tombstone(key: bytes, seal: Seal, id: UUID, places: Iterable[int], now: datetime) -> Tombstone:
    """The signed note that retention removed the items of a seal at these places."""
    bits = 0
    for place in places:
        bits |= 1 << place
    removed = bits.to_bytes((seal.row_count + 7) // 8, "little")
    note = Tombstone(seal.tenant_id, id, seal.number, removed, bits.bit_count(), NOTHING, now)
    return msgspec.structs.replace(note, mac=_tombstone_signature(key, seal.mac, note))


def removed_places(key: bytes, seal: Seal, note: Tombstone) -> set[int] | None:
    """The places of the items that a tombstone says were removed; None when it is forged."""
    if not hmac.compare_digest(note.mac, _tombstone_signature(key, seal.mac, note)):
        return None
    bits = int.from_bytes(note.removed, "little")
    return {place for place in range(seal.row_count) if bits >> place & 1}


def _tombstone_signature(key: bytes, seal_mac: bytes, note: Tombstone) -> bytes:
    moment = int(note.removed_at.timestamp()) * 1_000_000 + note.removed_at.microsecond
    head = b"backstep tombstone\0" + note.tenant_id.bytes + note.id.bytes
    numbers = struct.pack(">3q", note.seal_number, note.row_count, moment)
    return hmac.digest(key, head + numbers + seal_mac + note.removed, "sha256")


class Base(Struct, frozen=True):
    """What the tables of a tenant held at a place of its history: how many rows, and the digest of their chunks."""

    tenant_id: UUID
    seq: int
    recorded_at: datetime
    row_count: int
    digest: bytes
    mac: bytes
    created_at: datetime


BASE_COLUMNS: Final = ", ".join(field.name for field in msgspec.structs.fields(Base))
BASE_PARTS: Final = """
select chunk, table_name, row_count, schema_rev, sha256(body) as digest from log_base_rows
 where tenant_id = $1 and base_seq = $2 order by chunk
"""
"""What the digest of a base ($1 tenant, $2 place) is made of, in order."""


def base_digest(parts: Iterable[tuple[int, str, int, int, bytes]]) -> bytes:
    """The digest of chunks: number, table, rows, schema revision and the digest of the body of each."""
    whole = hashlib.sha256()
    for number, table, rows, rev, digest in parts:
        whole.update(struct.pack(">4q", number, rows, rev, len(table)) + table.encode() + digest)
    return whole.digest()


def base_signature(key: bytes, base: Base) -> bytes:
    """The MAC that a base must have."""
    moment = int(base.recorded_at.timestamp()) * 1_000_000 + base.recorded_at.microsecond
    head = b"backstep base\0" + base.tenant_id.bytes + struct.pack(">3q", base.seq, moment, base.row_count)
    return hmac.digest(key, head + base.digest, "sha256")


# Heads


class Head(Struct, frozen=True, rename="camel"):
    """The newest seal of a tenant, to be kept elsewhere: whoever cuts off the end of the log cannot change it."""

    tenant_id: UUID
    seal: int
    last_seq: int
    mac: str
    sealed_at: str


class Heads(Struct, frozen=True, rename="camel"):
    """Exported heads, signed together."""

    format: Literal["backstep-log-heads-1"]
    exported_at: str
    heads: list[Head]
    signature: str


def head_of(seal: Seal) -> Head:
    """The head that a seal is."""
    return Head(seal.tenant_id, seal.number, seal.last_seq, seal.mac.hex(), iso_ms(seal.sealed_at))


def heads(master: bytes, found: Sequence[Head], now: datetime) -> Heads:
    """Heads, signed with the key of the installation."""
    made = Heads("backstep-log-heads-1", iso_ms(now), list(found), "")
    return msgspec.structs.replace(made, signature=_heads_signature(master, made))


def are_genuine(master: bytes, given: Heads) -> bool:
    """Whether this installation exported them."""
    return hmac.compare_digest(given.signature.encode(), _heads_signature(master, given).encode())


def _heads_signature(master: bytes, given: Heads) -> str:
    body = msgspec.json.encode(msgspec.structs.replace(given, signature=""))
    return hmac.digest(derived_key(master, "log-head"), body, "sha256").hex()
