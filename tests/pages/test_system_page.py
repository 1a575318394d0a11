"""The system page: settings, cache, upgrade actions and the log, in a real Chromium."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.async_api import expect

from scripts.screenshots import server as demo_server
from tests.pages.conftest import Server, guarded

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


@pytest.fixture(scope="module")
def busy() -> Iterator[Server]:
    """A server that caches lists and offers upgrade actions."""
    with (
        TemporaryDirectory(prefix="backstep-") as data,
        demo_server(
            Path(data),
            RATE_LIMIT_LOGIN_IP_POINTS="1000",
            ENABLE_CRUD_API_CACHE="true",
            UPGRADE_ACTIONS_ENABLED="true",
            QUERY_ENGINE_DEBUG_SQL="perhaps",
        ) as url,
    ):
        yield Server(url, Path(data) / "mail")


@pytest.fixture
async def guest(browser, busy):
    """A person with a fresh browser profile on that server."""
    async with guarded(browser, busy) as made:
        yield made


async def test_a_super_admin_sees_settings_purges_the_cache_and_runs_upgrade_actions(guest):
    page = await guest.sign_in("superadmin@acme.com")
    for _ in range(2):
        await guest.api("GET", "/dictionaries")
    await page.goto(f"{guest.url}/backend/system")

    # Facts, and the variables by category with what they are set to
    await expect(page.locator(".fact").filter(has_text="Actions in the log")).to_be_visible()
    for name in ("Profiling", "Logging", "Security", "Caching", "Query index", "Entities"):
        await expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    row = page.get_by_role("row").filter(has_text="QUERY_ENGINE_DEBUG_SQL")
    await expect(row).to_contain_text("Unknown")
    await expect(row).to_contain_text("perhaps")

    # When a segment is purged, and then everything
    segment = page.get_by_role("row").filter(has_text="dictionaries-dictionary")
    await expect(segment).to_contain_text("1")
    await segment.get_by_role("button", name="Purge").click()
    await expect(page.locator(".toast").filter(has_text="Purged dictionaries-dictionary")).to_be_visible()
    await expect(segment).to_have_count(0)
    await guest.api("GET", "/dictionaries")
    await page.get_by_role("button", name="Look again").click()
    await expect(segment).to_have_count(1)
    await page.get_by_role("button", name="Purge everything").click()
    await page.get_by_role("dialog").get_by_role("button", name="Purge", exact=True).click()
    await expect(page.get_by_text("Nothing is cached")).to_be_visible()

    # When the upgrade actions are run, one after the other
    section = page.get_by_role("region", name="To do after an upgrade")
    await section.get_by_role("button", name="Install dictionaries").click()
    await expect(section.get_by_role("button", name="Delete old values")).to_be_visible()
    await section.get_by_role("button", name="Delete old values").click()
    await expect(section).to_have_count(0)
    guest.check()


async def test_an_admin_sees_states_without_values_and_it_fits_a_phone_in_the_dark(guest):
    await guest.sign_in("admin@acme.com")
    page = await guest.open("/backend/system")
    await page.set_viewport_size({"width": 360, "height": 700})
    await page.emulate_media(color_scheme="dark")
    row = page.get_by_role("row").filter(has_text="QUERY_ENGINE_DEBUG_SQL")
    await expect(row).to_contain_text("Unknown")
    await expect(page.get_by_text("shown to super admins only")).to_be_visible()
    assert "perhaps" not in await page.content()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    guest.check()


async def test_by_keyboard_the_page_is_reached_from_the_menu(guest):
    page = await guest.sign_in("admin@acme.com")
    await page.get_by_role("button", name="Administration").click()
    await expect(page.get_by_role("link", name="Feature toggles")).to_be_visible()
    await page.get_by_role("link", name="System").press("Enter")
    await page.wait_for_url("**/backend/system")
    await expect(page.get_by_role("heading", name="System", exact=True)).to_be_visible()
    await expect(page.locator(".fact").first).to_be_visible()
    guest.check()
