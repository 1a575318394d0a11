"""The statements of the floor."""

_ENTRY = (
    "t.tenant_id, t.id, t.organization_id, t.dictionary_id, t.value, t.normalized_value, t.label, t.color, t.icon,"
    " t.position, t.is_default, t.created_at, t.updated_at"
)

DICTIONARY_KEY = (
    "select key from dictionaries"
    " where tenant_id = $1 and id = $2 and organization_id = $3 and deleted_at is null"
)
INSERT = (
    "insert into dictionary_entries as t"
    " (tenant_id, id, organization_id, dictionary_id, value, normalized_value, label,"
    " color, icon, position, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)"
    f" returning {_ENTRY}"
)
FIND = (
    f"select {_ENTRY}, d.key as dictionary_key from dictionary_entries t"
    " join dictionaries d on d.tenant_id = t.tenant_id and d.id = t.dictionary_id"
    " where t.tenant_id = $1 and t.id = $2 and d.id = $3 and d.organization_id = $4 and d.deleted_at is null"
    " for update of t"
)
FIND_ANY = (
    f"select {_ENTRY}, d.key as dictionary_key from dictionary_entries t"
    " join dictionaries d on d.tenant_id = t.tenant_id and d.id = t.dictionary_id"
    " where t.tenant_id = $1 and t.id = $2 for update of t"
)
UPDATE = (
    "update dictionary_entries t set label = $3, color = $4, updated_at = $5 where t.tenant_id = $1 and t.id = $2"
    f" returning {_ENTRY}"
)
LEAN_UPDATE = (
    "update dictionary_entries t set color = $3, updated_at = $4 where t.tenant_id = $1 and t.id = $2"
    f" returning {_ENTRY}, old.color as old_color"
)
LOG = (
    "insert into action_logs (tenant_id, id, organization_id, actor_user_id, actor_kind, command_id, action_label,"
    " action_type, resource_kind, resource_id, undo_token, reverses, source_log_id, history_action, source_key, input,"
    " changes, changed_fields, primary_changed_field, request_id, schema_rev, created_at)"
    " values ($1, $2, $3, $4, 'user', $5, $6, $7, 'dictionaries.entry', $8, $9, $10, $10, $11, 'ui', $12, $13, $14,"
    " $15, $16, 1, $17) returning seq"
)
REVERSAL = (
    "insert into action_log_reversals (tenant_id, log_id, reversed_by, reversed_at) values ($1, $2, $3, $4)"
)
TOUCHED = (
    "insert into action_log_rows (tenant_id, table_name, row_id, seq, log_id)"
    " values ($1, 'dictionary_entries', $2, $3, $4)"
)
OUTBOX = (
    "insert into outbox (tenant_id, log_id, organization_id, events, created_at, seq)"
    " values ($1, $2, $3, $4, $5, $6)"
)
INDEX = (
    "insert into entity_index (tenant_id, entity_type, entity_id, organization_id, parent_id, doc, position, name_lc,"
    " created_at, updated_at, projection_version) values ($1, 'dictionaries:entry', $2, $3, $4, $5, $6, $7, $8, $9, 1)"
    " on conflict (tenant_id, entity_type, entity_id) do update set organization_id = excluded.organization_id,"
    " parent_id = excluded.parent_id, doc = excluded.doc, position = excluded.position, name_lc = excluded.name_lc,"
    " updated_at = excluded.updated_at"
)
SEARCH = (
    "insert into entity_search (tenant_id, entity_type, entity_id, grams)"
    " values ($1, 'dictionaries:entry', $2, search_grams($3, $4))"
    " on conflict (tenant_id, entity_type, entity_id) do update set grams = excluded.grams"
)
COUNT = (
    "insert into entity_counters as c (tenant_id, entity_type, organization_id, parent_id, n)"
    " values ($1, 'dictionaries:entry', $2, $3, 1)"
    " on conflict (tenant_id, entity_type, organization_id, parent_id) do update set n = c.n + 1"
)
UNDOABLE = """
select l.id, l.changes,
       (select n.id from action_logs n
         where n.tenant_id = l.tenant_id and n.resource_kind = l.resource_kind and n.resource_id = l.resource_id
           and n.undo_token is not null and n.actor_user_id = l.actor_user_id
           and not exists (select from action_log_reversals r where r.tenant_id = n.tenant_id and r.log_id = n.id)
         order by n.seq desc limit 1) as latest
  from action_logs l where l.tenant_id = $1 and l.undo_token = $2
"""
LIST = """
with page as (
  select doc, position, name_lc, entity_id from entity_index
   where tenant_id = $1 and entity_type = 'dictionaries:entry' and parent_id = $2 and deleted_at is null
   order by position, name_lc, entity_id limit $4 offset $5),
  total as (
  select coalesce(sum(n), 0)::bigint as n from entity_counters
   where tenant_id = $1 and entity_type = 'dictionaries:entry' and organization_id = $3 and parent_id = $2)
select '{"items":[' || coalesce((select string_agg(doc, ',' order by position, name_lc, entity_id) from page), '')
       || '],"total":' || n || ',"page":' || $6::int || ',"pageSize":' || $4::int
       || ',"totalPages":' || (n + $4::int - 1) / $4::int || '}' from total
"""
ROWS = (
    f"select {_ENTRY} from dictionary_entries t join entity_index e on e.tenant_id = t.tenant_id"
    " and e.entity_type = 'dictionaries:entry' and e.entity_id = t.id"
    " where e.tenant_id = $1 and e.entity_type = 'dictionaries:entry' and e.parent_id = $2 and e.deleted_at is null"
    " order by e.position, e.name_lc, e.entity_id limit $3 offset $4"
)
TOTAL = (
    "select coalesce(sum(n), 0)::bigint from entity_counters where tenant_id = $1"
    " and entity_type = 'dictionaries:entry' and organization_id = $3 and parent_id = $2"
)
DETAIL = """
select left(doc, -1) || ',"isInherited":false}' from entity_index
 where tenant_id = $1 and entity_type = 'dictionaries:dictionary' and entity_id = $2 and organization_id = $3
   and deleted_at is null
"""
ACTIONS = """
with page as (select * from action_logs where tenant_id = $1 order by created_at desc, seq desc limit $2 offset $3)
select p.*, u.name, u.email, t.name as tenant_name, o.name as organization_name,
       v.reversed_at as undone_at, w.reversed_at as redone_at
  from page p
  left join users u on u.tenant_id = p.tenant_id and u.id = p.actor_user_id and u.deleted_at is null
  left join tenants t on t.tenant_id = p.tenant_id and t.id = p.tenant_id
  left join organizations o on o.tenant_id = p.tenant_id and o.id = p.organization_id
  left join action_log_reversals v on v.tenant_id = p.tenant_id and v.log_id = p.id
   and p.history_action is distinct from 'undo'
  left join action_log_reversals w on w.tenant_id = v.tenant_id and w.log_id = v.reversed_by
 order by p.created_at desc, p.seq desc
"""
