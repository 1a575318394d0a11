-- Seals over the log (decision 0032): each covers the next rows of a tenant's history, names the seal before it, and is
-- signed with a key that is never in the database. `items` has kind, place, id and digest of every row that it covers,
-- so that a row that was changed or removed can be named.
create table log_seals (
  tenant_id uuid not null,
  number bigint not null check (number > 0),
  first_seq bigint not null,
  last_seq bigint not null check (last_seq >= first_seq),
  row_count integer not null check (row_count > 0),
  form smallint not null,
  items bytea not null,
  digest bytea not null check (octet_length(digest) = 32),
  previous bytea not null check (octet_length(previous) = 32),
  mac bytea not null check (octet_length(mac) = 32),
  key_id text not null,
  sealed_at timestamptz not null,
  primary key (tenant_id, number)
);
alter table log_seals alter column items set storage external;
create unique index log_seals_in_order on log_seals (tenant_id, last_seq);
select backstep_protect('log_seals', false, true);
revoke insert on log_seals from backstep_app;

-- What verifications of a tenant's seals found.
create table log_verifications (
  tenant_id uuid not null,
  id uuid not null,
  requested_by uuid,
  state text not null check (state in ('running', 'intact', 'broken', 'failed')),
  seals bigint not null default 0,
  checked_rows bigint not null default 0,
  breaks jsonb not null default '[]' check (jsonb_typeof(breaks) = 'array'),
  started_at timestamptz not null,
  finished_at timestamptz,
  primary key (tenant_id, id)
);
create index log_verifications_newest on log_verifications (tenant_id, started_at desc);
select backstep_protect('log_verifications', false);
revoke insert, update, delete on log_verifications from backstep_app;

-- Seals read marks in the order of history, too.
create index action_log_marks_in_order on action_log_marks (tenant_id, seq);
