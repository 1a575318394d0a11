"""The page of replays, in a real Chromium: start one, see it end, read what it found."""

import asyncpg
import pytest
from playwright.async_api import expect

from app.embedded import opened
from app.settings import Settings
from tests.pages.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150), pytest.mark.xdist_group("pages")]


async def relabel_by_sql(visit: Visit, entry: str, label: str) -> None:
    """Change an entry without a command."""
    with opened(Settings.read(data=visit.mail.parent)) as target:
        connection = await asyncpg.connect(target.admin_dsn)
        try:
            async with connection.transaction():
                await connection.execute("set local app.command_id = 'behind the back'")
                await connection.execute(
                    "update dictionary_entries set label = $2 where id = $1", entry, label
                )
        finally:
            await connection.close()


async def test_a_replay_is_started_ends_and_shows_what_it_found(visit):
    page = await visit.sign_in("superadmin@acme.com")
    made = await visit.make_dictionary({"value": "red"})
    entry = (await visit.entries(made["id"]))[0]["id"]
    await page.goto(f"{visit.url}/backend/replay")
    rows = page.locator("#rows tr")

    # When the history is whole
    await page.get_by_label("What to do").select_option("commands")
    await page.get_by_role("button", name="Start replay").click()
    await expect(rows.first).to_contain_text("Commands executed again")
    await expect(rows.first.get_by_text("Equal", exact=True)).to_be_visible(timeout=60_000)

    # When somebody changed a row by SQL, it is found and explained
    await relabel_by_sql(visit, entry, "forged")
    await page.get_by_label("What to do").select_option("state")
    await page.get_by_role("button", name="Start replay").click()
    await expect(rows.first.get_by_text("Not equal", exact=True)).to_be_visible(timeout=60_000)
    await rows.first.get_by_role("button").click()
    finding = page.locator("#findings li").first
    await expect(finding).to_contain_text("no command: changed outside")
    await expect(finding).to_contain_text("forged")
    await relabel_by_sql(visit, entry, "red")
    assert not visit.errors


async def test_an_admin_is_told_that_it_is_not_for_them(visit):
    page = await visit.sign_in()
    await page.goto(f"{visit.url}/backend/replay")
    await expect(page.locator("#problem")).to_have_text("Only super admins replay history.")
    await expect(page.get_by_role("button", name="Start replay")).to_be_hidden()
    page = await visit.open("/backend/replay")
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 375, "height": 800})
    await expect(page.locator("#problem")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
