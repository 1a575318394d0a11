"""Feature toggles: what a super admin and an admin do with them, by pointer and keyboard, in a real Chromium."""

from uuid import uuid4

import pytest
from playwright.async_api import expect

from tests.pages.conftest import undo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


async def make(visit, kind="boolean", default=True):
    """A new toggle, by the API of a super admin: its id, identifier and name."""
    mark = uuid4().hex[:8]
    body = {"identifier": f"story.{mark}", "name": f"Story {mark}", "type": kind, "defaultValue": default}
    return {**body, **await visit.api("POST", "/feature_toggles/global", body)}


async def answer(visit, toggle):
    """What a check of it answers: value and source."""
    found = await visit.api(
        "GET", f"/feature_toggles/check/{toggle['type']}?identifier={toggle['identifier']}"
    )
    return found["value"], found["source"]


async def test_a_toggle_is_made_found_edited_and_deleted_and_each_can_be_undone(visit):
    page = await visit.sign_in("superadmin@acme.com")
    await page.goto(f"{visit.url}/backend/toggles")
    await expect(page.get_by_role("row").filter(has_text="feature_toggles_ui")).to_be_visible()
    dialog, mark = page.get_by_role("dialog"), uuid4().hex[:8]

    # When one is made by keyboard, with faults first
    await page.keyboard.press("n")
    await dialog.get_by_label("Identifier").fill("Not Good")
    await dialog.get_by_label("Name", exact=True).fill(f"Limit {mark}")
    await dialog.get_by_label("Type").select_option("number")
    await dialog.get_by_label("Default").filter(visible=True).fill("many")
    await dialog.get_by_role("button", name="Create toggle").click()
    await expect(dialog.get_by_text("A lower-case letter, then")).to_be_visible()
    await expect(dialog.get_by_text("This is not a number.")).to_be_visible()
    await dialog.get_by_label("Identifier").fill(f"story.{mark}")
    await dialog.get_by_label("Default").filter(visible=True).fill("12.5")
    await dialog.get_by_role("button", name="Create toggle").click()
    await expect(dialog).to_have_count(0)

    # Then it is found by search and by type
    await page.get_by_label("Search feature toggles").fill(mark)
    row = page.get_by_role("row").filter(has_text=f"story.{mark}")
    await expect(row).to_contain_text("12.5")
    await page.get_by_label("Type").select_option("json")
    await expect(page.get_by_text("No toggle matches")).to_be_visible()
    await page.get_by_label("Type").select_option("number")
    await expect(row).to_be_visible()

    # When it is edited and undone
    await row.get_by_role("button", name="Edit").click()
    await dialog.get_by_label("Default").filter(visible=True).fill("99")
    await dialog.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("99")
    await undo(page)
    await expect(row).to_contain_text("12.5")

    # When it is deleted and undone
    await row.get_by_role("button", name="Delete").click()
    await expect(dialog).to_contain_text("for every tenant")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(row).to_have_count(0)
    await undo(page)
    await expect(row).to_be_visible()
    visit.check()


async def test_an_admin_gives_the_tenant_a_value_of_its_own_and_takes_it_back(visit, other):
    await visit.sign_in("superadmin@acme.com")
    flag, settings = await make(visit), await make(visit, "json", {"a": 1})
    page = await other.sign_in("admin@acme.com")
    await page.goto(f"{other.url}/backend/toggles?search={flag['identifier']}")
    row = page.get_by_role("row").filter(has_text=flag["identifier"])
    dialog = page.get_by_role("dialog")
    await expect(row.get_by_text("Default")).to_be_visible()
    await expect(row.get_by_role("button", name="Edit")).to_have_count(0)
    await expect(page.get_by_role("button", name="New toggle")).to_be_hidden()

    await row.get_by_role("button", name="Own value of").click()
    await dialog.get_by_label("Value", exact=True).select_option("own")
    await dialog.get_by_label("Own value").select_option("false")
    await dialog.get_by_role("button", name="Save").click()
    await expect(row.get_by_text("Off here")).to_be_visible()
    assert await answer(other, flag) == (False, "override")
    await undo(page)
    await expect(row.get_by_text("Off here")).to_have_count(0)
    assert await answer(other, flag) == (True, "default")

    # JSON is checked before it is sent
    await page.get_by_label("Search feature toggles").fill(settings["identifier"])
    line = page.get_by_role("row").filter(has_text=settings["identifier"])
    await line.get_by_role("button", name="Own value of").click()
    await dialog.get_by_label("Value", exact=True).select_option("own")
    await dialog.get_by_label("Own value").fill("{broken")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_text("This is not JSON.")).to_be_visible()
    await dialog.get_by_label("Own value").fill('{"b": [true, null]}')
    await dialog.get_by_role("button", name="Save").click()
    await expect(line.get_by_text("Own value")).to_be_visible()
    assert await answer(other, settings) == ({"b": [True, None]}, "override")
    visit.check()
    other.check()


async def test_on_a_phone_in_the_dark_the_list_fits_and_a_change_of_another_person_shows(visit, other):
    await visit.sign_in("superadmin@acme.com")
    flag = await make(visit)
    await other.sign_in("admin@acme.com")
    page = await other.open(f"/backend/toggles?search={flag['identifier']}")
    await page.set_viewport_size({"width": 360, "height": 700})
    await page.emulate_media(color_scheme="dark")
    row = page.get_by_role("row").filter(has_text=flag["identifier"])
    await expect(row).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await visit.api("PUT", "/feature_toggles/global", {"id": flag["id"], "name": "Renamed meanwhile"})
    await expect(row.get_by_text("Renamed meanwhile")).to_be_visible()
    other.check()


async def test_an_employee_is_told_that_it_is_not_for_them(visit):
    page = await visit.sign_in("employee@acme.com")
    await page.goto(f"{visit.url}/backend/toggles")
    await expect(page.get_by_role("alert")).to_contain_text("feature_toggles.view")
    await expect(page.get_by_role("button", name="New toggle")).to_be_hidden()
