"""Encrypted fields: what is sealed where, and the form of a sealed value (decision 0023)."""
