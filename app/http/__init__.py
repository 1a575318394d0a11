"""The HTTP interface: one controller module for each part of the product, and the kit that they share."""

MODULES = ("dictionaries", "audit_logs", "auth", "api_keys", "directory", "events", "commands", "system")
"""The controller modules of this package, in the order of the document."""
