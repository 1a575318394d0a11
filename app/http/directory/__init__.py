"""Routes of the directory: public lookups, the switcher, organizations, their branding, tenants (directory.md)."""

from app.http.directory import branding, lookups, organizations, switcher, tenants

__all__ = ["branding", "lookups", "organizations", "switcher", "tenants"]
