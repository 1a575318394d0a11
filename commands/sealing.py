"""Sealing what a command writes: designated fields become tokens before they reach a statement (decision 0023)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec
from msgspec import Raw

from domain import snapshots
from domain.encryption.plan import CUSTOM, Designated, Plan, entity_of
from domain.encryption.tokens import Place, TenantKeys, Unreadable, hides_token, is_token
from domain.errors import Problem, issue
from domain.resources import Resource

FORGED = "Invalid input: this is the form of sealed values, which only the server makes"
_KEPT = frozenset({"command", "features", "entityId"})
"""Names in a command's input whose values are no data."""
_members = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Sealing(Protocol):
    """Where the bus gets from what a tenant seals, and with which keys."""

    async def seals(self, connection: Any, tenant_id: UUID) -> "Seals | None":
        """For one command, inside its transaction; None for a tenant that never sealed anything and need not."""
        ...

    async def again(self, connection: Any, tenant_id: UUID, seals: "Seals | None") -> "Seals | None":
        """The same command's, after it changed the plan itself."""
        ...

    def forget(self, tenant_id: UUID) -> None:
        """What is remembered of a tenant is about to change."""
        ...


class Seals:
    """What one command seals. It remembers what it sealed, so that the log's input holds the same tokens."""

    def __init__(self, plan: Plan, keys: TenantKeys) -> None:
        self.plan = plan
        self.keys = keys
        self._texts: dict[str, str] = {}
        self._values: dict[bytes, str] = {}
        self._names: set[str] = set()

    def replanned(self, plan: Plan) -> None:
        """Go on by another plan, remembering what was sealed so far."""
        self.plan = plan

    @property
    def used(self) -> bool:
        """Whether rows with designated fields were written."""
        return bool(self._names)

    async def sealed(
        self, connection: Any, resource: Resource, rows: Sequence[Mapping[str, Any]], *, whole: bool
    ) -> list[dict[str, Any]]:
        """The rows, designated values sealed. `whole` rows say where they are, of others it is looked up."""
        written = resource.encryptable | {CUSTOM}
        plain = [dict(row) for row in rows]
        if resource.name not in self.plan.tables or all(written.isdisjoint(row) for row in plain):
            return plain
        places = {} if whole else await _places(connection, resource, plain)
        return [self.row(resource, row, places.get(str(row["id"]), {})) for row in plain]

    def row(self, resource: Resource, row: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
        """One row, designated values sealed; `stored` has the entity and the organization where `row` has not."""
        out, place = dict(row), {**stored, **row}
        known = {name: _decoded(place.get(name)) for name in ("id", "organization_id", "entity_type")}
        organization = known["organization_id"]
        designated = self.plan.of(
            entity_of(resource, known) or "", None if organization is None else UUID(str(organization))
        )
        row_id = UUID(str(known["id"]))
        for column in designated.columns & out.keys():
            out[column] = self._value(Place(resource.name, column, row_id), _decoded(out[column]))
        if out.get(CUSTOM) and designated.custom:
            out[CUSTOM] = self._custom(resource, designated, row_id, out[CUSTOM])
        self._names |= designated.names
        return out

    def images(
        self, resource: Resource, images: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """Images of the log that are about to be brought back; what is sealed in them stays as it is.

        They may be older than the map, and hold plain values.
        """
        if resource.name not in self.plan.tables:
            return [dict(image) for image in images]
        return [self.row(resource, image, place) for image, place in zip(images, stored, strict=True)]

    def _custom(
        self, resource: Resource, designated: Designated, row_id: UUID, values: Any
    ) -> dict[str, Any]:
        found: dict[str, Any] = _members.decode(values) if isinstance(values, Raw) else dict(values)
        for key in designated.custom & found.keys():
            found[key] = _decoded(found[key])
            field = f"{CUSTOM}.{key}"
            hash_key = designated.hashes.get(key)
            if hash_key is not None and not is_token(found[key]):
                plain = found[key]
                hashed = None if plain is None else self.keys.lookup_hash(resource.name, field, plain)
                found[hash_key] = hashed and f"v2:{hashed}"
            found[key] = self._value(Place(resource.name, field, row_id), found[key])
        return found

    def _value(self, place: Place, value: Any) -> Any:
        if value is None or value == "":
            return value
        if isinstance(value, list | tuple):
            return [self._value(place, element) for element in value]
        if is_token(value):
            return self._again(place, value)
        token = self.keys.seal(place, value)
        if isinstance(value, str):
            self._texts[value] = token
        self._values[_encode(value)] = token
        return token

    def _again(self, place: Place, token: str) -> str:
        """A token that a handler read and writes back; one of another place is sealed for this one.

        One that cannot be opened stays: clients cannot send any, so it was stored, and its key is gone.
        """
        try:
            opened = self.keys.open(token)
        except Unreadable:
            return token
        return (
            token if opened.stands_in(place) else self.keys.seal(place, snapshots.decode(bytes(opened.value)))
        )

    def hide(self, content: bytes, log_id: UUID) -> bytes:
        """JSON text of what a command was given, or answers, with every designated value in it sealed.

        A value is found by the name of its field, and a text also by being one that the command sealed.
        """
        return snapshots.encode(self._hidden(snapshots.decode(content), log_id)) if self._names else content

    def _hidden(self, node: Any, log_id: UUID) -> Any:
        if isinstance(node, str):
            return self._texts.get(node, node)
        if isinstance(node, list):
            return [self._hidden(inner, log_id) for inner in node]
        if not isinstance(node, dict):
            return node
        pair = isinstance(node.get("key"), str) and node["key"] in self._names
        return {
            name: inner
            if name in _KEPT
            else self._under(name, inner, log_id)
            if name in self._names or (pair and name == "value")
            else self._hidden(inner, log_id)
            for name, inner in node.items()
        }

    def _under(self, name: str, value: Any, log_id: UUID) -> Any:
        if value is None or value == "" or is_token(value):
            return value
        if isinstance(value, list):
            return [self._under(name, element, log_id) for element in value]
        return self._values.get(_encode(value)) or self.keys.seal(Place("action_logs", name, log_id), value)


def _decoded(value: Any) -> Any:
    return snapshots.decode(bytes(value)) if isinstance(value, Raw) else value


def refuse_forged(sent: Any) -> None:
    """Raise Problem 400 when plain data that a client sent holds what looks like a sealed value."""
    if hides_token(sent):
        raise Problem.invalid([issue(FORGED)])


async def _places(
    connection: Any, resource: Resource, rows: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Entity and organization of rows that an update does not name, by id; in one statement."""
    columns = [name for name in ("entity_type", "organization_id") if name in resource.table.columns]
    missing = [name for name in columns if any(name not in row for row in rows)]
    if not missing:
        return {}
    found = await connection.fetch(
        f"select id, {', '.join(missing)} from {resource.name} where id = any($1::uuid[])",
        [UUID(str(row["id"])) for row in rows],
    )
    return {str(one["id"]): {name: one[name] for name in missing} for one in found}
