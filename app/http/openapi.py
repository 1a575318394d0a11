"""The OpenAPI 3.1 document, made from the declared operations alone: no database, no running application."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from app.http import MODULES, answers, headers
from app.http.answers import Answer
from app.http.exports import FILE_EXAMPLES
from app.http.operation import Operation, operations_of
from app.http.pagination import FORMAT
from app.http.schemas import Schema, Schemas

_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}, {"apiKey": []}]
_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Access token of POST /auth/login",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "auth_token",
        "description": "The same token, set as a cookie",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "Secret of an API key"},
}
_COMMON = {
    "Invalid": answers.INVALID,
    "Unauthorized": answers.UNAUTHORIZED,
    "Forbidden": answers.FORBIDDEN,
    "Conflict": answers.CONFLICT,
    "TooLarge": answers.TOO_LARGE,
    "Unprocessable": answers.UNPROCESSABLE,
    "Failed": answers.FAILED,
    "Unavailable": answers.UNAVAILABLE,
}
_COMMAND_HEADERS: dict[str, tuple[str, str, Schema]] = {
    "Reason": (
        headers.REASON,
        "Why the change is made; kept with the log row. Percent-encoded, at most 500 characters.",
        {},
    ),
    "DryRun": (
        headers.DRY_RUN,
        "`true`: run, take back, and answer with the changes that would be made.",
        {},
    ),
    "IdempotencyKey": (
        "Idempotency-Key",
        "The first answer for this key is stored and given again; the same key with another request is 422.",
        {"minLength": 1, "maxLength": 255},
    ),
    "ExpectedUpdatedAt": (
        headers.EXPECTED_UPDATED_AT,
        "The `updatedAt` that the client last saw; 409 when the record is newer.",
        {"format": "date-time"},
    ),
}
_JSON = "application/json"
_UUID: Schema = {"type": "string", "format": "uuid"}


def all_operations() -> list[Operation]:
    """Every operation of the API, in document order. Raises `ValueError` for a repeated route or operation id."""
    found: list[Operation] = []
    for name in MODULES:
        module = f"{__package__}.{name}"
        import_module(module)
        found += operations_of(module)
    refuse_repeated(found)
    return found


def refuse_repeated(operations: Sequence[Operation]) -> None:
    """Raise `ValueError` when a route or an operation id is declared twice."""
    for kind, keys in (
        ("route", [f"{one.method} {one.path}" for one in operations]),
        ("operation id", [one.operation_id for one in operations]),
    ):
        repeated = sorted(key for key, count in Counter(keys).items() if count > 1)
        if repeated:
            raise ValueError(f"{kind} declared twice: {', '.join(repeated)}")


def document(operations: Sequence[Operation] | None = None) -> dict[str, Any]:
    """The OpenAPI document of `operations`, or of the whole API."""
    operations = all_operations() if operations is None else operations
    schemas = Schemas(_types(operations))
    paths: dict[str, Any] = {}
    for item in operations:
        paths.setdefault(item.path, {})[item.method.lower()] = _operation(item, schemas)
    responses = {name: _response(answer, schemas) for name, answer in _COMMON.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Backstep API",
            "version": _version(),
            "description": "Every change is a command; every command can be explained, undone and redone.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [
            {"url": "/", "description": "This server"},
            {"url": "/api", "description": "The same, for older clients"},
        ],
        "tags": [{"name": tag} for tag in dict.fromkeys(item.tag for item in operations)],
        "paths": paths,
        "components": {
            "securitySchemes": _SCHEMES,
            "parameters": {name: _header(*parts) for name, parts in _COMMAND_HEADERS.items()},
            "responses": responses,
            "schemas": schemas.pruned([paths, responses]),
        },
    }


@cache
def whole_document() -> dict[str, Any]:
    """The document of all operations; made once."""
    return document()


def _types(operations: Sequence[Operation]) -> list[Any]:
    types: list[Any] = [answer.schema for answer in _COMMON.values()]
    for item in operations:
        types.append(item.body)
        types += [answer.schema for answer in item.answers.values()]
    return types


def _operation(item: Operation, schemas: Schemas) -> dict[str, Any]:
    writes = item.auth and item.method != "GET"
    parameters = [_path_parameter(name, item, schemas) for name in item.path_parameters]
    parameters += [
        _without_none(
            {
                "name": one.name,
                "in": "query",
                "required": one.required,
                "description": one.description,
                "schema": dict(one.schema),
                "example": one.example,
            }
        )
        for one in item.query
    ]
    if writes:
        parameters += [{"$ref": f"#/components/parameters/{name}"} for name in _COMMAND_HEADERS]
    described: dict[str, Any] = {
        "operationId": item.operation_id,
        "tags": [item.tag],
        "summary": item.summary,
        "description": item.description or item.summary,
        "security": _SECURITY if item.auth else [],
        "x-features": list(item.features),
        "parameters": parameters,
        "responses": _responses(item, schemas, writes),
    }
    body = _request_body(item, schemas)
    if body is not None:
        described["requestBody"] = body
    if item.deprecated:
        described["deprecated"] = True
    return described


def _path_parameter(name: str, item: Operation, schemas: Schemas) -> dict[str, Any]:
    properties = (
        schemas.resolved(schemas.of(item.body)).get("properties", {}) if item.body is not None else {}
    )
    schema = properties.get(name) or (_UUID if name == "id" or name.endswith("Id") else {"type": "string"})
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": schema,
        "example": schemas.example(schema),
    }


def _request_body(item: Operation, schemas: Schemas) -> dict[str, Any] | None:
    if item.body is None:
        return None
    schema = schemas.without(item.body, item.path_parameters)
    resolved = schemas.resolved(schema)
    if not resolved.get("properties") and item.path_parameters:
        return None
    example = schemas.example(schema) if item.example is None else item.example
    return {
        "required": bool(resolved.get("required")),
        "content": {item.media_type: {"schema": schema, "example": example}},
    }


def _responses(item: Operation, schemas: Schemas, writes: bool) -> dict[str, Any]:
    described = {
        str(status): _response(answer, schemas, writes and status < 300)
        for status, answer in item.answers.items()
    }
    if FORMAT.name in {parameter.name for parameter in item.query} and "200" in described:
        described["200"]["content"] = _exported(described["200"]["content"])
    common = {"500": "Failed", "503": "Unavailable"}
    if item.auth:
        common |= {"401": "Unauthorized", "403": "Forbidden"}
    if item.path_parameters or item.query or item.body is not None:
        common["400"] = "Invalid"
    if item.method != "GET":
        common["413"] = "TooLarge"
    if writes:
        common |= {"409": "Conflict", "422": "Unprocessable"}
    for status, name in common.items():
        described.setdefault(status, {"$ref": f"#/components/responses/{name}"})
    return dict(sorted(described.items()))


def _exported(content: dict[str, Any]) -> dict[str, Any]:
    """What a list may answer with that can also be exported: `format=json` gives its records without an envelope."""
    listed = content["application/json"]
    records = {"type": "array", "items": {"type": "object"}}
    files: dict[str, Any] = {
        kind: {"schema": {}, "example": example}
        for kind, example in FILE_EXAMPLES.items()
        if kind not in content
    }
    return {
        **content,
        "application/json": {**listed, "schema": {"anyOf": [listed["schema"], records]}},
        **files,
    }


def _response(answer: Answer, schemas: Schemas, undoable: bool = False) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description or HTTPStatus.OK.phrase}
    if answer.schema is not None:
        schema = schemas.of(answer.schema)
        example = schemas.example(schema) if answer.example is None else answer.example
        described["content"] = {answer.media_type: {"schema": schema, "example": example}}
    names = dict(answer.headers)
    if undoable:
        names.setdefault(
            headers.OPERATION,
            "The change as an operation that can be undone: `omop:` and percent-encoded JSON",
        )
    if names:
        described["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in names.items()
        }
    return described


def _header(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", **schema},
    }


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != ""}


def _version() -> str:
    try:
        return version("backstep")
    except PackageNotFoundError:
        return "0.1.0"
