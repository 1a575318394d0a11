"""Lists filtered and sorted by custom fields: SQL over the index of custom values, for every entity that has them.

A list is made of the rows of one base table (`r`). The records that match are counted in the index of texts. Then
either their sort keys are looked up (few match), or the index that holds the order is walked until the page is full
(many do), so that its first page reads a bounded number of entries however many records there are. Entries of numbers
carry signatures that tell most of the records that do not match; for other orders the matches are held as a set, unless
there are very many. No plan is left to chance: what may only be looked up is written as a subquery of a row.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.encryption.tokens import MARKER
from domain.wire import flag
from projections.values import made_values, number_text, value_text

NUMBER_KINDS = frozenset({"integer", "float"})
_MOST_TEXTS = 1_000
_LARGEST_EXPONENT = 400
_WALK = 0.06
"""What reading one entry of a sorted index costs, over what looking up one sort key does."""
_MOST_BITS = 4
"""Most alternative values of a filter that signatures are compared with."""
_SET = 20_000
"""Most matching records that are held as a set; of more, each entry of the sorted index is looked up."""


_FEW = 20_000
"""Most records with the value of one filter that are looked up one by one in the others."""
_LEADERS = 4
"""Filters of which the one that few records meet is found; further ones are only looked up."""


class ValueFilter(Struct, frozen=True):
    """Records that have one of these values in a field; for an array, among its elements."""

    field: str
    texts: tuple[str, ...]


class ValueSort(Struct, frozen=True):
    """The order by a field: of numbers, or of texts. Records without a value come last, whichever the direction."""

    field: str
    numeric: bool
    descending: bool = False


class ColumnSort(Struct, frozen=True):
    """The order by columns of the base row, which have an index in that order."""

    columns: tuple[str, ...]
    descending: bool = False


def indexed_texts(kind: str | None, text: str) -> list[str]:
    """A value as it is typed in a query, in the forms that the index may know it by.

    Numbers and booleans are read by the kind of the field, so that `1` is a number for one, a text for another.
    """
    found = [value_text(text)]
    if kind in NUMBER_KINDS:
        number = _number(text)
        if number is not None:
            found.insert(0, number_text(number))
    elif kind == "boolean":
        token = flag(text)
        if token is not None:
            found.insert(0, "true" if token else "false")
    return list(dict.fromkeys(found))


def value_filter(field: str, kind: str | None, values: Sequence[str]) -> ValueFilter:
    """The filter for any of `values` as they are typed."""
    texts = dict.fromkeys(each for value in values for each in indexed_texts(kind, value))
    return ValueFilter(field, tuple(texts)[:_MOST_TEXTS])


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= _LARGEST_EXPONENT else None


class Base(Struct, frozen=True):
    """The table `r` that a list is made of: its rows have tenant_id, id, organization_id, deleted_at.

    `narrowed` is the SQL condition that they are of the entity type `$2`; `first` the columns that records without a
    sort value are ordered by.
    """

    table: str
    narrowed: str
    first: tuple[str, ...] = ("r.id",)


class Wanted(Struct, frozen=True):
    """Which records a list is about.

    `conditions` are SQL over the base row `r` (with parameters of `Statement.add`), `among` SQL that selects the ids of
    a set that includes every record wanted, if there is one. `organizations` None: all of the tenant.
    """

    organizations: Sequence[UUID] | None
    with_deleted: bool = False
    filters: tuple[ValueFilter, ...] = ()
    conditions: tuple[str, ...] = ()
    among: str | None = None
    few: bool = False
    """Whether `conditions` leave few rows by an index of the base table."""

    @property
    def filtered(self) -> bool:
        """Whether counters do not tell how many there are."""
        return bool(self.filters or self.conditions or self.among is not None)


class Statement:
    """A statement about one entity type, as it is being written; `$1` is the tenant, `$2` the entity type."""

    def __init__(self, tenant_id: UUID, entity_type: str, base: Base, *, made: bool = False) -> None:
        """`made`: of the rows of the table themselves, in the place of the index."""
        self.base = base
        self.made = made
        self.args: list[Any] = [tenant_id, entity_type]
        self._places: str | None = None

    def _of_field(self, field: str, row: str) -> str:
        """FROM and WHERE of the values that all records have in a field."""
        if self.made:
            of_type = self.base.narrowed.replace("r.", "t.")
            source = made_values(self.base.table, "$1", of_type, field)
            return f"from {source} {row} where {row}.tenant_id = $1 and {row}.field = {field}"
        return (
            f"from entity_values {row} where {row}.tenant_id = $1 and {row}.entity_type = $2"
            f" and {row}.field = {field}"
        )

    def add(self, value: Any, kind: str) -> str:
        """A further parameter; returns the SQL that stands for it."""
        self.args.append(value)
        return f"${len(self.args)}::{kind}"

    # Conditions

    def _placed(self, wanted: Wanted, row: str) -> str:
        """That a row is where the caller may see it. One organization is compared as such: indexes keep their order."""
        if wanted.organizations is None:
            return ""
        one = len(wanted.organizations) == 1
        if self._places is None:
            chosen = wanted.organizations[0] if one else list(wanted.organizations)
            self._places = self.add(chosen, "uuid" if one else "uuid[]")
        return f" and {row}.organization_id = " + (self._places if one else f"any({self._places})")

    def _visible(self, wanted: Wanted, row: str, live: str) -> str:
        return self._placed(wanted, row) + ("" if wanted.with_deleted else f" and {live}")

    def rows(self, wanted: Wanted) -> str:
        """FROM and WHERE of the base rows that the caller may see."""
        visible = self._visible(wanted, "r", "r.deleted_at is null")
        return f"from {self.base.table} r where r.tenant_id = $1 and {self.base.narrowed}{visible}"

    def _values(self, wanted: Wanted, field: str, row: str) -> str:
        visible = self._visible(wanted, row, f"not {row}.deleted")
        return f"{self._of_field(field, row)}{visible}"

    def _has(self, one: ValueFilter, id: str) -> str:
        """That a record has one of the values, looked up by its id."""
        field, texts = self.add(one.field, "text"), self.add(list(one.texts), "text[]")
        source = f"{self._of_field(field, 'v')} and v.entity_id = {id}"
        if self.made and id == "r.id":
            source = (
                f"from custom_values(jsonb_build_object({field}, r.custom_fields -> {field})) v where true"
            )
        return f"(select true {source} and v.text = any({texts}) limit 1)"

    def matching(self, wanted: Wanted) -> str:
        """SELECT of the ids of all records wanted, each once."""
        if not wanted.filters or wanted.few or wanted.among is not None or self.made:
            among = "" if wanted.among is None else f" and r.id in ({wanted.among})"
            rest = [*wanted.conditions, *(self._has(one, "r.id") for one in wanted.filters)]
            return f"select r.id {self.rows(wanted)}{among}{''.join(f' and {each}' for each in rest)}"
        if len(wanted.filters) == 1:
            return self._led(wanted, wanted.filters[0], [])
        return self._led_by_the_fewest(wanted)

    def _led(self, wanted: Wanted, leader: ValueFilter, rest: Sequence[str]) -> str:
        """SELECT of the ids with a value that one filter asks for, of which more (over `w`) holds besides."""
        rest = list(rest)
        if wanted.conditions:
            rows = f"from {self.base.table} r where r.tenant_id = $1 and r.id = w.entity_id"
            rest.append(f"(select true {rows} and {' and '.join(wanted.conditions)})")
        # A sealed value is the whole value: a record has no other one in that field.
        plain = [text for text in leader.texts if not text.startswith(MARKER)]
        once = "distinct " if len(plain) > 1 else ""
        return f"select {once}w.entity_id as id {self._with(wanted, leader, 'w')}" + "".join(
            f" and {each}" for each in rest
        )

    def _with(self, wanted: Wanted, one: ValueFilter, row: str) -> str:
        """FROM and WHERE of the values that a filter asks for."""
        field, texts = self.add(one.field, "text"), self.add(list(one.texts), "text[]")
        return f"{self._values(wanted, field, row)} and {row}.text = any({texts})"

    def _led_by_the_fewest(self, wanted: Wanted) -> str:
        """SELECT of the ids that meet several filters: of the one that few meet, each is looked up in the others; where
        many meet each of them, what meets them is read from the index and joined.
        """
        filters, others = wanted.filters[:_LEADERS], wanted.filters[_LEADERS:]
        counts = [
            f"({n}, (select count(*) from (select {self._with(wanted, one, 'w')} limit {_FEW + 1}) few))"
            for n, one in enumerate(filters)
        ]
        fewest = f"select case when c.n <= {_FEW} then c.leader end as leader"
        leader = f"{fewest} from (values {', '.join(counts)}) c (leader, n) order by c.n, c.leader limit 1"
        ways = [
            self._led(
                wanted,
                one,
                [
                    *(self._has(other, "w.entity_id") for other in (*filters, *others) if other is not one),
                    f"(select l.leader = {n} from leader l)",
                ],
            )
            for n, one in enumerate(filters)
        ]
        joined = [
            f"w.entity_id in (select v.entity_id {self._with(wanted, other, 'v')})" for other in filters[1:]
        ]
        joined += [self._has(other, "w.entity_id") for other in others]
        ways.append(self._led(wanted, filters[0], [*joined, "(select l.leader is null from leader l)"]))
        return f"with leader as materialized ({leader}) {' union all '.join(ways)}"

    def total(self, wanted: Wanted) -> str:
        """How many records there are when nothing filters: from the counters; deleted ones by their own index."""
        if self.made:
            return f"(select count(*) {self.rows(wanted)})"
        live = (
            "(select coalesce(sum(c.n), 0)::bigint from entity_counters c where c.tenant_id = $1"
            f" and c.entity_type = $2{self._placed(wanted, 'c')})"
        )
        if not wanted.with_deleted:
            return live
        return f"({live} + (select count(*) {self.rows(wanted)} and r.deleted_at is not null))"

    # Orders

    def sorted_source(self, wanted: Wanted, sort: "Sort") -> "Source":
        """Where the order of a list is kept."""
        down = " desc" if sort.descending else ""
        if isinstance(sort, ColumnSort):
            return Source(
                self.rows(wanted), "r.id", tuple(f"{column}{down}" for column in sort.columns), None
            )
        key = "number" if sort.numeric else "text"
        field = self.add(sort.field, "text")
        number = " and s.number is not null" if sort.numeric else ""
        one = f"s.n = 0{number}"
        lookup = f"(select s.{key} {self._of_field(field, 's')} and s.entity_id = {{id}} and {one})"
        return Source(
            f"{self._values(wanted, field, 's')} and {one}",
            "s.entity_id",
            (f"s.{key}{down}", f"s.entity_id{down}"),
            lookup,
        )

    def gathered(self, wanted: Wanted, sort: "Sort", ids: str, where: str = "") -> str:
        """SELECT of `ids` (a FROM item with a column id) in order, each sort key looked up: id and place."""
        down = " desc" if sort.descending else ""
        if isinstance(sort, ColumnSort):
            order = ", ".join(f"{column}{down}" for column in sort.columns)
            row = f"(select * from {self.base.table} b where b.tenant_id = $1 and b.id = c.id offset 0) r"
            return (
                f"select r.id, row_number() over (order by {order}) as place"
                f" from (select id from {ids}{where}) c cross join lateral {row}"
            )
        lookup = self.sorted_source(wanted, sort).lookup
        assert lookup is not None, "values are looked up"
        source = f"(select c.id, {lookup.format(id='c.id')} as key from {ids} c{where} offset 0) k"
        order = f"k.key is null, k.key{down}, k.id{down}"
        return f"select k.id, row_number() over (order by {order}) as place from {source}"

    def _probed(self, wanted: Wanted, id: str) -> str:
        """That a record is wanted, looked up by its id."""
        parts = [self._has(one, id) for one in wanted.filters]
        if wanted.conditions:
            row = f"from {self.base.table} b where b.tenant_id = $1 and b.id = {id}"
            conditions = " and ".join(wanted.conditions)
            parts.append(f"(select true from (select * {row} offset 0) r where {conditions})")
        return "".join(f" and {part}" for part in parts)

    def walked(self, wanted: Wanted, sort: "Sort", chosen: str, where: str = "") -> str:
        """SELECT of records in the order of their index, narrowed by `chosen` (over `{id}`): id and place."""
        source = self.sorted_source(wanted, sort)
        order = ", ".join(source.order)
        return (
            f"select {source.id} as id, row_number() over (order by {order}) as place"
            f" {source.rows}{chosen.format(id=source.id)}{where} order by {order}"
        )

    def page(self, wanted: Wanted, sort: "Sort", limit: int, offset: int) -> str:
        """Common table expressions `page` (id, place) and `counted` (total, walked: the order came from its index)."""
        part = f"limit {self.add(limit, 'bigint')} offset {self.add(offset, 'bigint')}"
        if not wanted.filtered and wanted.organizations is None:
            return (
                f"counted as materialized (select {self.total(wanted)} as total, true as walked),"
                f" page as materialized ({self.walked(wanted, sort, '')} {part})"
            )
        every = f"(select count(*) from ({self.matching(wanted)}) every)" if wanted.filtered else ""
        total = every or self.total(wanted)
        simple = len(wanted.filters) == 1 and not wanted.conditions
        held = wanted.filtered and not (
            simple and self._signed(sort)
        )  # what is dear to match is matched once
        if held:
            total = f"case when t.n <= {_SET} then t.n else {every} end as total from tally t"
        ways = self._ways(wanted, sort, part, held)
        return (
            f"matching as materialized ({self.matching(wanted)} limit {_SET + 1}),"
            f" tally as materialized (select count(*) as n from matching),"
            f" totals (total) as materialized (select {total}),"
            f" counted as materialized (select total, {self._many(limit + offset)} as walked from totals),"
            f" page as materialized ({' union all '.join(f'({way})' for way in ways)})"
        )

    def _many(self, entries: int) -> str:
        """That so many records match that walking the order to its first `entries` costs less than looking up keys."""
        if self.made:
            return f"total > {_SET}"
        enough = self.add(_WALK * entries, "double precision")
        size = (
            "select coalesce(sum(c.n), 0)::float8 from entity_counters c"
            " where c.tenant_id = $1 and c.entity_type = $2"
        )
        return f"total::float8 * total > {enough} * ({size}) or total > {_SET}"

    def _ways(self, wanted: Wanted, sort: "Sort", part: str, held: bool) -> list[str]:
        """The ways to a page, of which one is gone: keys looked up, and the order walked, the entries checked against
        the set of matches where it is `held`, else each looked up.
        """
        ways = [f"{self.gathered(wanted, sort, 'matching', self._when('not walked'))} order by place {part}"]
        if held:
            among = " and ({id} in (select id from matching)) is true"
            small = self._when(f"walked and total <= {_SET}", "and")
            ways.append(f"{self.walked(wanted, sort, among, small)} {part}")
        probed = ""
        if wanted.filtered:
            id = "r.id" if isinstance(sort, ColumnSort) else "s.entity_id"
            probed = self._signature(wanted, sort) + self._probed(wanted, id)
        large = self._when(f"walked and total > {_SET}" if held else "walked", "and")
        return [*ways, f"{self.walked(wanted, sort, probed, large)} {part}"]

    @staticmethod
    def _when(condition: str, word: str = "where") -> str:
        """That a way to the page is the one to go."""
        return f" {word} (select {condition} from counted)"

    def _signed(self, sort: "Sort") -> bool:
        """Whether the index of the order tells by signatures which records cannot match."""
        return not self.made and isinstance(sort, ValueSort) and sort.numeric

    def _signature(self, wanted: Wanted, sort: "Sort") -> str:
        """That the signature of an entry `s` has the bits of every value that is asked for."""
        if not self._signed(sort):
            return ""
        parts = []
        for one in wanted.filters:
            if len(one.texts) <= _MOST_BITS:
                field = self.add(one.field, "text")
                bits = [f"(select custom_bits({field}, {self.add(text, 'text')}))" for text in one.texts]
                parts.append(" or ".join(f"s.signature & {mask} = {mask}" for mask in bits) or "false")
        return "".join(f" and ({part})" for part in parts)

    def remainder(self, wanted: Wanted, sort: ValueSort, limit: int, offset: int) -> str:
        """The same for what a walk by values does not meet: records without a value, by their id.

        `offset` counts from the first record with a value.
        """
        source = self.sorted_source(wanted, sort)
        assert source.lookup is not None, "values are looked up"
        filtered = wanted.filtered
        matching = f"matching as materialized ({self.matching(wanted)}), " if filtered else ""
        among = " and ({id} in (select id from matching)) is true" if filtered else ""
        with_value = f"(select count(*) {source.rows}{among.format(id=source.id)})"
        order = ", ".join(self.base.first)
        return (
            f"{matching}page as materialized (select r.id, row_number() over (order by {order}) as place"
            f" {self.rows(wanted)}{among.format(id='r.id')} and {source.lookup.format(id='r.id')} is null"
            f" order by {order} limit {self.add(limit, 'bigint')}"
            f" offset greatest({self.add(offset, 'bigint')} - {with_value}, 0))"
        )

    def everything(self, wanted: Wanted, sort: "Sort") -> str:
        """Common table expression `page` (id, place) of all records wanted, for exports."""
        return f"matching as ({self.matching(wanted)}), page as ({self.gathered(wanted, sort, 'matching')})"


class Source(Struct, frozen=True):
    """An index in the order of a list: FROM and WHERE, the record's id in it, its order, and the SQL that looks up one
    record's sort key (`{id}`), where that is not in the base row.
    """

    rows: str
    id: str
    order: tuple[str, ...]
    lookup: str | None


Sort = ValueSort | ColumnSort


def cut_to_milliseconds(column: str, parameter: str) -> str:
    """SQL: that an instant is one of some, as clients see them."""
    return f"date_trunc('milliseconds', {column}) = any({parameter})"


def instants(values: Sequence[datetime | None]) -> list[datetime]:
    """The readable ones."""
    return [value for value in values if value is not None]
