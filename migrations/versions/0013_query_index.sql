-- Bookkeeping of the query index: what is being rebuilt, how complete it was when last counted, what went wrong.

create table entity_index_jobs (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid,
  entity_type text not null,
  partition_index integer,
  partition_count integer,
  run_id bigint not null,
  status text not null check (status in ('reindexing', 'purging', 'completed', 'failed')),
  processed_count bigint not null default 0,
  failed_count bigint not null default 0,
  total_count bigint,
  reached uuid,
  requested_by uuid,
  heartbeat_at timestamptz,
  started_at timestamptz not null,
  finished_at timestamptz,
  primary key (tenant_id, id),
  check ((partition_index is null) = (partition_count is null)),
  check (partition_index between 0 and partition_count - 1),
  unique nulls not distinct (tenant_id, entity_type, organization_id, partition_index, partition_count)
) with (fillfactor = 50);
select backstep_protect('entity_index_jobs', false);

create table entity_index_coverage (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid not null,
  entity_type text not null,
  with_deleted boolean not null default false,
  base_count bigint not null check (base_count >= 0),
  indexed_count bigint not null check (indexed_count >= 0),
  vector_indexed_count bigint not null default 0 check (vector_indexed_count >= 0),
  refreshed_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, organization_id, entity_type, with_deleted)
) with (fillfactor = 50);
select backstep_protect('entity_index_coverage', false);

create table indexer_error_logs (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid,
  source text not null,
  handler text not null,
  entity_type text,
  record_id text,
  message text not null check (length(message) <= 8192),
  stack text check (length(stack) <= 32768),
  payload jsonb check (jsonb_typeof(payload) <> 'null'),
  occurred_at timestamptz not null,
  primary key (tenant_id, id)
);
create index indexer_error_logs_newest on indexer_error_logs (tenant_id, occurred_at desc, id desc);
select backstep_protect('indexer_error_logs', false);

create table indexer_status_logs (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid,
  source text not null,
  handler text not null,
  level text not null check (level in ('info', 'warn')),
  entity_type text,
  record_id text,
  message text not null check (length(message) <= 4096),
  details jsonb check (jsonb_typeof(details) <> 'null'),
  occurred_at timestamptz not null,
  primary key (tenant_id, id)
);
create index indexer_status_logs_newest on indexer_status_logs (tenant_id, occurred_at desc, id desc);
select backstep_protect('indexer_status_logs', false);
