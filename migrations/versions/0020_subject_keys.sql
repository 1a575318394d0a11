-- One secret for each record that has sealed values (decision 0034): without it, none of them can be opened. Not guarded
-- and not logged: a secret must be able to vanish, and nothing vanishes from the log. What is erased keeps its row.
create table subject_keys (
  tenant_id uuid not null,
  id uuid not null,
  table_name text not null,
  row_id uuid not null,
  secret bytea check (octet_length(secret) = 32),
  erased_at timestamptz,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  constraint subject_keys_erased check ((secret is null) = (erased_at is not null))
) with (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
create index subject_keys_of_row on subject_keys (tenant_id, table_name, row_id);
create unique index subject_keys_by_id on subject_keys (id);
select backstep_protect('subject_keys', false);

-- The id of the secret that a sealed value needs: the first 16 bytes of its last part, which begins with a dot.
create function sealed_subject(value text) returns uuid language sql immutable parallel safe as $$
  select encode(substr(decode(translate(substr(split_part(value, ':', 4), 2, 24), '-_', '+/'), 'base64'), 1, 16), 'hex')::uuid
$$;

-- The lookup hash of a sealed value that belongs to a record. It is stored masked, by a mask that only the secret gives:
-- once that is destroyed, nobody can try values against what the log holds.
create function unmasked(value text, secret bytea) returns text language sql immutable parallel safe as $$
  select lpad(to_hex(substring(h from 1 for 64)::bigint), 16, '0') || lpad(to_hex(substring(h from 65)::bigint), 16, '0')
    from (select ('x' || split_part(value, ':', 3))::bit(128)
               # ('x' || left(encode(sha256(secret || convert_to(split_part(value, ':', 4), 'UTF8')), 'hex'), 32))::bit(128) as h) x
$$;

-- What stands for a sealed value wherever equal values are looked for: the keyed lookup hash, where it can be had.
create or replace function sealed_key(value text) returns text language sql stable parallel safe as $$
  select case when value ~ '^bse1:[0-9]{1,9}:[0-9a-f]{32}:\.[A-Za-z0-9_-]{54,}$' then coalesce(
                (select 'bse1:' || unmasked(value, k.secret) from subject_keys k
                  where k.id = sealed_subject(value) and k.secret is not null),
                'bse1:' || split_part(value, ':', 3))
              when value ~ '^bse1:[0-9]{1,9}:[0-9a-f]{32}:' then 'bse1:' || split_part(value, ':', 3)
              else value end
$$;

create or replace function custom_text(value text) returns text language sql stable parallel safe as $$
  select case when value ^@ 'bse1:' and value ~ '^bse1:[0-9]{1,9}:[0-9a-f]{32}:' then sealed_key(value)
              when length(value) <= 200 then value
              else left(value, 168) || md5(value) end
$$;
alter function custom_values(jsonb) stable;

-- Sealed values give no search tokens: they are taken out of the text first.
create or replace function search_grams(value text, key bytea) returns bigint[] language sql immutable parallel safe as $$
  select coalesce(array_agg(distinct substr(sha256(key || convert_to(substr(t.v, i, 3), 'UTF8')), 1, 8)::bigint), '{}')
    from (select ' ' || search_text_normal(case when position('bse1:' in value) > 0
            then regexp_replace(value, 'bse1:[0-9]+:[0-9a-f]{32}:\.?[A-Za-z0-9_-]{54,}', '', 'g') else value end) || ' ' as v) t,
         generate_series(1, greatest(length(t.v) - 2, 0)) i
$$;
