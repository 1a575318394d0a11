"""What a fresh installation is filled with."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from msgspec import UNSET, Struct

from commands.dictionaries import SeedDictionary, SeedEntry

DEMO_TENANT: Final = "Acme Corp"
DEMO_PASSWORD: Final = "secret"  # noqa: S105  # the documented one of the demo
DEMO_USERS: Final = (
    ("superadmin@acme.com", "superadmin", "Sue Perry"),
    ("admin@acme.com", "admin", "Adam Minsk"),
    ("employee@acme.com", "employee", "Emma Ployer"),
)
"""E-mail address, role and name."""

_FIRST_CURRENCIES: Final = ("EUR", "USD", "GBP", "PLN")


class Draft(Struct, frozen=True):
    """A dictionary to seed, before it has an organization; the entries are value, label, colour and icon."""

    key: str
    name: str
    entries: tuple[tuple[str, str, str | None, str | None], ...]
    description: str | None = None
    is_system: bool = False
    hidden: bool = False

    def command(self, organization_id: UUID) -> SeedDictionary:
        """The command that seeds it in an organization. Entries of system dictionaries have no position."""
        return SeedDictionary(
            organization_id=organization_id,
            key=self.key,
            name=self.name,
            description=UNSET if self.description is None else self.description,
            is_system=self.is_system,
            visibility="hidden" if self.hidden else "default",
            entries=[
                SeedEntry(
                    value=value, label=label, color=color, icon=icon, position=0 if self.is_system else place
                )
                for place, (value, label, color, icon) in enumerate(self.entries)
            ],
        )


def system_drafts() -> Iterator[Draft]:
    """The dictionaries that every tenant has (dictionaries.md section 5)."""
    from babel import Locale

    names: dict[str, str] = dict(Locale("en").currencies.items())
    codes = [*_FIRST_CURRENCIES, *sorted(code for code in names if code not in _FIRST_CURRENCIES)]
    entries = tuple((code, f"{code} – {names[code]}"[:150], None, None) for code in codes)  # noqa: RUF001  # an en dash
    yield Draft("currency", "Currencies", entries, is_system=True)
    yield Draft(
        "sales.deal_loss_reason",
        "Deal loss reasons",
        (
            ("lost_to_competitor", "Lost to competitor", None, None),
            ("no_budget", "No budget", None, None),
            ("no_decision", "No decision", None, None),
            ("timing", "Timing", None, None),
            ("other", "Other", None, None),
        ),
        is_system=True,
        hidden=True,
    )


DEMO_DRAFTS: Final = (
    Draft(
        "order-status",
        "Order statuses",
        (
            ("draft", "Draft", "#94a3b8", "lucide:file-pen-line"),
            ("pending_approval", "Pending approval", "#f59e0b", "lucide:hourglass"),
            ("approved", "Approved", "#22c55e", "lucide:circle-check"),
            ("rejected", "Rejected", "#ef4444", "lucide:circle-x"),
            ("sent", "Sent", "#0ea5e9", "lucide:send"),
            ("confirmed", "Confirmed", "#2563eb", "lucide:badge-check"),
            ("in_fulfillment", "In fulfillment", "#8b5cf6", "lucide:package-open"),
            ("fulfilled", "Fulfilled", "#15803d", "lucide:package-check"),
            ("on_hold", "On hold", "#ea580c", "lucide:pause"),
            ("canceled", "Canceled", "#6b7280", "lucide:ban"),
        ),
        "The stations of an order, from the first draft to the delivery.",
    ),
    Draft(
        "priority",
        "Priorities",
        (
            ("low", "Low", "#64748b", "lucide:arrow-down"),
            ("normal", "Normal", "#0ea5e9", "lucide:equal"),
            ("high", "High", "#f59e0b", "lucide:arrow-up"),
            ("urgent", "Urgent", "#dc2626", "lucide:flame"),
        ),
        "How soon something needs somebody.",
    ),
    Draft(
        "lead-source",
        "Lead sources",
        (
            ("website", "Website", "#2563eb", "lucide:globe"),
            ("referral", "Referral", "#16a34a", "lucide:handshake"),
            ("trade_fair", "Trade fair", "#9333ea", "lucide:tent"),
            ("newsletter", "Newsletter", "#0891b2", "lucide:mail"),
            ("cold_call", "Cold call", "#78716c", "lucide:phone"),
        ),
        "Where we first heard of each other.",
    ),
)
