"""Which organizations a request reads from and writes to (contract: directory.md section 6)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from domain.auth import ALL_ORGANIZATIONS
from domain.credentials import uuid_or_none

Tree = Mapping[UUID, Sequence[UUID]]
"""Live organizations of the tenant: id to the ids of all its descendants."""


class Selection(Struct, frozen=True):
    """The outcome; the fields mean what those of `Scope` of the same names mean."""

    selected_id: UUID | None
    filter_ids: tuple[UUID, ...] | None
    allowed_ids: frozenset[UUID] | None
    rejected: bool
    stranded: bool
    """The actor is restricted to organizations of which none is alive, and got the home organization instead."""


def select(
    tree: Tree,
    *,
    home: UUID | None,
    accessible: Sequence[str] | None,
    wanted: str | None,
    is_super_admin: bool,
) -> Selection:
    """Apply the selection cookie `wanted` for an actor with these rights.

    `tree` needs to hold only the live ones among home, accessible and wanted. `home` is None when the actor is in
    another tenant than its own. `accessible` are the organizations of the grants; None: all of the tenant.
    """
    wanted = (wanted or "").strip()
    everything = wanted == ALL_ORGANIZATIONS
    concrete = wanted if wanted and not everything else None
    at_home = _with_descendants(tree, [home] if home else [])
    allowed, stranded = _allowed(tree, accessible, is_super_admin, at_home)
    widen = (everything and allowed is None) or (is_super_admin and concrete is None)

    candidate = uuid_or_none(concrete.lower()) if concrete else None if widen else home
    selected = candidate if candidate in tree and (allowed is None or candidate in allowed) else None
    filter_ids: tuple[UUID, ...] | None
    if selected is not None:
        filter_ids = _with_descendants(tree, [selected])
    elif allowed is not None:
        filter_ids = allowed
    elif widen:
        filter_ids = None
    else:
        filter_ids, selected = at_home, home if at_home else None
    rejected = concrete is not None and (selected is None or selected != candidate)
    return Selection(
        selected, filter_ids, None if allowed is None else frozenset(allowed), rejected, stranded
    )


def shared_places(tree: Tree, one: Sequence[str] | None, other: Sequence[str] | None) -> list[str] | None:
    """The organizations that two lists of grants have in common, descendants counted; None: all of the tenant."""
    if one is None or ALL_ORGANIZATIONS in one:
        return None if other is None else list(other)
    if other is None or ALL_ORGANIZATIONS in other:
        return list(one)
    here, there = (
        [found for text in places if (found := uuid_or_none(text)) is not None] for places in (one, other)
    )
    within, beyond = set(_with_descendants(tree, there)), set(_with_descendants(tree, here))
    return [
        str(id)
        for id in dict.fromkeys((*(i for i in here if i in within), *(i for i in there if i in beyond)))
    ]


def _allowed(
    tree: Tree, accessible: Sequence[str] | None, is_super_admin: bool, at_home: tuple[UUID, ...]
) -> tuple[tuple[UUID, ...] | None, bool]:
    if is_super_admin or accessible is None or ALL_ORGANIZATIONS in accessible:
        return None, False
    ids = [found for text in accessible if (found := uuid_or_none(text)) is not None]
    expanded = _with_descendants(tree, ids)
    return (expanded, False) if expanded else (at_home, True)


def _with_descendants(tree: Tree, ids: Sequence[UUID]) -> tuple[UUID, ...]:
    """The live ones of `ids`, each followed by its descendants, without repetition."""
    return tuple(dict.fromkeys(each for id in ids if id in tree for each in (id, *tree[id])))
