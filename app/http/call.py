"""One request to one operation: who asks, what for, and how the answer is shaped."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
from litestar import Request
from structlog.contextvars import bind_contextvars

from app.http.decode import convert_body, parse_body, read_body, reject_nul
from app.http.forms import read_form
from app.http.headers import command_options, operation_header
from app.http.issues import invalid_uuid
from app.http.opening import asked_by
from app.http.reply import Reply
from app.http.trace import trace_of
from commands.sealing import refuse_forged
from domain.encryption.tokens import MARKED
from domain.errors import Problem, issue
from domain.scope import Options, Scope
from domain.wire import flag

if TYPE_CHECKING:
    from app.http.operation import Operation
    from app.main import Application
    from commands.bus import Outcome

B = TypeVar("B")

_MAX_QUERY_FIELDS = 1_000
_ENCODER = msgspec.json.Encoder()


class Call(Generic[B]):
    """What a handler of an operation is given; `body` is of the operation's declared body type."""

    __slots__ = ("_options", "_query", "_scope", "app", "body", "path", "raw", "request")

    body: B

    def __init__(self, request: Request[Any, Any, Any], app: "Application") -> None:
        """Wrap a request; `admit` must pass before a handler sees the call."""
        self.request = request
        self.app = app
        self.path: dict[str, str] = request.scope["path_params"]
        self.raw = b""
        self._scope: Scope | None = None
        self._options: Options | None = None
        self._query: dict[str, list[str]] | None = None

    @property
    def scope(self) -> Scope:
        """Who asks and where; only operations that need sign-in have one."""
        if self._scope is None:
            raise Problem.unauthorized()
        return self._scope

    @property
    def options(self) -> Options:
        """What the request headers ask of the bus. Raises Problem 400 for a bad idempotency key."""
        if self._options is None:
            kind = None if self._scope is None else self._scope.actor.kind
            request_id = trace_of(self.request.scope).request_id
            self._options = command_options(self.request.headers.get, request_id, kind)
        return self._options

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters, each with all its values in order. Raises Problem 400 for a NUL character in one."""
        if self._query is None:
            self._query = _parse_query(self.request.scope["query_string"])
        return self._query

    def first(self, name: str) -> str | None:
        """The first value of a query parameter; None when it was not sent."""
        values = self.query.get(name)
        return values[0] if values else None

    def flag(self, name: str) -> bool | None:
        """A query parameter read as a boolean token; None when it is absent or no such token."""
        return flag(self.first(name))

    def uuid(self, name: str) -> UUID:
        """A path value as a UUID. Raises Problem 400 with an issue at `[name]`."""
        try:
            return msgspec.convert(self.path[name], UUID)
        except msgspec.ValidationError:
            raise Problem.invalid([invalid_uuid([name])]) from None

    def form(self) -> dict[str, str]:
        """The text fields of a form-encoded, multipart or JSON body; of a repeated field, the last value."""
        return read_form(self.request.headers.get("content-type", ""), self.raw)

    async def admit(self, item: "Operation") -> None:
        """Steps 2 to 4 of the request pipeline, then the body (command-bus.md, section 1). Raises Problem."""
        request, scope = self.request, self.request.scope
        trace = trace_of(scope)
        trace.template = item.path
        if any("\x00" in value for value in self.path.values()):
            raise Problem.invalid([issue("Invalid input: contains a NUL character", list(self.path)[:1])])
        asked_by(self.app, None)
        if item.auth:
            identity = await self.app.identity.resolve(request)
            self._scope = identity
            asked_by(self.app, identity)
            trace.tenant, trace.actor = identity.tenant_id, identity.actor.id
            bind_contextvars(tenant=identity.tenant_id)
        if item.method == "GET":
            if item.auth:
                self._gate(item, None)
            return
        self.raw = await read_body(request, self.app.settings.max_body_bytes)
        if item.raw_body:
            form = self.form() if item.auth and b"tenantId" in self.raw else None
            if item.auth:
                self._gate(item, form if form and form.get("tenantId") else None)
            return
        parsed = parse_body(self.raw)
        if item.auth:
            self._gate(item, parsed.value if isinstance(parsed.value, dict) else None)
        if MARKED in self.raw or b"\\u" in self.raw:
            refuse_forged(parsed.value)
        if item.body is not None:
            self.body = convert_body(item.body, parsed, self.path, item.invalid)

    def _gate(self, item: "Operation", body: Mapping[str, Any] | None) -> None:
        """The tenant gate (command-bus.md 2.2), then the features. Raises Problem 403."""
        scope = cast(Scope, self._scope)
        named: list[Any] = []
        if b"tenantId" in self.request.scope["query_string"]:
            named.extend(self.query.get("tenantId", ()))
        if body is not None and "tenantId" in body:
            named.append(body["tenantId"])
        if named and not scope.is_super_admin:
            own = str(scope.actor_tenant_id or scope.tenant_id)
            if any(tenant != "undefined" and str(tenant).lower() != own for tenant in named):
                raise Problem.forbidden(error="Not authorized to target this tenant.")
        if item.features and not scope.can(*item.features):
            raise Problem.forbidden(item.features)

    async def execute(self, command: Any, scope: Scope | None = None) -> "Outcome":
        """Run a command on the bus as the caller of this request, or in `scope`. Raises Problem."""
        outcome: Outcome = await self.app.bus.execute(command, scope or self.scope, self.options)
        if outcome.log is not None:
            trace_of(self.request.scope).command_id = outcome.log.command_id
        return outcome

    def json(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """A JSON answer; `value` is anything msgspec encodes, or bytes that already are JSON."""
        content = value if type(value) is bytes else _ENCODER.encode(value)
        return Reply(content, status, headers=headers)

    def answer(self, outcome: "Outcome", status: int = 200, body: Any = None) -> Reply:
        """The answer to a command: its result (or `body` in its place), with `x-om-operation` when it can be undone.

        A dry run answers 200 with `{"dryRun":true, …}`; an answer replayed for an idempotency key says so in the header
        `idempotency-replayed`.
        """
        headers: dict[str, str] = {}
        if outcome.replayed:
            headers["idempotency-replayed"] = "true"
        if outcome.dry_run is not None:
            preview = _ENCODER.encode(outcome.dry_run)
            rest = b"," + preview[1:] if len(preview) > 2 else b"}"
            return self.json(b'{"dryRun":true' + rest, 200, headers)
        operation = operation_header(outcome.log)
        if operation is not None:
            headers["x-om-operation"] = operation
        return self.json(outcome.result if body is None else body, status, headers)


def _parse_query(raw: bytes) -> dict[str, list[str]]:
    if not raw:
        return {}
    try:
        query = parse_qs(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        raise Problem.invalid([issue(f"Too many query parameters: at most {_MAX_QUERY_FIELDS}")]) from None
    if b"%00" in raw or b"\x00" in raw:
        reject_nul(query)
    return query
