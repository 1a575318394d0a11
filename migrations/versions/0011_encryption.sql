-- Encryption maps, the wrapped keys of tenants, and what SQL must know of sealed values (decision 0023).

create table encryption_maps (
  tenant_id uuid not null,
  id uuid not null,
  organization_id uuid,
  entity_id text not null,
  fields jsonb not null check (jsonb_typeof(fields) = 'array'),
  is_active boolean not null default true,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint encryption_maps_once unique nulls not distinct (tenant_id, entity_id, organization_id)
    deferrable initially immediate,
  constraint encryption_maps_organization foreign key (tenant_id, organization_id)
    references organizations (tenant_id, id) deferrable initially immediate
);
select backstep_protect('encryption_maps');

-- Not guarded and not logged: a key must be able to vanish, and nothing vanishes from the log.
create table data_keys (
  tenant_id uuid not null,
  id uuid not null,
  purpose text not null check (purpose in ('data', 'lookup')),
  number integer not null check (number > 0),
  wrapped text not null,
  wrapped_by text not null check (wrapped_by in ('local', 'vault')),
  created_at timestamptz not null,
  primary key (tenant_id, id),
  constraint data_keys_once unique (tenant_id, purpose, number)
);
select backstep_protect('data_keys', false);

-- What stands for a value wherever equal values are looked for: of a sealed one its keyed lookup hash, else itself.
create function sealed_key(value text) returns text language sql immutable parallel safe as
$$ select case when starts_with(value, 'bse1:') then 'bse1:' || split_part(value, ':', 3) else value end $$;

-- Sealed values give no search tokens: they are taken out of the text first.
create or replace function search_grams(value text, key bytea) returns bigint[] language sql immutable parallel safe as $$
  select coalesce(array_agg(distinct substr(sha256(key || convert_to(substr(t.v, i, 3), 'UTF8')), 1, 8)::bigint), '{}')
    from (select ' ' || search_text_normal(case when position('bse1:' in value) > 0
            then regexp_replace(value, 'bse1:[0-9]+:[0-9a-f]{32}:[A-Za-z0-9_-]{54,}', '', 'g') else value end) || ' ' as v) t,
         generate_series(1, greatest(length(t.v) - 2, 0)) i
$$;
