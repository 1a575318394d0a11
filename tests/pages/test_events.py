"""The page of live events: what comes, pausing, filters, the catalogue, and lost connections, in a real Chromium."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from playwright.async_api import Locator, Page, expect

from app.jobs.hub import MAX_STREAMS
from tests.pages.conftest import PASSWORD, Visit, unique

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]

STREAM = re.compile(r"/events/stream(\?|$)")


def rows(page: Page, text: str = "") -> Locator:
    """The events of the list that contain a text, newest first."""
    return page.locator(".happening").filter(has_text=text)


async def watched(page: Page, visit: Visit, query: str = "") -> Page:
    """The page of events, connected."""
    await page.goto(f"{visit.url}/backend/events{query}")
    await connected(page)
    return page


async def connected(page: Page) -> None:
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await expect(page.locator("#declared-table")).to_have_attribute("aria-busy", "false")


async def rename(visit: Visit, dictionary: dict[str, Any], *names: str) -> None:
    """Give a dictionary these names, one after the other: two events each."""
    for name in names:
        await visit.api("PATCH", f"/dictionaries/{dictionary['id']}", {"name": name})


async def places(page: Page) -> list[int]:
    """The places in the stream of all listed events, from the top."""
    found = await rows(page).evaluate_all("rows => rows.map(row => Number(row.dataset.key))")
    return list(found)


@asynccontextmanager
async def cut(visit: Visit, *pages: Page) -> AsyncIterator[None]:
    """Meanwhile the person has no stream: theirs is crowded out by others of theirs, and new ones fail."""
    for page in pages:
        await page.route(STREAM, lambda route: route.abort())
    cookies = {one["name"]: one["value"] for one in await visit.context.cookies()}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=visit.url, cookies=cookies))
        for _ in range(MAX_STREAMS):
            answer = await stack.enter_async_context(client.stream("GET", "/api/events/stream"))
            assert answer.status_code == 200
        for page in pages:
            await expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
            await expect(page.locator("#connection")).to_have_text("Reconnecting")
        yield
    for page in pages:
        await page.unroute(STREAM)


async def test_an_edit_in_another_tab_appears_live_and_opens_to_its_payload(visit):
    # Given the page in one tab, and a dictionary in another
    await visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await watched(await visit.sign_in(), visit)
    await expect(page.get_by_text("Waiting for events")).to_be_visible()
    made = await visit.make_dictionary({"value": "low", "label": "Low"})
    editor = await visit.open(f"/backend/dictionaries/{made['id']}")
    [entry] = await visit.entries(made["id"])
    before = await rows(page, "dictionaries.entry.updated").count()

    # When a label is edited
    await editor.locator(".cell[data-field=label]").click()
    await editor.locator(".cell-input").fill("Lowest")
    await editor.locator(".cell-input").press("Enter")

    # Then the event of the record and that of the action are at the top, the newest first
    await expect(rows(page).first).to_contain_text("Update dictionary entry")
    action, changed = rows(page).nth(0), rows(page).nth(1)
    await expect(rows(page, "dictionaries.entry.updated")).to_have_count(before + 1)
    short = f"Dictionary entry {entry['id'][:8]}…{entry['id'][-4:]}"
    await expect(changed).to_contain_text(re.compile(f"Dictionary Entry Updated.*dictionaries.*{short}"))
    await expect(action).to_contain_text(f"{short} · by you")
    for row in (action, changed):
        await expect(row).to_contain_text("Acme Corp")
    await expect(page.locator("#announcer")).to_contain_text("new event")

    # When it is opened by keyboard, Then the whole payload is there, to be copied
    await changed.locator("summary").focus()
    await page.keyboard.press("Enter")
    payload = json.loads(await changed.locator("pre").inner_text())
    assert (payload["id"], set(payload)) == (entry["id"], {"id", "tenantId", "organizationId"})
    await page.bring_to_front()
    await changed.get_by_role("button", name="Copy").click()
    await expect(changed.get_by_role("button", name="Copied")).to_be_visible()
    assert json.loads(await page.evaluate("navigator.clipboard.readText()")) == payload

    # And it stays open when more comes
    await rename(visit, made, "Renamed")
    await expect(rows(page).first).to_contain_text("Update dictionary")
    action, changed = rows(page).nth(2), rows(page).nth(3)
    await expect(changed.locator("pre")).to_be_visible()

    # And the links lead to the record after the action, and to its actions
    await action.locator("summary").click()
    log = action.get_by_role("link", name="In the action log")
    address = await log.get_attribute("href")
    await action.get_by_role("link", name="The record after this action").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Lowest")
    await page.goto(visit.url + str(address))
    await expect(page.locator(".entry").filter(has_text="Update dictionary entry")).to_have_count(1)
    visit.check()


async def test_what_comes_while_it_is_paused_is_counted_and_shown_when_one_goes_on(visit):
    page = await watched(await visit.sign_in(), visit)
    made = await visit.make_dictionary()
    await expect(rows(page)).to_have_count(2)

    # When it is paused by keyboard, and things happen
    await page.keyboard.press("p")
    await rename(visit, made, "One", "Two")
    await expect(page.get_by_role("button", name="Go on · 4 new")).to_be_visible()
    await expect(page).to_have_title("(4) Events · Backstep")
    await expect(rows(page)).to_have_count(2)

    # Then what is shown can be cleared, and going on shows what came
    await page.get_by_role("button", name="Clear").click()
    await expect(page.get_by_text("Paused", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Go on · 4 new").click()
    await expect(rows(page)).to_have_count(4)
    await expect(page.locator("#total")).to_have_text("4 events")
    await expect(page).to_have_title("Events · Backstep")
    found = await places(page)
    assert found == sorted(found, reverse=True)

    # And it is live again
    await rename(visit, made, "Three")
    await expect(rows(page)).to_have_count(6)
    await page.get_by_role("button", name="Clear").click()
    await expect(page.get_by_text("Waiting for events")).to_be_visible()
    visit.check()


async def test_filters_by_text_and_module_hold_for_what_comes_and_are_kept_in_the_address(visit):
    page = await watched(await visit.sign_in(), visit)
    made = await visit.make_dictionary()
    another = await visit.make_dictionary()
    await expect(rows(page)).to_have_count(4)

    # By module
    await page.get_by_label("Module").select_option("dictionaries")
    await expect(rows(page)).to_have_count(2)
    await expect(page.locator("#total")).to_have_text("2 of 4 events")

    # And by a text of the payload; events that come are filtered too
    await page.get_by_label("Search events").fill(made["id"].upper())
    await expect(rows(page)).to_have_count(1)
    await rename(visit, another, "Not this")
    await rename(visit, made, "This")
    await expect(rows(page)).to_have_count(2)
    await expect(page.locator("#total")).to_have_text("2 of 8 events")
    assert f"search={made['id'].upper()}&module=dictionaries" in page.url

    # After a reload they are as they were, and can be cleared
    await page.reload()
    await connected(page)
    await rename(visit, made, "Again")
    await expect(rows(page)).to_have_count(1)
    await page.keyboard.press("/")
    await page.keyboard.type("nothing like it")
    await expect(page.get_by_text("No event matches")).to_be_visible()
    await page.get_by_role("button", name="Clear filters").click()
    await expect(rows(page)).to_have_count(2)
    assert "search" not in page.url
    visit.check()


async def test_the_catalogue_is_searched_and_counts_what_was_seen(visit):
    page = await watched(await visit.sign_in(), visit)
    made = await visit.make_dictionary()
    await page.get_by_role("link", name="Catalogue").click()
    declared = await visit.api("GET", "/events?excludeTriggerExcluded=false")
    lines = page.locator("#declared tr")
    await expect(lines).to_have_count(declared["total"])
    await expect(page.locator("#declared-total")).to_have_text(f"{declared['total']} events")

    # It tells of each: label, id, module, category, whether it reaches the browser
    await expect(lines.filter(has_text="auth.login.failed")).to_contain_text(
        re.compile(r"Login Failed.*auth.*lifecycle.*Server only.*0")
    )
    seen = lines.filter(has_text="dictionaries.dictionary.updated")
    await expect(seen).to_contain_text(re.compile("Dictionary Updated.*crud.*Reaches it.*0"))

    # What comes is counted, be the list paused or not
    await rename(visit, made, "One", "Two")
    await expect(seen.get_by_role("button")).to_have_text("2")
    await page.keyboard.press("p")
    await rename(visit, made, "Three")
    await expect(seen.get_by_role("button")).to_have_text("3")
    await page.keyboard.press("p")

    # It is searched by text, and by whether it reaches the browser
    await page.keyboard.press("/")
    await page.keyboard.type("password")
    await expect(lines).to_have_count(3)
    await page.get_by_label("Reach the browser only").check()
    await expect(page.locator("#declared-empty")).to_contain_text("No event matches")
    await page.get_by_label("Search the catalogue").fill("")
    await expect(lines).to_have_count(sum(one.get("clientBroadcast", False) for one in declared["data"]))

    # The number leads to those events; the address names the view
    await seen.get_by_role("button", name="show them").click()
    await expect(rows(page)).to_have_count(3)
    await expect(rows(page, "dictionaries.dictionary.updated")).to_have_count(3)
    await page.go_back()
    await expect(lines.first).to_be_visible()
    await page.get_by_role("link", name="Live").click()
    await expect(rows(page)).to_have_count(8)
    visit.check()


async def test_after_a_lost_connection_no_event_is_missing_and_none_is_there_twice(visit, other):
    # Given two tabs, of which one holds the connection for both
    page = await watched(await visit.sign_in(), visit)
    second = await visit.open("/backend/events")
    await connected(second)
    await other.sign_in()
    made = await other.make_dictionary()
    for tab in (page, second):
        await expect(rows(tab)).to_have_count(2)

    # When it is lost while things happen
    async with cut(visit, page, second):
        await rename(other, made, *(f"Name {number}" for number in range(20)))
        await expect(rows(page)).to_have_count(2)

    # Then all of it is there once, in order, behind a mark
    for tab in (page, second):
        await expect(rows(tab)).to_have_count(42, timeout=30_000)
        await expect(tab.locator("#connection")).to_contain_text("Connected again since")
        await expect(tab.locator(".happening-mark")).to_contain_text("Nothing was missed")
    found = await places(page)
    assert found == sorted(set(found), reverse=True)
    assert await places(second) == found
    assert await page.locator("#events > li").nth(-3).get_attribute("class") == "happening-mark"

    # When the tab that holds the connection is closed, Then the other goes on where it was
    await page.close()
    await rename(other, made, "The last")
    await expect(rows(second)).to_have_count(44)
    found = await places(second)
    assert found == sorted(set(found), reverse=True)
    assert visit.errors == []


async def test_more_than_the_server_gives_again_is_said_to_be_missing(visit, other):
    # Given a page that was away while more came than can be caught up on
    page = await watched(await visit.sign_in(), visit)
    await other.sign_in()
    made = await other.make_dictionary({"value": "first"})
    await expect(rows(page)).to_have_count(4)
    async with cut(visit, page):
        values = [{"value": f"value-{number}"} for number in range(60)]
        for entry in values:
            await other.api("POST", f"/dictionaries/{made['id']}/entries", entry)
        path = f"/dictionaries/{made['id']}/entries"
        ids = [one["id"] for one in await other.entries(made["id"])]
        for turn in range(10):
            order = ids if turn % 2 else ids[::-1]
            entries = [{"id": id, "position": position} for position, id in enumerate(order)]
            await other.api("POST", f"{path}/reorder", {"entries": entries})
            for id in ids[:45]:
                await other.api("PATCH", f"{path}/{id}", {"icon": f"lucide:star-{turn}"})

    # Then the list says so, and goes on with what comes now
    await expect(page.locator(".happening-mark[data-missed]")).to_contain_text("are missing", timeout=30_000)
    await rename(other, made, "Afterwards")
    await expect(rows(page).first).to_contain_text("Update dictionary")
    await expect(rows(page)).to_have_count(6)
    await expect(page.locator(".happening-mark")).to_have_count(1)
    assert visit.errors == []


async def test_who_may_not_see_the_log_hears_of_own_actions_only(visit, other):
    # Given an employee, for whom the menu has no such page
    await visit.sign_in()
    page = await other.sign_in(await visit.make_user("employee"), PASSWORD)
    await expect(page.locator("#account-email")).not_to_be_empty()
    link = page.locator("#administration-menu a[href='/backend/events']")
    await expect(link).to_have_attribute("hidden", "")
    page = await watched(page, other)
    await expect(page.get_by_text("you hear of your own only")).to_be_visible()

    # When an administrator changes something, Then they hear of the record, and not of the action
    made = await visit.make_dictionary()
    await rename(visit, made, "Renamed")
    await expect(rows(page, "dictionaries.dictionary.updated")).to_have_count(1)
    await expect(rows(page, "audit_logs.action.recorded")).to_have_count(0)

    # And an administrator has it in the menu, by a key too, and hears of both
    page = await visit.open("/backend/activity")
    await page.get_by_role("button", name="Administration").click()
    await page.get_by_role("link", name="Events").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Events")
    await page.goto(f"{visit.url}/backend/activity")
    await expect(page.get_by_role("button", name="Administration")).to_be_enabled()
    await page.keyboard.press("g")
    await page.keyboard.press("n")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Events")
    await connected(page)
    await expect(page.get_by_text("you hear of your own only")).to_be_hidden()
    await rename(visit, made, "Again")
    await expect(rows(page, "audit_logs.action.recorded")).to_have_count(1)
    visit.check()
    other.check()


async def test_another_tenant_hears_nothing(visit, other):
    await visit.sign_in("superadmin@acme.com")
    tenant = (await visit.api("POST", "/directory/tenants", {"name": unique("Elsewhere")}))["id"]
    body = {"name": "Head office", "tenantId": tenant}
    place = (await visit.api("POST", "/directory/organizations", body))["id"]
    await visit.api("POST", "/auth/roles", {"name": "Keepers", "tenantId": tenant})
    email = f"{unique('story')}@example.com"
    user = {"email": email, "password": PASSWORD, "organizationId": place, "roles": ["Keepers"]}
    await visit.api("POST", "/auth/users", user)
    page = await watched(await other.sign_in(email, PASSWORD), other)
    mine = await watched(await visit.open("/backend/events"), visit)
    await visit.make_dictionary()
    await expect(rows(mine, "dictionaries.dictionary.created")).to_have_count(1)
    await page.wait_for_timeout(1_000)
    await expect(rows(page)).to_have_count(0)
    await expect(page.get_by_text("Waiting for events")).to_be_visible()


async def test_a_server_that_is_away_is_said_and_the_page_recovers(visit):
    await visit.sign_in()
    page = await visit.open("/backend/activity")
    await page.route("**/api/events?*", lambda route: route.abort())
    await page.goto(f"{visit.url}/backend/events#catalogue")
    await expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    await expect(page.locator("#declared-empty")).to_contain_text("No catalogue")

    # When the connection is back, Then so is the catalogue
    async with cut(visit, page):
        await page.unroute("**/api/events?*")
    await expect(page.locator("#declared tr").first).to_be_visible(timeout=30_000)
    await expect(page.locator("#problem")).to_be_hidden()
    assert visit.errors == []


async def test_on_a_phone_in_the_dark_both_views_fit(visit):
    page = await visit.sign_in()
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 360, "height": 740})
    await watched(page, visit)
    await visit.make_dictionary({"value": "x" * 140})
    await expect(rows(page)).to_have_count(4)
    await rows(page).first.locator("summary").click()
    copy = rows(page).first.get_by_role("button", name="Copy")
    await copy.scroll_into_view_if_needed()
    await expect(copy).to_be_in_viewport(ratio=1)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("link", name="Catalogue").click()
    await expect(page.locator("#declared tr").first).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visit.check()
