-- Toggles hold for the whole platform; a row is filed under the tenant of who made it, and that tenant's log explains it.
create table feature_toggles (
  tenant_id uuid not null,
  id uuid not null,
  identifier text not null,
  name text not null,
  description text,
  category text,
  type text not null check (type in ('boolean', 'string', 'number', 'json')),
  default_value jsonb check (jsonb_typeof(default_value) <> 'null'),
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
-- Unique on the whole platform, and among what is deleted softly too.
create unique index feature_toggles_identifier on feature_toggles (identifier);
create unique index feature_toggles_by_id on feature_toggles (id);
select backstep_protect('feature_toggles');

-- No foreign key: the toggle may be another tenant's row, and taking its creation back must not need all tenants' locks.
create table feature_toggle_overrides (
  tenant_id uuid not null,
  id uuid not null,
  toggle_id uuid not null,
  value jsonb check (jsonb_typeof(value) <> 'null'),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index feature_toggle_overrides_toggle on feature_toggle_overrides (tenant_id, toggle_id);
select backstep_protect('feature_toggle_overrides');

-- What every tenant may read, although the table itself shows each tenant its own rows only.
create function feature_toggles_everywhere() returns setof feature_toggles
language sql stable security definer set search_path = public as $$
  select * from feature_toggles where nullif(current_setting('app.tenant_id', true), '') is not null
$$;
revoke all on function feature_toggles_everywhere() from public;
grant execute on function feature_toggles_everywhere() to backstep_app, backstep_system;

-- The live toggle of a name.
create function feature_toggle_named(wanted text) returns setof feature_toggles
language sql stable security definer set search_path = public as $$
  select * from feature_toggles where identifier = wanted and deleted_at is null
    and nullif(current_setting('app.tenant_id', true), '') is not null
$$;
revoke all on function feature_toggle_named(text) from public;
grant execute on function feature_toggle_named(text) to backstep_app, backstep_system;

-- Whether another toggle, of whatever tenant, live or deleted, has this name. Until the transaction ends nobody else
-- can take it: writers of toggles wait for each other here, always after the lock of their tenant.
create function feature_toggle_taken(wanted text, own uuid) returns boolean
language plpgsql volatile security definer set search_path = public as $$
begin
  perform pg_advisory_xact_lock(30577, 14);
  return exists (select from feature_toggles where identifier = wanted and id is distinct from own);
end $$;
revoke all on function feature_toggle_taken(text, uuid) from public;
grant execute on function feature_toggle_taken(text, uuid) to backstep_app, backstep_system;
