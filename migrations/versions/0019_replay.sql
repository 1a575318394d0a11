-- What a re-execution of a command needs besides its input: who acted, where, with which rights. Scopes repeat from one
-- command to the next, so each is stored once, under the digest of its content.
create table action_log_scopes (
  tenant_id uuid not null,
  id uuid not null,
  scope jsonb not null check (jsonb_typeof(scope) = 'object'),
  primary key (tenant_id, id)
);
select backstep_protect('action_log_scopes', false, true);

-- Null for what was recorded before this migration: such commands are replayed from their row changes alone.
alter table action_logs add column scope_id uuid;

-- Replays that were asked for over the API: what was asked, how far it is, what came of it.
create table replay_runs (
  tenant_id uuid not null,
  id uuid not null,
  mode text not null check (mode in ('state', 'commands')),
  until text,
  state text not null default 'waiting' check (state in ('waiting', 'running', 'equal', 'not_equal', 'could_not')),
  phase text,
  done bigint not null default 0,
  total bigint,
  report jsonb check (jsonb_typeof(report) = 'object'),
  error text,
  requested_by uuid,
  finished_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create index replay_runs_newest on replay_runs (tenant_id, created_at desc, id desc);
select backstep_protect('replay_runs', false);
