-- What people do with their own accounts: mail on its way, and the program that a session was opened with.

-- Bookkeeping, consumed by deletion. The payload is sealed, because it may hold the link that a password is reset with.
-- Work of no tenant (the request to reset a password, before anybody looked who it is) has the nil tenant.
create table mail_outbox (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null check (kind in ('reset_request', 'password_reset', 'invitation')),
  sealed text not null,
  state text not null default 'waiting' check (state in ('waiting', 'dead')),
  attempts integer not null default 0,
  due_at timestamptz not null,
  expires_at timestamptz not null,
  last_error text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
) with (fillfactor = 70);
create index mail_outbox_due on mail_outbox (due_at) where state = 'waiting';
select backstep_protect('mail_outbox', false);

alter table sessions add column user_agent text;

-- At most one saved layout of a person is in use, undo and redo included.
create unique index sidebar_variants_active on sidebar_variants (tenant_id, user_id) where is_active and deleted_at is null;
