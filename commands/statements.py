"""The few statement forms that commands write with: one shape per table, so that each is prepared once.

Values travel as JSON and PostgreSQL makes rows of them; images come back as the JSON text that PostgreSQL made of
the rows. Python never decodes a value on the way, because a decoded `1.10` or a 30-digit number is another value.
"""

from functools import cache

from domain.resources import Resource, resource_of

FIXED = frozenset({"tenant_id", "id", "created_at"})
"""Columns that no update sets."""


_FROM = "(x.ch->'from')"
_KEYS = "(x.ch->'keys')"


def _derived(resource: Resource) -> str:
    if not resource.derived:
        return ""
    pairs = ", ".join(f"'{name}', {sql}" for name, sql in resource.derived.items())
    return f", jsonb_build_object({pairs})::text as derived"


def _list(resource: Resource, prefix: str = "") -> str:
    return ", ".join(f"{prefix}{column}" for column in resource.columns)


def _changeable(resource: Resource) -> list[str]:
    return [column for column in resource.columns if column not in FIXED]


def _stamped_when_changed(resource: Resource, values: dict[str, str]) -> dict[str, str]:
    """The new value of each column; volatile ones keep theirs where no other column gets another value.

    So an update that changes nothing leaves the row as it was, whatever else its command does.
    """
    real = {column: value for column, value in values.items() if column not in resource.volatile}
    if not real:
        return values
    here = ", ".join(f"t.{column}" for column in real)
    changed = f"row({', '.join(real.values())}) is distinct from row({here})"
    return {
        column: value if column in real else f"case when {changed} then {value} else t.{column} end"
        for column, value in values.items()
    }


@cache
def insert(table: str, condition: str = "") -> str:
    """$1: a JSON array of full rows. The condition (over the row `r`, with $2…) refuses rows it does not hold for."""
    resource = resource_of(table)
    where = f" where {condition}" if condition else ""
    return (
        f"insert into {table} as t ({_list(resource)}) select {_list(resource, 'r.')}"
        f" from jsonb_array_elements($1::text::jsonb) with ordinality x(img, ord),"
        f" lateral jsonb_populate_record(null::{table}, x.img) r{where} order by x.ord"
        f" returning null::text as before, to_jsonb(new)::text as after{_derived(resource)}"
    )


@cache
def update(table: str, condition: str = "") -> str:
    """$1: tenant, $2: id, $3: JSON object of the columns to set. The condition is over `t`, with $4…"""
    resource = resource_of(table)
    values = _stamped_when_changed(resource, {c: f"r.{c}" for c in _changeable(resource)})
    extra = f" and ({condition})" if condition else ""
    return (
        f"update {table} as t set ({', '.join(values)}) = (select {', '.join(values.values())}"
        f" from jsonb_populate_record(t, $3::text::jsonb) r) where t.tenant_id = $1 and t.id = $2{extra}"
        f" returning to_jsonb(old)::text as before, to_jsonb(new)::text as after{_derived(resource)}"
    )


@cache
def update_many(table: str, condition: str = "") -> str:
    """$1: tenant, $2: JSON array of objects with `id` and the columns to set. The condition is over `t`, with $3…"""
    resource = resource_of(table)
    given = {c: f"case when x.img ? '{c}' then r.{c} else t.{c} end" for c in _changeable(resource)}
    sets = ", ".join(f"{c} = {value}" for c, value in _stamped_when_changed(resource, given).items())
    extra = f" and ({condition})" if condition else ""
    return (
        f"update {table} as t set {sets}"
        f" from jsonb_array_elements($2::text::jsonb) with ordinality x(img, ord),"
        f" lateral jsonb_populate_record(null::{table}, x.img) r"
        f" where t.tenant_id = $1 and t.id = r.id{extra}"
        f" returning to_jsonb(old)::text as before, to_jsonb(new)::text as after{_derived(resource)}"
    )


@cache
def delete(table: str, condition: str = "") -> str:
    """$1: tenant, $2: ids. The condition is over `t`, with $3…"""
    extra = f" and ({condition})" if condition else ""
    return (
        f"delete from {table} as t where t.tenant_id = $1 and t.id = any($2::uuid[]){extra}"
        f" returning to_jsonb(old)::text as before, null::text as after{_derived(resource_of(table))}"
    )


@cache
def load(table: str) -> str:
    """$1: tenant, $2: id."""
    return f"select * from {table} where tenant_id = $1 and id = $2"


def _unchanged(resource: Resource, image: str, row: str) -> str:
    """Whether all columns that an image names, but those that no guard compares, still are what the image says.

    `row` is the row that PostgreSQL makes of the image: values are compared as what they are, not as they are written.
    """
    free = resource.volatile | resource.computed
    return " and ".join(
        f"(not {image} ? '{column}'{_or_by_key(resource, column)} or t.{column} is not distinct from {row}.{column})"
        for column in resource.columns
        if column not in free
    )


def _or_by_key(resource: Resource, column: str) -> str:
    return f" or coalesce({_KEYS} ? '{column}', false)" if column in resource.keyed else ""


def _unchanged_keys(column: str) -> str:
    """Whether the named keys of an object's column, if any are named, still are what the step says."""
    return (
        f"not exists (select from jsonb_array_elements_text({_KEYS}->'{column}') k"
        f" where t.{column}->k is distinct from {_FROM}->'{column}'->k)"
    )


def _set_back(column: str, keyed: bool) -> str:
    """The value that a column goes back to; of an object's column, with the named keys alone replaced."""
    whole = f"when x.ch->'to' ? '{column}' then r.{column} else t.{column} end"
    if not keyed:
        return f"case {whole}"
    named = f"array(select jsonb_array_elements_text({_KEYS}->'{column}'))"
    return f"case when {_KEYS} ? '{column}' then (t.{column} - {named}) || (x.ch->'to'->'{column}') {whole}"


@cache
def reverse_insert(table: str) -> str:
    """Delete the rows of $2 (JSON array of images) that still are what the command left. $1 tenant."""
    resource = resource_of(table)
    return (
        f"delete from {table} as t using jsonb_array_elements($2::text::jsonb) with ordinality x(ch, ord),"
        f" lateral jsonb_populate_record(null::{table}, x.ch) r"
        f" where t.tenant_id = $1 and t.id = r.id and {_unchanged(resource, 'x.ch', 'r')}"
        f" returning x.ord as ord, to_jsonb(old)::text as before, null::text as after{_derived(resource)}"
    )


@cache
def reverse_delete(table: str) -> str:
    """Insert the rows of $1 (JSON array of images). Columns that the image does not know take their default."""
    resource = resource_of(table)
    return (
        f"insert into {table} as t ({_list(resource)}) select {_list(resource, 'r.')}"
        f" from jsonb_array_elements($1::text::jsonb) with ordinality x(img, ord),"
        f" lateral jsonb_populate_record(null::{table}, x.img) r order by x.ord"
        f" returning 0::bigint as ord, null::text as before, to_jsonb(new)::text as after{_derived(resource)}"
    )


@cache
def reverse_update(table: str) -> str:
    """Set columns back. $2: JSON array of {k: key, to: columns to set, from: what they must be now, keys}.

    `keys` names, for columns that hold one object, those that are set back; `to` and `from` hold just these then, and
    one that they lack is absent. A row that is so already keeps its stamps too: a change of nothing but those would
    not be noted.
    """
    resource = resource_of(table)
    given = {c: _set_back(c, c in resource.keyed) for c in _changeable(resource)}
    sets = ", ".join(f"{c} = {value}" for c, value in _stamped_when_changed(resource, given).items())
    guards = [_unchanged(resource, _FROM, "g"), *map(_unchanged_keys, sorted(resource.keyed))]
    return (
        f"update {table} as t set {sets}"
        f" from jsonb_array_elements($2::text::jsonb) with ordinality x(ch, ord),"
        f" lateral jsonb_populate_record(null::{table}, (x.ch->'k') || (x.ch->'to')) r,"
        f" lateral jsonb_populate_record(null::{table}, (x.ch->'k') || (x.ch->'from')) g"
        f" where t.tenant_id = $1 and t.id = r.id and {' and '.join(guards)}"
        f" returning x.ord as ord, to_jsonb(old)::text as before, to_jsonb(new)::text as after{_derived(resource)}"
    )
