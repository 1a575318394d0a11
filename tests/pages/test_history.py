"""The history of one record: its moments by slider and keys, comparing, going back, in a real Chromium."""

import re

import pytest
from playwright.async_api import expect

from tests.pages.conftest import PASSWORD, undo, unique

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


async def make_entry(visit, *labels):
    """An entry that had these labels one after the other: its dictionary's id and its own."""
    dictionary = await visit.make_dictionary({"value": "red", "label": labels[0]})
    entry = (await visit.entries(dictionary["id"]))[0]["id"]
    for label in labels[1:]:
        await rename(visit, dictionary["id"], entry, label)
    return dictionary["id"], entry


async def rename(visit, dictionary, entry, label):
    """Give an entry another label."""
    await visit.api("PATCH", f"/dictionaries/{dictionary}/entries/{entry}", {"label": label})


def field(page, name):
    """The row of a field in the record as it was."""
    return page.locator(f'#state .state-row[data-field="{name}"]')


async def test_the_slider_shows_the_record_as_it_was_and_what_differs_from_now(visit):
    page = await visit.sign_in()
    _, entry = await make_entry(visit, "One", "Two", "Three")
    await page.goto(f"{visit.url}/backend/history/dictionaries.entry/{entry}")
    await expect(page.get_by_role("heading", name="Three", level=1)).to_be_visible()
    await expect(page.locator("#kind")).to_have_text("Dictionary entry · 3 actions")
    await expect(page.locator("#timeline .entry")).to_have_count(3)
    await expect(page.get_by_text("It is the same now.")).to_be_visible()
    await expect(page.get_by_role("button", name="Restore to this moment")).to_be_hidden()

    # When the slider is moved by its keys
    slider = page.get_by_role("slider", name="Moment", exact=True)
    await slider.focus()
    await page.keyboard.press("ArrowLeft")
    await expect(field(page, "label").locator(".state-value")).to_have_text("Two")
    await expect(field(page, "label").locator(".state-now")).to_contain_text("Three")
    await expect(page.get_by_text("1 field differs from now.")).to_be_visible()
    await page.keyboard.press("Home")
    await expect(field(page, "label").locator(".state-value")).to_have_text("One")
    await expect(slider).to_have_attribute(
        "aria-valuetext", re.compile(r"1 of 3: After “Add dictionary entry” by Adam")
    )
    await page.keyboard.press("End")
    await expect(page.get_by_text("It is the same now.")).to_be_visible()

    # Or by the page's own keys, from anywhere; the address keeps the moment
    await page.locator("#main").focus()
    await page.keyboard.press("ArrowLeft")
    await expect(field(page, "label").locator(".state-value")).to_have_text("Two")
    await page.reload()
    await expect(field(page, "label").locator(".state-value")).to_have_text("Two")

    # Or by the entry's own button
    await page.get_by_role("button", name="The record after: Add dictionary entry").click()
    await expect(field(page, "label").locator(".state-value")).to_have_text("One")
    await page.locator("#main").focus()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Compare two moments, or look at one")
    visit.check()


async def test_two_moments_are_compared_in_either_direction(visit):
    page = await visit.sign_in()
    _, entry = await make_entry(visit, "One", "Two", "Three")
    await page.goto(f"{visit.url}/backend/history/dictionaries.entry/{entry}")
    await expect(page.get_by_text("It is the same now.")).to_be_visible()
    await page.keyboard.press("c")
    first = page.get_by_role("slider", name="Moment A")
    await first.focus()
    await page.keyboard.press("Home")
    diff = page.locator("#state .diff")
    await expect(diff.locator("del")).to_have_text("One")
    await expect(diff.locator("ins")).to_have_text("Three")
    await expect(page.get_by_text("2 actions between")).to_be_visible()

    await page.get_by_role("button", name="Compare from after: Update").first.click()
    await page.get_by_role("button", name="Compare to after: Add dictionary entry").click()
    await expect(diff.locator("del")).to_have_text("Three")
    await expect(diff.locator("ins")).to_have_text("One")

    # The address leads to the same comparison
    await page.reload()
    await expect(diff.locator("ins")).to_have_text("One")
    await page.get_by_role("radio", name="As it was").check()
    await expect(field(page, "label").locator(".state-value")).to_have_text("One")
    visit.check()


async def test_a_record_is_restored_after_a_preview_and_that_can_be_undone(visit):
    page = await visit.sign_in()
    dictionary, entry = await make_entry(visit, "One", "Two", "Three")
    await page.goto(f"{visit.url}/backend/history/dictionaries.entry/{entry}")
    await page.get_by_role("button", name="The record after: Add dictionary entry").click()
    await expect(field(page, "label").locator(".state-value")).to_have_text("One")
    await page.locator("#main").focus()
    await page.keyboard.press("r")
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator("del")).to_have_text("Three")
    await expect(dialog.locator("ins")).to_have_text("One")
    assert (await visit.entries(dictionary))[0]["label"] == "Three"
    await dialog.get_by_role("button", name="Restore", exact=True).click()
    await expect(page.get_by_role("heading", name="One", level=1)).to_be_visible()
    await expect(page.locator("#timeline .entry").first).to_contain_text("Restore record")
    assert (await visit.entries(dictionary))[0]["label"] == "One"
    await undo(page)
    await expect(page.get_by_role("heading", name="Three", level=1)).to_be_visible()
    assert (await visit.entries(dictionary))[0]["label"] == "Three"
    visit.check()


async def test_a_deleted_record_says_so_and_comes_back(visit):
    page = await visit.sign_in()
    role = (await visit.api("POST", "/auth/roles", {"name": unique("clerk")}))["id"]
    await visit.api("PUT", "/auth/roles/acl", {"roleId": role, "features": ["dictionaries.view"]})
    await page.goto(f"{visit.url}/backend/history/auth.role/{role}")
    await expect(page.locator("#state")).to_contain_text("dictionaries.view")
    await expect(page.locator("#gone")).to_be_hidden()
    await visit.api("DELETE", f"/auth/roles?id={role}", {})
    banner = page.locator("#gone")
    await expect(banner).to_contain_text("Deleted by Adam")
    await page.reload()
    await expect(page.get_by_text("It is not there any more.")).to_be_visible()
    await banner.get_by_role("button", name="Restore it").click()
    await page.get_by_role("dialog").get_by_role("button", name="Restore", exact=True).click()
    await expect(banner).to_be_hidden()
    grants = await visit.api("GET", f"/auth/roles/acl?roleId={role}")
    assert grants["features"] == ["dictionaries.view"]
    visit.check()


async def test_changes_of_others_appear_and_older_actions_are_fetched_when_asked_for(visit, other):
    page = await visit.sign_in()
    dictionary, entry = await make_entry(visit, *(f"Label {number}" for number in range(55)))
    await page.goto(f"{visit.url}/backend/history/dictionaries.entry/{entry}")
    entries = page.locator("#timeline .entry")
    await expect(entries).to_have_count(50)
    slider = page.get_by_role("slider", name="Moment", exact=True)
    await expect(slider).to_have_js_property("max", "55")

    # The first moment is there although its page was not fetched yet
    await slider.focus()
    await page.keyboard.press("Home")
    await expect(field(page, "label").locator(".state-value")).to_have_text("Label 0")
    await page.get_by_role("button", name="Show older").click()
    await expect(entries).to_have_count(55)
    await expect(page.get_by_role("button", name="Show older")).to_be_hidden()

    # When somebody else renames it
    await other.sign_in("superadmin@acme.com")
    await rename(visit, dictionary, entry, "By somebody else")
    await expect(entries).to_have_count(56)
    await expect(page.get_by_role("heading", name="By somebody else", level=1)).to_be_visible()
    await expect(field(page, "label").locator(".state-now")).to_contain_text("By somebody else")
    visit.check()


async def test_every_list_leads_to_the_history(visit):
    page = await visit.sign_in()
    dictionary, entry = await make_entry(visit, "Alpha")
    entity = await visit.make_entity(("name", "text", {"label": "Name"}))
    body = {"entityId": entity, "values": {"name": "First"}}
    await visit.api("POST", "/entities/records", body)
    users = (await visit.api("GET", "/auth/users"))["items"]
    user = next(one for one in users if one["email"] == "employee@acme.com")
    role = (await visit.api("GET", "/auth/roles"))["items"][0]
    for path, name, kind, title in (
        (f"/backend/activity?id={entry}", "History of Alpha", "dictionaries.entry", "Alpha"),
        (f"/backend/dictionaries/{dictionary}", "History of Alpha", "dictionaries.entry", "Alpha"),
        ("/backend/users?search=employee", f"History of {user['name']}", "auth.user", user["name"]),
        (f"/backend/roles?search={role['name']}", f"History of {role['name']}", "auth.role", role["name"]),
        (f"/backend/data/{entity}", "History of First", "entities.record", "First"),
    ):
        await page.goto(visit.url + path)
        await page.get_by_role("link", name=name, exact=True).first.click()
        await page.wait_for_url(f"**/backend/history/{kind}/*")
        await expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    await page.goto(f"{visit.url}/backend/organizations")
    await page.get_by_role("button", name="Actions for").first.click()
    await page.get_by_role("link", name="History").click()
    await page.wait_for_url("**/backend/history/directory.organization/*")
    await expect(page.locator("#kind")).to_contain_text("Organization")
    visit.check()


async def test_what_is_not_there_or_not_theirs_is_said_clearly(visit, other):
    page = await visit.sign_in()
    await page.goto(f"{visit.url}/backend/history/auth.user/00000000-0000-4000-8000-00000000dead")
    await expect(page.get_by_role("alert")).to_contain_text("does not exist")
    await expect(page.locator("#panel")).to_be_hidden()
    role = (await visit.api("POST", "/auth/roles", {"name": unique("clerk")}))["id"]
    _, entry = await make_entry(visit, "One")
    mine = ["audit_logs.view_self", "dictionaries.view", "dictionaries.manage"]
    await visit.api("PUT", "/auth/roles/acl", {"roleId": role, "features": mine})
    email = await visit.make_user(role)

    # Somebody who sees their own changes only
    theirs = await other.sign_in(email, PASSWORD)
    await theirs.goto(f"{other.url}/backend/history/auth.role/{role}")
    await expect(theirs.get_by_role("alert")).to_contain_text("auth.roles.list")
    await theirs.goto(f"{other.url}/backend/history/dictionaries.entry/{entry}")
    await expect(theirs.get_by_text("You see your own changes only.")).to_be_visible()
    await expect(theirs.locator("#panel")).to_be_hidden()
    assert visit.errors == other.errors == []


async def test_on_a_phone_in_the_dark_everything_fits(visit):
    await visit.sign_in()
    _, entry = await make_entry(visit, "One", "A label that is rather long " * 4)
    page = await visit.open(f"/backend/history/dictionaries.entry/{entry}")
    await page.set_viewport_size({"width": 360, "height": 700})
    await page.emulate_media(color_scheme="dark")
    await page.get_by_role("button", name="Moment: one back").click()
    await expect(field(page, "label").locator(".state-value")).to_have_text("One")
    await page.get_by_role("radio", name="Compare two moments").check()
    await expect(page.get_by_role("slider", name="Moment A")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visit.check()
