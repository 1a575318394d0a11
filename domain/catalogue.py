"""Features of the modules that have no file of their own yet (contract: auth.md section 14).

A module that gets its own file in this package takes its features along.
"""

from domain.features import Feature, Module, declare

_SUPERADMIN = ("superadmin",)
_ADMIN = ("admin",)
_BOTH = ("superadmin", "admin")
_STAFF = ("admin", "employee")
_ALL = ("superadmin", "admin", "employee")

declare(
    Module("notifications", "Notifications"),
    [
        Feature("notifications.view", "View own notifications", "notifications", (), _ALL),
        Feature("notifications.create", "Create notifications for others", "notifications", (), _BOTH),
        Feature("notifications.manage", "Manage all notifications", "notifications", (), _BOTH),
    ],
    grants={"superadmin": ["notifications.*"], "admin": ["notifications.*"]},
)

declare(
    Module("attachments", "Attachments"),
    [
        Feature("attachments.view", "View attachments", "attachments", (), _STAFF),
        Feature("attachments.manage", "Manage attachments", "attachments", (), _ADMIN),
    ],
    grants={"admin": ["attachments.*", "attachments.view", "attachments.manage"]},
)

declare(
    Module("integrations", "Integrations"),
    [
        Feature("integrations.view", "View integrations and external ID mappings", "integrations", (), _ALL),
        Feature("integrations.manage", "Manage integration configurations", "integrations", (), _BOTH),
        Feature(
            "integrations.credentials.manage",
            "Manage integration credentials",
            "integrations",
            (),
            _BOTH,
        ),
    ],
    grants={
        "superadmin": [
            "integrations.*",
            "integrations.view",
            "integrations.manage",
            "integrations.credentials.manage",
        ],
        "admin": [
            "integrations.*",
            "integrations.view",
            "integrations.manage",
            "integrations.credentials.manage",
        ],
    },
)

declare(
    Module("ai_assistant", "AI Assistant"),
    [
        Feature("ai_assistant.view", "View AI Assistant Settings", "ai_assistant", (), _STAFF),
        Feature(
            "ai_assistant.settings.manage",
            "Manage AI Assistant Settings",
            "ai_assistant",
            ("ai_assistant.view",),
            _ADMIN,
        ),
        Feature(
            "ai_assistant.conversations.manage",
            "Manage AI Assistant Conversations",
            "ai_assistant",
            ("ai_assistant.view",),
            _ADMIN,
        ),
        Feature(
            "ai_assistant.conversations.share",
            "Share AI Assistant Conversations",
            "ai_assistant",
            ("ai_assistant.view",),
            _STAFF,
        ),
        Feature("ai_assistant.mcp.serve", "Start MCP Server", "ai_assistant", ("ai_assistant.view",), _ADMIN),
        Feature("ai_assistant.tools.list", "List MCP Tools", "ai_assistant", ("ai_assistant.view",), _ADMIN),
        Feature(
            "ai_assistant.mcp_servers.view",
            "View MCP Server Configurations",
            "ai_assistant",
            ("ai_assistant.view",),
            _ADMIN,
        ),
        Feature(
            "ai_assistant.mcp_servers.manage",
            "Manage MCP Server Configurations",
            "ai_assistant",
            ("ai_assistant.mcp_servers.view",),
            _ADMIN,
        ),
    ],
)

declare(
    Module("customers", "Customer Relationship Management"),
    [
        Feature("customers.people.view", "View people", "customers", (), _STAFF),
        Feature("customers.people.manage", "Manage people", "customers", ("customers.people.view",), _STAFF),
        Feature("customers.companies.view", "View companies", "customers", (), _STAFF),
        Feature(
            "customers.companies.manage",
            "Manage companies",
            "customers",
            ("customers.companies.view",),
            _STAFF,
        ),
        Feature("customers.deals.view", "View deals", "customers", ("customers.people.view",), _STAFF),
        Feature("customers.deals.manage", "Manage deals", "customers", ("customers.deals.view",), _STAFF),
        Feature("customers.activities.view", "View activities", "customers", (), _STAFF),
        Feature(
            "customers.activities.manage",
            "Manage activities",
            "customers",
            ("customers.activities.view",),
            _STAFF,
        ),
        Feature("customers.settings.manage", "Manage customer settings", "customers", (), _ADMIN),
        Feature("customers.pipelines.view", "View pipelines", "customers", (), _STAFF),
        Feature(
            "customers.pipelines.manage",
            "Manage pipelines",
            "customers",
            ("customers.pipelines.view",),
            _ADMIN,
        ),
        Feature(
            "customers.widgets.todos",
            "Use customer todos widget",
            "customers",
            ("customers.activities.view",),
            _STAFF,
        ),
        Feature(
            "customers.widgets.next-interactions",
            "Use customer next interactions widget",
            "customers",
            ("customers.interactions.view",),
            _STAFF,
        ),
        Feature(
            "customers.widgets.new-customers",
            "Use customer new customers widget",
            "customers",
            ("customers.people.view",),
            _STAFF,
        ),
        Feature(
            "customers.widgets.new-deals",
            "Use customer new deals widget",
            "customers",
            ("customers.deals.view",),
            _STAFF,
        ),
        Feature("customers.interactions.view", "View interactions", "customers", (), _STAFF),
        Feature(
            "customers.interactions.manage",
            "Manage interactions",
            "customers",
            ("customers.interactions.view",),
            _ADMIN,
        ),
        Feature("customers.roles.view", "View entity roles", "customers", (), _STAFF),
        Feature(
            "customers.roles.manage",
            "Manage entity roles",
            "customers",
            ("customers.roles.view",),
            _STAFF,
        ),
        Feature(
            "customers.email.compose",
            "Compose / send emails from CRM",
            "customers",
            ("customers.people.view",),
            _STAFF,
        ),
        Feature(
            "customers.email.view_private",
            "View other users' private emails (reserved — inert in v1)",
            "customers",
            ("customers.interactions.view",),
            _ADMIN,
        ),
    ],
    grants={"admin": ["customers.*"]},
)

declare(
    Module("dashboards", "Admin Dashboards"),
    [
        Feature("dashboards.view", "View dashboard", "dashboards", (), _STAFF),
        Feature("dashboards.configure", "Customize dashboard layout", "dashboards", (), _STAFF),
        Feature(
            "dashboards.admin.assign-widgets",
            "Manage dashboard widget availability",
            "dashboards",
            (),
            _ADMIN,
        ),
        Feature("analytics.view", "View analytics widgets", "dashboards", (), _STAFF),
    ],
    grants={"admin": ["dashboards.*", "dashboards.admin.assign-widgets", "analytics.view"]},
)

declare(
    Module("events", "Events"),
    [],
)
