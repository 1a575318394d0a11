"""The key ring of a process: what each tenant seals, with which keys, and what sealed values hold (0023, 0034)."""

import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from time import monotonic
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Raw, Struct

from app.database import Database
from app.settings import Settings, StartError, master_key
from app.vault import Vault
from commands.sealing import Seals
from domain.custom_fields.sql import definition_of
from domain.encryption.plan import EncryptionMap, MappedField, Plan
from domain.encryption.subjects import subjects_by_id
from domain.encryption.tokens import (
    DATA_BYTES,
    ERASED,
    LOOKUP_BYTES,
    MARKED,
    Erased,
    Subject,
    Subjects,
    TenantKeys,
    Unreadable,
    lookup_key,
    open_json,
    subjects_in,
)
from domain.encryption.wrapping import KeyMissing, KeysUnavailable, LocalWrapping, Wrapping, unwrap, wrap
from domain.errors import Problem
from domain.ids import random_id

PLAN_SECONDS: Final = 60.0
"""How long a plan is trusted without any word of a change; changes are told at once, by the relay."""
KEY_SECONDS: Final = 900.0
"""How long unwrapped keys stay in memory."""
SUBJECT_SECONDS: Final = 60.0
"""How long the secret of a record is used without any word of its erasure; that too is told at once."""
MOST_SUBJECTS: Final = 50_000
"""Secrets of records that a process remembers."""
_RELOAD_SECONDS: Final = 1.0
"""How often at most a token of an unknown key makes the keys be read again."""
UNAVAILABLE: Final = "The encryption keys are not available"

_MAPS = """
select entity_id, organization_id, fields::text as fields from encryption_maps where tenant_id = $1 and is_active
"""
_DEFINITIONS = """
select d.id, d.entity_id, d.key, d.kind, d.config::text as config, d.organization_id, d.updated_at,
       d.is_active and d.deleted_at is null as is_active, null as default_editor
  from field_definitions d
 where d.tenant_id = $1 and d.entity_id in (
   select e.entity_id from field_definitions e where e.tenant_id = $1 and e.config @> '{"encrypted": true}')
"""
_KEYS = (
    "select purpose, number, wrapped, wrapped_by from data_keys where tenant_id = $1 order by purpose, number"
)
_FIRST = (
    "insert into data_keys (tenant_id, id, purpose, number, wrapped, wrapped_by, created_at)"
    " select $1, x.id, x.purpose, 1, x.wrapped, $2, now() from unnest($3::uuid[], $4::text[], $5::text[])"
    " x(id, purpose, wrapped) on conflict do nothing"
)
_LATEST = "select distinct on (wrapped_by) tenant_id, wrapped_by from data_keys order by wrapped_by, created_at desc"
_NUMBERS = re.compile(rb"bse1:(\d{1,9}):")
_fields = msgspec.json.Decoder(tuple[MappedField, ...])

logger: structlog.stdlib.BoundLogger = structlog.get_logger("backstep.encryption")


class _Remembered(Struct):
    """Something of one tenant, and when it was read."""

    value: Any
    at: float


class Reading:
    """Opens tokens of a tenant; what cannot be opened is answered with None, what was erased with ERASED.

    `erased` counts the latter.
    """

    def __init__(self, keys: TenantKeys, subjects: Subjects) -> None:
        self.erased = 0
        self._keys = keys
        self._subjects = subjects
        self._seen: dict[str, Raw | None] = {}

    def __call__(self, token: str) -> Raw | None:
        """A `Reader`."""
        if token not in self._seen:
            self._seen[token] = self._read(token)
        found = self._seen[token]
        self.erased += found is ERASED
        return found

    def _read(self, token: str) -> Raw | None:
        try:
            return self._keys.open(token, self._subjects).value
        except Erased:
            return ERASED
        except Unreadable:
            return None


class NewKey(Struct, frozen=True):
    """A data key that is not stored yet, wrapped."""

    number: int
    wrapped: str
    wrapped_by: str


class Encryption:
    """What the bus, the replies and the command line ask about encryption. One per process."""

    def __init__(self, database: Database, settings: Settings, wrapping: Wrapping | None = None) -> None:
        """Raises StartError when the settings name keys that cannot be had."""
        self._database = database
        self._enabled = settings.tenant_data_encryption
        self._wrapping = wrapping or wrapping_of(settings)
        self._plans: dict[UUID, _Remembered] = {}
        self._keys: dict[UUID, _Remembered] = {}
        self._subjects: OrderedDict[tuple[UUID, UUID], _Remembered] = OrderedDict()
        self._forgotten = 0
        """How often something was forgotten: what was read before must not be remembered afterwards."""
        self.made: Callable[[UUID], None] = lambda tenant_id: None
        """Told when the first keys of a tenant were made, so that the other processes look again."""

    async def check(self) -> None:
        """Raises StartError when Vault cannot be used, or stored keys cannot be unwrapped with the keys at hand."""
        if isinstance(self._wrapping, Vault):
            await self._wrapping.check()
        async with self._database.system() as connection:
            newest = await connection.fetch(_LATEST)
        for row in newest:
            try:
                await self.keys(row["tenant_id"])
            except (KeysUnavailable, KeyMissing) as error:
                raise StartError(f"Encrypted fields cannot be opened. {error}") from None

    # What the bus asks

    async def seals(self, connection: Any, tenant_id: UUID) -> Seals | None:
        """What one command seals; None for a tenant that never sealed anything and need not. Raises Problem 503."""
        plan = self._fresh(self._plans, tenant_id, PLAN_SECONDS)
        if plan is None:
            plan = await self._load_plan(connection, tenant_id)
            self._plans[tenant_id] = _Remembered(plan, monotonic())
        keys = self._fresh(self._keys, tenant_id, KEY_SECONDS, missing=False)
        if keys is False or (keys is None and plan.tables):
            try:
                keys = await self.keys(tenant_id, make=bool(plan.tables))
            except (KeysUnavailable, KeyMissing) as error:
                if not plan.tables:
                    return None
                logger.error("nothing can be sealed", tenant=str(tenant_id), reason=str(error))
                raise Problem.unavailable(UNAVAILABLE, 30) from None
        return None if keys is None else Seals(plan, keys)

    async def again(self, connection: Any, tenant_id: UUID, seals: Seals | None) -> Seals | None:
        """What the rest of a command seals that has changed the plan itself; nothing of it is remembered."""
        plan = await self._load_plan(connection, tenant_id)
        if seals is not None:
            seals.replanned(plan)
            return seals
        try:
            keys = await self.keys(tenant_id, make=bool(plan.tables))
        except (KeysUnavailable, KeyMissing):
            raise Problem.unavailable(UNAVAILABLE, 30) from None
        return None if keys is None else Seals(plan, keys)

    def forget(self, tenant_id: UUID) -> None:
        """Maps, definitions or keys of a tenant changed, or a record of it was erased."""
        self._forgotten += 1
        self._plans.pop(tenant_id, None)
        self._keys.pop(tenant_id, None)
        for place in [place for place in self._subjects if place[0] == tenant_id]:
            del self._subjects[place]

    def forget_all(self) -> None:
        """Word of changes may have been lost."""
        self._forgotten += 1
        self._plans.clear()
        self._keys.clear()
        self._subjects.clear()

    # What the way out asks

    async def opened(self, tenant_id: UUID, content: bytes) -> bytes:
        """JSON text with the tenant's sealed values opened; what cannot be opened stays as it is stored."""
        read = await self.reading(tenant_id, content)
        return content if read is None else open_json(content, read)

    async def reading(self, tenant_id: UUID, content: bytes) -> Reading | None:
        """Opens the tokens in a text, whose subjects are looked up at once.

        None for a text without any, and for a tenant that has no keys or whose keys are not available.
        """
        if MARKED not in content:
            return None
        self._reread(tenant_id, {int(number) for number in _NUMBERS.findall(content)})
        keys = await self._known_keys(tenant_id)
        if keys is None:
            return None
        return Reading(keys, await self._subjects_of(tenant_id, subjects_in(content)))

    async def _subjects_of(self, tenant_id: UUID, ids: Collection[UUID]) -> dict[UUID, Subject]:
        """Subjects by id: those remembered, and the others in one statement."""
        found: dict[UUID, Subject] = {}
        for id in ids:
            known = self._subjects.get((tenant_id, id))
            if known is not None and monotonic() - known.at < SUBJECT_SECONDS:
                self._subjects.move_to_end((tenant_id, id))
                found[id] = known.value
        missing = set(ids) - found.keys()
        if missing:
            forgotten = self._forgotten
            async with self._database.system() as connection:
                rows = await subjects_by_id(connection, tenant_id, missing)
            found |= {one.id: one for one in rows}
            if forgotten == self._forgotten:
                self._remember(tenant_id, rows)
        return found

    def _remember(self, tenant_id: UUID, subjects: Sequence[Subject]) -> None:
        now = monotonic()
        for one in subjects:
            self._subjects[tenant_id, one.id] = _Remembered(one, now)
        while len(self._subjects) > MOST_SUBJECTS:
            self._subjects.popitem(last=False)

    async def alternatives(
        self, tenant_id: UUID, table: str, filters: Sequence[tuple[str, tuple[str, ...]]]
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Filters of custom fields (bare key, texts), each also with what equal values look like when they are sealed.

        Sealed values are indexed under `bse1:<lookup hash>`. A tenant without keys gets its filters back.
        """
        keys = await self._known_keys(tenant_id) if filters else None
        if keys is None:
            return tuple(filters)
        return tuple(
            (
                name,
                (
                    *texts,
                    *(lookup_key(keys.lookup_hash(table, f"custom_fields.{name}", text)) for text in texts),
                ),
            )
            for name, texts in filters
        )

    async def _known_keys(self, tenant_id: UUID) -> TenantKeys | None:
        try:
            return await self.keys(tenant_id)
        except (KeysUnavailable, KeyMissing) as error:
            logger.error("sealed values stay sealed", tenant=str(tenant_id), reason=str(error))
            return None

    def _reread(self, tenant_id: UUID, numbers: set[int]) -> None:
        """Forget keys that lack one of these numbers: another process may have made it since."""
        known = self._keys.get(tenant_id)
        if known is None or monotonic() - known.at < _RELOAD_SECONDS:
            return
        if known.value is None or not numbers <= known.value.numbers:
            self._keys.pop(tenant_id, None)

    # Keys

    async def keys(self, tenant_id: UUID, *, make: bool = False) -> TenantKeys | None:
        """The unwrapped keys of a tenant; None when it has none, unless they are to be made.

        Raises KeysUnavailable, and KeyMissing when they were wrapped with a key that is not at hand.
        """
        keys = self._fresh(self._keys, tenant_id, KEY_SECONDS, missing=False)
        if keys is False or (keys is None and make):
            keys = await self._load_keys(tenant_id, make=make)
            self._keys[tenant_id] = _Remembered(keys, monotonic())
        return keys  # type: ignore[no-any-return]  # remembered values are of their own table's type

    async def new_key(self, tenant_id: UUID) -> NewKey:
        """The tenant's next data key, wrapped, for the command that stores it."""
        keys = await self.keys(tenant_id, make=True)
        assert keys is not None
        number = keys.current + 1
        key = await self._wrapping.wrapping_key(tenant_id, make=False)
        return NewKey(
            number, wrap(key, tenant_id, "data", number, os.urandom(DATA_BYTES)), self._wrapping.kind
        )

    async def _load_keys(self, tenant_id: UUID, *, make: bool) -> TenantKeys | None:
        async with self._database.system() as connection:
            rows = await connection.fetch(_KEYS, tenant_id)
            if not rows:
                if not make:
                    return None
                await self._make_keys(connection, tenant_id)
                rows = await connection.fetch(_KEYS, tenant_id)
        others = {row["wrapped_by"] for row in rows} - {self._wrapping.kind}
        if others:
            raise KeyMissing(_ELSEWHERE[others.pop()].format(tenant=tenant_id))
        wrapping_key = await self._wrapping.wrapping_key(tenant_id, make=False)
        found = {
            (row["purpose"], row["number"]): unwrap(
                wrapping_key, tenant_id, row["purpose"], row["number"], row["wrapped"]
            )
            for row in rows
        }
        data = {number: key for (purpose, number), key in found.items() if purpose == "data"}
        lookup = found.get(("lookup", 1))
        if lookup is None or not data:
            raise KeyMissing(f"Keys of tenant {tenant_id} are gone.")
        return TenantKeys(tenant_id, data, lookup)

    async def _make_keys(self, connection: asyncpg.Connection, tenant_id: UUID) -> None:
        """The first keys; of two processes that make them, one wins, and both read the same."""
        wrapping_key = await self._wrapping.wrapping_key(tenant_id, make=True)
        lengths = {"data": DATA_BYTES, "lookup": LOOKUP_BYTES}
        wrapped = [
            wrap(wrapping_key, tenant_id, name, 1, os.urandom(length)) for name, length in lengths.items()
        ]
        ids = [random_id() for _ in wrapped]
        await connection.execute(_FIRST, tenant_id, self._wrapping.kind, ids, list(lengths), wrapped)
        self.made(tenant_id)

    async def _load_plan(self, connection: Any, tenant_id: UUID) -> Plan:
        if not self._enabled:
            return Plan((), ())
        maps = await connection.fetch(_MAPS, tenant_id)
        definitions = await connection.fetch(_DEFINITIONS, tenant_id)
        return Plan(
            [
                EncryptionMap(row["entity_id"], row["organization_id"], _fields.decode(row["fields"]))
                for row in maps
            ],
            [definition_of(row) for row in definitions],
        )

    @staticmethod
    def _fresh(table: dict[UUID, _Remembered], tenant_id: UUID, seconds: float, missing: Any = None) -> Any:
        found = table.get(tenant_id)
        return found.value if found is not None and monotonic() - found.at < seconds else missing


_ELSEWHERE: Final = {
    "vault": "The keys of tenant {tenant} were wrapped by Vault: set VAULT_ADDR and VAULT_TOKEN.",
    "local": "The keys of tenant {tenant} were wrapped by the installation's own key: take VAULT_ADDR away.",
}


def wrapping_of(settings: Settings) -> Wrapping:
    """Where wrapping keys come from: Vault when VAULT_ADDR is set, else a secret of the installation.

    That is TENANT_DATA_ENCRYPTION_FALLBACK_KEY, or the master key without it.
    """
    if settings.vault_addr is not None:
        return Vault(settings)
    secret = settings.tenant_data_encryption_key
    if secret is not None:
        return LocalWrapping(hashlib.sha256(secret.get_secret_value().encode()).digest())
    return LocalWrapping(master_key(settings))
