"""Custom fields in the forms of users, roles, organizations and dictionaries, in a real Chromium."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.pages.conftest import Visit, undo, unique

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


async def define(visit: Visit, entity: str, key: str, label: str, **config: Any) -> None:
    body = {
        "entityId": entity,
        "key": key,
        "kind": "integer",
        "configJson": {"label": label, **config},
    }
    await visit.api("POST", "/entities/definitions", body)


async def undefine(visit: Visit, entity: str, key: str) -> None:
    await visit.api("DELETE", "/entities/definitions", {"entityId": entity, "key": key})


async def fill_and_send(page: Page, label: str, value: str, button: str) -> None:
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label(label).fill(value)
    await dialog.get_by_role("button", name=button).click()


async def test_the_fields_of_a_user_are_in_its_form_checked_saved_and_undone(visit: Visit) -> None:
    page = await visit.sign_in()
    rules = [{"rule": "gt", "param": 0, "message": "At least one seat"}]
    await define(visit, "auth:user", "seats", "Seats", validation=rules)
    try:
        email = await visit.make_user("employee")
        await page.goto(f"{visit.url}/backend/users?search={email}")
        row = page.get_by_role("row", name=email)
        await row.get_by_role("button", name="Edit").click()

        # When a value breaks the rule, then the field says so
        await fill_and_send(page, "Seats", "-1", "Save")
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_text("At least one seat")).to_be_visible()
        visit.refused.clear()

        # When it is right, then it is saved, shown again, and can be taken back
        await fill_and_send(page, "Seats", "7", "Save")
        await expect(dialog).to_have_count(0)
        found = (await visit.api("GET", f"/auth/users?search={email}"))["items"][0]
        assert found["cf_seats"] == 7
        await row.get_by_role("button", name="Edit").click()
        await expect(dialog.get_by_label("Seats")).to_have_value("7")
        await dialog.get_by_role("button", name="Cancel").click()
        await undo(page)
        found = (await visit.api("GET", f"/auth/users?search={email}"))["items"][0]
        assert "cf_seats" not in found
    finally:
        await undefine(visit, "auth:user", "seats")
    visit.check()


async def test_roles_organizations_and_dictionaries_ask_for_their_fields_too(visit: Visit) -> None:
    page = await visit.sign_in()
    entities = ("auth:role", "directory:organization", "dictionaries:dictionary")
    for entity in entities:
        await define(visit, entity, "level", "Level")
    try:
        # A new role, and then the same in its own page
        name = unique("Role")
        await page.goto(f"{visit.url}/backend/roles")
        await page.get_by_role("button", name="New role").first.click()
        await page.get_by_role("dialog").get_by_label("Name").fill(name)
        await fill_and_send(page, "Level", "3", "Create role")
        await expect(page.get_by_role("heading", name=name)).to_be_visible()
        assert (await visit.api("GET", f"/auth/roles?search={name}"))["items"][0]["cf_level"] == 3
        await page.get_by_role("button", name="Edit", exact=True).click()
        await fill_and_send(page, "Level", "4", "Save")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        assert (await visit.api("GET", f"/auth/roles?search={name}"))["items"][0]["cf_level"] == 4

        # A dictionary
        made = await visit.make_dictionary()
        await page.goto(f"{visit.url}/backend/dictionaries/{made['id']}")
        await page.get_by_role("button", name="Edit", exact=True).click()
        await fill_and_send(page, "Level", "5", "Save")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        assert (await visit.api("GET", f"/dictionaries/{made['id']}"))["cf_level"] == 5

        # An organization
        name = unique("Office")
        await page.goto(f"{visit.url}/backend/organizations")
        await page.get_by_role("button", name="New organization").first.click()
        await page.get_by_role("dialog").get_by_label("Name", exact=True).fill(name)
        await fill_and_send(page, "Level", "6", "Create organization")
        await expect(page.get_by_role("treeitem", name=name)).to_be_visible()
        found = await visit.api("GET", f"/directory/organizations?view=manage&search={name}")
        assert found["items"][0]["cf_level"] == 6
    finally:
        for entity in entities:
            await undefine(visit, entity, "level")
    visit.check()
