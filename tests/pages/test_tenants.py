"""Tenants, on the page of their list: for super admins only."""

import pytest
from playwright.async_api import expect

from tests.pages.conftest import unique
from tests.pages.data_pages import filters, row, shown

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


async def test_a_super_admin_makes_renames_switches_off_and_deletes_a_tenant(visit):
    page = await visit.sign_in("superadmin@acme.com")
    await page.get_by_role("button", name="Administration").click()
    await page.get_by_role("link", name="Tenants").click()
    await page.wait_for_url("**/backend/data/directory:tenant")
    await expect(row(page, "Acme Corp")).to_be_visible()

    # Made
    name = unique("Globex")
    await page.get_by_role("button", name="New record").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Create tenant").click()
    await expect(dialog.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    await dialog.get_by_label("Name").fill(name)
    await dialog.get_by_role("button", name="Create tenant").click()
    await expect(dialog).to_have_count(0)
    await page.get_by_label("Search", exact=True).fill(name)
    await expect(shown(page)).to_have_count(1)

    # Renamed and switched off
    await page.get_by_role("button", name=f"Edit {name}").click()
    await dialog.get_by_label("Name").fill(f"{name} Inc")
    await dialog.get_by_label("Active").uncheck()
    await dialog.get_by_role("button", name="Save").click()
    await expect(row(page, f"{name} Inc").locator("[data-label=Active]")).to_have_text("No")
    [stored] = (await visit.api("GET", f"/directory/tenants?search={name}"))["items"]
    assert (stored["name"], stored["isActive"]) == (f"{name} Inc", False)
    await filters(page).get_by_label("Active").select_option("true")
    await expect(page.get_by_text("Nothing matches")).to_be_visible()
    await filters(page).get_by_label("Active").select_option("false")
    await expect(shown(page)).to_have_count(1)

    # Deleted, after a second thought
    for answer, left in (("Cancel", 1), ("Delete", 0)):
        await page.get_by_role("button", name=f"Delete {name} Inc").click()
        await expect(dialog).to_contain_text("Undo does not take this back")
        await dialog.get_by_role("button", name=answer).click()
        await expect(shown(page)).to_have_count(left)
    visit.refused.clear()
    visit.check()


async def test_an_admin_sees_no_tenants(visit):
    page = await visit.sign_in()
    await page.get_by_role("button", name="Administration").click()
    await expect(page.get_by_role("link", name="Roles")).to_be_visible()
    await expect(page.get_by_role("link", name="Tenants")).to_have_count(0)
    await page.goto(f"{visit.url}/backend/data")
    await expect(page.locator(".card").filter(has_text="Users").first).to_be_visible()
    await expect(page.locator(".card").filter(has_text="Tenants")).to_have_count(0)
    visit.check()
