-- Definitions of custom fields, their fieldsets, custom entities, and what a tenant settled about new ones.
-- A row without organization is the tenant's; the more specific row of a key wins (decision 0021).

create table field_definitions (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid,
  entity_id text not null,
  key text not null,
  kind text not null check (kind in (
    'text', 'multiline', 'integer', 'float', 'boolean', 'select', 'currency', 'relation', 'attachment', 'dictionary',
    'phone', 'date', 'datetime')),
  config jsonb not null default '{}' check (jsonb_typeof(config) = 'object'),
  is_active boolean not null default true,
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint field_definitions_once unique nulls not distinct (tenant_id, entity_id, key, organization_id)
    deferrable initially immediate,
  constraint field_definitions_organization foreign key (tenant_id, organization_id)
    references organizations (tenant_id, id) deferrable initially immediate
);
select backstep_protect('field_definitions');

create table fieldset_configs (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid,
  entity_id text not null,
  config jsonb not null default '{}' check (jsonb_typeof(config) = 'object'),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint fieldset_configs_once unique nulls not distinct (tenant_id, entity_id, organization_id)
    deferrable initially immediate,
  constraint fieldset_configs_organization foreign key (tenant_id, organization_id)
    references organizations (tenant_id, id) deferrable initially immediate
);
select backstep_protect('fieldset_configs');

create table custom_entities (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid,
  entity_id text not null,
  label text not null,
  description text,
  label_field text,
  default_editor text check (default_editor in ('markdown', 'simpleMarkdown', 'htmlRichText', 'plain')),
  show_in_sidebar boolean not null default false,
  access_restricted boolean not null default false,
  is_active boolean not null default true,
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint custom_entities_once unique nulls not distinct (tenant_id, entity_id, organization_id)
    deferrable initially immediate,
  constraint custom_entities_organization foreign key (tenant_id, organization_id)
    references organizations (tenant_id, id) deferrable initially immediate
);
select backstep_protect('custom_entities');

create table entity_settings (
  tenant_id uuid not null,
  id uuid not null,
  new_entities_restricted boolean not null default false,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint entity_settings_once unique (tenant_id) deferrable initially immediate
);
select backstep_protect('entity_settings');
