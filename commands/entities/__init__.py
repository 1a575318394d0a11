"""Commands on custom entities, field definitions and records (contract: entities.md)."""

from commands.entities import batch, custom_entities, definitions, install

__all__ = ["batch", "custom_entities", "definitions", "install"]
