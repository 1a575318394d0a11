-- The heart: isolation, the guard, the action log, the query index, the outbox.

create function backstep_tenant() returns uuid language sql stable parallel safe as
$$ select nullif(current_setting('app.tenant_id', true), '')::uuid $$;

-- Wire form of an instant: ISO 8601, UTC, milliseconds, Z. Immutable because the zone is fixed.
create function iso_ms(t timestamptz) returns text language sql immutable parallel safe as
$$ select to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

-- Statement-level guard: a row that history must know of can be changed inside a command only.
create function refuse_outside_command() returns trigger language plpgsql as $$
begin
  if coalesce(current_setting('app.command_id', true), '') = '' then
    raise exception 'change of % outside a command', tg_table_name using errcode = 'BS001';
  end if;
  return null;
end $$;

-- Row level security, privileges and (by default) the guard for a tenant table.
create function backstep_protect(t regclass, guarded boolean default true, append_only boolean default false)
returns void language plpgsql as $$
declare privileges text := case when append_only then 'select, insert' else 'select, insert, update, delete' end;
begin
  execute format('alter table %s enable row level security', t);
  execute format('create policy tenant on %s to backstep_app using (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)'
                 ' with check (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', t);
  execute format('create policy installation on %s to backstep_system using (true) with check (true)', t);
  execute format('grant %s on %s to backstep_app, backstep_system', privileges, t);
  if guarded then
    execute format('create trigger command_guard before insert or update or delete on %s'
                   ' for each statement execute function refuse_outside_command()', t);
  end if;
end $$;

grant usage on schema public to backstep_app, backstep_system;

-- The system of record. Append only: no privilege to update or delete is ever granted.
create sequence action_log_seq cache 1;
grant usage on sequence action_log_seq to backstep_app, backstep_system;

create table action_logs (
  tenant_id uuid not null,
  id uuid not null,
  seq bigint not null default nextval('action_log_seq'),
  organization_id uuid,
  actor_user_id uuid,
  actor_kind text not null check (actor_kind in ('user', 'api_key', 'system')),
  command_id text not null,
  action_label text,
  action_type text not null check (action_type in ('create', 'edit', 'delete', 'assign', 'system')),
  resource_kind text,
  resource_id text,
  parent_resource_kind text,
  parent_resource_id text,
  related_resource_kind text,
  related_resource_id text,
  undo_token text,
  reverses uuid,
  history_action text check (history_action in ('undo', 'redo')),
  source_log_id uuid,
  source_key text not null check (source_key in ('ui', 'api', 'ai', 'system')),
  input jsonb,
  changes jsonb not null,
  changed_fields text[] not null default '{}',
  primary_changed_field text,
  context jsonb,
  reason text,
  correlation_id text,
  request_id text,
  schema_rev integer not null,
  created_at timestamptz not null,
  recorded_at timestamptz not null default clock_timestamp(),
  xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, id)
) partition by range (id);
create index action_logs_newest on action_logs (tenant_id, created_at desc, seq desc);
create index action_logs_by_organization on action_logs (tenant_id, organization_id, created_at desc, seq desc);
create index action_logs_by_actor on action_logs (tenant_id, actor_user_id, seq desc);
create index action_logs_by_resource on action_logs (tenant_id, resource_kind, resource_id, seq desc);
create index action_logs_by_parent on action_logs (tenant_id, parent_resource_kind, parent_resource_id, seq desc)
  where parent_resource_id is not null;
create index action_logs_by_related on action_logs (tenant_id, related_resource_kind, related_resource_id, seq desc)
  where related_resource_id is not null;
create index action_logs_by_token on action_logs (tenant_id, undo_token) where undo_token is not null;
create index action_logs_by_correlation on action_logs (tenant_id, correlation_id) where correlation_id is not null;
create index action_logs_in_order on action_logs (tenant_id, seq);
select backstep_protect('action_logs', false, true);

-- Months as partitions: an id carries its instant in its first 48 bits, so a range of ids is a range of time.
create function action_log_partition(month date) returns void language plpgsql
security definer set search_path = public as $$
declare
  name text := 'action_logs_' || to_char(month, 'YYYY_MM');
  lower_ms bigint := (extract(epoch from month::timestamp) * 1000)::bigint;
  upper_ms bigint := (extract(epoch from (month + interval '1 month')::timestamp) * 1000)::bigint;
begin
  if to_regclass(name) is null then
    execute format('create table %I partition of action_logs for values from (%L) to (%L)', name,
      rpad(lpad(to_hex(lower_ms), 12, '0'), 32, '0')::uuid, rpad(lpad(to_hex(upper_ms), 12, '0'), 32, '0')::uuid);
  end if;
end $$;
revoke all on function action_log_partition(date) from public;

-- The partitions of this month and the next ones; called at migration and by the relay, long before they are needed.
create function action_log_partitions() returns void language sql security definer set search_path = public as
$$ select action_log_partition((date_trunc('month', now()) + make_interval(months => m))::date)
     from generate_series(0, 3) m $$;
revoke all on function action_log_partitions() from public;
grant execute on function action_log_partitions() to backstep_system;
create table action_logs_other partition of action_logs default;
select action_log_partitions();

-- What was taken back, and by what. The primary key makes every undo token, and every redo, work once.
create table action_log_reversals (
  tenant_id uuid not null,
  log_id uuid not null,
  reversed_by uuid not null,
  reversed_at timestamptz not null,
  primary key (tenant_id, log_id)
);
select backstep_protect('action_log_reversals', false, true);

-- Which commands touched a row.
create table action_log_rows (
  tenant_id uuid not null,
  table_name text not null,
  row_id uuid not null,
  seq bigint not null,
  log_id uuid not null,
  primary key (tenant_id, table_name, row_id, seq)
);
select backstep_protect('action_log_rows', false, true);

create table idempotency_keys (
  tenant_id uuid not null,
  actor_id uuid not null,
  key text not null,
  fingerprint bytea not null,
  log_id uuid,
  result jsonb,
  created_at timestamptz not null,
  primary key (tenant_id, actor_id, key)
);
select backstep_protect('idempotency_keys', false);

create table access_logs (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid,
  actor_user_id uuid,
  actor_kind text not null default 'user',
  resource_kind text not null,
  resource_id text not null,
  access_type text not null,
  fields jsonb not null default '[]',
  context jsonb,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create index access_logs_by_actor on access_logs (tenant_id, actor_user_id, created_at desc, id desc);
create index access_logs_newest on access_logs (tenant_id, created_at desc, id desc);
select backstep_protect('access_logs', false);

-- The query index: one document a record, in wire form, with the keys that lists are sorted and narrowed by.
create table entity_index (
  tenant_id uuid not null,
  entity_type text not null,
  entity_id uuid not null,
  organization_id uuid,
  parent_id uuid,
  doc text not null,
  position bigint,
  name_lc text collate "C",
  created_at timestamptz not null,
  updated_at timestamptz,
  deleted_at timestamptz,
  projection_version integer not null,
  primary key (tenant_id, entity_type, entity_id)
) with (fillfactor = 80);
create index entity_index_in_parent on entity_index (tenant_id, entity_type, parent_id, position, name_lc, entity_id)
  where deleted_at is null;
create index entity_index_by_name on entity_index (tenant_id, entity_type, organization_id, name_lc, entity_id)
  where deleted_at is null;
create index entity_index_newest on entity_index (tenant_id, entity_type, organization_id, created_at desc, entity_id desc)
  where deleted_at is null;
select backstep_protect('entity_index', false);

-- Search tokens: keyed trigram hashes; the key never enters the database's tables.
create table entity_search (
  tenant_id uuid not null,
  entity_type text not null,
  entity_id uuid not null,
  grams bigint[] not null,
  primary key (tenant_id, entity_type, entity_id)
);
create index entity_search_grams on entity_search using gin (grams);
select backstep_protect('entity_search', false);

create function search_text_normal(value text) returns text language sql immutable parallel safe as
$$ select lower(regexp_replace(normalize(coalesce(value, ''), NFKD), '[\u0300-\u036f]', '', 'g')) $$;

-- Keyed hashes of all trigrams of a text (padded by a blank on each side).
create function search_grams(value text, key bytea) returns bigint[] language sql immutable parallel safe as $$
  select coalesce(array_agg(distinct substr(sha256(key || convert_to(substr(t.v, i, 3), 'UTF8')), 1, 8)::bigint), '{}')
    from (select ' ' || search_text_normal(value) || ' ' as v) t, generate_series(1, greatest(length(t.v) - 2, 0)) i
$$;

-- The trigrams that a text must have to contain `value`; none for a value of less than three characters.
create function search_needle(value text, key bytea) returns bigint[] language sql immutable parallel safe as $$
  select coalesce(array_agg(distinct substr(sha256(key || convert_to(substr(t.v, i, 3), 'UTF8')), 1, 8)::bigint), '{}')
    from (select search_text_normal(value) as v) t, generate_series(1, length(t.v) - 2) i
$$;

-- Array containment is not leakproof, so row level security would keep the GIN index from being used:
-- this function searches with an explicit tenant, which must be the one of the transaction.
create function search_ids(tenant uuid, kind text, wanted bigint[]) returns setof uuid
language sql stable security definer set search_path = public as $$
  select s.entity_id from entity_search s
   where s.grams @> wanted and s.tenant_id = tenant and s.entity_type = kind
     and cardinality(wanted) > 0
     and (tenant = nullif(current_setting('app.tenant_id', true), '')::uuid or current_user = 'backstep_system')
$$;
revoke all on function search_ids(uuid, text, bigint[]) from public;
grant execute on function search_ids(uuid, text, bigint[]) to backstep_app, backstep_system;

-- Exact totals of lists without a filter. Written under the tenant's lock only, so nobody waits here.
create table entity_counters (
  tenant_id uuid not null,
  entity_type text not null,
  organization_id uuid not null,
  parent_id uuid not null,
  n bigint not null,
  primary key (tenant_id, entity_type, organization_id, parent_id)
) with (fillfactor = 50);
select backstep_protect('entity_counters', false);

-- Transactional outbox: events of committed commands, consumed by deletion.
create table outbox (
  tenant_id uuid not null,
  log_id uuid not null,
  organization_id uuid,
  events jsonb not null,
  created_at timestamptz not null,
  seq bigint not null,
  primary key (tenant_id, log_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
create index outbox_in_order on outbox (seq);
select backstep_protect('outbox', false);

-- Published events in the order of their publication: what a live stream resumes from. Written by the relay only.
create sequence event_stream_id cache 1;
grant usage on sequence event_stream_id to backstep_system;
create table event_stream (
  tenant_id uuid not null,
  id bigint not null default nextval('event_stream_id'),
  organization_id uuid,
  event text not null,
  payload jsonb not null,
  audience jsonb,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index event_stream_in_order on event_stream (id);
create index event_stream_by_age on event_stream (created_at);
select backstep_protect('event_stream', false);
