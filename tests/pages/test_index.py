"""The page of the index: coverage, building anew, taking out, and jobs that were given up, in a real Chromium."""

import json
from typing import Any

import asyncpg
import pytest
from playwright.async_api import expect

from app.embedded import opened
from app.settings import Settings
from tests.pages.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


async def fail_jobs(visit: Visit, *payloads: Any) -> None:
    """Jobs of the tenant that were given up."""
    tenant = (await visit.api("GET", "/directory/organization-switcher"))["tenantId"]
    with opened(Settings.read(data=visit.mail.parent)) as target:
        connection = await asyncpg.connect(target.admin_dsn)
        try:
            for payload in payloads:
                number = await connection.fetchval(
                    "insert into jobs.pgqueuer (priority, status, entrypoint, payload, headers)"
                    " values (0, 'failed', 'query_index.coverage.refresh', $1, $2) returning id",
                    json.dumps(payload).encode(),
                    json.dumps({"tenant": tenant}),
                )
                await connection.execute(
                    "insert into jobs.pgqueuer_log (job_id, status, priority, entrypoint, traceback)"
                    " values ($1, 'failed', 0, 'query_index.coverage.refresh', $2)",
                    number,
                    json.dumps({"exception_message": "the moon was in the way"}),
                )
        finally:
            await connection.close()


async def test_documents_are_taken_out_and_built_anew(visit):
    page = await visit.sign_in()
    await visit.make_dictionary({"value": "red"}, {"value": "blue"})
    await page.goto(f"{visit.url}/backend/index")
    row = page.get_by_role("row", name="dictionaries:dictionary_entry")
    await expect(row).to_be_visible()

    # When everything is counted
    await page.get_by_role("button", name="Count again").click()
    await expect(row.get_by_text("Complete", exact=True)).to_be_visible()

    # When the documents are taken out, which must be confirmed
    out = row.get_by_role("button", name="Take Dictionary entry out of the index")
    await out.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(row.get_by_text("Complete", exact=True)).to_be_visible()
    await out.click()
    await expect(dialog).to_contain_text("Its records stay")
    await dialog.get_by_role("button", name="Take out").click()
    await expect(row.get_by_text("Incomplete")).to_be_visible()
    await expect(row.get_by_role("cell").nth(2)).to_have_text("0")

    # Then they can be built anew, by keyboard
    again = row.get_by_role("button", name="Build the index of Dictionary entry anew")
    await again.focus()
    await page.keyboard.press("Enter")
    await dialog.get_by_role("button", name="Build anew").focus()
    await page.keyboard.press("Enter")
    await expect(row.get_by_text("Complete", exact=True)).to_be_visible()
    await expect(page.locator("#notes").get_by_text("completed").first).to_be_visible()
    await expect(page.locator("#errors-empty")).to_be_visible()
    visit.check()


async def test_jobs_that_were_given_up_are_retried_and_deleted(visit):
    page = await visit.sign_in()
    good = {"entityTypes": ["auth:role"], "organizationId": None}
    await fail_jobs(visit, good, {"no": "sense"})
    await page.goto(f"{visit.url}/backend/index")
    await page.get_by_label("Show jobs").select_option("failed")
    rows = page.locator("#jobs .row")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("the moon was in the way")
    await expect(page.locator("#jobs-counts")).to_contain_text("2 failed")

    # The newest makes no sense: it fails again, for good; the other one is done
    await page.get_by_role("button", name="Retry all failed").click()
    await expect(rows).to_have_count(1)
    await expect(rows.first).to_contain_text("missing required field")

    # What is deleted is gone
    await rows.first.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("No such job")).to_be_visible()
    visit.check()


async def test_the_page_fits_a_phone_in_the_dark_and_offers_no_more_than_may_be_done(visit, other):
    await visit.sign_in()
    email = await visit.make_user("employee")
    page = await other.sign_in(email, "Secret-1")
    await page.goto(f"{other.url}/backend/index")
    await expect(page.get_by_role("alert").first).to_contain_text("query_index.status.view")

    page = await visit.open("/backend/index")
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 375, "height": 800})
    await expect(page.get_by_role("row", name="auth:role")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visit.check()
