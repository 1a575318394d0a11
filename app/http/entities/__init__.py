"""Custom entities and their fields: routes (contract: entities.md)."""

from app.http.entities import custom_entities, definitions, encryption, records, relations

__all__ = ["custom_entities", "definitions", "encryption", "records", "relations"]
