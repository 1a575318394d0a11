"""The logo of the selected organization. Ours in the document: the original has it undocumented (directory.md 12)."""

from typing import Any
from uuid import UUID

from litestar import Response
from msgspec import Struct

from app.http.answers import Answer
from app.http.call import Call
from app.http.decode import convert_body, parse_body
from app.http.directory.tag import TAG
from app.http.identity import ORGANIZATION_COOKIE
from app.http.kit import INVALID, MISSING, OPERATION_HEADER, STALE, Failure
from app.http.operation import operation
from commands.directory.organizations import LogoUrl, UpdateOrganization
from domain.auth import ALL_ORGANIZATIONS
from domain.directory import ORGANIZATIONS_MANAGE, ORGANIZATIONS_VIEW
from domain.errors import Problem
from queries import directory as queries
from queries.directory import Branding


class NewBranding(Struct, rename="camel"):
    """The new logo: a web address, the path of an attachment, or null for none."""

    logo_url: LogoUrl | None


@operation(
    "GET",
    "/directory/organization-branding",
    tag=TAG,
    summary="Read organization branding",
    description="Name and logo of the selected organization, else of the caller's own.",
    features=(ORGANIZATIONS_VIEW,),
    answers={200: Answer(Branding, "The branding."), 400: INVALID, 404: MISSING},
)
async def read_branding(call: Call[None]) -> Response[Any]:
    """200 with the branding."""
    return call.json(await _branding(call, _organization(call)))


@operation(
    "PUT",
    "/directory/organization-branding",
    tag=TAG,
    summary="Update organization branding",
    description="Sets or removes the logo of the selected organization.",
    features=(ORGANIZATIONS_MANAGE,),
    body=NewBranding,
    raw_body=True,
    commands=("directory.organizations.update",),
    example={"logoUrl": "https://example.com/logo.png"},
    answers={
        200: Answer(Branding, "The branding.", headers=OPERATION_HEADER),
        400: INVALID,
        404: MISSING,
        409: STALE,
        422: Answer(Failure, "There is no valid `logoUrl`"),
    },
)
async def update_branding(call: Call[None]) -> Response[Any]:
    """200 with the branding."""
    try:
        wanted: NewBranding = convert_body(NewBranding, parse_body(call.raw), {})
    except Problem as problem:
        raise Problem.unprocessable("Invalid logo", issues=problem.body.get("details", [])) from None
    id = _organization(call)
    outcome = await call.execute(UpdateOrganization(id=id, logo_url=wanted.logo_url))
    return call.answer(outcome, body=await _branding(call, id))


def _organization(call: Call[None]) -> UUID:
    """The selected organization, else the caller's own. Raises Problem 400 when all are selected."""
    scope = call.scope
    selected = scope.selected_organization_id
    if selected is None:
        everything = (call.request.cookies.get(ORGANIZATION_COOKIE) or "").strip() == ALL_ORGANIZATIONS
        selected = None if everything else scope.home_organization_id
    if selected is None:
        raise Problem.bad_request("Select one organization first")
    return selected


async def _branding(call: Call[None], id: UUID) -> Branding:
    async with call.app.database.read(call.scope.tenant_id) as connection:
        found = await queries.branding(connection, call.scope.tenant_id, id)
    if found is None:
        raise Problem.not_found("Organization not found")
    return found
