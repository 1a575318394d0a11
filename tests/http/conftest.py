"""A small application on the HTTP kit: real routing, real middleware; only the identity and the bus are given."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from msgspec import UNSET, Meta, Struct, UnsetType

from app.http.answers import CONFLICT, NOT_FOUND
from app.http.call import Call
from app.http.errors import EXCEPTION_HANDLERS
from app.http.middleware import install
from app.http.operation import Answer, Operation, Parameter, handlers, operation, operations_of
from app.http.pagination import PAGE, PAGE_SIZE
from app.http.reply import Reply
from commands.bus import DryRun, Outcome
from commands.log import LogEntry
from domain.errors import Problem
from domain.features import Module, declare
from domain.scope import Actor, Scope

TENANT = UUID("11111111-1111-4111-8111-111111111111")
ACTOR = UUID("22222222-2222-4222-8222-222222222222")
THING = UUID("33333333-3333-4333-8333-333333333333")
LOG = UUID("44444444-4444-4444-8444-444444444444")
NOW = datetime(2026, 3, 4, 5, 6, 7, 891234, tzinfo=UTC)

Trimmed = Annotated[str, Meta(extra={"trim": True}, min_length=1, max_length=20)]
Color = Annotated[str, Meta(pattern="^#[0-9a-f]{6}$", extra={"message": "Color needs six digits"})]


class RenameThing(Struct, frozen=True, rename="camel"):
    """Give a thing another name."""

    thing_id: UUID
    new_name: Trimmed
    color: Color | UnsetType | None = UNSET
    position: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    tags: list[Trimmed] | UnsetType = UNSET


class ThingView(Struct, rename="camel"):
    """A thing."""

    id: UUID
    new_name: str
    color: str | None
    updated_at: datetime | None


class SignIn(Struct):
    """Credentials."""

    email: str
    password: str


@operation(
    "PATCH",
    "/things/{thingId}",
    tag="Things",
    summary="Rename a thing",
    features=("things.manage",),
    body=RenameThing,
    answers={200: Answer(ThingView, "Renamed."), 404: NOT_FOUND, 409: CONFLICT},
)
async def rename_thing(call: Call[RenameThing]) -> Reply:
    """The command's result."""
    return call.answer(await call.execute(call.body))


@operation(
    "GET",
    "/things",
    tag="Things",
    summary="List things",
    features=("things.view",),
    query=[PAGE, PAGE_SIZE, Parameter("search", "Text", required=True, example="x")],
    answers={200: Answer(list[ThingView], "Things.")},
)
async def list_things(call: Call[None]) -> Reply:
    """What the request was understood as."""
    return call.json({"query": call.query, "source": call.options.source, "reason": call.options.reason})


@operation("DELETE", "/things/{thingId}", tag="Things", summary="Delete a thing", answers={})
async def delete_thing(call: Call[None]) -> Reply:
    """The id."""
    return call.json({"id": call.uuid("thingId"), "lock": call.options.expected_updated_at})


@operation(
    "POST",
    "/sign-in",
    tag="Sign-in",
    summary="Sign in",
    auth=False,
    body=SignIn,
    raw_body=True,
    media_type="application/x-www-form-urlencoded",
    example="email=user%40example.com&password=secret",
)
async def sign_in(call: Call[None]) -> Reply:
    """The form."""
    reply = call.json(call.form())
    reply.set_cookie("auth_token", "t", httponly=True)
    reply.set_cookie("session_token", "s", httponly=True)
    return reply


@operation("GET", "/broken/{how}", tag="Things", summary="Fail", auth=False)
async def broken(call: Call[None]) -> Reply:
    """Raises what is asked for."""
    faults: dict[str, Exception] = {
        "data": asyncpg.NumericValueOutOfRangeError("secret detail"),
        "argument": asyncpg.DataError("secret detail"),
        "unique": asyncpg.UniqueViolationError("secret detail"),
        "lock": asyncpg.LockNotAvailableError("secret detail"),
        "away": ConnectionRefusedError("secret detail"),
        "closed": asyncpg.InterfaceError("secret connection is closed"),
        "misuse": asyncpg.InterfaceError("secret detail"),
        "expired": Problem.unauthorized(clear_cookies=True),
        "ours": ZeroDivisionError("secret detail"),
    }
    raise faults[call.path["how"]]


OPERATIONS: list[Operation] = operations_of(__name__)


class Identity:
    """Everybody who sends a bearer token is let in; the token lists the features."""

    async def resolve(self, connection: Any) -> Scope:
        """The scope of the request."""
        sent = connection.headers.get("authorization")
        if sent is None:
            raise Problem.unauthorized()
        features = tuple(sent.removeprefix("Bearer ").split())
        kind = "api_key" if "key" in features else "user"
        return Scope(TENANT, Actor(ACTOR, kind), features=features, is_super_admin="super" in features)


class Bus:
    """Records what it was asked, and answers with the outcome that a test has prepared."""

    def __init__(self) -> None:
        """An outcome with a log row whose label needs care in a header."""
        self.asked: list[Any] = []
        self.outcome = Outcome({"id": THING}, LogEntry(**LOG_ROW))

    async def execute(self, command: Any, scope: Scope, options: Any) -> Outcome:
        """Note the command and its options."""
        self.asked.append((command, scope, options))
        return self.outcome


LOG_ROW: dict[str, Any] = {
    "tenant_id": TENANT,
    "id": LOG,
    "organization_id": None,
    "actor_user_id": ACTOR,
    "actor_kind": "user",
    "command_id": "things.rename",
    "action_label": 'Żółć "quoted" (1)\n',
    "action_type": "edit",
    "resource_kind": "things.thing",
    "resource_id": str(THING),
    "undo_token": "55555555-5555-4555-8555-555555555555",
    "source_key": "ui",
    "input": None,
    "changes": b"[]",
    "changed_fields": [],
    "primary_changed_field": None,
    "reason": None,
    "correlation_id": None,
    "request_id": None,
    "created_at": NOW,
}
DRY_RUN = DryRun("things.rename", "things.thing", str(THING), None, None, None, [], {"id": str(THING)})


@pytest.fixture
def bus() -> Bus:
    """The bus of the application under test."""
    return Bus()


@pytest.fixture
def application(bus: Bus) -> SimpleNamespace:
    """What the operations find as `call.app`."""
    declare(Module("things", "Things"), [])
    return SimpleNamespace(
        identity=Identity(),
        bus=bus,
        settings=SimpleNamespace(max_body_bytes=10_000, force_locale=None),
        probes={},
    )


@pytest.fixture
def client(application: SimpleNamespace) -> Iterator[TestClient[Litestar]]:
    """A client of the application, signed in with `things.*`."""
    from app.http.system import health, ready  # noqa: F401

    routes = handlers([*OPERATIONS, *operations_of("app.http.system")])
    app = Litestar(routes, openapi_config=None, exception_handlers=EXCEPTION_HANDLERS, logging_config=None)
    app.state["application"] = application
    install(app, origins=["https://shop.example"])
    with TestClient(app) as client:
        client.headers["authorization"] = "Bearer things.*"
        yield client
