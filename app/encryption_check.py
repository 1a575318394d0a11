"""Looks through a tenant's stored values: what should be sealed and is not, what cannot be opened (decision 0023)."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.database import Database
from app.encryption import Encryption
from commands.encryption import sealable_columns, sealable_tables
from commands.sealing import Seals
from domain import snapshots
from domain.encryption.tokens import Place, Unreadable, head_of, is_token, key_number, subjects_in
from domain.resources import Resource, resource_of

_PAGE = 1_000


class Finding(Struct, rename="camel"):
    """The sealed values of one table, and what is not as it should be.

    `plain` rows hold a designated value that is not sealed where it stands; `older` values are sealed with a key that
    is not the newest or without a secret of their record, `misplaced` ones were sealed for another row or field.
    """

    table: str
    rows: int = 0
    values: int = 0
    plain: int = 0
    older: int = 0
    misplaced: int = 0
    unreadable: int = 0

    @property
    def ok(self) -> bool:
        """Whether every value is sealed that should be, and can be opened where it stands."""
        return not (self.plain or self.misplaced or self.unreadable)


async def look(database: Database, encryption: Encryption, tenant_id: UUID) -> list[Finding]:
    """One finding for each table; none for a tenant that never sealed anything. Raises Problem 503 without keys."""
    async with database.system() as connection:
        seals = await encryption.seals(connection, tenant_id)
        if seals is None:
            return []
        found = []
        for table in sealable_tables():
            resource, finding = resource_of(table), Finding(table)
            last = UUID(int=0)
            while True:
                rows = await connection.fetch(
                    f"select id, to_jsonb(t)::text as row from {table} t where tenant_id = $1 and id > $2"
                    f" order by id limit {_PAGE}",
                    tenant_id,
                    last,
                )
                met = {id for row in rows for id in subjects_in(row["row"].encode())}
                await seals.learn(connection, met)
                for row in rows:
                    _note(finding, seals, resource, snapshots.decode(row["row"]))
                if len(rows) < _PAGE:
                    break
                last = rows[-1]["id"]
            found.append(finding)
    return found


def _note(finding: Finding, seals: Seals, resource: Resource, row: dict[str, Any]) -> None:
    finding.rows += 1
    finding.plain += seals.unsealed(resource, row)
    for field, token in _tokens(resource, row):
        finding.values += 1
        try:
            opened = seals.open(token)
        except Unreadable:
            finding.unreadable += 1
            continue
        head = head_of(token)
        finding.older += key_number(token) != seals.keys.current or head is None or head.subject is None
        finding.misplaced += not opened.stands_in(Place(resource.name, field, UUID(row["id"])))


def _tokens(resource: Resource, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Field and token of every sealed value of a row."""
    for name in sealable_columns(resource):
        members = row[name].items() if isinstance(row[name], dict) else [(None, row[name])]
        for key, value in members:
            for one in value if isinstance(value, list) else [value]:
                if is_token(one):
                    yield name if key is None else f"{name}.{key}", one
