-- Records of custom entities. `record_id` is what clients know a record by: one of an entity and an organization. `id` is
-- the same, unless another entity or organization of the tenant has a record of that id (decision 0022).
create table entity_records (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid not null,
  entity_type text collate "C" not null,
  record_id uuid not null,
  custom_fields jsonb not null default '{}'
    constraint entity_records_custom_fields check (jsonb_typeof(custom_fields) = 'object'),
  deleted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint entity_records_once unique (tenant_id, entity_type, record_id, organization_id)
    include (id, deleted_at) deferrable initially immediate,
  constraint entity_records_organization foreign key (tenant_id, organization_id)
    references organizations (tenant_id, id) deferrable initially immediate
);
-- Orders of lists; what they show of a row they have in themselves, so that walking them reads no rows.
create index entity_records_placed on entity_records (tenant_id, entity_type, organization_id, record_id)
  include (id, deleted_at);
create index entity_records_created on entity_records (tenant_id, entity_type, created_at, id)
  include (organization_id, deleted_at);
create index entity_records_updated on entity_records (tenant_id, entity_type, updated_at, id)
  include (organization_id, deleted_at);
create index entity_records_gone on entity_records (tenant_id, entity_type, organization_id) where deleted_at is not null;
select backstep_protect('entity_records');

-- Custom values, one row a scalar (an array: one an element, numbered by `n`), for filters and sorts. No operator that
-- lists use on it is kept from an index by row level security: text and numbers are compared, never JSON. `signature`
-- tells of a number which values its record may have besides: it holds the bits of all of them (`custom_bits`).
create table entity_values (
  tenant_id uuid not null,
  entity_type text collate "C" not null,
  entity_id uuid not null,
  field text collate "C" not null,
  n integer not null,
  organization_id uuid,
  deleted boolean not null,
  number double precision,
  text text collate "C" not null,
  signature bigint,
  primary key (tenant_id, entity_type, entity_id, field, n)
) with (fillfactor = 90);
create index entity_values_by_text on entity_values (tenant_id, entity_type, field, text, entity_id)
  include (organization_id, deleted, n);
create index entity_values_by_number on entity_values (tenant_id, entity_type, field, number, entity_id)
  include (organization_id, deleted, signature) where n = 0 and number is not null;
select backstep_protect('entity_values', false);

-- Three of 64 bits for a value of a field.
create function custom_bits(field text, value text) returns bigint language sql immutable parallel safe as $$
  select (1::bigint << (h & 63)) | (1::bigint << ((h >> 6) & 63)) | (1::bigint << ((h >> 12) & 63))
    from (select ('x' || left(md5(field || ' ' || value), 8))::bit(32)::integer as h) d
$$;

-- A text as the index knows it: a long one is cut, and told apart by the digest of the whole; of a sealed one only the
-- keyed hash is kept, by which equal values are found (decision 0023).
create function custom_text(value text) returns text language sql immutable parallel safe as $$
  select case when value ^@ 'bse1:' and value ~ '^bse1:[0-9]{1,9}:[0-9a-f]{32}:' then 'bse1:' || split_part(value, ':', 3)
              when length(value) <= 200 then value
              else left(value, 168) || md5(value) end
$$;

-- The scalars of an object of custom values: a number also as a double where one can hold it, objects not at all. Of
-- elements of an array with the same text only the first counts. (`offset 0`: each expression is worked out once.)
create function custom_values(fields jsonb)
returns table (field text, n integer, number double precision, text text)
language sql immutable parallel safe rows 8 as $$
  select r.field, r.n,
         case when r.kind = 'number' and abs(r.raw::numeric) < 1e300 then r.raw::double precision end,
         case when r.kind = 'number' then custom_text(trim_scale(r.raw::numeric)::text)
              when r.kind = 'string' then custom_text(r.raw) else r.raw end
    from (
      select f.key as field, 0 as n, jsonb_typeof(f.value) as kind, f.value #>> '{}' as raw from jsonb_each(fields) f
       where jsonb_typeof(f.value) in ('string', 'number', 'boolean')
      union all
      select f.key, e.n, e.kind, e.raw
        from jsonb_each(fields) f
       cross join lateral (
         select min(a.n - 1)::integer as n, min(jsonb_typeof(a.value)) as kind,
                case jsonb_typeof(a.value) when 'number' then trim_scale((a.value #>> '{}')::numeric)::text
                     else a.value #>> '{}' end as raw
           from jsonb_array_elements(case jsonb_typeof(f.value) when 'array' then f.value end) with ordinality a(value, n)
          where jsonb_typeof(a.value) in ('string', 'number', 'boolean')
          group by 3) e
       where jsonb_typeof(f.value) = 'array'
      offset 0) r
$$;

-- The texts among custom values that search may find a record by: no sealed ones, they would be hashes of noise.
create function custom_search_text(fields jsonb) returns text language sql immutable parallel safe as $$
  select string_agg(e.value #>> '{}', ' ' order by f.key, e.n)
    from jsonb_each(fields) f
   cross join lateral jsonb_array_elements(
           case jsonb_typeof(f.value) when 'array' then f.value else jsonb_build_array(f.value) end)
         with ordinality e(value, n)
   where jsonb_typeof(e.value) in ('string', 'number') and not (e.value #>> '{}') ^@ 'bse1:'
$$;
