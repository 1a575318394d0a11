"""Retention of the log: how long actions on a kind of record are kept, and which rows may go (decision 0033)."""

from typing import Final

import sqlalchemy as sa

from domain.resources import Resource, tenant_table

EVERYTHING_ELSE: Final = "*"
"""The kind of a policy that holds for all kinds without one of their own."""
LEAST_DAYS: Final = 30
"""No row leaves the log before, whatever a policy says: so long it can be undone."""
MOST_DAYS: Final = 36_500

RETENTION_JOB: Final = "audit_logs.retention"

log_retention_policies = tenant_table(
    "log_retention_policies",
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("days", sa.Integer, nullable=False),
)

POLICY = Resource(
    log_retention_policies,
    kind="audit_logs.retention_policy",
    conflicts={"log_retention_policies_once": "There is a policy for this kind already"},
)

SEALED_UP_TO: Final = "(select coalesce(max(last_seq), 0) from log_seals where tenant_id = $1)"

_DUE: Final = f"""
due as materialized (
  select l.seq, l.id, l.reverses, coalesce(l.resource_kind, '') as kind, l.recorded_at, pg_column_size(l) as size
    from action_logs l
   where l.tenant_id = $1 and l.seq <= {SEALED_UP_TO} and retention_due($1, l.resource_kind, l.recorded_at)
), pairs as materialized (
  select v.log_id as one, v.reversed_by as other from due d
    join action_log_reversals v on v.tenant_id = $1 and v.log_id = d.id
  union
  select v.log_id, v.reversed_by from due d
    join action_log_reversals v on v.tenant_id = $1 and v.log_id = d.reverses and v.reversed_by = d.id
), linked as materialized (
  select one, other from pairs union select other, one from pairs
), staying(id) as (
  select l.id from (select distinct one from linked) x join action_logs l on l.tenant_id = $1 and l.id = x.one
   where not exists (select from due d where d.id = l.id)
  union
  select d.id from due d
   where exists (select from action_log_marks m where m.tenant_id = $1 and m.log_id = d.id
                    and m.marked_at >= now() - interval '{LEAST_DAYS} days')
  union
  select x.other from staying s join linked x on x.one = s.id
), going as (
  select d.* from due d where not exists (select from staying s where s.id = d.id)
)
"""
"""What may go: sealed, older than its policy, and part of no chain of undo and redo of which something stays."""

GOING: Final = f"with recursive {_DUE} select seq, id from going order by seq limit $2"
"""The oldest rows of a tenant ($1) that may go, at most $2."""

GOING_BY_KIND: Final = f"""
with recursive {_DUE}
select kind, count(*) as rows, sum(size)::bigint as bytes, min(recorded_at) as oldest, max(recorded_at) as newest
  from going group by kind order by kind
"""

GOING_MARKS: Final = """
select m.seq from action_log_marks m
 where m.tenant_id = $1
   and (m.log_id = any($2::uuid[])
        or not exists (select from action_logs l where l.tenant_id = m.tenant_id and l.id = m.log_id))
   and m.seq <= (select coalesce(max(last_seq), 0) from log_seals where tenant_id = $1)
 order by m.seq
"""
"""Marks on actions ($2) that go, or that went."""

BEGINS: Final = "select seq, recorded_at from log_bases where tenant_id = $1 order by seq desc limit 1"
"""The last action before which a tenant's history has holes: its place, and when it was recorded."""

BEGINS_AFTER: Final = "select coalesce(max(seq), 0) from log_bases where tenant_id = $1"
"""The place up to which a tenant's history has holes: what was before is only known as the tables were there."""
