-- Tenants and organizations.

create table tenants (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  is_active boolean not null default true,
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint tenants_itself check (tenant_id = id)
);
create index tenants_by_name on tenants (lower(name), id) where deleted_at is null;
select backstep_protect('tenants');

create table organizations (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  slug text,
  logo_url text,
  is_active boolean not null default true,
  parent_id uuid,
  root_id uuid,
  tree_path text,
  depth integer not null default 0,
  ancestor_ids uuid[] not null default '{}',
  child_ids uuid[] not null default '{}',
  descendant_ids uuid[] not null default '{}',
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint organizations_parent foreign key (tenant_id, parent_id)
    references organizations (tenant_id, id) deferrable initially immediate,
  constraint organizations_not_own_parent check (parent_id <> id)
);
create unique index organizations_slug on organizations (tenant_id, slug) where deleted_at is null;
create index organizations_in_parent on organizations (tenant_id, parent_id);
create index organizations_by_slug on organizations (slug, created_at) where deleted_at is null;
select backstep_protect('organizations');

-- Users, roles, grants.

create table users (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid,
  email text not null,
  email_hash text not null,
  name text,
  password_hash text,
  is_confirmed boolean not null default true,
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint users_organization foreign key (tenant_id, organization_id)
    references organizations (tenant_id, id) deferrable initially immediate
);
create unique index users_email on users (tenant_id, email_hash) where deleted_at is null;
create index users_by_email on users (email_hash) where deleted_at is null;
create index users_by_id on users (id);
create index users_in_organization on users (tenant_id, organization_id);
select backstep_protect('users');

create table roles (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index roles_name on roles (tenant_id, name) where deleted_at is null;
select backstep_protect('roles');

create table user_roles (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  role_id uuid not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint user_roles_pair unique (tenant_id, user_id, role_id) deferrable initially immediate,
  constraint user_roles_user foreign key (tenant_id, user_id)
    references users (tenant_id, id) deferrable initially immediate,
  constraint user_roles_role foreign key (tenant_id, role_id)
    references roles (tenant_id, id) deferrable initially immediate
);
create index user_roles_by_role on user_roles (tenant_id, role_id);
select backstep_protect('user_roles');

create table role_acls (
  tenant_id uuid not null,
  id uuid not null,
  role_id uuid not null,
  features text[] not null default '{}',
  is_super_admin boolean not null default false,
  organizations text[],
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint role_acls_role_once unique (tenant_id, role_id) deferrable initially immediate,
  constraint role_acls_role foreign key (tenant_id, role_id)
    references roles (tenant_id, id) deferrable initially immediate
);
select backstep_protect('role_acls');

create table user_acls (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  features text[] not null default '{}',
  is_super_admin boolean not null default false,
  organizations text[],
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint user_acls_user_once unique (tenant_id, user_id) deferrable initially immediate,
  constraint user_acls_user foreign key (tenant_id, user_id)
    references users (tenant_id, id) deferrable initially immediate
);
select backstep_protect('user_acls');

-- Consents and sidebar layouts. A consent outlives its user, so it has no foreign key.

create table user_consents (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  organization_id uuid,
  consent_type text not null,
  is_granted boolean not null default false,
  granted_at timestamptz,
  withdrawn_at timestamptz,
  source text,
  ip_address text,
  integrity_hash text,
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint user_consents_once unique (tenant_id, user_id, consent_type) deferrable initially immediate
);
select backstep_protect('user_consents');

create table user_sidebar_preferences (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  organization_id uuid,
  locale text not null,
  settings jsonb,
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint user_sidebar_preferences_user foreign key (tenant_id, user_id)
    references users (tenant_id, id) deferrable initially immediate
);
create unique index user_sidebar_preferences_once
  on user_sidebar_preferences (tenant_id, user_id, organization_id) nulls not distinct where deleted_at is null;
select backstep_protect('user_sidebar_preferences');

create table role_sidebar_preferences (
  tenant_id uuid not null,
  id uuid not null,
  role_id uuid not null,
  locale text not null,
  settings jsonb,
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint role_sidebar_preferences_role foreign key (tenant_id, role_id)
    references roles (tenant_id, id) deferrable initially immediate
);
create unique index role_sidebar_preferences_once
  on role_sidebar_preferences (tenant_id, role_id) where deleted_at is null;
select backstep_protect('role_sidebar_preferences');

create table sidebar_variants (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  organization_id uuid,
  locale text not null,
  name text not null,
  settings jsonb,
  is_active boolean not null default false,
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint sidebar_variants_user foreign key (tenant_id, user_id)
    references users (tenant_id, id) deferrable initially immediate
);
create unique index sidebar_variants_name on sidebar_variants (tenant_id, user_id, name) where deleted_at is null;
select backstep_protect('sidebar_variants');

-- Sessions and reset tokens are not part of history. They have no foreign key to the user, so that taking back the
-- creation of a user does not depend on rows that history does not know; without a live user they are worth nothing.

create table sessions (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  token_hash text not null,
  expires_at timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index sessions_token on sessions (token_hash);
create index sessions_by_id on sessions (id);
create index sessions_by_user on sessions (tenant_id, user_id);
create index sessions_by_expiry on sessions (expires_at);
select backstep_protect('sessions');

create table password_resets (
  tenant_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  token_hash text not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index password_resets_token on password_resets (token_hash);
create index password_resets_by_user on password_resets (tenant_id, user_id);
select backstep_protect('password_resets');

-- Bookkeeping that changes without anybody deciding anything.

create table user_activity (
  tenant_id uuid not null,
  id uuid not null,
  last_login_at timestamptz not null,
  primary key (tenant_id, id)
) with (fillfactor = 70);
select backstep_protect('user_activity', false);

create table api_keys (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid,
  name text not null,
  description text,
  key_prefix text not null,
  key_hash text not null,
  role_ids uuid[] not null default '{}',
  created_by uuid,
  session_token text,
  session_user_id uuid,
  session_secret_encrypted text,
  opencode_session_id text,
  expires_at timestamptz,
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint api_keys_organization foreign key (tenant_id, organization_id)
    references organizations (tenant_id, id) deferrable initially immediate
);
create unique index api_keys_prefix on api_keys (key_prefix);
create unique index api_keys_chat_session on api_keys (opencode_session_id)
  where opencode_session_id is not null and deleted_at is null;
select backstep_protect('api_keys');

create table api_key_usage (
  tenant_id uuid not null,
  id uuid not null,
  last_used_at timestamptz not null,
  primary key (tenant_id, id)
) with (fillfactor = 70);
select backstep_protect('api_key_usage', false);
