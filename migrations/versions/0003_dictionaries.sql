create table dictionaries (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid not null,
  key text not null,
  name text not null,
  description text,
  is_system boolean not null default false,
  is_active boolean not null default true,
  manager_visibility text not null default 'default' check (manager_visibility in ('default', 'hidden')),
  entry_sort_mode text not null default 'label_asc',
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index dictionaries_key on dictionaries (tenant_id, organization_id, key) where deleted_at is null;
select backstep_protect('dictionaries');

create table dictionary_entries (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid not null,
  dictionary_id uuid not null,
  value text not null,
  normalized_value text not null,
  label text not null,
  color text,
  icon text,
  position integer not null default 0,
  is_default boolean not null default false,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint dictionary_entries_dictionary foreign key (tenant_id, dictionary_id)
    references dictionaries (tenant_id, id) deferrable initially immediate,
  constraint dictionary_entries_value unique (tenant_id, dictionary_id, normalized_value) deferrable initially immediate
);
create unique index dictionary_entries_default on dictionary_entries (tenant_id, dictionary_id) where is_default;
select backstep_protect('dictionary_entries');
