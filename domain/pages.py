"""The pages that menus lead to: where they are, what they are called, and who may open them (contract: auth.md 15).

Texts are English; `domain.i18n` has them in the other languages. A page that no menu shows (details, forms of one
record) is not in this list.
"""

from typing import Final, Literal

from msgspec import Struct


class Group(Struct, frozen=True):
    """A group of pages; `key` is its id in every language."""

    key: str
    name: str


class Page(Struct, frozen=True):
    """One page; all of `features` are needed. `order` and `priority` sort it, the lower the earlier."""

    href: str
    title: str
    group: Group
    features: tuple[str, ...]
    icon: str
    order: int | None = None
    priority: int | None = None
    context: Literal["main", "settings"] = "main"


AUTH_MAIN = Group("auth.nav.group", "Auth")
AUTH = Group("settings.sections.auth", "Auth")
SIDEBAR = Group("appShell.sidebarCustomizationGroup", "Customization")
DIRECTORY = Group("settings.sections.directory", "Directory")
SECURITY = Group("backend.nav.security", "Security")
MODULES = Group("settings.sections.moduleConfigs", "Module Configuration")
MEDIA = Group("attachments.nav.group", "Media")
EXTERNAL = Group("backend.nav.externalSystems", "External systems")
TOGGLES = Group("settings.sections.featureToggles", "Feature Toggles")
SYSTEM = Group("settings.sections.system", "System")
CUSTOMERS = Group("customers.nav.group", "Customers")
DESIGNER = Group("settings.sections.dataDesigner", "Data Designer")
DESIGNER_MAIN = Group("entities.nav.group", "Data designer")


def _main(
    href: str,
    title: str,
    group: Group,
    features: str,
    icon: str,
    order: int | None = None,
    priority: int | None = None,
) -> Page:
    return Page(href, title, group, tuple(features.split()), icon, order, priority)


def _settings(href: str, title: str, group: Group, features: str, icon: str, order: int) -> Page:
    return Page(href, title, group, tuple(features.split()), icon, order, context="settings")


PAGES: Final = (
    _main("/backend/roles/create", "Create Role", AUTH_MAIN, "auth.roles.manage", "plus"),
    _settings("/backend/roles", "Roles", AUTH, "auth.roles.list", "shield-check", 2),
    _settings(
        "/backend/sidebar-customization", "Customize sidebar", SIDEBAR, "auth.sidebar.manage", "panel-left", 1
    ),
    _main("/backend/users/create", "Create User", AUTH_MAIN, "auth.users.create", "user-plus"),
    _settings("/backend/users", "Users", AUTH, "auth.users.list", "users", 1),
    _settings(
        "/backend/directory/branding",
        "Organization branding",
        DIRECTORY,
        "directory.organizations.manage",
        "palette",
        0,
    ),
    _settings(
        "/backend/directory/organizations",
        "Organizations",
        DIRECTORY,
        "directory.organizations.view",
        "building2",
        1,
    ),
    _settings("/backend/directory/tenants", "Tenants", DIRECTORY, "directory.tenants.view", "layers", 2),
    _settings("/backend/audit-logs", "Audit Logs", SECURITY, "audit_logs.view_self", "history", 160),
    _settings(
        "/backend/config/notifications", "Notification Delivery", MODULES, "notifications.manage", "bell", 7
    ),
    _settings("/backend/config/attachments", "Storage", MODULES, "attachments.manage", "hard-drive", 8),
    _main("/backend/storage/attachments", "Attachments", MEDIA, "attachments.view", "archive", 110, 20),
    _settings("/backend/integrations", "Integrations", EXTERNAL, "integrations.view", "plug", 50),
    _settings("/backend/feature-toggles/global", "Global", TOGGLES, "feature_toggles.view", "toggle-left", 1),
    _settings(
        "/backend/feature-toggles/overrides", "Overrides", TOGGLES, "feature_toggles.view", "toggle-right", 2
    ),
    _settings("/backend/config/cache", "Cache", SYSTEM, "configs.cache.view", "database", 3),
    _settings(
        "/backend/config/module-telemetry",
        "Module telemetry",
        SYSTEM,
        "configs.system_status.view",
        "chart-line",
        2,
    ),
    _settings(
        "/backend/config/system-status", "System status", SYSTEM, "configs.system_status.view", "activity", 1
    ),
    _main("/backend/calendar", "Calendar", CUSTOMERS, "customers.interactions.view", "calendar", 50, 10),
    _main(
        "/backend/config/customers/deals",
        "Deal settings",
        CUSTOMERS,
        "customers.deals.manage",
        "sliders-horizontal",
        350,
        50,
    ),
    _settings(
        "/backend/config/customers",
        "Customers",
        MODULES,
        "customers.settings.manage customers.people.view",
        "users",
        3,
    ),
    _settings(
        "/backend/config/customers/pipeline-stages",
        "Pipeline stages",
        MODULES,
        "customers.pipelines.manage",
        "list-ordered",
        4,
    ),
    _main(
        "/backend/customer-tasks",
        "Customer related tasks",
        CUSTOMERS,
        "customers.interactions.view",
        "clipboard-list",
        120,
        10,
    ),
    _main(
        "/backend/customers/companies/create",
        "Create Company",
        CUSTOMERS,
        "customers.companies.manage",
        "plus",
        115,
        10,
    ),
    _main(
        "/backend/customers/companies",
        "Companies",
        CUSTOMERS,
        "customers.companies.view",
        "building2",
        110,
        10,
    ),
    _main(
        "/backend/customers/deals/create", "Create deal", CUSTOMERS, "customers.deals.manage", "plus", 121, 10
    ),
    _main(
        "/backend/customers/deals/map",
        "Deals Map",
        CUSTOMERS,
        "customers.deals.view customers.activities.view",
        "map",
        122,
        10,
    ),
    _main("/backend/customers/deals", "Deals", CUSTOMERS, "customers.deals.view", "briefcase", 120, 10),
    _main(
        "/backend/customers/deals/pipeline",
        "Sales Pipeline",
        CUSTOMERS,
        "customers.deals.view",
        "columns3",
        121,
        10,
    ),
    _main(
        "/backend/customers/people/create",
        "Create Person",
        CUSTOMERS,
        "customers.people.manage",
        "plus",
        105,
        10,
    ),
    _main("/backend/customers/people", "People", CUSTOMERS, "customers.people.view", "users", 100, 10),
    _settings(
        "/backend/config/dictionaries",
        "Dictionaries",
        MODULES,
        "dictionaries.manage dictionaries.view",
        "book-open",
        5,
    ),
    _settings("/backend/config/encryption", "Encryption", MODULES, "entities.definitions.manage", "lock", 6),
    _settings(
        "/backend/entities/system", "System Entities", DESIGNER, "entities.definitions.view", "boxes", 1
    ),
    _main(
        "/backend/entities/user/create",
        "Create Entity",
        DESIGNER_MAIN,
        "entities.definitions.manage",
        "plus",
        11,
    ),
    _settings("/backend/entities/user", "User Entities", DESIGNER, "entities.definitions.view", "box", 2),
    _settings("/backend/query-indexes", "Query Indexes", DESIGNER, "query_index.status.view", "search", 3),
    _settings("/backend/api-keys", "API Keys", AUTH, "api_keys.view", "key-round", 3),
    _settings(
        "/backend/config/ai-assistant/agents",
        "AI Agents",
        MODULES,
        "ai_assistant.settings.manage",
        "bot",
        430,
    ),
    _settings(
        "/backend/config/ai-assistant/allowlist",
        "AI Allowlist",
        MODULES,
        "ai_assistant.settings.manage",
        "list-checks",
        432,
    ),
    _settings(
        "/backend/config/ai-assistant/legacy",
        "AI Assistant (legacy)",
        MODULES,
        "ai_assistant.settings.manage",
        "message-square",
        432,
    ),
    _settings(
        "/backend/config/ai-assistant/playground",
        "AI Playground",
        MODULES,
        "ai_assistant.settings.manage",
        "flask-conical",
        431,
    ),
    _settings(
        "/backend/config/ai-assistant/settings",
        "AI Settings",
        MODULES,
        "ai_assistant.settings.manage",
        "settings",
        430,
    ),
    _settings(
        "/backend/config/ai-assistant/usage",
        "AI Usage",
        MODULES,
        "ai_assistant.settings.manage",
        "gauge",
        431,
    ),
)

GROUP_ORDER: Final = (
    "customers.nav.group",
    "catalog.nav.group",
    "customers~sales.nav.group",
    "wms.nav.group",
    "resources.nav.group",
    "staff.nav.group",
    "entities.nav.group",
    "directory.nav.group",
    "attachments.nav.group",
)
"""The groups that come first, in this order, whoever is there."""

SECTION_ORDER: Final = {
    "system": 1,
    "auth": 2,
    "customer-portal": 3,
    "data-designer": 4,
    "module-configs": 5,
    "currencies": 6,
    "directory": 7,
    "feature-toggles": 8,
}
"""The places of the sections of the settings; others come after them."""

ACCOUNT: Final = "Account"
CHANGE_PASSWORD: Final = "Change password"  # noqa: S105  # a title
