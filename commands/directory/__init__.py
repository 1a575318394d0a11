"""Commands of the directory: organizations, the tree that they make, and tenants (contract: directory.md)."""

from commands.directory import organizations, tenants, tree

__all__ = ["organizations", "tenants", "tree"]
