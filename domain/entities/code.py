"""The entities that are part of the product: an explicit list, and what may be shown of those that have a table.

The ids are the documented ones (entities.md 4.1). One with a `Shown` has rows to choose from in relation fields: only
the columns named there are ever read, and only by who may see such records anyway (3.1).
"""

from typing import Final

from msgspec import Struct


class Shown(Struct, frozen=True):
    """How the rows of a code entity are offered as choices."""

    table: str
    labels: tuple[str, ...]
    """Columns that may be shown; the first one is the label where none is asked for."""
    feature: str
    organization: str | None = None
    """The column that names a row's organization; None: rows belong to the whole tenant."""
    deletes: bool = True
    """Whether a row may be deleted softly (`deleted_at`)."""


_NAMES: Final[dict[str, str]] = {
    "auth": "user role user_sidebar_preference role_sidebar_preference sidebar_variant user_role session password_reset"
    " role_acl user_acl user_consent",
    "directory": "tenant organization",
    "customers": "customer_entity customer_person_profile customer_person_company_link customer_company_profile"
    " customer_deal customer_deal_stage_transition customer_deal_person_link customer_deal_company_link"
    " customer_activity customer_interaction customer_comment customer_address customer_settings customer_tag"
    " customer_tag_assignment customer_dictionary_entry customer_pipeline customer_pipeline_stage customer_todo_link"
    " customer_entity_role customer_dictionary_kind_setting customer_label customer_label_assignment"
    " customer_company_billing customer_person_company_role",
    "entities": "custom_field_entity_config encryption_map",
    "configs": "module_config upgrade_action_run",
    "query_index": "entity_index_job indexer_error_log indexer_status_log",
    "audit_logs": "action_log access_log",
    "attachments": "attachment_partition attachment",
    "dictionaries": "dictionary dictionary_entry",
    "feature_toggles": "feature_toggle feature_toggle_override",
    "dashboards": "dashboard_layout dashboard_role_widgets dashboard_user_widgets",
    "notifications": "notification",
    "integrations": "sync_external_id_mapping integration_credentials integration_state integration_log",
    "ai_assistant": "ai_agent_prompt_override ai_pending_action ai_agent_runtime_override ai_token_usage_event"
    " ai_token_usage_daily ai_tenant_model_allowlist ai_agent_mutation_policy_override ai_chat_conversation"
    " ai_chat_conversation_participant ai_chat_message",
}

CODE_ENTITIES: Final[tuple[str, ...]] = tuple(
    f"{module}:{name}" for module, names in _NAMES.items() for name in names.split()
)
"""Ids in the order of the modules, and within one in that of its tables."""

_KNOWN: Final = frozenset(CODE_ENTITIES)

SHOWN: Final[dict[str, Shown]] = {
    "auth:user": Shown("users", ("name", "email"), "auth.users.list", "organization_id"),
    "auth:role": Shown("roles", ("name",), "auth.roles.list"),
    "directory:organization": Shown(
        "organizations", ("name", "slug"), "directory.organizations.view", organization="id"
    ),
    "directory:tenant": Shown("tenants", ("name",), "directory.tenants.view"),
    "dictionaries:dictionary": Shown("dictionaries", ("name", "key"), "dictionaries.view", "organization_id"),
    "dictionaries:dictionary_entry": Shown(
        "dictionary_entries", ("label", "value"), "dictionaries.view", "organization_id", deletes=False
    ),
}

RIGHTS: Final[dict[str, tuple[str, str]]] = {
    "directory:tenant": ("directory.tenants.view", "directory.tenants.manage"),
    "directory:organization": ("directory.organizations.view", "directory.organizations.manage"),
    **{
        f"customers:{entity}": (f"customers.{part}.view", f"customers.{part}.manage")
        for entity, part in (
            ("customer_person_profile", "people"),
            ("customer_company_profile", "companies"),
            ("customer_deal", "deals"),
            ("customer_activity", "activities"),
            ("customer_interaction", "interactions"),
        )
    },
    "auth:user": ("auth.users.list", "auth.users.edit"),
    "auth:role": ("auth.roles.list", "auth.roles.manage"),
}
"""The features (view, manage) that let somebody at the records of an entity of another module (3.1)."""


def is_code_entity(entity_id: str) -> bool:
    """Whether the entity is part of the product, so that its records are not records of a custom entity."""
    return entity_id in _KNOWN
