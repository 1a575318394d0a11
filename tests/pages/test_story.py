"""The product's story, told in a real Chromium against a real server."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]

HIGH = {"value": "high", "label": "High", "color": "#ea580c"}
LOW = {"value": "low", "label": "Low"}


async def edit_cell(page: Page, field: str, label: str, text: str) -> None:
    await page.get_by_role("row", name=re.compile(label)).locator(f".cell[data-field={field}]").click()
    await page.locator(".cell-input").fill(text)
    await page.locator(".cell-input").press("Enter")


def entry(page: Page, dictionary: dict[str, Any], title: str = "Update dictionary entry") -> Locator:
    """Entries of Activity about records in that dictionary, newest first."""
    return page.locator(".entry").filter(has_text=title).filter(has_text=dictionary["name"])


async def test_an_edit_appears_live_and_is_undone_and_redone(visit):
    # Given an administrator with Activity in one tab, and a dictionary in another
    activity = await visit.sign_in()
    made = await visit.make_dictionary(LOW, HIGH)
    before = await visit.entries(made["id"])
    await expect(activity.locator("#live")).to_have_attribute("data-state", "live")
    page = await visit.open(f"/backend/dictionaries/{made['id']}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(made["name"])

    # When they change the label of an entry
    await edit_cell(page, "label", "High", "Important")
    await expect(page.locator(".toast")).to_contain_text("Update dictionary entry")

    # Then it stands on Activity without a reload, with a readable difference
    changed = entry(activity, made).first
    await expect(changed.locator(".diff-row")).to_have_text(re.compile(r"Label\s*High\s*became\s*Important"))
    assert [one["label"] for one in await visit.entries(made["id"])] == ["Low", "Important"]

    # When they press Undo
    await changed.get_by_role("button", name=re.compile("^Undo")).click()

    # Then the entry is as it was, in the other tab too, and the trace says who took it back
    await expect(activity.locator(".toast").last).to_contain_text("Undone")
    await expect(page.locator(".cell[data-field=label]").nth(1)).to_have_text("High")
    assert without_times(await visit.entries(made["id"])) == without_times(before)
    undone = entry(activity, made).filter(has=activity.locator(".badge[data-tone=undone]")).first
    await expect(entry(activity, made).first.locator(".badge[data-tone=undo]")).to_be_visible()

    # When they press Redo
    await undone.get_by_role("button", name=re.compile("^Redo")).click()

    # Then the change is back, on the record of the same id
    await expect(page.locator(".cell[data-field=label]").nth(1)).to_have_text("Important")
    after = await visit.entries(made["id"])
    assert [one["id"] for one in after] == [one["id"] for one in before]
    assert after[1]["label"] == "Important"
    visit.check()


async def test_a_deleted_entry_comes_back_by_the_message_with_the_same_id(visit):
    await visit.sign_in()
    made = await visit.make_dictionary(LOW, HIGH)
    before = await visit.entries(made["id"])
    page = await visit.open(f"/backend/dictionaries/{made['id']}")

    await page.get_by_role("button", name="Delete High").click()
    await expect(page.locator(".entry-row")).to_have_count(1)
    await page.locator(".toast").get_by_role("button", name="Undo").click()

    await expect(page.locator(".entry-row")).to_have_count(2)
    assert without_times(await visit.entries(made["id"])) == without_times(before)
    visit.check()


async def test_z_takes_my_last_change_back_and_shift_z_puts_it_forward(visit):
    await visit.sign_in()
    made = await visit.make_dictionary(LOW, HIGH)
    page = await visit.open(f"/backend/dictionaries/{made['id']}")
    await edit_cell(page, "label", "High", "Important")
    label = page.locator(".cell[data-field=label]").nth(1)
    await expect(label).to_have_text("Important")
    await expect(page.locator(".toast")).to_contain_text("Update dictionary entry")

    await edit_cell(page, "label", "Important", "Pressing")
    await expect(label).to_have_text("Pressing")

    for earlier in ("Important", "High"):
        await page.keyboard.press("z")
        await expect(label).to_have_text(earlier)
    for later in ("Important", "Pressing"):
        await page.keyboard.press("Shift+Z")
        await expect(label).to_have_text(later)

    # Typing the letter into a field is typing
    await page.locator("#search").fill("z")
    await expect(label).to_have_count(0)
    await page.locator("#search").fill("")
    await expect(label).to_have_text("Pressing")
    visit.check()


async def test_rows_are_moved_by_keyboard_and_by_pointer_as_one_change_each(visit):
    await visit.sign_in()
    made = await visit.make_dictionary({"value": "a"}, {"value": "b"}, {"value": "c"})
    page = await visit.open(f"/backend/dictionaries/{made['id']}")
    await page.get_by_role("button", name="Move c").focus()
    await page.keyboard.press("Alt+ArrowUp")
    await page.keyboard.press("Alt+ArrowUp")
    await expect(page.locator(".toast")).to_contain_text("Reorder")
    assert [one["value"] for one in await visit.entries(made["id"])] == ["c", "a", "b"]

    grip, last = page.get_by_role("button", name="Move c"), page.locator(".entry-row").last
    start, end = await grip.bounding_box(), await last.bounding_box()
    assert start is not None
    assert end is not None
    await page.mouse.move(start["x"] + 8, start["y"] + 8)
    await page.mouse.down()
    await page.mouse.move(start["x"] + 8, end["y"] + end["height"] * 0.6, steps=8)
    async with page.expect_response("**/reorder"):
        await page.mouse.up()
    await expect(page.locator(".entry-row .cell[data-field=value]")).to_have_text(["a", "b", "c"])

    await expect(page.locator(".toast")).to_have_count(1)
    await page.locator(".toast").get_by_role("button", name="Undo").click()
    await expect(page.locator(".entry-row .cell[data-field=value]")).to_have_text(["c", "a", "b"])
    visit.check()


async def test_the_default_is_set_by_its_star(visit):
    await visit.sign_in()
    made = await visit.make_dictionary(LOW, HIGH)
    page = await visit.open(f"/backend/dictionaries/{made['id']}")
    for label in ("Low", "High"):
        await page.get_by_role("button", name=f"Make {label} the default").click()
        await expect(page.get_by_role("button", name=f"{label} is the default")).to_be_visible()
    assert [one["isDefault"] for one in await visit.entries(made["id"])] == [False, True]

    # The history names the entries, not their ids
    activity = await visit.open("/backend/activity")
    changed = entry(activity, made, "Set default").first
    await expect(changed.locator(".diff-row")).to_have_text(re.compile(r"Default\s*Low\s*became\s*High"))
    visit.check()


async def test_a_change_on_top_of_a_newer_one_asks_first(visit):
    # Given a page that does not hear of another person's change
    page = await visit.sign_in()
    made = await visit.make_dictionary(LOW)
    await page.route("**/events/stream", lambda route: route.abort())
    await page.goto(f"{visit.url}/backend/dictionaries/{made['id']}")
    label = page.locator(".cell[data-field=label]")
    await expect(label).to_have_text("Low")
    [row] = await visit.entries(made["id"])
    await visit.api("PATCH", f"/dictionaries/{made['id']}/entries/{row['id']}", {"icon": "lucide:flag"})

    # When its user changes the same entry, Then they are asked, and may keep the newer version
    await edit_cell(page, "label", "Low", "Lowest")
    await page.get_by_role("dialog").get_by_role("button", name="Keep theirs").click()
    await expect(label).to_have_text("Low")
    await expect(page.locator(".cell[data-field=icon]")).to_have_text("flag")

    # Or put theirs on top
    await visit.api("PATCH", f"/dictionaries/{made['id']}/entries/{row['id']}", {"icon": "lucide:star"})
    await edit_cell(page, "label", "Low", "Lowest")
    await page.get_by_role("dialog").get_by_role("button", name="Save mine anyway").click()
    await expect(label).to_have_text("Lowest")
    [row] = await visit.entries(made["id"])
    assert (row["label"], row["icon"]) == ("Lowest", "lucide:star")
    assert visit.errors == []


async def test_who_may_only_look_gets_nothing_to_change(visit):
    await visit.sign_in()
    made = await visit.make_dictionary(LOW)
    await visit.context.clear_cookies()
    await visit.sign_in("employee@acme.com")
    page = await visit.open(f"/backend/dictionaries/{made['id']}")
    await expect(page.locator(".cell[data-field=label]")).to_have_text("Low")
    await expect(page.locator("#rows button:enabled:visible")).to_have_count(0)
    for part in ("#add", "#edit", "#delete"):
        await expect(page.locator(part)).to_be_hidden()
    assert visit.errors == []


async def test_an_undo_that_cannot_be_says_why(visit):
    activity = await visit.sign_in()
    made = await visit.make_dictionary(LOW)
    [row] = await visit.entries(made["id"])
    for label in ("Lower", "Lowest"):
        await visit.api("PATCH", f"/dictionaries/{made['id']}/entries/{row['id']}", {"label": label})
    await expect(entry(activity, made)).to_have_count(2)
    await entry(activity, made).last.get_by_role("button", name=re.compile("^Undo")).click()
    await expect(activity.locator(".toast[data-kind=bad]")).to_contain_text("Could not undo")
    await expect(activity.locator(".toast[data-kind=bad]")).to_contain_text("(not_latest)")
    assert visit.errors == []


async def test_filters_live_in_the_address(visit):
    activity = await visit.sign_in()
    made = await visit.make_dictionary(LOW)
    [row] = await visit.entries(made["id"])
    await activity.get_by_label("Record id").fill(row["id"])
    await expect(activity.locator(".entry")).to_have_count(1)
    await expect(activity).to_have_url(re.compile(f"id={row['id']}"))
    await activity.locator(".pill", has_text="Deleted").click()
    await expect(activity.get_by_text("No change matches")).to_be_visible()
    await activity.reload()
    await expect(activity.get_by_text("No change matches")).to_be_visible()
    await expect(activity.get_by_label("Record id")).to_have_value(row["id"])
    assert row["id"] in (await activity.locator("#export").get_attribute("href") or "")
    await activity.get_by_role("button", name="Clear filters").first.click()
    await expect(activity.locator(".entry").first).to_be_visible()
    visit.check()


async def test_dark_and_light_are_remembered(visit):
    page = await visit.sign_in()
    assert await background(page) == "rgb(246, 246, 243)"
    await page.get_by_role("button", name="Switch to dark").click()
    assert await background(page) == "rgb(18, 20, 19)"
    await page.goto(f"{visit.url}/backend/dictionaries")
    assert await background(page) == "rgb(18, 20, 19)"
    await expect(page.get_by_role("button", name="Switch to light")).to_be_visible()
    visit.check()


async def test_the_explorer_describes_and_tries_operations(visit):
    await visit.sign_in()
    page = await visit.open("/backend/explorer")
    await page.get_by_label("Search operations").fill("get /dictionaries")
    await page.locator(".operation-link", has=page.get_by_text("/dictionaries", exact=True)).first.click()
    await expect(page.locator(".operation")).to_contain_text("dictionaries.view")
    await expect(page.locator(".operation pre").first).to_contain_text(f"{visit.url}/api/dictionaries")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".try-output")).to_contain_text('"items"')
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Markdown").click()
    assert (await download.value).suggested_filename == "backstep-api.md"
    visit.check()


async def test_signing_in_tells_what_is_wrong_and_leads_back(visit):
    page = await visit.open("/backend/activity?type=edit")
    await expect(page).to_have_url(re.compile(r"/login\?redirect=%2Fbackend%2Factivity%3Ftype%3Dedit"))
    await page.get_by_label("Email").fill("admin@acme.com")
    await page.get_by_label("Password").fill("wrong-password")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("alert").first).to_be_visible()
    assert visit.refused
    visit.refused.clear()
    await page.get_by_label("Password").fill("secret")
    await page.get_by_label("Password").press("Enter")
    await expect(page).to_have_url(re.compile(r"/backend/activity\?type=edit$"))

    await page.get_by_role("button", name=re.compile("^Account")).click()
    await page.get_by_role("link", name="Sign out").click()
    await page.wait_for_url("**/login")
    await page.goto(f"{visit.url}/backend/dictionaries")
    await expect(page).to_have_url(re.compile("/login"))
    visit.check()


async def test_everything_fits_a_phone(visit):
    page = await visit.sign_in()
    made = await visit.make_dictionary(LOW, HIGH)
    await page.set_viewport_size({"width": 360, "height": 740})
    for path in (
        "/backend/activity",
        "/backend/dictionaries",
        f"/backend/dictionaries/{made['id']}",
        "/backend/explorer",
    ):
        await page.goto(visit.url + path)
        await expect(page.locator("h1").first).to_be_visible()
        await page.wait_for_load_state("load")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, path
    visit.check()


async def test_the_keys_help_and_lead(visit):
    page = await visit.sign_in()
    await expect(page.locator("#account-email")).to_have_text("admin@acme.com")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.get_by_label("Record id")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.locator("h1").click()
    await page.keyboard.press("g")
    await page.keyboard.press("d")
    await page.wait_for_url("**/backend/dictionaries")
    visit.check()


def without_times(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries without what an undo stamps anew."""
    return [{key: value for key, value in one.items() if key != "updatedAt"} for one in entries]


async def background(page: Page) -> str:
    return str(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
