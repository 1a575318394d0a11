"""Routes of the feature toggles: definitions, overrides, checks (contract: feature-toggles.md)."""

from app.http.feature_toggles import checks, overrides, toggles

__all__ = ["checks", "overrides", "toggles"]
