-- Entity types of which some records have no document (`noted_at`): their lists are made of the tables until all have
-- one. `scheduled_at`: when a list last had the missing ones built.
create table entity_index_gaps (
  tenant_id uuid not null,
  entity_type text not null,
  noted_at timestamptz,
  scheduled_at timestamptz,
  primary key (tenant_id, entity_type)
) with (fillfactor = 50);
select backstep_protect('entity_index_gaps', false);
