"""Reading form bodies: URL-encoded, multipart (text fields only), and JSON for clients that prefer it."""

from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from multipart import (  # type: ignore[import-untyped]  # ships no types
    MultipartError,
    MultipartParser,
    parse_options_header,
)

from app.http.decode import reject_nul
from domain.errors import Problem, issue

_MAX_FIELDS = 200


def read_form(content_type: str, raw: bytes) -> dict[str, str]:
    """The text fields of the body; the last of repeated ones wins, uploaded files are left out.

    Raises Problem 400 when the body is not what `content_type` says.
    """
    kind, options = parse_options_header(content_type)
    try:
        fields = _fields(kind, options, raw)
    except (ValueError, MultipartError, RecursionError):
        raise Problem.invalid([issue("Invalid input: the form cannot be read")]) from None
    reject_nul(fields)
    return fields


def _fields(kind: str, options: dict[str, str], raw: bytes) -> dict[str, str]:
    if not raw:
        return {}
    if kind == "multipart/form-data":
        parser = MultipartParser(BytesIO(raw), options.get("boundary", ""), part_limit=_MAX_FIELDS)
        try:
            return {part.name: part.value for part in parser if not part.filename}
        finally:
            for part in parser.parts():
                part.close()
    if kind == "application/json":
        return {name: _text(value) for name, value in msgspec.json.decode(raw, type=dict[str, Any]).items()}
    return dict(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()
