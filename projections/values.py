"""The index of custom values: one row for each scalar of `custom_fields`, kept beside the documents.

Any projection whose table has the column takes part (`has_values`). A value is found by its text, whatever its JSON
type: numbers in their shortest decimal form, booleans as `true` and `false`, long texts by a prefix and a digest
(`custom_values` and `custom_text` in the database; `value_text` here is the same rule). Sealed values are never sorted
or searched by; they are found by equality of what they show to whoever has no key.
"""

import hashlib
import re
from decimal import Decimal
from typing import Any

from domain.encryption.tokens import lookup_key

VALUE_COLUMNS = frozenset({"custom_fields", "organization_id", "deleted_at"})
"""Columns of a record that its indexed values depend on."""

LONGEST = 200
"""Characters of a text that are kept as they are."""

_KEPT = 168
_SEALED = re.compile("bse1:[0-9]{1,9}:([0-9a-f]{32}):")
_EMPTY = b"{}"


def value_text(text: str) -> str:
    """A text in the form that the index knows it by: longer ones are cut and end with the digest of the whole."""
    sealed = _SEALED.match(text)
    if sealed is not None:
        return lookup_key(sealed[1])
    if len(text) <= LONGEST:
        return text
    return text[:_KEPT] + hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def number_text(number: Decimal) -> str:
    """A finite number in the form that the index knows it by: no exponent, no zeros that say nothing."""
    text = f"{number:f}"
    plain = text.rstrip("0").rstrip(".") if "." in text else text
    return value_text("0" if plain in {"-0", ""} else plain)


def values_changed(change: Any) -> bool:
    """Whether a changed row of a table with custom values (a commands.unit.Change) may change what is indexed."""
    if change.o == "i":
        return _filled(change.a)
    if change.o == "d":
        return _filled(change.b)
    changed = change.a or {}
    if "custom_fields" in changed:
        return True
    return not VALUE_COLUMNS.isdisjoint(changed) and _filled(change.u)


def _filled(image: Any) -> bool:
    return bytes(image["custom_fields"]) != _EMPTY if image and "custom_fields" in image else False


def fresh_values(table: str, documents: str, tenant: str) -> str:
    """SELECT of the values that documents (of a common table expression with id, organization_id, deleted_at) have."""
    return (
        f"select d.id, d.organization_id, d.deleted_at is not null as deleted, f.field, f.n, f.number, f.text,"
        f" case when f.n = 0 and f.number is not null"
        f" then bit_or(custom_bits(f.field, f.text)) over (partition by d.id) end as signature"
        f" from {documents} d join {table} t on t.tenant_id = {tenant} and t.id = d.id"
        f" cross join lateral custom_values(t.custom_fields) f"
    )


def made_values(table: str, tenant: str, of_type: str, field: str) -> str:
    """A FROM item in the place of `entity_values`: the values that rows `t` of a table have in a field at this moment.

    `of_type` is the condition that they are of the entity type. It has no such column, and no signatures.
    """
    of_field = f"jsonb_build_object({field}, t.custom_fields -> {field})"
    return (
        "(select t.tenant_id, t.id as entity_id, t.organization_id, t.deleted_at is not null as deleted, f.field, f.n,"
        f' f.number, f.text collate "C" as text from {table} t cross join lateral custom_values({of_field}) f'
        f" where t.tenant_id = {tenant} and {of_type})"
    )


def values_sql(table: str, name: str, ids: str, tenant: str, kind: str) -> str:
    """The common table expressions that bring the values of the documents in `d_<name>` up to date, and no others.

    What is gone is deleted, what is new or different is written, and what is the same is left alone.
    """
    same = "w.id = v.entity_id and w.field = v.field and w.n = v.n"
    kept = (
        "(v.organization_id, v.deleted, v.number, v.text, v.signature) is not distinct from"
        " (w.organization_id, w.deleted, w.number, w.text, w.signature)"
    )
    of_type = f"v.tenant_id = {tenant} and v.entity_type = {kind}"
    return (
        f"w_{name} as materialized ({fresh_values(table, f'd_{name}', tenant)}),"
        f" r_{name} as (delete from entity_values v where {of_type} and v.entity_id = any({ids})"
        f" and not exists (select from w_{name} w where {same})),"
        f" v_{name} as (insert into entity_values as v"
        f" (tenant_id, entity_type, entity_id, field, n, organization_id, deleted, number, text, signature)"
        f" select {tenant}, {kind}, w.id, w.field, w.n, w.organization_id, w.deleted, w.number, w.text, w.signature"
        f" from w_{name} w"
        f" where not exists (select from entity_values v where {of_type} and {same} and {kept})"
        f" on conflict (tenant_id, entity_type, entity_id, field, n) do update set"
        f" organization_id = excluded.organization_id, deleted = excluded.deleted, number = excluded.number,"
        f" text = excluded.text, signature = excluded.signature)"
    )
