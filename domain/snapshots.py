"""What clients see of a command: its snapshots, the fields it changed and the kind of its action.

Everything here is computed from the row changes in the action log (contract: audit-logs.md 5 and 11,
command-bus.md 3.5). Row changes are decoded JSON objects: `t` table, `o` operation, `k` key, `b` and `a` the
columns before and after (all of them for a deleted or inserted row, the changed ones for an update), `u` the
unchanged columns of an update, `x` derived values under their wire name, `r` the root id of a child row.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

import msgspec

from domain.images import camel
from domain.resources import Images, Resource, resource_of, view_of
from domain.wire import iso_ms

Change = dict[str, Any]
"""One decoded row change."""
Fields = dict[str, Any]
"""A record as clients see it: names in camelCase, values as JSON."""
ActionType = Literal["create", "edit", "delete", "assign", "system"]

_MISSING = object()
_CUSTOM = frozenset({"custom", "customFields", "customValues", "cf"})
_SKIPPED = frozenset({"updatedAt", "updated_at", "ancestorIds", "descendantIds"})
"""What follows from an edit and tells nothing of it: the stamp, and the place in a tree."""
_SUFFIXES: dict[str, ActionType] = {
    "create": "create",
    "add": "create",
    "delete": "delete",
    "remove": "delete",
    "assign": "assign",
    "unassign": "assign",
    "update": "edit",
    "edit": "edit",
    "upsert": "edit",
}
_WORDS: tuple[tuple[re.Pattern[str], ActionType], ...] = (
    (re.compile(r"\b(?:creat(?:e|es|ed)|add(?:s|ed)?)\b", re.IGNORECASE), "create"),
    (re.compile(r"\b(?:delet(?:e|es|ed)|remov(?:e|es|ed))\b", re.IGNORECASE), "delete"),
    (re.compile(r"\b(?:un)?assign(?:s|ed)?\b", re.IGNORECASE), "assign"),
    (re.compile(r"\b(?:updat(?:e|es|ed)|edit(?:s|ed)?)\b", re.IGNORECASE), "edit"),
)
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(text: str | bytes) -> Any:
    """The value of a JSON text; fractions become `Decimal`, to stay exact. Raises `msgspec.DecodeError`."""
    return _decoder.decode(text)


def encode(value: Any) -> bytes:
    """The JSON text of a value that `decode` may have made."""
    return _encoder.encode(value)


def snapshots(
    command_id: str, changes: Sequence[Change], resource_kind: str | None, resource_id: str | None = None
) -> Images:
    """The record of a command before and after it; None on the side where it does not exist.

    A declared view wins. Else the row of `resource_kind` (the one of `resource_id` when there are several)
    makes the top level, and every other changed row stands in a list under its resource's name.
    """
    view = view_of(command_id)
    if view is not None:
        return view(list(changes), resource_id)
    return record(changes, resource_kind, resource_id)


def record(changes: Sequence[Change], resource_kind: str | None, resource_id: str | None) -> Images:
    """The snapshots of a command that declares no view; a view may ask for those of a part of the changes."""
    return _Record(changes, resource_kind, resource_id).images()


def field_changes(before: Fields | None, after: Fields | None) -> dict[str, Fields] | None:
    """`{path: {from, to}}` for every field that differs; None when nothing does or a side is missing.

    Nested objects give dotted paths, lists are compared and kept whole, custom fields are `cf_<key>` without
    a prefix, a field that one side lacks has no `from` or no `to`, and what merely follows from
    an edit (`updatedAt`) is left out.
    """
    if before is None or after is None:
        return None
    return dict(_differences(before, after, "")) or None


def changed_fields(
    command_id: str, changes: Sequence[Change], resource_kind: str | None, resource_id: str | None = None
) -> list[str]:
    """The sorted paths of the fields that a command changed; empty for creations and deletions."""
    if len(changes) == 1 and view_of(command_id) is None:
        change = changes[0]
        resource = resource_of(change["t"])
        if resource.kind == resource_kind and resource_kind is not None:
            # The hot path of a write: the changed columns say it all, no need to build two whole records.
            sides = (wire_row(resource, change[side], in_order=False) for side in ("b", "a"))
            edited = change["o"] == "u" and not (resource.soft_deletes and "deleted_at" in change["a"])
            return sorted(field_changes(*sides) or ()) if edited else []
    return sorted(field_changes(*snapshots(command_id, changes, resource_kind, resource_id)) or ())


def action_type(command_id: str, label: str | None) -> ActionType:
    """What a command does, by the last part of its id, else by whole words of its label, else `system`."""
    found = _SUFFIXES.get(command_id.rpartition(".")[2])
    if found is None and label:
        found = next((kind for pattern, kind in _WORDS if pattern.search(label)), None)
    return found or "system"


def wire_row(
    resource: Resource,
    row: Mapping[str, Any],
    derived: Mapping[str, Any] | None = None,
    in_order: bool = True,
) -> Fields:
    """A decoded row as clients see it: camelCase, id first, instants in milliseconds, hidden columns left out."""
    shown: Fields = {"id": row["id"]} if "id" in row else {}
    forms = _forms(resource)
    for column in forms if in_order else row:
        form = forms.get(column)
        if form is None or column not in row:
            continue
        name, is_time = form
        if is_time:
            shown[name] = _instant(row[column])
        elif column != "custom_fields":
            shown[name] = row[column]
        else:
            shown.update({f"cf_{key}": item for key, item in (row[column] or {}).items()})
    if derived:
        shown.update(derived)
    return shown


@lru_cache(maxsize=1024)
def _forms(resource: Resource) -> dict[str, tuple[str, bool]]:
    """For each column that is shown, in table order: its name on the wire, and whether it is an instant."""
    return {
        column: (camel(column), column in resource.times)
        for column in resource.columns
        if column not in resource.hidden
    }


class _Row:
    """One row over a whole command: as the first change found it and as the last one left it."""

    def __init__(self, resource: Resource, key: str | None) -> None:
        self.resource = resource
        self.key = key
        self.root: str | None = None
        self.before: Fields | None = None
        self.after: Fields | None = None
        self._seen = False

    def add(self, change: Change) -> None:
        """Take in a further change of the row."""
        kept, derived = change.get("u") or {}, change.get("x")
        if not self._seen:
            self._seen = True
            self.root = change.get("r")
            if change["o"] != "i":
                self.before = self._shown({**kept, **change["b"]}, derived)
        self.after = None if change["o"] == "d" else self._shown({**kept, **change["a"]}, derived)

    def _shown(self, row: Fields, derived: Fields | None) -> Fields | None:
        gone = self.resource.soft_deletes and row.get("deleted_at") is not None
        return None if gone else wire_row(self.resource, row, derived)


class _Record:
    """The rows of a command, put together as the record that it is about."""

    def __init__(self, changes: Sequence[Change], kind: str | None, record_id: str | None) -> None:
        self._kind = kind
        self._id = record_id
        self._rows = list(_rows(changes))
        self._root = self._find_root()

    def images(self) -> Images:
        """The record before and after."""
        return self._image("before"), self._image("after")

    def _find_root(self) -> _Row | None:
        own = [row for row in self._rows if self._kind is not None and row.resource.kind == self._kind]
        named = [row for row in own if self._id is not None and row.key == self._id]
        candidates = named or own
        return candidates[0] if len(candidates) == 1 else None

    def _image(self, side: Literal["before", "after"]) -> Fields | None:
        others = [row for row in self._rows if row is not self._root]
        if self._root is not None:
            top: Fields | None = getattr(self._root, side)
            if top is None:
                return None
            image = dict(top)
        elif all(getattr(row, side) is None for row in others) and not any(row.root for row in others):
            return None
        else:
            image = self._place(others)
        for row in others:
            rows: list[Fields] = image.setdefault(camel(row.resource.child_name), [])
            shown = getattr(row, side)
            if shown is not None:
                rows.append(shown)
        return image

    def _place(self, others: list[_Row]) -> Fields:
        roots = {row.root for row in others if row.root}
        return {"id": roots.pop()} if len(roots) == 1 else {}


def _rows(changes: Sequence[Change]) -> Iterator[_Row]:
    """The changed rows by their first change; tables that no module describes are never shown."""
    found: dict[tuple[str, str], _Row] = {}
    for change in changes:
        key = change["k"]
        place = (change["t"], repr(key))
        row = found.get(place)
        if row is None:
            try:
                row = found[place] = _Row(resource_of(change["t"]), key.get("id"))
            except KeyError:
                continue
        row.add(change)
    return (row for row in found.values() if row.before is not None or row.after is not None)


def _differences(before: Fields, after: Fields, prefix: str) -> Iterator[tuple[str, Fields]]:
    for key in dict.fromkeys((*before, *after)):
        if key in _SKIPPED:
            continue
        old, new = before.get(key, _MISSING), after.get(key, _MISSING)
        if old is new or _same(old, new):
            continue
        path = prefix + key
        if key in _CUSTOM and _object_or_missing(old) and _object_or_missing(new):
            yield from _custom_differences(old, new)
        elif isinstance(old, dict) and isinstance(new, dict):
            nested = list(_differences(old, new, f"{path}."))
            yield from nested or [(path, {"from": old, "to": new})]
        else:
            yield path, _entry(old, new)


def _custom_differences(old: Any, new: Any) -> Iterator[tuple[str, Fields]]:
    before, after = (side if isinstance(side, dict) else {} for side in (old, new))
    for key in dict.fromkeys((*before, *after)):
        one, other = before.get(key, _MISSING), after.get(key, _MISSING)
        if not _same(one, other):
            yield f"cf_{key}", _entry(one, other)


def _object_or_missing(value: Any) -> bool:
    return value is _MISSING or value is None or isinstance(value, dict)


def _entry(old: Any, new: Any) -> Fields:
    return {name: side for name, side in (("from", old), ("to", new)) if side is not _MISSING}


def _same(old: Any, new: Any) -> bool:
    """Equality of JSON values, for which `true` is not 1."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(_same(one, other) for one, other in zip(old, new, strict=True))
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(value, new[key]) for key, value in old.items())
    return bool(old == new)


def _instant(value: Any) -> Any:
    """A PostgreSQL instant as the wire writes it; null and `infinity` stay as they are."""
    if not isinstance(value, str):
        return value
    if value.endswith("+00:00") and value[10:11] == "T":  # what a session in UTC writes
        return f"{value[:19]}.{value[20:-6][:3]:0<3}Z"
    try:
        return iso_ms(datetime.fromisoformat(value))
    except ValueError:
        return value
