"""Reading the audit logs (contract: audit-logs.md 2, 3, 5 and 6)."""

from queries.audit_logs.access import access_logs
from queries.audit_logs.actions import action_export, action_logs
from queries.audit_logs.history import (
    Comparison,
    HistoryPage,
    State,
    record_comparison,
    record_history,
    record_state,
    subject_of,
)
from queries.audit_logs.totals import Totals
from queries.audit_logs.types import (
    AccessFilter,
    AccessPage,
    ActionFilter,
    ActionPage,
    ExportEntry,
    SortField,
    Window,
)

__all__ = (
    "AccessFilter",
    "AccessPage",
    "ActionFilter",
    "ActionPage",
    "Comparison",
    "ExportEntry",
    "HistoryPage",
    "SortField",
    "State",
    "Totals",
    "Window",
    "access_logs",
    "action_export",
    "action_logs",
    "record_comparison",
    "record_history",
    "record_state",
    "subject_of",
)
