-- Retention of the log (decision 0033): how long rows of a resource kind are kept; '*' is every kind without a policy.
create table log_retention_policies (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null check (kind <> ''),
  days integer not null check (days between 30 and 36500),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint log_retention_policies_once unique (tenant_id, kind) deferrable initially immediate
);
select backstep_protect('log_retention_policies');

-- What a tenant's tables held at a place in its history: a replay begins there, once rows up to it were removed.
create table log_bases (
  tenant_id uuid not null,
  seq bigint not null,
  recorded_at timestamptz not null,
  row_count bigint not null,
  digest bytea not null check (octet_length(digest) = 32),
  mac bytea not null check (octet_length(mac) = 32),
  created_at timestamptz not null,
  primary key (tenant_id, seq)
);
select backstep_protect('log_bases', false, true);
revoke insert on log_bases from backstep_app;

create table log_base_rows (
  tenant_id uuid not null,
  base_seq bigint not null,
  chunk integer not null,
  table_name text not null,
  row_count integer not null,
  schema_rev integer not null,
  body bytea not null,
  primary key (tenant_id, base_seq, chunk)
);
alter table log_base_rows alter column body set storage external;
select backstep_protect('log_base_rows', false, true);
revoke insert on log_base_rows from backstep_app;

-- Which rows of a seal were removed by retention: a bit for each of its items, signed like the seal.
create table log_tombstones (
  tenant_id uuid not null,
  id uuid not null,
  seal_number bigint not null,
  removed bytea not null,
  row_count integer not null check (row_count > 0),
  mac bytea not null check (octet_length(mac) = 32),
  removed_at timestamptz not null,
  primary key (tenant_id, id)
);
create index log_tombstones_by_seal on log_tombstones (tenant_id, seal_number);
select backstep_protect('log_tombstones', false, true);
revoke insert on log_tombstones from backstep_app;

-- Whether a row of the log is older than the tenant keeps rows of its kind; never before 30 days.
create function retention_due(tenant uuid, resource_kind text, recorded timestamptz) returns boolean
language sql stable as $$
  select coalesce((
    select recorded < now() - make_interval(days => greatest(p.days, 30)) from log_retention_policies p
     where p.tenant_id = tenant and p.kind in (coalesce(resource_kind, ''), '*') order by p.kind = '*' limit 1), false)
$$;

-- The only way by which rows leave the log. It does not trust its caller: each row must be due, sealed, behind a base,
-- and neither reverse nor be reversed by a row that is not due; a mark goes only with or after the row that it is on.
create function retention_remove(tenant uuid, logs bigint[], marks bigint[], tables text[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  safe bigint := least((select max(last_seq) from log_seals where tenant_id = tenant),
                       (select max(seq) from log_bases where tenant_id = tenant));
  gone uuid[];
  found bigint;
begin
  select array_agg(l.id), count(*) into gone, found from action_logs l
   where l.tenant_id = tenant and l.seq = any (logs) and l.seq <= safe
     and retention_due(tenant, l.resource_kind, l.recorded_at);
  if found <> cardinality(logs) or coalesce(safe, 0) = 0 then
    raise exception 'retention: a row is not due, not sealed, or behind no base' using errcode = 'BS002';
  end if;
  if exists (
    select from action_logs l join action_log_reversals v on v.tenant_id = tenant and v.log_id in (l.id, l.reverses)
      join action_logs o on o.tenant_id = tenant and o.id = any (array[v.log_id, v.reversed_by]) and o.id <> l.id
     where l.tenant_id = tenant and l.seq = any (logs) and (v.log_id = l.id or v.reversed_by = l.id)
       and not retention_due(tenant, o.resource_kind, o.recorded_at)
  ) or exists (
    select from action_log_marks m where m.tenant_id = tenant and m.log_id = any (gone)
       and m.marked_at >= now() - interval '30 days'
  ) then
    raise exception 'retention: the undo of a row still matters' using errcode = 'BS002';
  end if;
  if exists (
    select from action_log_marks m where m.tenant_id = tenant and m.seq = any (marks) and m.log_id <> all (coalesce(gone, '{}'))
       and exists (select from action_logs l where l.tenant_id = tenant and l.id = m.log_id)
  ) then
    raise exception 'retention: a mark is on a row that stays' using errcode = 'BS002';
  end if;
  delete from action_log_rows r using (
    select l.seq, c -> 'k' ->> 'id' as row_id, c ->> 'r' as root_id
      from action_logs l, jsonb_array_elements(l.changes) c where l.tenant_id = tenant and l.seq = any (logs)) x
   where r.tenant_id = tenant and r.table_name = any (tables) and r.seq = x.seq
     and r.row_id = any (array[x.row_id::uuid, x.root_id::uuid]);
  delete from action_log_reversals v using action_logs l
   where l.tenant_id = tenant and l.seq = any (logs) and v.tenant_id = tenant and v.log_id = l.reverses
     and v.reversed_by = l.id;
  delete from action_log_marks m where m.tenant_id = tenant and m.seq = any (marks);
  delete from action_logs l where l.tenant_id = tenant and l.id = any (gone);
  return found;
end $$;
revoke all on function retention_remove(uuid, bigint[], bigint[], text[]) from public;
grant execute on function retention_remove(uuid, bigint[], bigint[], text[]) to backstep_system;

-- A base that a newer one took the place of.
create function retention_drop_bases(tenant uuid) returns void
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
  delete from log_base_rows r where r.tenant_id = tenant
     and r.base_seq < (select max(b.seq) from log_bases b where b.tenant_id = tenant);
  delete from log_bases b where b.tenant_id = tenant
     and b.seq < (select max(n.seq) from log_bases n where n.tenant_id = tenant);
$$;
revoke all on function retention_drop_bases(uuid) from public;
grant execute on function retention_drop_bases(uuid) to backstep_system;
