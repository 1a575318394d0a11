"""Where the caller is signed in. Ours: the documented API has nothing like it."""

from typing import Any

from litestar import Response
from msgspec import Struct

from app.http.answers import NOT_FOUND, Answer, refused
from app.http.auth.replies import CLEARED, TAG, json_reply
from app.http.call import Call
from app.http.operation import Parameter, operation
from commands.auth import EndSessions
from domain.credentials import uuid_or_none
from domain.errors import Problem
from domain.scope import Options, Scope, system_scope
from queries.auth.own_sessions import SessionItem, own_sessions


class SessionsView(Struct, frozen=True):
    """The live sessions, newest first."""

    items: list[SessionItem]


class EndedView(Struct, frozen=True):
    """Done; how many sessions were ended."""

    ok: bool
    ended: int


@operation(
    "GET",
    "/auth/sessions",
    tag=TAG,
    summary="List own sessions",
    description="Every live session of the caller, with the program that it was opened with.",
    answers={200: Answer(SessionsView, "The sessions"), 403: refused("An API key has no sessions")},
)
async def list_sessions(call: Call[None]) -> Response[Any]:
    """200 with the list."""
    return json_reply(SessionsView(await _sessions(call)))


@operation(
    "DELETE",
    "/auth/sessions",
    tag=TAG,
    summary="End own sessions",
    description="Ends one session of the caller, or, when none is named, all but the one that asks.",
    query=[Parameter("id", "The session to end", {"type": "string", "format": "uuid"})],
    raw_body=True,
    commands=("auth.sessions.logout",),
    answers={
        200: Answer(EndedView, "Ended", example={"ok": True, "ended": 1}),
        400: refused("The id is none"),
        403: refused("An API key has no sessions"),
        404: NOT_FOUND,
    },
)
async def end_sessions(call: Call[None]) -> Response[Any]:
    """200 with the number of ended ones; ending the own session clears its cookies."""
    scope: Scope = call.scope
    mine = await _sessions(call)
    named = (call.first("id") or "").strip()
    if named:
        wanted = uuid_or_none(named)
        if wanted is None:
            raise Problem.bad_request("Invalid UUID")
        chosen = [item for item in mine if item.id == wanted]
        if not chosen:
            raise Problem.not_found("Session not found")
    else:
        chosen = [item for item in mine if not item.current]
    plain = Options(request_id=call.options.request_id, correlation_id=call.options.correlation_id)
    command = EndSessions(session_ids=tuple(item.id for item in chosen))
    await call.app.bus.execute(command, system_scope(scope.actor_tenant_id or scope.tenant_id), plain)
    cookies = CLEARED if any(item.current for item in chosen) else ()
    return json_reply(EndedView(True, len(chosen)), cookies=cookies)


async def _sessions(call: Call[None]) -> list[SessionItem]:
    scope: Scope = call.scope
    if scope.actor.kind != "user":
        raise Problem.forbidden(error="An API key has no sessions")
    async with call.app.database.system() as connection:
        return await own_sessions(connection, scope)
