-- Actions that were taken back together with others. The newest mark of an action counts: undo and redo of the step that
-- took it back add one. So the token of an action works again once that step is undone.
create table action_log_marks (
  tenant_id uuid not null,
  log_id uuid not null,
  origin uuid not null,
  undone boolean not null,
  marked_at timestamptz not null,
  seq bigint not null default nextval('action_log_seq'),
  primary key (tenant_id, log_id, seq)
);
create index action_log_marks_by_origin on action_log_marks (tenant_id, origin, log_id);
select backstep_protect('action_log_marks', false, true);
