-- Takings back of many actions that are under way, written on another connection than the one that does the work.
-- Unlogged: after a crash of the server nothing is under way.
create unlogged table undo_runs (
  tenant_id uuid not null,
  id uuid not null,
  actor_user_id uuid,
  dry_run boolean not null,
  phase text not null,
  done bigint not null,
  total bigint,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
select backstep_protect('undo_runs', false);
