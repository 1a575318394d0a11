"""What the load generator sends: one script for each measured operation, the same bytes for both servers."""

from collections.abc import Callable
from itertools import count
from random import Random
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct

RECORD_ENTITY = "bench:item"
"""The custom entity whose records the bench lists."""

_OPERATION = b"x-om-operation: omop:"


class Subject(Struct):
    """A tenant that requests are made for: its administrator's access token, and its records."""

    tenant: str
    organization: str
    actor: str
    token: str
    dictionary: str
    entries: list[str]


class Script:
    """Requests of one connection, one after the other. `prepares`: how long to prepare, as a part of the time."""

    prepares = 0.0

    def __init__(self, subject: Subject, page: int, chance: Random) -> None:
        self.subject = subject
        self.page = page
        self.chance = chance
        self.number = count()
        self._head = (
            f"HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {subject.token}\r\n"
            f"x-scope: {subject.tenant},{subject.organization},{subject.actor}\r\n"
        )

    def next(self) -> bytes | None:
        """The next request; None when there is nothing left to do."""
        raise NotImplementedError

    def prepare(self) -> bytes:
        """A request that makes something to work on."""
        raise NotImplementedError

    def prepared(self, head: bytes, body: bytes) -> None:
        """Take note of the answer to `prepare`."""

    def get(self, path: str) -> bytes:
        """A GET request."""
        return f"GET {path} {self._head}\r\n".encode()

    def send(self, method: str, path: str, body: str) -> bytes:
        """A request with a JSON body."""
        return (
            f"{method} {path} {self._head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        ).encode()

    @property
    def entry_path(self) -> str:
        """The path of one of the connection's entries."""
        return f"/dictionaries/{self.subject.dictionary}/entries/{self.chance.choice(self.subject.entries)}"


class Update(Script):
    """Set the colour of an entry."""

    def next(self) -> bytes:
        return self.send("PATCH", self.entry_path, f'{{"color":"#{self.chance.getrandbits(24):06x}"}}')


class Relabel(Script):
    """Set the label of an entry, which makes new search tokens."""

    def next(self) -> bytes:
        return self.send("PATCH", self.entry_path, f'{{"label":"label {self.chance.getrandbits(48):012x}"}}')


class Create(Script):
    """Add an entry."""

    def next(self) -> bytes:
        body = f'{{"value":"made {self.chance.getrandbits(64):016x}","color":"#336699"}}'
        return self.send("POST", f"/dictionaries/{self.subject.dictionary}/entries", body)


class Undo(Update):
    """Take back updates, the last of an entry first."""

    prepares = 0.75

    def __init__(self, subject: Subject, page: int, chance: Random) -> None:
        super().__init__(subject, page, chance)
        self._tokens: list[str] = []

    def prepare(self) -> bytes:
        return super().next()

    def prepared(self, head: bytes, body: bytes) -> None:
        at = head.index(_OPERATION) + len(_OPERATION)
        described = msgspec.json.decode(unquote_to_bytes(head[at : head.index(b"\r", at)]))
        self._tokens.append(described["undoToken"])

    def next(self) -> bytes | None:  # type: ignore[override]  # runs out of tokens
        if not self._tokens:
            return None
        return self.send(
            "POST", "/audit_logs/audit-logs/actions/undo", f'{{"undoToken":"{self._tokens.pop()}"}}'
        )


class List(Script):
    """A page of 50 entries."""

    variant = ""

    def next(self) -> bytes:
        path = f"{self.variant}/dictionaries/{self.subject.dictionary}/entries"
        return self.get(f"{path}?page={self.page}&pageSize=50")


class ListRows(List):
    """The same page of the floor, made of rows."""

    variant = "/rows"


class LeanUpdate(Update):
    """The same update of the lean floor."""

    def next(self) -> bytes:
        return super().next().replace(b"PATCH ", b"PATCH /lean", 1)


class Detail(Script):
    """One dictionary."""

    def next(self) -> bytes:
        return self.get(f"/dictionaries/{self.subject.dictionary}")


class Actions(Script):
    """A page of 50 actions."""

    def next(self) -> bytes:
        return self.get("/audit_logs/audit-logs/actions?page=1&pageSize=50")


class Records(Script):
    """A page of 50 records of a custom entity: one in a hundred by one field, in the order of another."""

    def next(self) -> bytes:
        return self.get(
            f"/entities/records?entityId={RECORD_ENTITY}&page={self.page}&pageSize=50"
            f"&bucket={self.chance.randrange(100)}&sortField=cf:amount"
        )


class Ping(Script):
    """The cheapest route there is."""

    def next(self) -> bytes:
        return self.get("/health")


_SCRIPTS: dict[str, Callable[[Subject, int, Random], Script]] = {
    "create": Create,
    "update": Update,
    "lean": LeanUpdate,
    "relabel": Relabel,
    "undo": Undo,
    "list": List,
    "rows": ListRows,
    "detail": Detail,
    "actions": Actions,
    "records": Records,
    "ping": Ping,
}


def script_of(operation: str) -> Callable[[Subject, int, Random], Script]:
    """The script of an operation by its name."""
    return _SCRIPTS[operation]
