"""Taking back many actions: filter, preview, what stands in the way, and the way back again, in a real Chromium."""

import json
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest
from playwright.async_api import expect

from app.database import lock_key
from app.embedded import embedded
from tests.pages.conftest import PASSWORD, undo, unique

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


async def imported(visit, count):
    """A dictionary and an import of entries into it, each renamed: its id and the import's correlation id."""
    dictionary = (await visit.make_dictionary())["id"]
    correlation = unique("import")
    path = f"{visit.url}/api/dictionaries/{dictionary}/entries"
    headers = {"content-type": "application/json", "x-correlation-id": correlation}
    for number in range(count):
        body = json.dumps({"value": f"v{number}", "label": f"Old {number}"})
        made = await visit.context.request.post(path, data=body, headers=headers)
        id = (await made.json())["id"]
        await visit.context.request.patch(
            f"{path}/{id}", data=json.dumps({"label": f"New {number}"}), headers=headers
        )
    return dictionary, correlation


@asynccontextmanager
async def writing(visit):
    """Somebody who has the lock of the tenant."""
    tenant = UUID((await visit.api("GET", "/directory/organizations"))["items"][0]["tenantId"])
    with embedded(visit.mail.parent) as dsn:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute("select pg_advisory_lock($1)", lock_key(tenant))
            yield
        finally:
            await connection.close()


async def labels(visit, dictionary):
    """The labels of the entries, sorted."""
    return sorted(one["label"] for one in await visit.entries(dictionary))


async def test_an_import_is_taken_back_after_a_preview_and_put_forward_again(visit):
    page = await visit.sign_in()
    dictionary, correlation = await imported(visit, 3)
    await page.get_by_role("link", name="Undo many").click()
    await page.wait_for_url("**/backend/undo-many")

    # Nothing to go by is refused, and so is what finds nothing
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_role("alert")).to_contain_text("fill in at least one field")
    await page.get_by_label("Correlation id").fill("no-such-import")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("There is nothing to take back")).to_be_visible()

    # When it is previewed, nothing has changed yet
    await page.get_by_label("Correlation id").fill(correlation)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("6 actions on 3 rows would be taken back")).to_be_visible()
    await expect(page.locator(".plan-change").first).to_contain_text("is deleted")
    await expect(
        page.locator(".plan-part").filter(has_text="Actions, newest first").locator("li")
    ).to_have_count(6)
    assert await labels(visit, dictionary) == ["New 0", "New 1", "New 2"]

    # When it is done
    await page.get_by_role("button", name="Undo 6 actions").click()
    result = page.locator(".plan-result")
    await expect(result).to_contain_text("6 actions on 3 rows were taken back.")
    await expect(page.locator(".toast")).to_contain_text("Undo many")
    await expect(page.get_by_role("button", name="Undo 6 actions")).to_be_hidden()
    assert await labels(visit, dictionary) == []

    # And undone, and put forward again
    await result.get_by_role("button", name="Undo this").click()
    await expect(result).to_contain_text("the actions stand again")
    assert await labels(visit, dictionary) == ["New 0", "New 1", "New 2"]
    await result.get_by_role("button", name="Redo").click()
    await expect(result).to_contain_text("taken back again")
    assert await labels(visit, dictionary) == []
    assert visit.errors == visit.outside == []


async def test_what_stands_in_the_way_is_named_with_the_later_action(visit):
    page = await visit.sign_in()
    dictionary, correlation = await imported(visit, 2)
    entry = (await visit.entries(dictionary))[0]["id"]
    await visit.api("PATCH", f"/dictionaries/{dictionary}/entries/{entry}", {"label": "Mine"})
    await page.goto(f"{visit.url}/backend/undo-many?correlation={correlation}")
    await expect(page.get_by_role("alert")).to_contain_text("1 record was changed since")
    await expect(page.locator("#confirm")).to_be_hidden()
    obstacle = page.locator(".plan-obstacle")
    await expect(obstacle.get_by_role("link", name="Mine")).to_be_visible()
    await obstacle.get_by_role("link", name="Update dictionary entry").click()
    await page.wait_for_url(f"**/backend/history/dictionaries.entry/{entry}*")
    await expect(page.get_by_role("heading", name="Mine", level=1)).to_be_visible()

    # Once the later change is taken back, it is possible
    await page.get_by_role("button", name="Undo: Update dictionary entry Mine").click()
    await expect(page.locator(".toast").last).to_contain_text("Undone")
    await page.goto(f"{visit.url}/backend/undo-many?correlation={correlation}")
    await page.get_by_role("button", name="Undo 4 actions").click()
    await expect(page.locator(".plan-result")).to_contain_text("4 actions on 2 rows were taken back.")
    await undo(page)
    assert len(await visit.entries(dictionary)) == 2
    visit.check()


async def test_the_filters_of_the_activity_page_come_along_and_what_cannot_is_said(visit):
    page = await visit.sign_in()
    dictionary, _ = await imported(visit, 1)
    entry = (await visit.entries(dictionary))[0]["id"]
    query = f"kind=dictionaries.entry&id={entry}&who=me&span=24h&type=edit"
    await page.goto(f"{visit.url}/backend/activity?{query}")
    await expect(page.locator("#total")).to_have_text("1 matching change")
    await page.get_by_role("link", name="Undo many").click()
    await expect(page.get_by_text("Not taken over from Activity")).to_contain_text("action (edit)")
    await expect(page.get_by_label("Person")).to_have_value("me")
    await expect(page.get_by_label("Record id")).to_have_value(entry)
    await expect(page.get_by_label("From")).not_to_have_value("")
    await expect(page.get_by_text("2 actions on 1 row would be taken back")).to_be_visible()

    # A changed filter is not what was previewed, and neither is a changed record
    await page.get_by_label("Command").fill("dictionaries.entries.update")
    await expect(page.get_by_role("button", name="Undo 2 actions")).to_be_hidden()
    await page.keyboard.press("Enter")
    await expect(page.locator(".plan-change")).to_contain_text("is changed back")
    await expect(page.locator(".plan-change ins")).to_have_text("Old 0")
    await visit.api("PATCH", f"/dictionaries/{dictionary}/entries/{entry}", {"color": "#dc2626"})
    await expect(page.get_by_text("Something has changed since this preview.")).to_be_visible()
    await page.get_by_role("button", name="Undo 1 action").click()
    await expect(page.locator(".plan-result")).to_contain_text("1 action on 1 row was taken back.")
    assert await labels(visit, dictionary) == ["Old 0"]
    visit.check()


async def test_an_action_that_was_undone_meanwhile_stops_all_of_it(visit):
    page = await visit.sign_in()
    dictionary, correlation = await imported(visit, 1)
    await page.goto(f"{visit.url}/backend/undo-many?correlation={correlation}")
    button = page.get_by_role("button", name="Undo 2 actions")
    await expect(button).to_be_visible()
    actions = await visit.api("GET", "/audit_logs/audit-logs/actions?pageSize=1")
    token = {"undoToken": actions["items"][0]["undoToken"]}
    await visit.api("POST", "/audit_logs/audit-logs/actions/undo", token)
    await button.click()
    await expect(page.get_by_role("alert")).to_contain_text("undone meanwhile")
    assert await labels(visit, dictionary) == ["Old 0"]
    assert visit.errors == []


async def test_how_far_a_run_is_can_be_seen_by_all_who_may(visit, other):
    page = await visit.sign_in()
    dictionary, correlation = await imported(visit, 2)
    await page.goto(f"{visit.url}/backend/undo-many?correlation={correlation}")
    button = page.get_by_role("button", name="Undo 4 actions")
    await expect(button).to_be_visible()
    theirs = await other.sign_in("superadmin@acme.com")
    async with writing(visit):
        await button.click()
        mine = page.locator("#progress")
        await expect(mine).to_contain_text("Taking back 4 actions… · waiting for its turn")
        await expect(mine.get_by_role("progressbar")).to_be_visible()
        await theirs.goto(f"{other.url}/backend/undo-many")
        await expect(theirs.locator("#progress")).to_contain_text(
            "takes back many actions · waiting for its turn"
        )
        assert await labels(visit, dictionary) == ["New 0", "New 1"]
    await expect(page.locator(".plan-result")).to_contain_text("4 actions on 2 rows were taken back.")
    await expect(mine).to_be_hidden()
    await expect(theirs.locator("#progress")).to_be_hidden()
    visit.check()
    other.check()


async def test_without_the_right_to_others_actions_only_ones_own_are_found(visit, other):
    await visit.sign_in()
    _, correlation = await imported(visit, 1)
    role = (await visit.api("POST", "/auth/roles", {"name": unique("clerk")}))["id"]
    rights = ["audit_logs.view_self", "audit_logs.undo_self", "dictionaries.view"]
    await visit.api("PUT", "/auth/roles/acl", {"roleId": role, "features": rights})
    email = await visit.make_user(role)
    page = await other.sign_in(email, PASSWORD)
    await page.goto(f"{other.url}/backend/undo-many?correlation={correlation}")
    await expect(page.get_by_text("Your own actions only")).to_be_visible()
    await expect(page.get_by_text("There is nothing to take back")).to_be_visible()
    await expect(page.get_by_label("API key")).to_be_hidden()

    # And without the right to one's own there is nothing to do here
    await visit.api("PUT", "/auth/roles/acl", {"roleId": role, "features": rights[:1]})
    await page.goto(f"{other.url}/backend/activity")
    await expect(page.get_by_text("Nothing has changed yet")).to_be_visible()
    await expect(page.get_by_role("link", name="Undo many")).to_be_hidden()
    await page.goto(f"{other.url}/backend/undo-many")
    await expect(page.get_by_role("alert")).to_contain_text("audit_logs.undo_self")
    assert visit.errors == other.errors == []


async def test_on_a_phone_in_the_dark_everything_fits(visit):
    await visit.sign_in()
    _, correlation = await imported(visit, 2)
    page = await visit.open(f"/backend/undo-many?correlation={correlation}")
    await page.set_viewport_size({"width": 360, "height": 700})
    await page.emulate_media(color_scheme="dark")
    await expect(page.get_by_role("button", name="Undo 4 actions")).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visit.check()
