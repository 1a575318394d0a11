"""The lists of the data: searched, filtered, sorted, exported, and who sees which, in a real Chromium."""

import csv
import re
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from tests.pages.conftest import PASSWORD, undo, unique
from tests.pages.data_pages import (
    ACTIVE,
    DUE,
    LEVEL,
    NAME,
    SIZE,
    address,
    filters,
    make_records,
    names,
    row,
    shown,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


async def test_lists_are_searched_filtered_and_sorted_and_the_address_keeps_it(visit):
    page = await visit.sign_in()
    id = await visit.make_entity(NAME, SIZE, LEVEL, ACTIVE, DUE)
    await make_records(
        visit,
        id,
        {"name": "Apollo", "size": 9, "level": "low", "active": True, "due": "2026-12-01"},
        {"name": "Beacon", "size": 10, "level": "high", "active": True, "due": "2026-12-02"},
        {"name": "Comet", "size": 100, "level": "high", "active": False, "due": "2026-12-03"},
    )
    await page.goto(address(visit, id))
    await expect(shown(page)).to_have_count(3)
    assert await names(page) == ["Comet", "Beacon", "Apollo"]

    # Sorted by a header, as numbers: upwards, downwards
    for direction, wanted in (
        ("ascending", ["Apollo", "Beacon", "Comet"]),
        ("descending", ["Comet", "Beacon", "Apollo"]),
    ):
        async with page.expect_response("**/entities/records?**"):
            await page.get_by_role("button", name="Size").click()
        await expect(page.locator("th").filter(has_text="Size")).to_have_attribute("aria-sort", direction)
        assert await names(page) == wanted

    # Filtered by each kind
    await filters(page).get_by_label("Level").select_option("high")
    await expect(shown(page)).to_have_count(2)
    await filters(page).get_by_label("Active").select_option("true")
    await expect(shown(page)).to_have_count(1)
    assert await names(page) == ["Beacon"]
    await filters(page).get_by_label("Size").fill("11")
    await expect(page.get_by_text("Nothing matches")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("Nothing matches")).to_be_visible()
    await expect(filters(page).get_by_label("Level")).to_have_value("high")
    await page.get_by_role("button", name="Clear filters").click()
    await expect(shown(page)).to_have_count(3)
    await filters(page).get_by_label("Due").fill("2026-12-01")
    await expect(shown(page)).to_have_count(1)
    assert await names(page) == ["Apollo"]
    await filters(page).get_by_label("Due").fill("")

    # Searched by a word
    await page.get_by_label("Search", exact=True).fill("eaco")
    await expect(shown(page)).to_have_count(1)
    await expect(page).to_have_url(re.compile("search=eaco"))
    visit.check()


async def test_columns_are_chosen_and_remembered(visit):
    page = await visit.sign_in()
    hidden = ("secret", "text", {"label": "Aside", "listVisible": False})
    id = await visit.make_entity(NAME, SIZE, hidden)
    await make_records(visit, id, {"name": "Apollo", "size": 1, "secret": "Under"})
    await page.goto(address(visit, id))
    await expect(page.locator("th")).to_have_text(["Name", "Size", "Changed", "Actions"])
    await page.get_by_role("button", name="Columns").click()
    await page.locator("#columns-menu").get_by_label("Size").uncheck()
    await page.locator("#columns-menu").get_by_label("Aside").check()
    await expect(page.locator("th")).to_have_text(["Name", "Aside", "Changed", "Actions"])
    await page.reload()
    await expect(page.locator("th")).to_have_text(["Name", "Aside", "Changed", "Actions"])
    await expect(row(page, "Apollo")).to_contain_text("Under")
    await page.get_by_role("button", name="Columns").click()
    await page.get_by_role("button", name="As designed").click()
    await expect(page.locator("th")).to_have_text(["Name", "Size", "Changed", "Actions"])
    visit.check()


@pytest.mark.parametrize("format", ["CSV", "JSON", "XML", "Markdown"])
async def test_an_export_holds_what_the_filters_leave(visit, format):
    page = await visit.sign_in()
    id = await visit.make_entity(NAME, LEVEL)
    await make_records(visit, id, {"name": "Apollo", "level": "low"}, {"name": "Beacon", "level": "high"})
    await page.goto(address(visit, id))
    await filters(page).get_by_label("Level").select_option("high")
    await expect(shown(page)).to_have_count(1)
    await page.get_by_role("button", name="Export").click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name=format).click()
    text = (await (await download.value).path()).read_text()
    assert "Beacon" in text
    assert "Apollo" not in text
    if format == "CSV":
        assert [line["Name"] for line in csv.DictReader(text.splitlines())] == ["Beacon"]
    visit.check()


async def test_long_lists_have_pages(visit):
    page = await visit.sign_in()
    id = await visit.make_entity(("name", "text", {"label": "Name"}))
    await make_records(visit, id, *({"name": f"Record {number:02}"} for number in range(52)))
    await page.goto(address(visit, id) + "?sort=name")
    await expect(shown(page)).to_have_count(50)
    await page.get_by_role("button", name="Next page").click()
    await expect(shown(page)).to_have_count(2)
    assert await names(page) == ["Record 50", "Record 51"]
    await page.reload()
    await expect(page.locator("#paging")).to_contain_text("51–52 of 52")
    visit.check()


async def test_an_entity_without_fields_leads_to_its_design(visit):
    page = await visit.sign_in()
    id = await visit.make_entity(showInSidebar=True)
    await page.goto(f"{visit.url}/backend/entities/user/{quote(id, safe='')}/records")
    await expect(page.get_by_text("No fields yet")).to_be_visible()
    await page.get_by_role("button", name="Design fields").click()
    await page.wait_for_url(re.compile("/backend/entities/user%3A"))
    await page.get_by_role("link", name="Records").click()
    await expect(page.get_by_text("No fields yet")).to_be_visible()
    visit.check()


async def test_a_built_in_entity_without_a_list_says_so(visit):
    page = await visit.sign_in()
    await page.goto(address(visit, "auth:session"))
    await expect(page.locator("#problem")).to_contain_text("custom entities only")
    for part in ("#create", "#export", "#table"):
        await expect(page.locator(part)).to_be_hidden()
    assert visit.errors == []


async def test_the_lists_of_the_product_are_there_too(visit):
    page = await visit.sign_in()
    made = await visit.make_dictionary({"value": "low", "label": "Low"}, {"value": "high", "label": "High"})
    await page.goto(f"{visit.url}/backend/data")
    for label in ("Dictionaries", "Dictionary entries", "Users", "Roles", "Organizations", "API keys"):
        await expect(page.locator(".card").filter(has_text=label).first).to_be_visible()

    # Users are edited by their own form
    await page.locator(".card").get_by_role("link", name="Users").click()
    email = await visit.make_user("employee")
    await page.get_by_label("Search", exact=True).fill(email)
    await expect(shown(page)).to_have_count(1)
    await page.get_by_role("button", name=f"Edit {email}").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Ada Data")
    await dialog.get_by_role("button", name="Save").click()
    await expect(row(page, "Ada Data")).to_be_visible()
    await undo(page)
    await expect(row(page, "Ada Data")).to_have_count(0)

    # Entries are those of one dictionary, sorted and exported by the server
    await page.goto(f"{visit.url}/backend/data/dictionaries:dictionary_entry")
    await expect(page.get_by_text("Choose a dictionary")).to_be_visible()
    await filters(page).get_by_label("Dictionary").select_option(label=made["name"])
    await expect(shown(page)).to_have_count(2)
    await page.get_by_role("button", name="Label").click()
    await expect(page.locator("tr.row td:first-child")).to_have_text(["High", "Low"])
    await page.get_by_role("button", name="Export").click()
    href = await page.get_by_role("link", name="CSV").get_attribute("href")
    assert href is not None
    assert href.startswith(f"/api/dictionaries/{made['id']}/entries?")
    assert "format=csv" in href

    # Dictionaries are searched and sorted as a whole
    await page.goto(f"{visit.url}/backend/data/dictionaries:dictionary")
    await page.get_by_label("Search", exact=True).fill(made["name"])
    await expect(shown(page)).to_have_count(1)
    await page.get_by_role("link", name=made["name"], exact=True).click()
    await page.wait_for_url(f"**/backend/dictionaries/{made['id']}")
    visit.check()


async def test_rows_are_reached_by_keyboard(visit):
    page = await visit.sign_in()
    id = await visit.make_entity(NAME)
    await make_records(visit, id, {"name": "Apollo"}, {"name": "Beacon"})
    await page.goto(address(visit, id))
    await page.get_by_role("button", name="Beacon", exact=True).focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("button", name="Apollo", exact=True)).to_be_focused()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Name *")).to_be_focused()
    await dialog.get_by_label("Name *").press("Escape")
    await expect(dialog).to_have_count(0)
    await page.keyboard.press("n")
    await expect(dialog).to_contain_text("New:")
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.get_by_label("Search", exact=True)).to_be_focused()
    visit.check()


async def test_who_may_not_see_records_sees_the_other_lists_only(visit, other):
    await other.sign_in()
    id = await other.make_entity(NAME)
    page = await visit.sign_in("employee@acme.com")
    await page.goto(f"{visit.url}/backend/data")
    await expect(page.locator("#theirs .card").first).to_be_visible()
    await expect(page.locator("#mine-part")).to_be_hidden()
    await page.goto(address(visit, id))
    await expect(page.locator("#problem")).to_contain_text("entities.records.view")
    await expect(page.locator("#create")).to_be_hidden()
    assert visit.errors == []


async def test_who_may_only_look_gets_no_forms(visit, other):
    await visit.sign_in()
    role = {"name": unique("Readers")}
    id = (await visit.api("POST", "/auth/roles", role))["id"]
    features = ["entities.records.view", "entities.definitions.view"]
    await visit.api("PUT", "/auth/roles/acl", {"roleId": id, "features": features, "organizations": None})
    entity = await visit.make_entity(NAME)
    await make_records(visit, entity, {"name": "Apollo"})
    home = await other.sign_in(await visit.make_user(role["name"]), PASSWORD)
    await expect(home.locator("#problem")).to_be_visible()
    other.refused.clear()
    page = await other.open(f"/backend/data/{quote(entity, safe='')}")
    await expect(row(page, "Apollo")).to_be_visible()
    await expect(row(page, "Apollo").get_by_role("button")).to_have_count(0)
    await expect(page.locator("#create")).to_be_hidden()
    await expect(page.locator("#design")).to_be_hidden()
    other.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_data_fits_a_phone(visit, scheme):
    page = await visit.sign_in()
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": 360, "height": 740})
    id = await visit.make_entity(NAME, SIZE, LEVEL, ACTIVE, DUE, showInSidebar=True)
    await make_records(visit, id, {"name": "Apollo", "size": 7, "level": "high", "due": "2026-12-01"})
    for path in ("/backend/data", f"/backend/data/{quote(id, safe='')}", "/backend/data/auth:user"):
        await page.goto(visit.url + path)
        await expect(page.locator(".card, tr.row").first).to_be_visible()
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
    await page.goto(address(visit, id))
    await page.get_by_role("button", name="Edit Apollo").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    assert await dialog.evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth")
    visit.check()
