"""The menus of whoever is signed in (contract: auth.md 7.17)."""

from typing import Any
from uuid import UUID

from litestar import Response
from msgspec import Struct

from app.http.answers import Answer
from app.http.auth.navigation import (
    NavGroup,
    Section,
    arranged,
    groups_of,
    path_prefixes,
    profile_sections,
    sections_of,
    visible_pages,
)
from app.http.auth.replies import TAG
from app.http.call import Call
from app.http.kit import in_tenant
from app.http.operation import Parameter, operation
from domain.credentials import uuid_or_none
from domain.errors import Problem
from domain.features import usable
from domain.scope import Scope
from queries.auth.nav import Brand, trimmings

_UUID = {"type": "string", "format": "uuid"}


class Navigation(Struct, rename="camel"):
    """Everything that the frame around a page needs."""

    groups: list[NavGroup]
    settings_sections: list[Section]
    settings_path_prefixes: list[str]
    profile_sections: list[Section]
    profile_path_prefixes: list[str]
    granted_features: list[str]
    roles: list[str]
    brand: Brand | None


@operation(
    "GET",
    "/auth/admin/nav",
    tag=TAG,
    summary="Resolve backend chrome bootstrap payload",
    description="The pages that the caller may open, arranged as roles and the caller want them, and their features.",
    query=[
        Parameter("orgId", "The organization whose brand is shown, if the caller may see it", _UUID),
        Parameter("tenantId", "For super admins", _UUID),
    ],
    answers={200: Answer(Navigation, "Backend chrome payload")},
)
async def navigation(call: Call[None]) -> Response[Any]:
    """200 with the menus."""
    scope = _scope(call)
    language = scope.locale
    pages = visible_pages(scope)
    async with call.app.database.read(scope.tenant_id) as connection:
        found = await trimmings(connection, scope, _organization(call, scope))
    groups = groups_of(pages, language)
    for settings, is_role in ((found.of_role, True), (found.of_user, False)):
        if settings is not None:
            groups = arranged(groups, settings, as_default=is_role)
    sections = sections_of(pages, language)
    return call.json(
        Navigation(
            groups=groups,
            settings_sections=sections,
            settings_path_prefixes=path_prefixes(sections),
            profile_sections=profile_sections(language),
            profile_path_prefixes=["/backend/profile/"],
            granted_features=usable(scope.features) if pages else [],
            roles=list(scope.roles),
            brand=found.brand,
        )
    )


def _scope(call: Call[None]) -> Scope:
    """The caller's scope, or a super admin's in the tenant of the query; whatever that is not changes nothing."""
    wanted = uuid_or_none((call.first("tenantId") or "").strip().lower())
    try:
        return call.scope if wanted is None else in_tenant(call.scope, wanted)
    except Problem:
        return call.scope


def _organization(call: Call[None], scope: Scope) -> UUID | None:
    wanted: UUID | None = uuid_or_none((call.first("orgId") or "").strip().lower())
    if wanted is not None and scope.may_touch(wanted):
        return wanted
    return scope.selected_organization_id or scope.home_organization_id
