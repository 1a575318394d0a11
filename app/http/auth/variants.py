"""Saved sidebar layouts of the caller (contract: auth.md 8.8)."""

from typing import Any
from uuid import UUID

from litestar import Response
from msgspec import Struct

from app.http.answers import INVALID, NOT_FOUND, OK, Answer, ConflictView
from app.http.auth.replies import TAG
from app.http.call import Call
from app.http.operation import operation
from commands.auth import CreateVariant, DeleteVariant, UpdateVariant
from domain.auth import SIDEBAR_MANAGE
from domain.errors import Problem
from domain.sidebar import SidebarSettings
from queries.auth.sidebar import Variant, variant_of, variants_of


class VariantShape(Struct, frozen=True, rename="camel"):
    """A saved layout."""

    id: UUID
    name: str
    is_active: bool
    settings: SidebarSettings
    created_at: str
    updated_at: str | None


class VariantsView(Struct, frozen=True):
    """The saved layouts, oldest first."""

    locale: str
    variants: list[VariantShape]


class VariantView(Struct, frozen=True):
    """One saved layout."""

    locale: str
    variant: VariantShape


class _Variants(Struct, frozen=True):
    locale: str
    variants: list[Variant]


class _Variant(Struct, frozen=True):
    locale: str
    variant: Variant


_OPERATION = {"x-om-operation": "Log row and undo token"}
_TAKEN = Answer(ConflictView, "Another layout has the name, or this one was changed meanwhile")
_NO_STORE = {"cache-control": "no-store, no-cache, must-revalidate"}


@operation(
    "GET",
    "/auth/sidebar/variants",
    tag=TAG,
    summary="List sidebar variants",
    description="The caller's saved layouts of the sidebar.",
    answers={200: Answer(VariantsView, "The saved layouts")},
)
async def list_variants(call: Call[None]) -> Response[Any]:
    """200 with the list."""
    async with call.app.database.read(call.scope.tenant_id) as connection:
        found = await variants_of(connection, call.scope)
    return call.json(_Variants(call.scope.locale, found), headers=_NO_STORE)


@operation(
    "POST",
    "/auth/sidebar/variants",
    tag=TAG,
    summary="Save a sidebar variant",
    description="Saves a layout; without a name it gets the first free number of the usual one.",
    features=(SIDEBAR_MANAGE,),
    body=CreateVariant,
    example={"name": "Accounting", "isActive": True},
    answers={200: Answer(VariantView, "Saved", headers=_OPERATION), 400: INVALID, 409: _TAKEN},
)
async def create_variant(call: Call[CreateVariant]) -> Response[Any]:
    """200 with the layout."""
    return call.answer(await call.execute(call.body))


@operation(
    "GET",
    "/auth/sidebar/variants/{id}",
    tag=TAG,
    summary="Get a sidebar variant",
    answers={200: Answer(VariantView, "The layout"), 404: NOT_FOUND},
)
async def get_variant(call: Call[None]) -> Response[Any]:
    """200 with the layout."""
    async with call.app.database.read(call.scope.tenant_id) as connection:
        found = await variant_of(connection, call.scope, call.uuid("id"))
    if found is None:
        raise Problem.not_found("Variant not found")
    return call.json(_Variant(call.scope.locale, found), headers=_NO_STORE)


@operation(
    "PUT",
    "/auth/sidebar/variants/{id}",
    tag=TAG,
    summary="Update a sidebar variant",
    description="Changes what is sent; using a layout ends the use of the others.",
    features=(SIDEBAR_MANAGE,),
    body=UpdateVariant,
    example={"isActive": True},
    answers={
        200: Answer(VariantView, "Updated", headers=_OPERATION),
        400: INVALID,
        404: NOT_FOUND,
        409: _TAKEN,
    },
)
async def update_variant(call: Call[UpdateVariant]) -> Response[Any]:
    """200 with the layout."""
    return call.answer(await call.execute(call.body))


@operation(
    "DELETE",
    "/auth/sidebar/variants/{id}",
    tag=TAG,
    summary="Delete a sidebar variant",
    features=(SIDEBAR_MANAGE,),
    body=DeleteVariant,
    answers={
        200: Answer(OK.schema, "Deleted", headers=_OPERATION, example={"ok": True}),
        404: NOT_FOUND,
        409: _TAKEN,
    },
)
async def delete_variant(call: Call[DeleteVariant]) -> Response[Any]:
    """200."""
    return call.answer(await call.execute(call.body))
