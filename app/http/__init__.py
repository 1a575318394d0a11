"""The HTTP interface: one controller module for each part of the product, and the kit that they share."""

MODULES = (
    "dictionaries",
    "audit_logs",
    "record_history",
    "undo_many",
    "replays",
    "integrity",
    "retention",
    "auth",
    "api_keys",
    "directory",
    "entities",
    "feature_toggles",
    "configs",
    "query_index",
    "jobs",
    "events",
    "commands",
    "system",
)
"""The controller modules of this package, in the order of the document."""
