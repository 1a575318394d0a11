"""Declaring an operation of the API: one decorator that feeds the router, the gates and the OpenAPI document."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, overload

import msgspec
from litestar import HttpMethod, Request, Response
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from app.http.answers import Answer
from app.http.call import Call
from app.http.errors import answer_error
from app.http.opening import opened
from commands.registry import Command, definition_of, definitions

__all__ = ["Answer", "Handler", "Operation", "Parameter", "handlers", "operation", "operations_of"]

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
B = TypeVar("B")
Handler = Callable[[Call[B]], Awaitable[Response[Any]]]

_PARAMETER = re.compile(r"\{(\w+)\}")


class Parameter(Struct, frozen=True):
    """One query parameter as the document shows it; `schema` is JSON Schema, `example` a value as it is typed."""

    name: str
    description: str = ""
    schema: Mapping[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})
    required: bool = False
    example: Any = None


class Operation(Struct, frozen=True):
    """One method on one path, with everything that the router and the document need to know of it."""

    method: Method
    path: str
    tag: str
    summary: str
    description: str
    features: tuple[str, ...]
    auth: bool
    body: Any
    query: tuple[Parameter, ...]
    answers: Mapping[int, Answer]
    operation_id: str
    example: Any
    raw_body: bool
    media_type: str
    invalid: str
    deprecated: bool
    commands: tuple[str, ...]
    no_command: str | None
    reads: tuple[str, ...]
    handler: Callable[[Call[Any]], Awaitable[Response[Any]]]

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The names in braces of the path, in order."""
        return tuple(_PARAMETER.findall(self.path))


_registry: dict[str, list[Operation]] = {}


@overload
def operation(
    method: Method,
    path: str,
    *,
    tag: str,
    summary: str,
    body: type[B],
    description: str = "",
    features: Sequence[str] = (),
    auth: bool = True,
    query: Sequence[Parameter] | None = None,
    answers: Mapping[int, Answer] | None = None,
    operation_id: str | None = None,
    example: Any = None,
    raw_body: Literal[False] = False,
    media_type: str = "application/json",
    invalid: str = "Invalid input",
    deprecated: bool = False,
    commands: Sequence[str] = (),
    no_command: str | None = None,
    reads: Sequence[str] = (),
) -> Callable[[Handler[B]], Handler[B]]: ...
@overload
def operation(
    method: Method,
    path: str,
    *,
    tag: str,
    summary: str,
    body: Any = None,
    description: str = "",
    features: Sequence[str] = (),
    auth: bool = True,
    query: Sequence[Parameter] | None = None,
    answers: Mapping[int, Answer] | None = None,
    operation_id: str | None = None,
    example: Any = None,
    raw_body: bool = False,
    media_type: str = "application/json",
    invalid: str = "Invalid input",
    deprecated: bool = False,
    commands: Sequence[str] = (),
    no_command: str | None = None,
    reads: Sequence[str] = (),
) -> Callable[[Handler[None]], Handler[None]]: ...
def operation(
    method: Method,
    path: str,
    *,
    tag: str,
    summary: str,
    body: Any = None,
    description: str = "",
    features: Sequence[str] = (),
    auth: bool = True,
    query: Sequence[Parameter] | None = None,
    answers: Mapping[int, Answer] | None = None,
    operation_id: str | None = None,
    example: Any = None,
    raw_body: bool = False,
    media_type: str = "application/json",
    invalid: str = "Invalid input",
    deprecated: bool = False,
    commands: Sequence[str] = (),
    no_command: str | None = None,
    reads: Sequence[str] = (),
) -> Callable[[Handler[Any]], Handler[Any]]:
    """Declare the decorated function as the handler of `method path` (documented path, without `/api`).

    `features` are all required of the actor; `auth=False` opens the operation to anybody. `body` is the type that path
    values and JSON body are converted to together (strictly; the path wins); the handler finds it as `call.body`.
    `raw_body=True` leaves the body alone: `call.form()` and `call.raw` read it, `body` only documents it, and
    `media_type` says what it is. `example` is the example of the request body, `invalid` the `error` text of a 400.
    `commands` are the ids of the commands that the operation runs (one that is its body need not be named); one that
    runs none, although its method is not GET, says why in `no_command`. `reads` are the tables that the answer of a
    list is made from: with them it may be cached, and must depend on nothing else but the path, the query, and the
    places, rights and language of who asks.
    """

    def register(handler: Handler[Any]) -> Handler[Any]:
        module = handler.__module__
        name = getattr(handler, "__name__", "operation")
        _registry.setdefault(module, []).append(
            Operation(
                method=method,
                path=path,
                tag=tag,
                summary=summary,
                description=description,
                features=tuple(features),
                auth=auth,
                body=body,
                query=tuple(query or ()),
                answers=dict(answers or {}),
                operation_id=operation_id or f"{_part(module)}_{name}",
                example=example,
                raw_body=raw_body,
                media_type=media_type,
                invalid=invalid,
                deprecated=deprecated,
                commands=(*commands, *_command_of(body)),
                no_command=no_command,
                reads=tuple(reads),
                handler=handler,
            )
        )
        return handler

    return register


def check_commands(operations: Iterable[Operation]) -> None:
    """Refuse to start with an operation that may change something without a command."""
    known = {definition.id for definition in definitions()}
    for item in operations:
        name = f"{item.method} {item.path}"
        if unknown := set(item.commands) - known:
            raise RuntimeError(f"{name} names commands that do not exist: {', '.join(sorted(unknown))}")
        if item.method != "GET" and not item.commands and item.no_command is None:
            raise RuntimeError(f"{name} declares no command")


def _command_of(body: Any) -> tuple[str, ...]:
    if isinstance(body, type) and issubclass(body, Command):
        return (definition_of(body).id,)
    return ()


def operations_of(module: str) -> list[Operation]:
    """The operations that the module of this name (`__name__`), or a package's modules, declared; in order."""
    inner = module + "."
    return [
        item
        for name, items in _registry.items()
        if name == module or name.startswith(inner)
        for item in items
    ]


def _part(module: str) -> str:
    """The part of the product that a controller module, or a module of a controller package, belongs to."""
    inner = module.removeprefix(f"{__package__}.")
    return module.rpartition(".")[2] if inner == module else inner.partition(".")[0]


def handlers(operations: Iterable[Operation]) -> list[HTTPRouteHandler]:
    """The route handlers of the operations: each at its documented path and under `/api`.

    The application object is taken from `request.app.state["application"]`.
    """
    return [_route(item) for item in operations]


def _route(item: Operation) -> HTTPRouteHandler:
    path = _PARAMETER.sub(r"{\1:str}", item.path)
    handler = item.handler

    async def endpoint(request: Request[Any, Any, Any]) -> Response[Any]:
        try:
            call: Call[Any] = Call(request, request.app.state["application"])
            await call.admit(item)
            if item.reads and call.app.lists is not None:
                return await opened(await call.app.lists.answer(item, call, handler))
            return await opened(await handler(call))
        except Exception as error:
            return await opened(answer_error(request, error))

    endpoint.__name__ = item.operation_id
    route = HTTPRouteHandler(
        [path, f"/api{path}"],
        http_method=HttpMethod(item.method),
        status_code=200,
        include_in_schema=False,
        name=item.operation_id,
    )
    return route(endpoint)
