"""Audit logs: features and the event of a recorded action (contract: audit-logs.md)."""

from domain.events import Event, declare_events
from domain.features import Feature, Module, declare

VIEW_SELF = "audit_logs.view_self"
VIEW_TENANT = "audit_logs.view_tenant"
UNDO_SELF = "audit_logs.undo_self"
UNDO_TENANT = "audit_logs.undo_tenant"
REDO_SELF = "audit_logs.redo_self"
REDO_TENANT = "audit_logs.redo_tenant"

ACTION_RECORDED = "audit_logs.action.recorded"

TAKEN_BACK = (
    "coalesce((select k.undone from action_log_marks k where k.tenant_id = {0}.tenant_id and k.log_id = {0}.id"
    " order by k.seq desc limit 1), false)"
)
"""SQL: whether the log row `{0}` is taken back together with others."""

declare(
    Module("audit_logs", "Audit & Action Logs"),
    [
        Feature(VIEW_SELF, "View own audit logs", "audit_logs", roles=("admin", "employee")),
        Feature(VIEW_TENANT, "View tenant audit logs", "audit_logs", roles=("admin",)),
        Feature(UNDO_SELF, "Undo own actions", "audit_logs", roles=("admin", "employee")),
        Feature(UNDO_TENANT, "Undo tenant actions", "audit_logs", roles=("admin",)),
        Feature(REDO_SELF, "Redo own actions", "audit_logs", roles=("admin",)),
        Feature(REDO_TENANT, "Redo tenant actions", "audit_logs", roles=("admin",)),
    ],
    grants={"admin": ["audit_logs.*"]},
)

declare_events(
    Event(
        ACTION_RECORDED,
        "Action Recorded",
        "audit_logs",
        "action",
        "system",
        broadcast=True,
        exclude_from_triggers=True,
    )
)
