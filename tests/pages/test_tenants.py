"""Roles of several tenants: what a super admin chooses on the page, and others do not see."""

import pytest
from playwright.async_api import Locator, Page, expect

from tests.pages.conftest import unique

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


def row(page: Page, text: str) -> Locator:
    return page.locator("tr.row").filter(has_text=text)


async def test_a_super_admin_chooses_whose_roles_are_shown_and_made(visit):
    # Given a super admin of an installation with a second tenant
    page = await visit.sign_in("superadmin@acme.com")
    tenant = unique("Other tenant")
    id = (await visit.api("POST", "/directory/tenants", {"name": tenant}))["id"]
    await visit.api("POST", "/auth/roles", {"name": "Pilots", "tenantId": id})
    await page.goto(f"{visit.url}/backend/roles")
    await expect(row(page, "Pilots").filter(has_text=tenant)).to_have_count(1)
    await expect(row(page, "employee").filter(has_text="Acme Corp")).to_have_count(1)

    # When they choose it, Then its roles alone are shown, after a reload too
    await page.locator("#tenant").select_option(label=tenant)
    await expect(page.locator("tr.row")).to_have_count(1)
    await page.reload()
    await expect(page.locator("tr.row")).to_have_count(1)
    await expect(row(page, "Pilots")).to_be_visible()

    # And a new role is made there
    await page.get_by_role("button", name="New role").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Tenant").locator("option:checked")).to_have_text(tenant)
    await dialog.get_by_label("Name").fill("Mechanics")
    await dialog.get_by_role("button", name="Create role").click()
    await page.wait_for_url("**/backend/roles/*")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Mechanics")
    there = await visit.api("GET", f"/auth/roles?tenantId={id}")
    assert [role["name"] for role in there["items"]] == ["Mechanics", "Pilots"]
    visit.check()


async def test_who_is_no_super_admin_has_no_choice_of_tenants(visit):
    page = await visit.sign_in()
    await page.goto(f"{visit.url}/backend/roles")
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    await expect(page.locator("#tenant-choice")).to_be_hidden()
    await page.goto(f"{visit.url}/backend/roles/create")
    dialog = page.get_by_role("dialog", name="New role")
    await expect(dialog).to_be_visible()
    await expect(dialog.get_by_label("Tenant")).to_have_count(0)
    visit.check()
