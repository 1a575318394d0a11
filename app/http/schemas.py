"""The JSON schemas of the OpenAPI document, made by msgspec from the types, and examples made from the schemas."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import inspect

from app.http.issues import type_info

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/"
_EXAMPLES = {
    "uuid": "00000000-0000-4000-8000-000000000000",
    "date-time": "2026-01-31T12:00:00.000Z",
    "date": "2026-01-31",
    "email": "user@example.com",
    "uri": "https://example.com",
}
_DEPTH = 6


class Schemas:
    """The schemas of a set of types, by reference, and the components that they refer to."""

    def __init__(self, types: Iterable[Any]) -> None:
        """Describe `types`; plain dictionaries among them are schemas already."""
        unique = list(
            {id(one): one for one in types if one is not None and not isinstance(one, dict)}.values()
        )
        made, self.components = msgspec.json.schema_components(
            unique, schema_hook=lambda _: {}, ref_template=REFERENCE + "{name}"
        )
        for one in unique:
            self._mark_times(type_info(one))
        self._by_id = {id(one): schema for one, schema in zip(unique, made, strict=True)}

    def _mark_times(self, info: inspect.Type, seen: frozenset[str] = frozenset()) -> None:
        """Say of every time that it travels as RFC 3339 text; msgspec says it only of types that demand a zone."""
        for inner in ("type", "item_type", "value_type"):
            if isinstance(getattr(info, inner, None), inspect.Type):
                self._mark_times(getattr(info, inner), seen)
        for branch in getattr(info, "types", ()):
            self._mark_times(branch, seen)
        name = info.cls.__name__ if isinstance(info, inspect.StructType) else ""
        if not isinstance(info, inspect.StructType) or name in seen:
            return
        properties = self.components.get(name, {}).get("properties", {})
        for field in info.fields:
            leaves = getattr(field.type, "types", (field.type,))
            if any(isinstance(leaf, inspect.DateTimeType) for leaf in leaves):
                schema = properties.get(field.encode_name, {})
                for branch in (schema, *schema.get("anyOf", ())):
                    if branch.get("type") == "string":
                        branch["format"] = "date-time"
            self._mark_times(field.type, seen | {name})

    def of(self, wanted: Any) -> Schema:
        """The schema of one of the types."""
        return dict(wanted) if isinstance(wanted, dict) else self._by_id[id(wanted)]

    def resolved(self, schema: Mapping[str, Any]) -> Schema:
        """The schema itself, references followed."""
        while "$ref" in schema:
            schema = self.components[schema["$ref"].removeprefix(REFERENCE)]
        return dict(schema)

    def without(self, wanted: Any, names: Iterable[str]) -> Schema:
        """The schema of an object type without some of its properties, which travel in the path."""
        dropped = set(names)
        schema = self.resolved(self.of(wanted))
        if dropped.isdisjoint(schema.get("properties", ())):
            return self.of(wanted)
        schema["properties"] = {
            name: one for name, one in schema["properties"].items() if name not in dropped
        }
        schema["required"] = [name for name in schema.get("required", ()) if name not in dropped]
        return schema

    def example(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        """A value that fits the schema."""
        schema = self.resolved(schema)
        for key in ("example", "const", "default"):
            if key in schema:
                return schema[key]
        for key in ("examples", "enum"):
            if schema.get(key):
                return schema[key][0]
        for key in ("oneOf", "anyOf", "allOf"):
            if schema.get(key):
                return self.example(schema[key][0], depth)
        return self._example_of_type(schema, depth)

    def _example_of_type(self, schema: Schema, depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else None)
        if isinstance(kind, list):
            kind = kind[0]
        if kind in (None, "null"):
            return None
        if kind == "object":
            required = schema.get("required", ())
            made = {name: self.example(one, depth + 1) for name, one in schema.get("properties", {}).items()}
            return {
                name: value for name, value in made.items() if value not in (None, []) or name in required
            }
        if kind == "array":
            items = schema.get("items")
            return [self.example(items, depth + 1)] if items and depth <= _DEPTH else []
        if kind in ("integer", "number"):
            return max(1, schema.get("minimum", 1))
        if kind == "boolean":
            return True
        return _EXAMPLES.get(
            schema.get("format", ""), "#3366ff" if "#" in schema.get("pattern", "") else "string"
        )

    def pruned(self, document: Any) -> dict[str, Schema]:
        """The components that `document` refers to, directly or through others, in alphabetical order."""
        needed: set[str] = set()
        waiting: list[Any] = [document]
        while waiting:
            item = waiting.pop()
            if isinstance(item, dict):
                name = str(item.get("$ref", "")).removeprefix(REFERENCE)
                if name in self.components and name not in needed:
                    needed.add(name)
                    waiting.append(self.components[name])
                waiting.extend(item.values())
            elif isinstance(item, list):
                waiting.extend(item)
        return {name: self.components[name] for name in sorted(needed)}
