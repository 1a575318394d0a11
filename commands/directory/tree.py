"""The organization tree: its materialised path, kept by every command and by every reversal (directory.md 1.1 and 5).

One recursive statement works the path out for the whole tenant and answers only the rows where it is another than
stored (or too deep); one more writes those. The tenant's lock is held, so nobody moves anything in between.
"""

from uuid import UUID

import msgspec

from commands.history import ChangedSince, settles
from commands.unit import Change, Unit
from domain.directory import MAX_DEPTH, ORGANIZATION, PATH_COLUMNS, organizations
from domain.errors import Problem

# `place`: among the children of one parent. `places`: from the root down, so that its order is the pre-order.
# An organization that no root leads to (a cycle, a parent that is gone) has no `walk` row. Each side of the joins has
# the ids of `live` and no others; they are full joins because those are never done by nested loops, which is what the
# planner chooses for expressions that it cannot estimate: seconds instead of milliseconds for thousands of rows.
_DIFFERENT = """
with recursive live as materialized (
  select o.id, o.parent_id, o.root_id, o.tree_path, o.depth, o.ancestor_ids, o.child_ids, o.descendant_ids,
         row_number() over (partition by o.parent_id order by lower(o.name) collate "C", o.id) as place
    from organizations o where o.tenant_id = $1 and o.deleted_at is null
),
walk as (
  select id, parent_id, '{}'::uuid[] as ancestors, array[place] as places from live where parent_id is null
  union all
  select l.id, l.parent_id, w.ancestors || w.id, w.places || l.place from walk w join live l on l.parent_id = w.id
),
ranked as materialized (select id, parent_id, ancestors, row_number() over (order by places) as nth from walk),
below as (
  select a.id, array_agg(w.id order by w.nth) as ids,
         array_agg(w.id order by w.nth) filter (where w.parent_id = a.id) as own
    from ranked w cross join lateral unnest(w.ancestors) a(id) group by a.id
),
path as (
  select l.id, l.parent_id, w.id is not null as reached, coalesce(w.ancestors[1], l.id) as root_id,
         array_to_string(w.ancestors || l.id, '/') as tree_path, cardinality(w.ancestors) as depth,
         w.ancestors as ancestor_ids, coalesce(b.own, '{}') as child_ids, coalesce(b.ids, '{}') as descendant_ids,
         (l.root_id, l.tree_path, l.depth, l.ancestor_ids, l.child_ids, l.descendant_ids) as stored
    from live l full join ranked w on w.id = l.id full join below b on b.id = l.id
)
select id, parent_id, reached, root_id, tree_path, depth, ancestor_ids, child_ids, descendant_ids from path
 where not reached or depth > $2
    or (root_id, tree_path, depth, ancestor_ids, child_ids, descendant_ids) is distinct from stored
"""
_SHAPE = frozenset({"name", "parent_id", "deleted_at"})
"""The columns that the path follows from."""
_NULL = b"null"


class TangledError(Exception):
    """Organizations hang on each other in a circle, or on one that is not live: `ids` of all of them."""

    def __init__(self, ids: list[UUID]) -> None:
        super().__init__(f"{len(ids)} organizations have no root")
        self.ids = ids


async def rebuild(unit: Unit, edited: UUID | None = None) -> None:
    """Bring the path of every live organization up to date; of those, only the edited one is stamped.

    Raises TangledError when the parents make no tree, and Problem 400 when something comes to stand too deep.
    """
    if not any(change.t == organizations.name and _shapes(change) for change in unit.changes):
        return
    rows = await unit.fetch(_DIFFERENT, unit.scope.tenant_id, MAX_DEPTH)
    lost = [row for row in rows if not row["reached"]]
    if lost:
        raise TangledError([id for row in lost for id in (row["id"], row["parent_id"]) if id is not None])
    if any(row["depth"] > MAX_DEPTH for row in rows):
        text = f"An organization cannot have more than {MAX_DEPTH} others above it"
        raise Problem.bad_request(text, "too_deep")
    patches = [{"id": row["id"]} | {column: row[column] for column in PATH_COLUMNS} for row in rows]
    for patch in patches:
        if patch["id"] == edited:
            patch["updated_at"] = unit.now
    await unit.update_many(organizations, patches)


@settles("organizations")
async def settle(unit: Unit) -> None:
    """Work the path out again after an undo or redo, which is refused when it would not leave a tree.

    Raises ChangedSince for parents that make no tree with what others moved meanwhile, and Problem 400 when no
    organization would be left or the actor may not touch what it changes.
    """
    if not within_reach(unit):
        raise Problem.bad_request(
            "The organizations that this changes are not yours to change", "not_available"
        )
    try:
        await rebuild(unit)
    except TangledError as error:
        raise ChangedSince([("organizations", str(id)) for id in error.ids]) from error
    sql = "select exists (select from organizations where tenant_id = $1 and deleted_at is null)"
    if not await unit.fetchval(sql, unit.scope.tenant_id):
        raise Problem.bad_request("The last organization of a tenant stays", "in_use")


def within_reach(unit: Unit) -> bool:
    """Whether everything that was edited is the actor's to edit.

    The tree gives rights: who may use an organization may use all below it. So an actor that is restricted to some
    organizations neither moves others nor puts any elsewhere than below its own; new roots give nobody anything.
    """
    allowed = unit.scope.allowed_ids
    if allowed is None:
        return True
    reach = set(allowed)
    for change in unit.changes:
        if change.t != organizations.name or change.o == "d":
            continue
        id = _uuid(change.k["id"])
        if change.o == "i" or _revived(change):
            parent = ((change.u or {}) | (change.a or {}))["parent_id"]
            if bytes(parent) != _NULL and _uuid(parent) not in reach:
                return False
            if bytes(parent) != _NULL:
                reach.add(id)
        elif ORGANIZATION.edited(change.a or ()) and id not in reach:
            return False
    return True


def _shapes(change: Change) -> bool:
    return change.o != "u" or not _SHAPE.isdisjoint(change.a or ())


def _revived(change: Change) -> bool:
    return bytes((change.a or {}).get("deleted_at", b"")) == _NULL


def _uuid(value: msgspec.Raw) -> UUID:
    return msgspec.json.decode(value, type=UUID)
