"""Background jobs as commands see them: work that is to be done once the command is committed."""

from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

_encode = msgspec.json.Encoder().encode


class JobRequest(Struct, frozen=True):
    """One job to be written down: its name, its payload as JSON, and when and how often it may be done.

    `delay` is in seconds. A `dedupe_key` lets no second job of the tenant wait or run beside one of the same key.
    """

    name: str
    payload: bytes
    dedupe_key: str | None = None
    delay: float = 0.0
    organization_id: UUID | None = None


_names: set[str] = set()


def declare_job(name: str) -> None:
    """Make the name of a job known. Raises ValueError when it is taken."""
    if name in _names:
        raise ValueError(f"the job {name} is declared twice")
    _names.add(name)


def job_request(
    name: str,
    payload: Any,
    *,
    dedupe_key: str | None = None,
    delay: float = 0.0,
    organization_id: UUID | None = None,
) -> JobRequest:
    """A request for a declared job; `payload` is anything msgspec encodes, or bytes that already are JSON.

    Raises KeyError for a job that nobody declared: it would wait for ever.
    """
    if name not in _names:
        raise KeyError(name)
    content = payload if isinstance(payload, bytes) else _encode(payload)
    return JobRequest(name, content, dedupe_key, delay, organization_id)


JOB_TABLE = "jobs.pgqueuer"
"""Where jobs stand; not a table of the tenant's data, so no history follows it."""

RETRY = """
with again as (
  update jobs.pgqueuer
     set status = 'queued', execute_after = now(), updated = now(), attempts = 0, queue_manager_id = null
   where status = 'failed' and ($1::bigint[] is null or id = any($1))
     and not exists (select from jobs.pgqueuer o where o.dedupe_key = pgqueuer.dedupe_key
                                                   and o.status in ('queued', 'picked'))
  returning id, entrypoint, priority
), noted as (
  insert into jobs.pgqueuer_log (job_id, status, entrypoint, priority)
  select id, 'queued', entrypoint, priority from again
)
select id, entrypoint as name from again order by id
"""
"""Let failed jobs (null: all of them) wait again, as if new; one whose work waits or runs anew stays as it is."""

DELETE = """
with gone as (
  delete from jobs.pgqueuer where status in ('failed', 'queued') and id = any($1::bigint[])
  returning id, entrypoint, priority
), noted as (
  insert into jobs.pgqueuer_log (job_id, status, entrypoint, priority)
  select id, 'deleted', entrypoint, priority from gone
)
select id, entrypoint as name from gone order by id
"""
"""Delete jobs that are not under way."""

LIST = """
select j.id, j.entrypoint as name, j.headers ->> 'tenant' as tenant_id, j.headers ->> 'organization' as organization_id,
       case j.status when 'queued' then 'waiting' when 'picked' then 'running' else j.status::text end as state,
       (select count(*) from jobs.pgqueuer_log l where l.job_id = j.id and l.status = 'picked') as attempts,
       e.error, j.created as created_at, j.execute_after as due_at, j.updated as updated_at
  from jobs.pgqueuer j
  left join lateral (
    select l.traceback ->> 'exception_message' as error
      from jobs.pgqueuer_log l
     where l.job_id = j.id and l.traceback is not null order by l.created desc, l.id desc limit 1
  ) e on true
 where ($1::text is null or j.headers ->> 'tenant' = $1)
   and ($2::text is null or j.status = (case $2 when 'waiting' then 'queued' when 'running' then 'picked'
                                                else $2 end)::jobs.pgqueuer_status)
   and ($3::text is null or j.entrypoint = $3)
 order by j.id desc
 limit $4 offset $5
"""
"""Jobs that wait, run or failed, newest first: of one tenant or all ($1), in a state ($2), of a name ($3)."""

STATES = ("waiting", "running", "failed")
