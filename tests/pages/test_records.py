"""Records of user-defined entities: made, changed, refused and followed, in a real Chromium."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.pages.conftest import undo
from tests.pages.data_pages import ACTIVE, DUE, NAME, SIZE, address, make_records, records, row

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


async def test_a_record_of_every_kind_is_made_changed_and_deleted_and_each_is_undone(visit):
    # Given an entity with a field of every kind
    page = await visit.sign_in()
    dictionary = await visit.make_dictionary({"value": "idea", "label": "Idea"}, {"value": "done"})
    relation = "/api/entities/relations/options?entityId=auth%3Auser"
    id = await visit.make_entity(
        NAME,
        ("notes", "multiline", {"label": "Notes"}),
        SIZE,
        ("price", "float", {"label": "Price"}),
        ACTIVE,
        ("level", "select", {"label": "Level", "options": ["low", "high"], "defaultValue": "low"}),
        ("money", "currency", {"label": "Money"}),
        ("owner", "relation", {"label": "Owner", "relatedEntityId": "auth:user", "optionsUrl": relation}),
        ("file", "attachment", {"label": "File"}),
        ("phase", "dictionary", {"label": "Phase", "dictionaryId": dictionary["id"]}),
        ("call", "phone", {"label": "Call"}),
        DUE,
        ("start", "datetime", {"label": "Start"}),
        ("tags", "text", {"label": "Tags", "multi": True}),
        ("places", "select", {"label": "Places", "multi": True, "options": ["here", "there"]}),
    )

    # When they fill the form
    await page.goto(address(visit, id))
    await page.get_by_role("button", name="New record").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name *").fill("Apollo")
    await dialog.get_by_label("Notes").fill("First\nSecond")
    await dialog.get_by_label("Size").fill("7")
    await dialog.get_by_label("Price").fill("1.25")
    await dialog.get_by_label("Active").check()
    await expect(dialog.get_by_label("Level")).to_have_value("low")
    await choose(dialog, "Money", "EUR", "EUR · Euro")
    await choose(dialog, "Owner", "adam", "Adam Minsk")
    await dialog.get_by_label("File").fill("file-1")
    await choose(dialog, "Phase", "ide", "Idea")
    await dialog.get_by_label("Call").fill("+48 600 100 200")
    await dialog.get_by_label("Due").fill("2026-12-24")
    await dialog.get_by_label("Start").fill("2026-12-01T09:30")
    await dialog.get_by_label("Tags").fill("ops")
    await dialog.get_by_label("Tags").press("Enter")
    await dialog.get_by_label("Tags").fill("web")
    await dialog.get_by_label("there", exact=True).check()
    await dialog.get_by_role("button", name="Create").click()

    # Then all of it is stored, in the types of its kinds, and the table says it in words
    await expect(row(page, "Apollo")).to_be_visible()
    [stored] = await records(visit, id)
    user = (await visit.api("GET", "/auth/users?search=admin@acme.com"))["items"][0]["id"]
    assert {key: value for key, value in stored.items() if key not in ("id", "start")} == {
        "name": "Apollo",
        "notes": "First\nSecond",
        "size": 7,
        "price": 1.25,
        "active": True,
        "level": "low",
        "money": "EUR",
        "owner": user,
        "file": "file-1",
        "phase": "idea",
        "call": "+48 600 100 200",
        "due": "2026-12-24",
        "tags": ["ops", "web"],
        "places": ["there"],
    }
    assert re.fullmatch(r"2026-1[12]-\d\dT\d\d:30:00\.000Z", stored["start"])
    for text in ("Idea", "Dec 24, 2026", "Yes", "ops"):
        await expect(row(page, "Apollo")).to_contain_text(text)

    # When only the size is changed, Then nothing else is, and Undo brings the old one back
    await page.get_by_role("button", name="Edit Apollo").click()
    await dialog.get_by_label("Size").fill("8")
    await dialog.get_by_role("button", name="Save").click()
    await expect(row(page, "Apollo").locator("[data-label=Size]")).to_have_text("8")
    assert await records(visit, id) == [{**stored, "size": 8}]
    await undo(page)
    await expect(row(page, "Apollo").locator("[data-label=Size]")).to_have_text("7")
    assert await records(visit, id) == [stored]

    # When it is deleted, Then Undo brings the same one back
    await page.get_by_role("button", name="Delete Apollo").click()
    await expect(row(page, "Apollo")).to_have_count(0)
    await undo(page)
    await expect(row(page, "Apollo")).to_be_visible()
    assert await records(visit, id) == [stored]
    visit.check()


async def choose(dialog: Locator, label: str, typed: str, option: str | re.Pattern[str]) -> None:
    """Find something in a look-up by typing, and take it by keyboard."""
    field = dialog.get_by_role("combobox", name=label)
    await field.fill(typed)
    found = dialog.locator(".lookup-list").get_by_role("option", name=option)
    await expect(found.first).to_be_visible()
    while await found.first.get_attribute("aria-selected") != "true":
        await field.press("ArrowDown")
    await field.press("Enter")
    await expect(dialog.locator(".lookup-list:visible")).to_have_count(0)


async def test_what_a_rule_refuses_is_said_beside_its_field(visit):
    page = await visit.sign_in()
    rules = [{"rule": "gte", "param": 1, "message": "At least one, please"}]
    id = await visit.make_entity(NAME, ("size", "integer", {"label": "Size", "validation": rules}))
    await page.goto(address(visit, id))
    await page.get_by_role("button", name="New record").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Size").fill("0")
    await dialog.get_by_role("button", name="Create").click()
    for label, message in (("Name *", "It needs a name"), ("Size", "At least one, please")):
        field = dialog.locator(".field").filter(has=page.get_by_label(label))
        await expect(field.locator(".field-error")).to_have_text(message)
        await expect(dialog.get_by_label(label)).to_have_attribute("aria-invalid", "true")
    await expect(dialog.get_by_label("Name *")).to_be_focused()

    # What the browser knows to be no number is not sent at all
    visit.refused.clear()
    await dialog.get_by_label("Size").fill("1.5")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_label("Size")).to_be_focused()
    await dialog.get_by_label("Name *").fill("Apollo")
    await dialog.get_by_label("Size").fill("2")
    await dialog.get_by_role("button", name="Create").click()
    await expect(row(page, "Apollo")).to_be_visible()
    visit.check()


async def test_a_change_on_top_of_a_newer_one_asks_first(visit):
    # Given a page that does not hear of another person's change
    page = await visit.sign_in()
    id = await visit.make_entity(NAME, SIZE)
    [made] = await make_records(visit, id, {"name": "Apollo", "size": 1})
    await page.route("**/events/stream", lambda route: route.abort())

    async def change_meanwhile(size: int) -> None:
        body = {"entityId": id, "recordId": made, "values": {"name": "Apollo", "size": size}}
        await visit.api("PUT", "/entities/records", body)

    dialog = page.get_by_role("dialog")
    await page.goto(address(visit, id))

    # When they save theirs, Then they are asked, and may keep the newer one, which is then shown
    await page.get_by_role("button", name="Edit Apollo").click()
    await change_meanwhile(2)
    await dialog.get_by_label("Size").fill("9")
    await dialog.get_by_role("button", name="Save").click()
    await dialog.get_by_role("button", name="Keep theirs").click()
    await expect(row(page, "Apollo").locator("[data-label=Size]")).to_have_text("2")
    assert (await records(visit, id))[0]["size"] == 2

    # Or put theirs on top
    await page.get_by_role("button", name="Edit Apollo").click()
    await change_meanwhile(3)
    await dialog.get_by_label("Size").fill("9")
    await dialog.get_by_role("button", name="Save").click()
    await dialog.get_by_role("button", name="Save mine anyway").click()
    await expect(row(page, "Apollo").locator("[data-label=Size]")).to_have_text("9")
    assert visit.errors == []


async def test_what_others_do_appears_by_itself(visit, other):
    page = await visit.sign_in()
    await other.sign_in()
    id = await visit.make_entity(NAME)
    await page.goto(address(visit, id))
    await expect(page.get_by_text("Nothing here yet")).to_be_visible()
    await expect(page.locator("#live")).to_have_attribute("data-state", "live")
    await make_records(other, id, {"name": "Apollo"})
    await expect(row(page, "Apollo")).to_be_visible()

    # A field that is added becomes a column
    body = {"entityId": id, "key": "size", "kind": "integer", "configJson": {"label": "Size", "priority": 1}}
    await other.api("POST", "/entities/definitions", body)
    await expect(page.locator("th").filter(has_text="Size")).to_be_visible()
    visit.check()


async def test_the_forms_of_fieldsets_show_one_of_them(visit):
    page = await visit.sign_in()
    id = await visit.make_entity()
    sets = [{"code": "person", "label": "Person"}, {"code": "company", "label": "Company"}]
    definitions = [
        {"key": "name", "kind": "text", "configJson": {"label": "Name"}},
        {"key": "born", "kind": "date", "configJson": {"label": "Born", "fieldset": "person"}},
        {"key": "tax", "kind": "text", "configJson": {"label": "Tax number", "fieldset": "company"}},
    ]
    body = {"entityId": id, "definitions": definitions, "fieldsets": sets, "singleFieldsetPerRecord": True}
    await visit.api("POST", "/entities/definitions.batch", body)
    await page.goto(address(visit, id))
    await page.get_by_role("button", name="New record").first.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Born")).to_be_visible()
    await expect(dialog.get_by_label("Tax number")).to_be_hidden()
    await dialog.get_by_label("Kind of record").select_option("company")
    await dialog.get_by_label("Name").fill("Acme")
    await dialog.get_by_label("Tax number").fill("123")
    await dialog.get_by_role("button", name="Create").click()
    await page.get_by_role("button", name="Edit Acme").click()
    await expect(dialog.get_by_label("Kind of record")).to_have_value("company")
    await expect(dialog.get_by_label("Tax number")).to_have_value("123")
    visit.check()
