create table module_configs (
  tenant_id uuid not null,
  id uuid not null,
  module_id text not null check (length(module_id) between 1 and 64),
  name text not null check (length(name) between 1 and 128),
  value jsonb check (jsonb_typeof(value) <> 'null'),
  for_everyone boolean not null default false,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index module_configs_of_tenant on module_configs (tenant_id, module_id, name) where not for_everyone;
create unique index module_configs_for_everyone on module_configs (module_id, name) where for_everyone;
select backstep_protect('module_configs');

-- The setting that holds for every tenant, which is filed under the tenant of the super admin who made it.
create function module_config_for_everyone(wanted_module text, wanted_name text) returns setof module_configs
language sql stable security definer set search_path = public as $$
  select * from module_configs where module_id = wanted_module and name = wanted_name and for_everyone
    and nullif(current_setting('app.tenant_id', true), '') is not null
$$;
revoke all on function module_config_for_everyone(text, text) from public;
grant execute on function module_config_for_everyone(text, text) to backstep_app, backstep_system;

create table upgrade_action_runs (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid not null,
  action_id text not null,
  version text not null,
  completed_at timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index upgrade_action_runs_once on upgrade_action_runs (tenant_id, version, action_id, organization_id);
select backstep_protect('upgrade_action_runs');

-- Bookkeeping: the cache is no part of the state that the log explains.
create table cache_purges (
  tenant_id uuid not null,
  id uuid not null,
  action text not null check (action in ('purgeAll', 'purgeSegment', 'clear')),
  segment text,
  deleted integer not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
select backstep_protect('cache_purges', false);
