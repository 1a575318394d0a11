"""What two executions of one command did, compared: row by row, by their outcome."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Raw, Struct

from commands.unit import Change
from domain.resources import Row, resource_of

Operation = Literal["i", "u", "d"]
_WORDS = {"i": "inserted", "u": "updated", "d": "deleted", None: "untouched"}


class Effect(Struct):
    """What a command did to one row, all in all; `before` and `after` have the columns that it changed."""

    existed: bool
    exists: bool
    before: Row
    after: Row

    @property
    def operation(self) -> Operation | None:
        """Insert, update, delete, or nothing."""
        if self.existed != self.exists:
            return "i" if self.exists else "d"
        return "u" if self.exists and self.after else None


class RowDifference(Struct, frozen=True, rename="camel"):
    """A row that two executions left differently: what each did, and the columns that differ as JSON text."""

    table: str
    id: str
    recorded: str
    now: str
    columns: dict[str, tuple[str | None, str | None]]

    def lines(self) -> list[str]:
        """The difference as a person reads it: a line for the row, and one for each column."""
        head = f"{self.table} {self.id}: {self.recorded}"
        lines = [head if self.recorded == self.now else f"{head} then, {self.now} now"]
        for column, (then, now) in self.columns.items():
            lines.append(f"  {column}: {_shown(then)} then, {_shown(now)} now")
        return lines


def effects(changes: Sequence[Change]) -> dict[tuple[str, str], Effect]:
    """What a command did to each row."""
    found: dict[tuple[str, str], Effect] = {}
    for change in changes:
        place = (change.t, bytes(change.k["id"])[1:-1].decode())
        effect = found.get(place)
        if effect is None:
            effect = found[place] = Effect(change.o != "i", True, {}, {})
        for column, value in (change.b or {}).items():
            effect.before.setdefault(column, value)
        effect.exists = change.o != "d"
        if change.o == "i":
            effect.after = resource_of(change.t).completed(change.a or {})
        elif change.o == "u":
            effect.after |= change.a or {}
        else:
            effect.after = {}
    for effect in found.values():
        if effect.existed and effect.exists:
            effect.after = {c: value for c, value in effect.after.items() if effect.before.get(c) != value}
    return found


def differences(recorded: Sequence[Change], now: Sequence[Change]) -> list[RowDifference]:
    """Where two executions of a command differ, in the order of the recorded changes; empty when they agree."""
    then_effects, now_effects = effects(recorded), effects(now)
    nothing = Effect(False, False, {}, {})
    found: list[RowDifference] = []
    for place in then_effects | now_effects:
        one, other = then_effects.get(place, nothing), now_effects.get(place, nothing)
        columns = {
            column: (text_of(one.after.get(column)), text_of(other.after.get(column)))
            for column in one.after | other.after
            if one.after.get(column) != other.after.get(column)
        }
        if one.operation != other.operation or columns:
            found.append(RowDifference(*place, _WORDS[one.operation], _WORDS[other.operation], columns))
    return found


def text_of(value: Raw | None) -> str | None:
    """The JSON text of a column, if it is there."""
    return None if value is None else bytes(value).decode()


def _shown(text: str | None) -> str:
    if text is None:
        return "unchanged"
    return text if len(text) <= 200 else f"{text[:197]}…"
