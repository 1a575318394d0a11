-- Values of custom fields live in the record's own row: one object, bare keys.

alter table users add column custom_fields jsonb not null default '{}'
  constraint users_custom_fields check (jsonb_typeof(custom_fields) = 'object');
alter table roles add column custom_fields jsonb not null default '{}'
  constraint roles_custom_fields check (jsonb_typeof(custom_fields) = 'object');
alter table organizations add column custom_fields jsonb not null default '{}'
  constraint organizations_custom_fields check (jsonb_typeof(custom_fields) = 'object');
alter table tenants add column custom_fields jsonb not null default '{}'
  constraint tenants_custom_fields check (jsonb_typeof(custom_fields) = 'object');
alter table dictionaries add column custom_fields jsonb not null default '{}'
  constraint dictionaries_custom_fields check (jsonb_typeof(custom_fields) = 'object');
alter table dictionary_entries add column custom_fields jsonb not null default '{}'
  constraint dictionary_entries_custom_fields check (jsonb_typeof(custom_fields) = 'object');
