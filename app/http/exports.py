"""Exports of lists as csv, json, xml and markdown: one mechanism for all modules (command-bus.md, 6.7).

Rows arrive in batches and leave as they come, so memory is bounded by a batch. Only when no columns are declared
must all rows be seen before the first line can be written; they then wait in a temporary file, not in memory.
"""

import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Container, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, Literal, cast
from uuid import UUID

import msgspec
from litestar.response import Stream
from msgspec import Struct

from app.http.opening import opened_rows
from domain.wire import flag, iso_ms

Format = Literal["csv", "json", "xml", "markdown"]
Row = Mapping[str, Any]

_TOKENS: dict[str, Format] = {
    "csv": "csv",
    "json": "json",
    "application/json": "json",
    "xml": "xml",
    "application/xml": "xml",
    "markdown": "markdown",
    "md": "markdown",
    "text/markdown": "markdown",
}
_TYPES: dict[Format, tuple[str, str]] = {
    "csv": ("text/csv; charset=utf-8", "csv"),
    "json": ("application/json; charset=utf-8", "json"),
    "xml": ("application/xml; charset=utf-8", "xml"),
    "markdown": ("text/markdown; charset=utf-8", "md"),
}
FILE_EXAMPLES = {
    "text/csv": "Id,Label\n4,Red\n",
    "application/xml": '<?xml version="1.0" encoding="UTF-8"?>\n<records>\n  <record>\n    <id>4</id>\n  </record>\n'
    "</records>",
    "text/markdown": "| Id | Label |\n| --- | --- |\n| 4 | Red |\n",
}
"""What exports look like, by media type; that of JSON is the list without its envelope."""
_CUSTOM_PREFIX = re.compile(r"^cf[_:-]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_XML_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\r": "&#13;"}
)
_DECIMAL = 1
_SPOOL_BYTES = 1_048_576


class Column(Struct, frozen=True):
    """One column of an export: the row key it shows, and its label (None: made from the key)."""

    field: str
    title: str | None = None

    @property
    def label(self) -> str:
        """The header of the column."""
        return self.title if self.title is not None else label_of(self.field)


def export_format(query: Mapping[str, list[str]]) -> Format | None:
    """The export format that the query asks for; None (also for an unknown one) means the ordinary list."""
    values = query.get("format")
    return _TOKENS.get(values[0].strip().lower()) if values else None


def export_full(query: Mapping[str, list[str]]) -> bool:
    """Whether the export ignores filters and `ids`: `exportScope=full`, `export_scope=full` or `full=true`."""
    scopes = [*query.get("exportScope", ()), *query.get("export_scope", ())]
    return (
        any(scope.strip().lower() == "full" for scope in scopes)
        or flag((query.get("full") or [""])[0]) is True
    )


def export_batch(page_size: int) -> int:
    """How many rows are read at a time."""
    return min(max(page_size, 1000, 100), 10_000)


def file_name(name: str, kind: Format, full: bool = False) -> str:
    """The name of the downloaded file: `name` with all but letters, digits, `_` and `-` replaced, and an extension."""
    base = re.sub(r"[^A-Za-z0-9_-]", "_", name) + ("_full" if full else "")
    return f"{base}.{_TYPES[kind][1]}"


def label_of(field: str) -> str:
    """The column header made from a row key: `cf_due_date` becomes `Due Date`."""
    words = re.sub(r"[_\-\s]+", " ", _CUSTOM_PREFIX.sub("", field)).strip()
    return re.sub(r"(^|\s)(\w)", lambda found: found.group(1) + found.group(2).upper(), words)


async def export(
    kind: Format,
    rows: AsyncIterator[Sequence[Row]],
    columns: Sequence[Column | str] | None,
    name: str,
    full: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Stream:
    """The streamed answer that exports `rows` (batches of row dictionaries) in the format `kind`.

    `columns` None takes the union of the rows' keys in first-seen order. `full` strips `cf_` from keys, drops keys
    that begin with `_`, and marks the file name. The first batch is read before the answer starts, so that its errors
    still become a status.
    """
    batches = _raw_keys(rows) if full else rows
    if columns is None:
        chosen, batches = await _spool(batches)
    else:
        chosen = [Column(column) if isinstance(column, str) else column for column in columns]
        batches = await _primed(batches)
    media_type, _ = _TYPES[kind]
    disposition = f'attachment; filename="{file_name(name, kind, full)}"'
    return Stream(
        _WRITERS[kind](chosen, opened_rows(batches)),
        media_type=media_type,
        headers={"content-type": media_type, "content-disposition": disposition, **(headers or {})},
    )


async def csv_rows(
    columns: Sequence[Column], batches: AsyncIterator[Sequence[Row]]
) -> AsyncGenerator[bytes, None]:
    """The lines of a CSV export, a batch at a time: raw labels, then the cells; no newline at the end."""
    fields = [column.field for column in columns]
    yield ",".join(column.label for column in columns).encode()
    async for batch in batches:
        if batch:
            yield "".join(
                "\n" + ",".join(csv_cell(row.get(field)) for field in fields) for row in batch
            ).encode()


def csv_cell(value: Any) -> str:
    """One CSV cell: text that a spreadsheet would take for a formula gets a `'`, and quotes are put where needed."""
    text = text_of(value)
    if text.startswith(_FORMULA) and not isinstance(value, bool | int | float | Decimal):
        text = f"'{text}"
    if any(mark in text for mark in '",\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


async def json_rows(
    columns: Sequence[Column], batches: AsyncIterator[Sequence[Row]]
) -> AsyncGenerator[bytes, None]:
    """A JSON array of objects keyed by header label, indented by two blanks; values keep their JSON type."""
    labels = _distinct_labels(columns)
    before = b"[\n  "
    async for batch in batches:
        parts = []
        for row in batch:
            record = {label: _json_value(row.get(field)) for field, label in labels}
            parts.append(
                before + msgspec.json.format(msgspec.json.encode(record), indent=2).replace(b"\n", b"\n  ")
            )
            before = b",\n  "
        if parts:
            yield b"".join(parts)
    yield b"[]" if before.startswith(b"[") else b"\n]"


async def xml_rows(
    columns: Sequence[Column], batches: AsyncIterator[Sequence[Row]]
) -> AsyncGenerator[bytes, None]:
    """`<records>` of `<record>`s; characters that XML cannot hold are left out."""
    tags = [(column.field, _tag(column.field)) for column in columns]
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<records>\n'
    async for batch in batches:
        yield "".join(_xml_record(tags, row) for row in batch).encode()
    yield b"</records>"


async def markdown_rows(
    columns: Sequence[Column], batches: AsyncIterator[Sequence[Row]]
) -> AsyncGenerator[bytes, None]:
    """A pipe table."""
    fields = [column.field for column in columns]
    head = _markdown_line([column.label for column in columns])
    yield f"{head}\n{_markdown_line(['---'] * len(fields))}".encode()
    async for batch in batches:
        yield "".join("\n" + _markdown_line([row.get(field) for field in fields]) for row in batch).encode()


_WRITERS = {"csv": csv_rows, "json": json_rows, "xml": xml_rows, "markdown": markdown_rows}


def text_of(value: Any) -> str:
    """A value as export text: nothing for null, ISO times, arrays joined by a comma, objects as compact JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime():
            return iso_ms(value)
        case int() | Decimal() | UUID() | date():
            return str(value)
        case list() | tuple() | set() | frozenset():
            return ", ".join(text for text in map(text_of, value) if text)
    return msgspec.json.encode(_json_value(value), enc_hook=str).decode()


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso_ms(value)
    if isinstance(value, dict):
        return {str(key): _json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(inner) for inner in value]
    return value


def _distinct_labels(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Field and label; a label that was used already gets its field behind it, so that no value is lost."""
    used: set[str] = set()
    pairs = []
    for column in columns:
        label = f"{column.label} ({column.field})" if column.label in used else column.label
        used.add(label)
        pairs.append((column.field, label))
    return pairs


def _tag(field: str) -> str:
    tag = re.sub(r"[^A-Za-z0-9_:-]", "_", field)
    return tag if re.match(r"[A-Za-z_]", tag) else f"f_{tag}"


def _xml_record(tags: Sequence[tuple[str, str]], row: Row) -> str:
    fields = "".join(f"    <{tag}>{_xml_text(row.get(field))}</{tag}>\n" for field, tag in tags)
    return f"  <record>\n{fields}  </record>\n"


def _xml_text(value: Any) -> str:
    return _NOT_XML.sub("", text_of(value)).translate(_XML_ESCAPES)


def _markdown_line(values: Sequence[Any]) -> str:
    return f"| {' | '.join(map(_markdown_cell, values))} |"


def _markdown_cell(value: Any) -> str:
    text = text_of(value).replace("\\", "\\\\").replace("|", "\\|")
    return re.sub(r"\r\n|\r|\n", "<br />", text) or " "


async def _raw_keys(rows: AsyncIterator[Sequence[Row]]) -> AsyncGenerator[Sequence[Row], None]:
    """Rows with `cf_` taken off their keys and private keys left out; an ordinary key of the same name stays."""
    async for batch in rows:
        yield [_raw_row(row) for row in batch]


def _raw_row(row: Row) -> Row:
    plain = {
        key: value for key, value in row.items() if not key.startswith("_") and not _CUSTOM_PREFIX.match(key)
    }
    for key, value in row.items():
        if _CUSTOM_PREFIX.match(key):
            plain[raw_key(key, plain)] = value
    return plain


def raw_key(key: str, own: Container[str]) -> str:
    """What a full export calls a row's key: without `cf_`, unless that is a member of the record's `own`."""
    if not _CUSTOM_PREFIX.match(key):
        return key
    bare = key[3:]
    return key if bare in own or not bare else bare


async def _primed(rows: AsyncIterator[Sequence[Row]]) -> AsyncGenerator[Sequence[Row], None]:
    """The same batches, the first of them read already."""
    first = await anext(aiter(rows), None)

    async def batches() -> AsyncGenerator[Sequence[Row], None]:
        try:
            if first is not None:
                yield first
                async for batch in rows:
                    yield batch
        finally:
            close = getattr(rows, "aclose", None)
            if close is not None:
                await close()

    return batches()


async def _spool(
    rows: AsyncIterator[Sequence[Row]],
) -> tuple[list[Column], AsyncGenerator[Sequence[Row], None]]:
    """All batches put aside on disk, with the union of their keys as columns (a lone `ID` when there are no rows)."""
    keys: dict[str, None] = {}
    file = cast(IO[bytes], tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES))  # noqa: SIM115  # closed by _unspool
    try:
        async for batch in rows:
            for row in batch:
                keys.update(dict.fromkeys(row))
            packed = _PACK.encode([{key: _packable(value) for key, value in row.items()} for row in batch])
            file.write(len(packed).to_bytes(8, "big") + packed)
    except BaseException:
        file.close()
        raise
    columns = [Column(key) for key in keys] or [Column("id", "ID")]
    return columns, _unspool(file)


async def _unspool(file: IO[bytes]) -> AsyncGenerator[Sequence[Row], None]:
    with file:
        file.seek(0)
        while head := file.read(8):
            yield cast(list[Row], _UNPACK.decode(file.read(int.from_bytes(head, "big"))))


def _packable(value: Any) -> Any:
    return msgspec.msgpack.Ext(_DECIMAL, str(value).encode()) if isinstance(value, Decimal) else value


def _unpack(code: int, data: memoryview) -> Any:
    return Decimal(bytes(data).decode()) if code == _DECIMAL else bytes(data)


_PACK = msgspec.msgpack.Encoder(enc_hook=str)
_UNPACK = msgspec.msgpack.Decoder(ext_hook=_unpack)
