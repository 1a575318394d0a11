"""Sealing what a command writes: designated fields become tokens before they reach any statement (0023, 0034)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from domain import snapshots
from domain.encryption.plan import CUSTOM, Designated, Plan, entity_of
from domain.encryption.subjects import LOG, met_subjects, new_subject, store_subjects, subjects_by_id
from domain.encryption.tokens import (
    ERASED,
    Erased,
    Opened,
    Place,
    Subject,
    TenantKeys,
    Unreadable,
    digest_of,
    head_of,
    hides_token,
    is_token,
    subjects_in,
)
from domain.errors import Problem, issue
from domain.resources import Resource

FORGED = "Invalid input: this is the form of sealed values, which only the server makes"
GONE = "A value that would come back has been erased"
_KEPT = frozenset({"command", "features", "entityId"})
"""Names in a command's input whose values are no data."""
_Row = tuple[Mapping[str, Any], Mapping[str, Any]]
"""A row, and what is stored of it beside."""
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
        self.subjects: dict[UUID, Subject] = {}
        """Those that were met, by id; of a record, the one that its values are sealed with is in `_own` too."""
        self.repeats = False
        """Whether history is executed again: secrets are what became of them since, and none is destroyed."""
        self.older_form = False
        """Whether to seal without subjects, as commands did that are older than those (replay)."""
        self._own: dict[tuple[str, UUID], Subject] = {}
        self._new: list[Subject] = []
        self._sealed_for: set[Subject | None] = set()
        self._texts: dict[str, _Sealed] = {}
        self._values: dict[bytes, _Sealed] = {}
        self._names: set[str] = set()

    def replanned(self, plan: Plan) -> None:
        """Go on by another plan, remembering what was sealed so far."""
        self.plan = plan

    @property
    def used(self) -> bool:
        """Whether rows with designated fields were written."""
        return bool(self._names)

    # Subjects

    def know(self, subjects: Iterable[Subject]) -> None:
        """Take in subjects; of several of one record the oldest seals."""
        for one in sorted(subjects, key=lambda subject: subject.id):
            self.subjects[one.id] = one
            if one.secret is not None:
                self._own.setdefault((one.table, one.row_id), one)

    async def learn(self, connection: Any, ids: Iterable[UUID]) -> None:
        """Look up the subjects of these ids, to open or to judge their tokens."""
        unknown = set(ids) - self.subjects.keys()
        if unknown:
            self.know(await subjects_by_id(connection, self.keys.tenant_id, unknown))

    async def meet(self, connection: Any, resource: Resource, rows: Sequence[_Row]) -> None:
        """Have the subjects that sealing these rows needs, in one statement; records without one get theirs."""
        fresh, ids = set[UUID](), set[UUID]()
        for row, stored in rows:
            known = _known(row, stored)
            for value in _scalars(resource, self._of(resource, known), row):
                head = head_of(value) if is_token(value) else None
                if head is None:
                    fresh.add(_id(known))
                elif head.subject is not None:
                    ids.add(head.subject)
        fresh = {
            row_id for row_id in fresh if (resource.name, row_id) not in self._own and not self.older_form
        }
        ids -= self.subjects.keys()
        if fresh or ids:
            self.know(await met_subjects(connection, self.keys.tenant_id, resource.name, fresh, ids))

    def erased(self, ids: Iterable[UUID]) -> None:
        """The secrets of these subjects were destroyed."""
        gone = set(ids)
        self._own = {place: one for place, one in self._own.items() if one.id not in gone}
        for id in gone & self.subjects.keys():
            self.subjects[id] = msgspec.structs.replace(self.subjects[id], secret=None)

    async def keep(self, connection: Any) -> None:
        """Store the secrets that were made on the way."""
        if self._new:
            new, self._new = self._new, []
            await store_subjects(connection, self.keys.tenant_id, new)

    async def settle(self, connection: Any, images: Iterable[Mapping[str, Raw]]) -> None:
        """Store new secrets, and look at what rows hold at the end of a command.

        Raises Problem 400 when a value comes back that has been erased: only history can bring one.
        """
        await self.keep(connection)
        ids = {id for one in images for raw in one.values() for id in subjects_in(bytes(raw))}
        await self.learn(connection, ids)
        if any(self.subjects[id].secret is None for id in ids & self.subjects.keys()):
            raise Problem.bad_request(GONE, "erased")

    def _subject(self, place: Place) -> Subject | None:
        """The subject that a value of this place is sealed with."""
        if self.older_form:
            return None
        own = self._own.get((place.table, place.row_id))
        if own is None:
            own = new_subject(place.table, place.row_id)
            self._new.append(own)
            self.know([own])
        return own

    def open(self, token: str) -> Opened:
        """What a token holds, of a subject that was met. Raises Unreadable."""
        return self.keys.open(token, self.subjects)

    def read(self, token: str) -> Raw | None:
        """The same for `open_value`."""
        try:
            return self.open(token).value
        except Erased:
            return ERASED
        except Unreadable:
            return None

    # Rows

    async def sealed(
        self, connection: Any, resource: Resource, rows: Sequence[Mapping[str, Any]], *, whole: bool
    ) -> list[dict[str, Any]]:
        """The rows, designated values sealed. `whole` rows say where they are, of others it is looked up.

        What was erased is null in a row that is there; raises Problem 400 for a whole one, which would come back.
        """
        written = resource.encryptable | {CUSTOM}
        plain = [dict(row) for row in rows]
        if resource.name not in self.plan.tables or all(written.isdisjoint(row) for row in plain):
            return plain
        places = {} if whole else await _places(connection, resource, plain)
        placed = [(row, places.get(str(row["id"]), {})) for row in plain]
        await self.meet(connection, resource, placed)
        if whole and any(self._holds_erased(resource, row) for row in plain):
            raise Problem.bad_request(GONE, "erased")
        return [self.row(resource, row, stored) for row, stored in placed]

    def row(self, resource: Resource, row: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
        """One row, designated values sealed; `stored` has the entity and the organization where `row` has not."""
        out, known = dict(row), _known(row, stored)
        designated = self._of(resource, known)
        row_id = _id(known)
        for column in designated.columns & out.keys():
            out[column] = self._value(Place(resource.name, column, row_id), _decoded(out[column]))
        if out.get(CUSTOM) and designated.custom:
            out[CUSTOM] = self._custom(resource, designated, row_id, out[CUSTOM])
        self._names |= designated.names
        return out

    def _holds_erased(self, resource: Resource, row: Mapping[str, Any]) -> bool:
        heads = (
            head_of(one) for one in _scalars(resource, self.designated(resource, row), row) if is_token(one)
        )
        subjects = (self.subjects.get(head.subject) for head in heads if head and head.subject)
        return any(subject.secret is None for subject in subjects if subject)

    def unsealed(self, resource: Resource, row: Mapping[str, Any]) -> bool:
        """Whether a stored row holds a designated value that is not sealed, or sealed for another place."""
        known = _known(row, {})
        for field, value in _fields(resource, self._of(resource, known), row):
            head = head_of(value) if is_token(value) else None
            if head is None or not self._stands(Place(resource.name, field, _id(known)), value):
                return True
        return False

    def _stands(self, place: Place, token: str) -> bool:
        """Whether a token was sealed for this place, or cannot be opened to say."""
        try:
            return self.open(token).stands_in(place)
        except Unreadable:
            return True

    def designated(self, resource: Resource, row: Mapping[str, Any]) -> Designated:
        """What is sealed in a stored row."""
        return self._of(resource, _known(row, {}))

    def _of(self, resource: Resource, known: Mapping[str, Any]) -> Designated:
        organization = known["organization_id"]
        return self.plan.of(
            entity_of(resource, known) or "", None if organization is None else UUID(str(organization))
        )

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
        for key in found.keys() & designated.hashes.values():
            # Sealed too: by the bare hash, whoever has the lookup key could try values when they are long erased.
            place = Place(resource.name, f"{CUSTOM}.{key}", row_id)
            found[key] = self._value(place, _decoded(found[key]))
        return found

    def _value(self, place: Place, value: Any) -> Any:
        if value is None or value == "":
            return value
        if isinstance(value, list | tuple):
            return [self._value(place, element) for element in value]
        if is_token(value):
            return self._again(place, value)
        return self._seal(place, value)

    def _seal(self, place: Place, value: Any) -> str:
        subject = self._subject(place)
        token = self.keys.seal(place, value, subject)
        sealed = _Sealed(token, subject)
        self._sealed_for.add(subject)
        if isinstance(value, str):
            self._texts[value] = sealed.beside(self._texts.get(value))
        text = _encode(value)
        self._values[text] = sealed.beside(self._values.get(text))
        return token

    def _again(self, place: Place, token: str) -> str | None:
        """A token that a handler read and writes back; one of another place is sealed for this one.

        What was erased is nothing. One that cannot be opened stays: clients cannot send any, so it was stored, and its
        key is gone.
        """
        head = head_of(token)
        subject = self.subjects.get(head.subject) if head is not None and head.subject is not None else None
        if subject is not None and head is not None:
            if subject.secret is None:
                return None
            here = (subject.table, subject.row_id) == (place.table, place.row_id)
            if here and head.digest == digest_of(place.table, place.field):
                return token
        try:
            opened = self.open(token)
        except Unreadable:
            return token
        if opened.stands_in(place):
            return token
        return self._seal(place, snapshots.decode(bytes(opened.value)))

    def hide(self, content: bytes, log_id: UUID) -> bytes:
        """JSON text of what a command was given, or answers, with every designated value in it sealed.

        A value is found by the name of its field, and a text also by being one that the command sealed. What cannot be
        told to be one record's is sealed with a secret of the log row, which is destroyed with any of its records'.
        """
        return snapshots.encode(self._hidden(snapshots.decode(content), log_id)) if self._names else content

    def _hidden(self, node: Any, log_id: UUID) -> Any:
        if isinstance(node, str):
            sealed = self._texts.get(node)
            return node if sealed is None else sealed.token or self._left("text", node, log_id)
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
        sealed = self._values.get(_encode(value))
        return (sealed and sealed.token) or self._left(name, value, log_id)

    def _left(self, name: str, value: Any, log_id: UUID) -> str:
        """The token of a value that stands in no row as it is, or in those of several records."""
        place = Place(LOG, name, log_id)
        only = next(iter(self._sealed_for)) if len(self._sealed_for) == 1 else None
        return self.keys.seal(place, value, only or self._subject(place))


class _Sealed(Struct, frozen=True):
    """The token of a value; None when it stands in the rows of several records."""

    token: str | None
    subject: Subject | None

    def beside(self, other: "_Sealed | None") -> "_Sealed":
        """The same value sealed once more."""
        return self if other is None or other.subject == self.subject else _Sealed(None, None)


def _known(row: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Which row it is, of which entity, and where."""
    place = {**stored, **row}
    return {name: _decoded(place.get(name)) for name in ("id", "organization_id", "entity_type")}


def _id(known: Mapping[str, Any]) -> UUID:
    return UUID(str(known["id"]))


def _fields(resource: Resource, designated: Designated, row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Field and value of each designated scalar of a row that is not empty."""
    for column in designated.columns & row.keys():
        yield from ((column, value) for value in _each(_decoded(row[column])))
    if row.get(CUSTOM) and designated.custom:
        values = row[CUSTOM]
        found = _members.decode(values) if isinstance(values, Raw) else values
        for key in (designated.custom | set(designated.hashes.values())) & found.keys():
            yield from ((f"{CUSTOM}.{key}", value) for value in _each(_decoded(found[key])))


def _scalars(resource: Resource, designated: Designated, row: Mapping[str, Any]) -> Iterator[Any]:
    return (value for _, value in _fields(resource, designated, row))


def _each(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for element in value:
            yield from _each(element)
    elif value is not None and value != "":
        yield value


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
