-- A super admin names a role by its id alone.
create index roles_by_id on roles (id);

-- API keys are listed newest first.
create index api_keys_newest on api_keys (tenant_id, created_at desc, id desc) where deleted_at is null;
