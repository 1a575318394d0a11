"""Filters by custom fields, and custom columns of exports."""

import csv
import io
from random import randrange

import pytest

from tests.custom.conftest import DICTIONARIES, ENTRIES, FILTERED, ORGANIZATIONS, USERS, Kind, Office


def number() -> int:
    """A number that no other record has: a super admin's lists are of all tenants."""
    return randrange(10**9, 10**12)


async def found(kind: Kind, office: Office, query: str) -> set[str]:
    """The ids that a list finds."""
    first, more = ("", "&") if "?" in kind.many else ("?", "")
    return {one["id"] for one in await kind.items(office, f"{kind.many}{first}{more}{query}")}


@pytest.mark.parametrize("kind", FILTERED, ids=lambda kind: kind.entity)
async def test_given_filters_by_custom_fields_then_only_records_with_these_values_are_listed(
    kind: Kind, office: Office
) -> None:
    for key, field in (("size", "integer"), ("tags", "text"), ("open", "boolean"), ("note", "text")):
        await office.define(key, field, kind.entity, multi=key == "tags")
    size, tag = number(), f"b{number()}"
    one = await kind.make(office, cf_size=size, cf_tags=["a", tag], cf_open=True, cf_note=f"{tag}, y")
    two = await kind.make(office, cf_size=size + 1, cf_tags=[tag], cf_open=False, cf_note=tag.upper())
    none = await kind.make(office)
    assert await found(kind, office, f"cf_size={size}") == {one}
    assert await found(kind, office, f"cf_size={size}.0") == {one}
    assert await found(kind, office, f"cf_sizeIn={size}, {size + 1},7") == {one, two}
    assert await found(kind, office, f"cf_tags={tag}") == {one, two}
    assert await found(kind, office, f"cf_tags={tag}&cf_open=no") == {two}
    assert await found(kind, office, f"cf_note={tag}%2C%20y") == {one}
    assert await found(kind, office, f"cf_size={size}9") == set()
    assert await found(kind, office, "cf_sizeIn=") == set()
    for id in (one, two, none):
        assert await kind.items(office, f"{kind.one.format(id=id)}&cf_unknown=1"), "not a field: no filter"


@pytest.mark.parametrize("kind", FILTERED, ids=lambda kind: kind.entity)
async def test_given_a_filter_then_the_total_counts_what_it_finds(kind: Kind, office: Office) -> None:
    await office.define("size", "integer", kind.entity)
    wanted = number()
    for size in (wanted, wanted, wanted + 1):
        await kind.make(office, cf_size=size)
    more = "&" if "?" in kind.many else "?"
    page = await office.get(f"{await kind.path(office)}{kind.many}{more}cf_size={wanted}&page=1&pageSize=1")
    assert (len(page["items"]), page["total"], page["totalPages"]) == (1, 2, 2)


async def test_given_entries_with_custom_values_then_an_export_has_them_as_columns(office: Office) -> None:
    await office.define("size", "integer", ENTRIES.entity)
    await ENTRIES.make(office, cf_size=4, value="a")
    await ENTRIES.make(office, value="b")
    path = await ENTRIES.path(office)
    for scope, label in (("", "Size"), ("&exportScope=full", "Size")):
        answer = await office.ask("GET", f"{path}?format=csv{scope}")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [(row["Value"], row[label]) for row in rows] == [("a", "4"), ("b", "")]


async def test_given_custom_values_then_a_dictionary_shows_them_in_its_detail_and_its_answers(
    office: Office,
) -> None:
    answer = await office.post("/dictionaries", {**DICTIONARIES.base(office), "cf_owner": "Ada"}, 201)
    assert answer["cf_owner"] == "Ada"
    path = f"/dictionaries/{answer['id']}"
    assert (await office.get(path))["cf_owner"] == "Ada"
    assert (await office.patch(path, {"cf_owner": "Bob"}))["cf_owner"] == "Bob"
    entry = await office.post(f"{path}/entries", {"value": "v", "customFields": {"hue": 3}}, 201)
    assert entry["cf_hue"] == 3
    changed = await office.patch(f"{path}/entries/{entry['id']}", {"value": "w", "cf_hue": 4})
    assert (changed["value"], changed["cf_hue"]) == ("w", 4)


async def test_given_values_then_views_that_do_not_name_them_leave_them_out(office: Office) -> None:
    id = await ORGANIZATIONS.make(office, cf_size=1)
    for view in ("options", "tree"):
        text = (await office.ask("GET", f"/directory/organizations?view={view}")).text
        assert id in text and "cf_size" not in text


async def test_given_a_tenant_of_somebody_else_then_the_rules_are_those_of_the_super_admins_own(
    office: Office,
) -> None:
    rules = [{"rule": "integer", "message": "Whole"}]
    await office.define("seats", "integer", "directory:tenant", validation=rules)
    made = await office.post("/directory/tenants", {"name": "Other", "cf_seats": 5}, 201)
    refused = await office.ask("PUT", "/directory/tenants", {"id": made["id"], "cf_seats": "x"})
    assert refused.status_code == 400 and refused.json()["fields"] == {"cf_seats": "Whole"}


async def test_given_a_batch_then_its_steps_take_custom_values_in_any_form(office: Office) -> None:
    step = {"command": "auth.roles.create", "input": {"name": "Night shift", "cf_level": 3}}
    await office.post("/commands/batch", {"commands": [step]})
    (role,) = (await office.get("/auth/roles?search=Night"))["items"]
    assert role["cf_level"] == 3


async def test_given_a_field_of_an_organization_then_it_counts_for_the_users_of_that_one_only(
    office: Office,
) -> None:
    rules = [{"rule": "integer", "message": "Whole"}]
    await office.define("size", "integer", "auth:user", validation=rules)
    child = await ORGANIZATIONS.make(office)
    await USERS.make(office, 400, cf_size="big")
    await USERS.make(office, cf_size="big", organizationId=child)
