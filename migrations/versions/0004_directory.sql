-- A super admin names an organization by its id alone.
create index organizations_by_id on organizations (id);

-- Lists walk from the roots down: their stored descendants are the pre-order.
create index organizations_roots on organizations (tenant_id) where parent_id is null and deleted_at is null;
