"""The pages that menus lead to: where they are, what they are called, and who may open them (contract: auth.md 15).

Texts are in the order of `LANGUAGES`. A page that no menu shows (details, forms of one record) is not in this list.
"""

from typing import Final, Literal

from msgspec import Struct

LANGUAGES: Final = ("en", "pl", "es", "de")

Text = tuple[str, str, str, str]


class Group(Struct, frozen=True):
    """A group of pages; `key` is its id in every language."""

    key: str
    name: Text


class Page(Struct, frozen=True):
    """One page; all of `features` are needed. `order` and `priority` sort it, the lower the earlier."""

    href: str
    title: Text
    group: Group
    features: tuple[str, ...]
    icon: str
    order: int | None = None
    priority: int | None = None
    context: Literal["main", "settings"] = "main"


def in_language(text: Text, language: str) -> str:
    """The text in a language; in English when it has none in that one."""
    return text[LANGUAGES.index(language)] if language in LANGUAGES else text[0]


AUTH_MAIN = Group("auth.nav.group", ("Auth", "Dostęp", "Acceso", "Zugang"))
AUTH = Group("settings.sections.auth", ("Auth", "Dostęp", "Acceso", "Zugang"))
SIDEBAR = Group(
    "appShell.sidebarCustomizationGroup", ("Customization", "Dostosowanie", "Personalización", "Anpassung")
)
DIRECTORY = Group("settings.sections.directory", ("Directory", "Katalog firm", "Directorio", "Verzeichnis"))
SECURITY = Group("backend.nav.security", ("Security", "Bezpieczeństwo", "Seguridad", "Sicherheit"))
MODULES = Group(
    "settings.sections.moduleConfigs",
    ("Module Configuration", "Konfiguracja modułów", "Configuración de módulos", "Modulkonfiguration"),
)
MEDIA = Group("attachments.nav.group", ("Media", "Multimedia", "Multimedia", "Medien"))
EXTERNAL = Group(
    "backend.nav.externalSystems",
    ("External systems", "Systemy zewnętrzne", "Sistemas externos", "Externe Systeme"),
)
TOGGLES = Group(
    "settings.sections.featureToggles",
    ("Feature Toggles", "Przełączniki funkcji", "Interruptores de funciones", "Funktionsschalter"),
)
SYSTEM = Group("settings.sections.system", ("System", "System", "Sistema", "System"))
CUSTOMERS = Group("customers.nav.group", ("Customers", "Klienci", "Clientes", "Kunden"))
DESIGNER = Group(
    "settings.sections.dataDesigner",
    ("Data Designer", "Projektant danych", "Diseñador de datos", "Datendesigner"),
)
DESIGNER_MAIN = Group(
    "entities.nav.group", ("Data designer", "Projektant danych", "Diseñador de datos", "Datendesigner")
)


def _main(
    href: str,
    title: Text,
    group: Group,
    features: str,
    icon: str,
    order: int | None = None,
    priority: int | None = None,
) -> Page:
    return Page(href, title, group, tuple(features.split()), icon, order, priority)


def _settings(
    href: str, title: Text, group: Group, features: str, icon: str, order: int, priority: int | None = None
) -> Page:
    return Page(href, title, group, tuple(features.split()), icon, order, priority, "settings")


PAGES: Final = (
    _main(
        "/backend/roles/create",
        ("Create Role", "Utwórz rolę", "Crear rol", "Rolle anlegen"),
        AUTH_MAIN,
        "auth.roles.manage",
        "plus",
    ),
    _settings(
        "/backend/roles", ("Roles", "Role", "Roles", "Rollen"), AUTH, "auth.roles.list", "shield-check", 2
    ),
    _settings(
        "/backend/sidebar-customization",
        (
            "Customize sidebar",
            "Dostosuj menu boczne",
            "Personalizar la barra lateral",
            "Seitenleiste anpassen",
        ),
        SIDEBAR,
        "auth.sidebar.manage",
        "panel-left",
        1,
    ),
    _main(
        "/backend/users/create",
        ("Create User", "Utwórz użytkownika", "Crear usuario", "Benutzer anlegen"),
        AUTH_MAIN,
        "auth.users.create",
        "user-plus",
    ),
    _settings(
        "/backend/users",
        ("Users", "Użytkownicy", "Usuarios", "Benutzer"),
        AUTH,
        "auth.users.list",
        "users",
        1,
    ),
    _settings(
        "/backend/directory/branding",
        (
            "Organization branding",
            "Wygląd organizacji",
            "Imagen de la organización",
            "Erscheinungsbild der Organisation",
        ),
        DIRECTORY,
        "directory.organizations.manage",
        "palette",
        0,
    ),
    _settings(
        "/backend/directory/organizations",
        ("Organizations", "Organizacje", "Organizaciones", "Organisationen"),
        DIRECTORY,
        "directory.organizations.view",
        "building2",
        1,
    ),
    _settings(
        "/backend/directory/tenants",
        ("Tenants", "Dzierżawcy", "Inquilinos", "Mandanten"),
        DIRECTORY,
        "directory.tenants.view",
        "layers",
        2,
    ),
    _settings(
        "/backend/audit-logs",
        ("Audit Logs", "Dziennik zdarzeń", "Registros de auditoría", "Änderungsprotokoll"),
        SECURITY,
        "audit_logs.view_self",
        "history",
        160,
    ),
    _settings(
        "/backend/config/notifications",
        (
            "Notification Delivery",
            "Dostarczanie powiadomień",
            "Entrega de notificaciones",
            "Zustellung von Benachrichtigungen",
        ),
        MODULES,
        "notifications.manage",
        "bell",
        7,
    ),
    _settings(
        "/backend/config/attachments",
        ("Storage", "Magazyn plików", "Almacenamiento", "Speicher"),
        MODULES,
        "attachments.manage",
        "hard-drive",
        8,
    ),
    _main(
        "/backend/storage/attachments",
        ("Attachments", "Załączniki", "Archivos adjuntos", "Anhänge"),
        MEDIA,
        "attachments.view",
        "archive",
        110,
        20,
    ),
    _settings(
        "/backend/integrations",
        ("Integrations", "Integracje", "Integraciones", "Integrationen"),
        EXTERNAL,
        "integrations.view",
        "plug",
        50,
    ),
    _settings(
        "/backend/feature-toggles/global",
        ("Global", "Globalne", "Globales", "Global"),
        TOGGLES,
        "feature_toggles.view",
        "toggle-left",
        1,
    ),
    _settings(
        "/backend/feature-toggles/overrides",
        ("Overrides", "Nadpisania", "Excepciones", "Abweichungen"),
        TOGGLES,
        "feature_toggles.view",
        "toggle-right",
        2,
    ),
    _settings(
        "/backend/config/cache",
        ("Cache", "Pamięć podręczna", "Caché", "Zwischenspeicher"),
        SYSTEM,
        "configs.cache.view",
        "database",
        3,
    ),
    _settings(
        "/backend/config/module-telemetry",
        ("Module telemetry", "Telemetria modułów", "Telemetría de módulos", "Modultelemetrie"),
        SYSTEM,
        "configs.system_status.view",
        "chart-line",
        2,
    ),
    _settings(
        "/backend/config/system-status",
        ("System status", "Stan systemu", "Estado del sistema", "Systemstatus"),
        SYSTEM,
        "configs.system_status.view",
        "activity",
        1,
    ),
    _main(
        "/backend/calendar",
        ("Calendar", "Kalendarz", "Calendario", "Kalender"),
        CUSTOMERS,
        "customers.interactions.view",
        "calendar",
        50,
        10,
    ),
    _main(
        "/backend/config/customers/deals",
        (
            "Deal settings",
            "Ustawienia szans",
            "Ajustes de oportunidades",
            "Einstellungen der Verkaufschancen",
        ),
        CUSTOMERS,
        "customers.deals.manage",
        "sliders-horizontal",
        350,
        50,
    ),
    _settings(
        "/backend/config/customers",
        ("Customers", "Klienci", "Clientes", "Kunden"),
        MODULES,
        "customers.settings.manage customers.people.view",
        "users",
        3,
    ),
    _settings(
        "/backend/config/customers/pipeline-stages",
        ("Pipeline stages", "Etapy lejka", "Etapas del embudo", "Stufen der Pipeline"),
        MODULES,
        "customers.pipelines.manage",
        "list-ordered",
        4,
    ),
    _main(
        "/backend/customer-tasks",
        ("Customer related tasks", "Zadania klientów", "Tareas de clientes", "Kundenaufgaben"),
        CUSTOMERS,
        "customers.interactions.view",
        "clipboard-list",
        120,
        10,
    ),
    _main(
        "/backend/customers/companies/create",
        ("Create Company", "Utwórz firmę", "Crear empresa", "Firma anlegen"),
        CUSTOMERS,
        "customers.companies.manage",
        "plus",
        115,
        10,
    ),
    _main(
        "/backend/customers/companies",
        ("Companies", "Firmy", "Empresas", "Firmen"),
        CUSTOMERS,
        "customers.companies.view",
        "building2",
        110,
        10,
    ),
    _main(
        "/backend/customers/deals/create",
        ("Create deal", "Utwórz szansę", "Crear oportunidad", "Verkaufschance anlegen"),
        CUSTOMERS,
        "customers.deals.manage",
        "plus",
        121,
        10,
    ),
    _main(
        "/backend/customers/deals/map",
        ("Deals Map", "Mapa szans", "Mapa de oportunidades", "Karte der Verkaufschancen"),
        CUSTOMERS,
        "customers.deals.view customers.activities.view",
        "map",
        122,
        10,
    ),
    _main(
        "/backend/customers/deals",
        ("Deals", "Szanse sprzedaży", "Oportunidades", "Verkaufschancen"),
        CUSTOMERS,
        "customers.deals.view",
        "briefcase",
        120,
        10,
    ),
    _main(
        "/backend/customers/deals/pipeline",
        ("Sales Pipeline", "Lejek sprzedaży", "Embudo de ventas", "Vertriebspipeline"),
        CUSTOMERS,
        "customers.deals.view",
        "columns3",
        121,
        10,
    ),
    _main(
        "/backend/customers/people/create",
        ("Create Person", "Utwórz osobę", "Crear persona", "Person anlegen"),
        CUSTOMERS,
        "customers.people.manage",
        "plus",
        105,
        10,
    ),
    _main(
        "/backend/customers/people",
        ("People", "Osoby", "Personas", "Personen"),
        CUSTOMERS,
        "customers.people.view",
        "users",
        100,
        10,
    ),
    _settings(
        "/backend/config/dictionaries",
        ("Dictionaries", "Słowniki", "Diccionarios", "Wörterbücher"),
        MODULES,
        "dictionaries.manage dictionaries.view",
        "book-open",
        5,
    ),
    _settings(
        "/backend/config/encryption",
        ("Encryption", "Szyfrowanie", "Cifrado", "Verschlüsselung"),
        MODULES,
        "entities.definitions.manage",
        "lock",
        6,
    ),
    _settings(
        "/backend/entities/system",
        ("System Entities", "Encje systemowe", "Entidades del sistema", "Systementitäten"),
        DESIGNER,
        "entities.definitions.view",
        "boxes",
        1,
    ),
    _main(
        "/backend/entities/user/create",
        ("Create Entity", "Utwórz encję", "Crear entidad", "Entität anlegen"),
        DESIGNER_MAIN,
        "entities.definitions.manage",
        "plus",
        11,
    ),
    _settings(
        "/backend/entities/user",
        ("User Entities", "Encje użytkownika", "Entidades de usuario", "Eigene Entitäten"),
        DESIGNER,
        "entities.definitions.view",
        "box",
        2,
    ),
    _settings(
        "/backend/query-indexes",
        ("Query Indexes", "Indeksy zapytań", "Índices de consulta", "Suchindizes"),
        DESIGNER,
        "query_index.status.view",
        "search",
        3,
    ),
    _settings(
        "/backend/api-keys",
        ("API Keys", "Klucze API", "Claves de API", "API-Schlüssel"),
        AUTH,
        "api_keys.view",
        "key-round",
        3,
    ),
    _settings(
        "/backend/config/ai-assistant/agents",
        ("AI Agents", "Agenci AI", "Agentes de IA", "KI-Agenten"),
        MODULES,
        "ai_assistant.settings.manage",
        "bot",
        430,
    ),
    _settings(
        "/backend/config/ai-assistant/allowlist",
        ("AI Allowlist", "Lista dozwolonych AI", "Lista de permitidos de IA", "KI-Zulassungsliste"),
        MODULES,
        "ai_assistant.settings.manage",
        "list-checks",
        432,
    ),
    _settings(
        "/backend/config/ai-assistant/legacy",
        (
            "AI Assistant (legacy)",
            "Asystent AI (starszy)",
            "Asistente de IA (anterior)",
            "KI-Assistent (früher)",
        ),
        MODULES,
        "ai_assistant.settings.manage",
        "message-square",
        432,
    ),
    _settings(
        "/backend/config/ai-assistant/playground",
        ("AI Playground", "Plac testowy AI", "Zona de pruebas de IA", "KI-Spielwiese"),
        MODULES,
        "ai_assistant.settings.manage",
        "flask-conical",
        431,
    ),
    _settings(
        "/backend/config/ai-assistant/settings",
        ("AI Settings", "Ustawienia AI", "Ajustes de IA", "KI-Einstellungen"),
        MODULES,
        "ai_assistant.settings.manage",
        "settings",
        430,
    ),
    _settings(
        "/backend/config/ai-assistant/usage",
        ("AI Usage", "Użycie AI", "Uso de IA", "KI-Nutzung"),
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

ACCOUNT: Final[Text] = ("Account", "Konto", "Cuenta", "Konto")
CHANGE_PASSWORD: Final[Text] = ("Change Password", "Zmień hasło", "Cambiar contraseña", "Kennwort ändern")
