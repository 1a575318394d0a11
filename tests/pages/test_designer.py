"""The designer of fields and entities: what a person does with it, in a real Chromium against a real server."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.pages.conftest import PASSWORD, Visit, undo, unique

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


async def design(visit: Visit, id: str) -> dict[str, Any]:
    """The stored definitions by key, in their order."""
    answer = await visit.api("GET", f"/entities/definitions.manage?entityId={id}")
    items = sorted(answer["items"], key=lambda item: item["configJson"]["priority"])
    return {item["key"]: {"kind": item["kind"], **item["configJson"]} for item in items}


NAME = ("name", "text", {"label": "Name"})
DUE = ("due", "date", {"label": "Due"})
SIZE = ("size", "integer", {"label": "Size"})


def field_row(page: Page, key: str) -> Locator:
    return page.locator(f"tr[data-key={key}]")


async def shown(page: Page) -> list[str]:
    """The keys of the rows, in their order."""
    rows = await page.locator("#rows tr").all()
    return [str(await row.get_attribute("data-key")) for row in rows]


async def save(page: Page) -> None:
    """Save the draft and wait until that is done."""
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator("#save-bar")).to_be_hidden()
    await expect(page.locator(".toast")).to_contain_text("Save field definitions")


async def test_an_entity_is_made_renamed_and_deleted_and_each_is_undone(visit):
    # Given an administrator who comes by the menu
    page = await visit.sign_in()
    await page.get_by_role("button", name="Administration").click()
    await page.get_by_role("link", name="Fields and entities").click()
    await page.get_by_role("button", name="New entity").click()
    dialog = page.get_by_role("dialog")
    label = unique("Projects")
    await dialog.get_by_label("Name", exact=True).fill(label)
    made = "user:" + label.lower().replace("-", "_")
    await expect(dialog.get_by_label("Id", exact=True)).to_have_value(made)
    await dialog.get_by_label("Description").fill("What we work on")
    await dialog.get_by_role("button", name="Create entity").click()

    # Then they are at its fields, of which there are none, and it stands in the menu
    await expect(page.get_by_role("heading", level=1)).to_have_text(label)
    await expect(page.get_by_text("No fields yet")).to_be_visible()
    await page.get_by_role("button", name="Lists in the menu").click()
    await expect(page.get_by_role("link", name=label)).to_have_attribute(
        "href", f"/backend/entities/user/{made.replace(':', '%3A')}/records"
    )
    await page.keyboard.press("Escape")

    # When it gets another name, Then Undo brings the old one back
    await page.get_by_role("button", name="Edit entity").click()
    await dialog.get_by_label("Name", exact=True).fill(f"{label} changed")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"{label} changed")
    await undo(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text(label)

    # When it is deleted from the list, Then Undo brings it back
    await page.goto(f"{visit.url}/backend/entities?source=custom")
    row = page.locator("tr.row").filter(has_text=made)
    await row.get_by_role("button", name=f"Delete {label}").click()
    await dialog.get_by_role("button", name="Delete", exact=True).click()
    await expect(row).to_have_count(0)
    await undo(page)
    await expect(row).to_be_visible()
    visit.check()


async def test_fields_are_drafted_and_saved_as_one_undoable_step(visit):
    await visit.sign_in()
    id = await visit.make_entity(NAME)
    page = await visit.open(f"/backend/entities/{id}")
    dialog = page.get_by_role("dialog")

    # Given a choice, added with its options, a default and a rule
    await page.get_by_role("button", name="Add field", exact=True).click()
    await dialog.get_by_label("Label").fill("How urgent?")
    await expect(dialog.get_by_label("Key")).to_have_value("how_urgent")
    await dialog.get_by_label("Kind").select_option("select")
    await dialog.get_by_label("Choices", exact=True).fill("low = Low\nhigh = High")
    await dialog.get_by_label("Value of a new record").locator("visible=true").fill("low")
    await dialog.get_by_label("Offered as a filter").check()
    await dialog.get_by_role("button", name="Add a rule").click()
    await dialog.get_by_label("Message", exact=True).fill("Say how urgent it is")
    await dialog.get_by_role("button", name="Add field").click()

    # And the other renamed, and taken out of forms
    await page.get_by_role("button", name="Edit Name").click()
    await dialog.get_by_label("Label").fill("Title")
    await dialog.get_by_role("button", name="Apply").click()
    await page.get_by_label("Title: form").uncheck()
    await expect(page.locator("#save-text")).to_have_text("Not saved yet: 1 new, 1 changed")
    assert list(await design(visit, id)) == ["name"]

    # When it is saved
    await save(page)

    # Then all of it is stored
    stored = await design(visit, id)
    assert list(stored) == ["name", "how_urgent"]
    assert (stored["name"]["label"], stored["name"]["formEditable"]) == ("Title", False)
    urgent = stored["how_urgent"]
    assert (urgent["kind"], urgent["label"], urgent["filterable"]) == ("select", "How urgent?", True)
    assert urgent["options"] == [{"value": "low", "label": "Low"}, {"value": "high", "label": "High"}]
    assert urgent["defaultValue"] == "low"
    assert urgent["validation"] == [{"rule": "required", "message": "Say how urgent it is"}]

    # And one Undo takes all of it back
    await undo(page)
    await expect(page.locator("#rows tr")).to_have_count(1)
    await expect(field_row(page, "name")).to_contain_text("Name")
    assert (await design(visit, id))["name"]["label"] == "Name"
    visit.check()


async def test_every_kind_has_its_own_options(visit):
    await visit.sign_in()
    dictionary = await visit.make_dictionary({"value": "a"})
    id = await visit.make_entity()
    page = await visit.open(f"/backend/entities/{id}")
    dialog = page.get_by_role("dialog")

    async def add(label: str, kind: str) -> None:
        await page.get_by_role("button", name="Add field", exact=True).click()
        await dialog.get_by_label("Label").fill(label)
        await dialog.get_by_label("Kind").select_option(kind)

    await add("Phase", "dictionary")
    await dialog.get_by_role("button", name="Add field").click()
    await expect(dialog.locator(".field-error:visible")).to_have_count(1)
    await dialog.get_by_label("Dictionary", exact=True).select_option(label=dictionary["name"])
    await dialog.get_by_role("button", name="Add field").click()
    await add("Owner", "relation")
    await dialog.get_by_label("Points to").select_option("auth:user")
    await dialog.get_by_label("Several values").check()
    await dialog.get_by_role("button", name="Add field").click()
    await add("Notes", "multiline")
    await dialog.get_by_label("Editor").select_option("plain")
    await dialog.get_by_label("Stored encrypted").check()
    await dialog.get_by_role("button", name="Add field").click()
    await add("Price", "float")
    await dialog.get_by_label("Value of a new record").locator("visible=true").fill("1.5")
    await dialog.get_by_role("button", name="Add a rule").click()
    await dialog.get_by_label("Rule", exact=True).select_option("gte")
    await dialog.get_by_role("button", name="Add field").click()
    await expect(dialog).to_contain_text("Say what the rule compares with")
    await dialog.get_by_label("Than, to, or pattern").fill("1")
    await dialog.get_by_role("button", name="Add field").click()
    await add("Urgent", "boolean")
    await dialog.get_by_label("Value of a new record").locator("visible=true").select_option("true")
    await dialog.get_by_role("button", name="Add field").click()
    await add("File", "attachment")
    await dialog.get_by_label("Largest size, in MB").fill("5")
    await dialog.get_by_label("File types").fill("pdf, png")
    await dialog.get_by_role("button", name="Add field").click()
    await add("Call", "phone")
    await dialog.get_by_label("Usual country").fill("PL")
    await dialog.get_by_role("button", name="Add field").click()
    await save(page)

    stored = await design(visit, id)
    assert stored["phase"]["dictionaryId"] == dictionary["id"]
    assert (stored["owner"]["relatedEntityId"], stored["owner"]["multi"]) == ("auth:user", True)
    assert stored["owner"]["optionsUrl"] == "/api/entities/relations/options?entityId=auth%3Auser"
    assert (stored["notes"]["editor"], stored["notes"]["encrypted"]) == ("plain", True)
    assert stored["price"]["defaultValue"] == 1.5
    assert stored["price"]["validation"] == [
        {"rule": "gte", "param": 1, "message": "Price must be at least 1"}
    ]
    assert stored["urgent"]["defaultValue"] is True
    assert (stored["file"]["maxAttachmentSizeMb"], stored["file"]["acceptExtensions"]) == (5, ["pdf", "png"])
    assert stored["call"]["defaultCountryIso2"] == "PL"

    # Opening a field and applying it without a change changes nothing
    for label in ("Phase", "Owner", "Notes", "Price", "Urgent", "File", "Call"):
        await page.get_by_role("button", name=f"Edit {label}").click()
        await dialog.get_by_role("button", name="Apply").click()
        await expect(dialog).to_have_count(0)
        await expect(page.locator("#save-bar")).to_be_hidden()
    visit.check()


async def test_fields_are_moved_by_keyboard_and_by_pointer(visit):
    await visit.sign_in()
    id = await visit.make_entity(NAME, DUE, SIZE)
    page = await visit.open(f"/backend/entities/{id}")
    await page.get_by_role("button", name="Move Size", exact=True).focus()
    await page.keyboard.press("Alt+ArrowUp")
    await page.keyboard.press("Alt+ArrowUp")
    await expect(page.locator("#save-text")).to_have_text("Not saved yet: another order")
    await save(page)
    assert list(await design(visit, id)) == ["size", "name", "due"]
    await undo(page)
    await expect(page.locator("#rows tr").first).to_have_attribute("data-key", "name")

    grip = page.get_by_role("button", name="Move Name", exact=True)
    start, end = await grip.bounding_box(), await field_row(page, "size").bounding_box()
    assert start is not None
    assert end is not None
    await page.mouse.move(start["x"] + 8, start["y"] + 8)
    await page.mouse.down()
    await page.mouse.move(start["x"] + 8, end["y"] + end["height"] * 0.6, steps=8)
    await page.mouse.up()
    assert await shown(page) == ["due", "size", "name"]
    await save(page)
    assert list(await design(visit, id)) == ["due", "size", "name"]

    # What was not saved can be thrown away
    await page.get_by_role("button", name="Remove Due").click()
    await page.get_by_role("button", name="Discard").click()
    await expect(page.locator("#save-bar")).to_be_hidden()
    await expect(field_row(page, "due")).not_to_contain_text("Removed")
    visit.check()


async def test_a_removed_field_comes_back_by_the_message_by_z_and_by_its_stone(visit):
    await visit.sign_in()
    id = await visit.make_entity(NAME, DUE)
    page = await visit.open(f"/backend/entities/{id}")

    async def remove() -> None:
        await page.get_by_role("button", name="Remove Due").click()
        await expect(field_row(page, "due")).to_contain_text("Removed")
        await save(page)
        await expect(field_row(page, "due")).to_have_count(0)
        assert list(await design(visit, id)) == ["name"]

    await remove()
    await undo(page)
    await expect(field_row(page, "due")).to_be_visible()

    await remove()
    await page.locator("h1").click()
    await page.keyboard.press("z")
    await expect(field_row(page, "due")).to_be_visible()

    await remove()
    await page.get_by_role("button", name="Restore due").click()
    await expect(field_row(page, "due")).to_be_visible()
    await expect(page.locator("#deleted-part")).to_be_hidden()
    assert list(await design(visit, id)) == ["name", "due"]
    visit.check()


async def test_a_draft_on_top_of_a_newer_design_asks_first(visit):
    # Given a designer's page that does not hear of another person's change
    await visit.sign_in()
    id = await visit.make_entity(NAME)
    page = await visit.open("/backend/activity")
    await page.route("**/events/stream", lambda route: route.abort())
    await page.goto(f"{visit.url}/backend/entities/{id}")
    await page.get_by_label("Name: filter").check()
    newer = {"entityId": id, "key": "name", "kind": "text", "configJson": {"label": "Newer"}}
    await visit.api("POST", "/entities/definitions", newer)

    # When they save, Then they are asked, and may keep the newer version
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Keep theirs").click()
    await expect(field_row(page, "name")).to_contain_text("Newer")
    await expect(page.locator("#save-bar")).to_be_hidden()
    assert visit.errors == []


async def test_a_draft_follows_what_others_change_elsewhere_in_it(visit, other):
    await visit.sign_in()
    await other.sign_in()
    id = await visit.make_entity(NAME, DUE)
    page = await visit.open(f"/backend/entities/{id}")
    await page.get_by_label("Name: filter").check()
    body = {"entityId": id, "key": "due", "kind": "date", "configJson": {"label": "Deadline", "priority": 1}}
    await other.api("POST", "/entities/definitions", body)
    await expect(field_row(page, "due")).to_contain_text("Deadline")
    await expect(page.locator("#save-text")).to_have_text("Not saved yet: 1 changed")
    await save(page)
    stored = await design(visit, id)
    assert stored["due"]["label"] == "Deadline"
    assert stored["name"]["filterable"] is True
    visit.check()
    other.check()


async def test_fieldsets_and_their_groups_are_part_of_the_design(visit):
    await visit.sign_in()
    id = await visit.make_entity(NAME)
    page = await visit.open(f"/backend/entities/{id}")
    dialog = page.get_by_role("dialog")
    for label in ("Person", "Company"):
        await page.get_by_role("button", name="Add fieldset").click()
        await dialog.get_by_label("Name", exact=True).fill(label)
        await dialog.get_by_role("button", name="Add a group").click()
        await dialog.get_by_label("Title of the group").fill("Contact")
        await dialog.get_by_role("button", name="Add fieldset").click()
    await page.get_by_label("A record belongs to one fieldset only").uncheck()
    await page.get_by_role("button", name="Edit Name").click()
    await dialog.get_by_label("Fieldset and group").select_option("person/contact")
    await dialog.get_by_role("button", name="Apply").click()
    await expect(page.locator("#fieldsets li").first).to_contain_text("1 field")
    await save(page)

    answer = await visit.api("GET", f"/entities/definitions.manage?entityId={id}")
    assert [one["code"] for one in answer["fieldsets"]] == ["person", "company"]
    assert answer["fieldsets"][0]["groups"] == [{"code": "contact", "title": "Contact"}]
    assert answer["settings"] == {"singleFieldsetPerRecord": False}
    stored = (await design(visit, id))["name"]
    assert (stored["fieldset"], stored["group"]["code"]) == ("person", "contact")

    await undo(page)
    await expect(page.locator("#fieldsets li")).to_have_count(0)
    visit.check()


async def test_the_encryption_of_an_entity_is_set(visit):
    await visit.sign_in()
    id = await visit.make_entity(NAME)
    page = await visit.open(f"/backend/entities/{id}")
    form = page.locator("#encryption")
    await form.get_by_role("button", name="Save encryption").click()
    await expect(form).to_contain_text("Name at least one field")
    await form.get_by_role("button", name="Add a field").click()
    await form.get_by_label("Field", exact=True).fill("name")
    await form.get_by_role("button", name="Save encryption").click()
    await expect(page.locator(".toast").last).to_contain_text("Encryption saved")
    stored = await visit.api("GET", f"/entities/encryption?entityId={id}")
    assert stored["isActive"]
    assert [one["field"] for one in stored["fields"]] == ["name"]
    visit.check()


async def test_who_may_not_design_is_told_why(visit):
    page = await visit.sign_in("employee@acme.com")
    await page.goto(f"{visit.url}/backend/entities")
    await expect(page.locator("#problem")).to_contain_text("entities.definitions.view")
    await expect(page.locator("#create")).to_be_hidden()
    await page.goto(f"{visit.url}/backend/entities/auth:user")
    await expect(page.locator("#problem")).to_contain_text("entities.definitions.manage")
    await expect(page.locator("#add")).to_be_hidden()
    assert visit.errors == []


async def test_who_may_only_look_sees_the_list_without_tools(visit, other):
    await visit.sign_in()
    role = (await visit.api("POST", "/auth/roles", {"name": unique("Readers")}))["id"]
    grants = {"roleId": role, "features": ["entities.definitions.view"], "organizations": None}
    await visit.api("PUT", "/auth/roles/acl", grants)
    name = (await visit.api("GET", f"/auth/roles?id={role}"))["items"][0]["name"]
    id = await visit.make_entity(NAME)
    home = await other.sign_in(await visit.make_user(name), PASSWORD)
    await expect(home.locator("#problem")).to_be_visible()
    other.refused.clear()
    page = await other.open("/backend/entities")
    row = page.locator("tr.row").filter(has_text=id)
    await expect(row).to_contain_text("1 field")
    await expect(row.get_by_role("button")).to_have_count(0)
    await expect(page.locator("#create")).to_be_hidden()
    other.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_designer_fits_a_phone(visit, scheme):
    page = await visit.sign_in()
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": 360, "height": 740})
    id = await visit.make_entity(NAME, DUE, SIZE)
    for path in ("/backend/entities", f"/backend/entities/{id}"):
        await page.goto(visit.url + path)
        await expect(page.locator("tr.row").first).to_be_visible()
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
    await page.get_by_role("button", name="Edit Name").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Label")).to_be_focused()
    await dialog.get_by_role("button", name="Add a rule").click()
    assert await dialog.evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth")
    await expect(page).to_have_url(re.compile("/backend/entities/"))
    visit.check()


async def shared_entity(visit: Visit) -> str:
    """An entity with fields of the whole tenant, as the product brings them along."""
    found = await visit.api("GET", "/entities/definitions.manage?entityId=customers:customer_deal")
    assert {item["organizationId"] for item in found["items"]} == {None}
    return "customers:customer_deal"


async def owners(visit: Visit, id: str) -> dict[str, bool]:
    """Whether each field is this organization's own."""
    answer = await visit.api("GET", f"/entities/definitions.manage?entityId={id}")
    return {item["key"]: item["organizationId"] is not None for item in answer["items"]}


async def test_shared_fields_stay_shared_unless_they_are_changed_here(visit):
    # Given fields of the whole tenant, shown as such and not to be changed by accident
    await visit.sign_in()
    id = await shared_entity(visit)
    page = await visit.open(f"/backend/entities/{id}")
    row = field_row(page, "estimated_seats")
    await expect(page.locator("tr.is-shared")).to_have_count(4)
    await expect(row).to_contain_text("Shared")
    await expect(row.get_by_role("checkbox")).to_have_count(3)
    for box in await row.get_by_role("checkbox").all():
        await expect(box).to_be_disabled()

    # When one of them is changed for this organization, and a field is added
    await page.get_by_role("button", name="Change Estimated seats here only").click()
    await expect(row).to_contain_text("Here only")
    await expect(page.locator("#save-bar")).to_be_hidden()
    await page.get_by_label("Estimated seats: list").uncheck()
    await page.get_by_role("button", name="Add field", exact=True).click()
    await page.get_by_role("dialog").get_by_label("Label").fill("Margin")
    await page.get_by_role("dialog").get_by_role("button", name="Add field").click()
    await expect(page.locator("#save-text")).to_have_text(
        "Not saved yet: 1 new, 1 changed (1 of the shared fields, here only)"
    )
    await save(page)

    # Then only these two are its own, in their places, and Undo gives the shared one back
    assert await owners(visit, id) == {
        "competitive_risk": False,
        "implementation_complexity": False,
        "estimated_seats": True,
        "requires_legal_review": False,
        "margin": True,
    }
    assert list(await design(visit, id)) == [
        "competitive_risk",
        "implementation_complexity",
        "estimated_seats",
        "requires_legal_review",
        "margin",
    ]
    await undo(page)
    await expect(field_row(page, "margin")).to_have_count(0)
    await expect(row).to_contain_text("Shared")
    assert not any((await owners(visit, id)).values())
    visit.check()


async def test_a_shared_field_that_is_moved_is_the_only_one_that_becomes_own(visit):
    await visit.sign_in()
    id = await shared_entity(visit)
    page = await visit.open(f"/backend/entities/{id}")
    await page.get_by_role("button", name="Move Legal review needed", exact=True).focus()
    await page.keyboard.press("Alt+ArrowUp")
    await page.keyboard.press("Alt+ArrowUp")
    await expect(page.locator("#save-text")).to_have_text(
        "Not saved yet: another order (1 of the shared fields, here only)"
    )
    await save(page)
    order = ["competitive_risk", "requires_legal_review", "implementation_complexity", "estimated_seats"]
    assert list(await design(visit, id)) == order
    assert [key for key, is_own in (await owners(visit, id)).items() if is_own] == ["requires_legal_review"]
    public = await visit.api("GET", f"/entities/definitions?entityId={id}")
    assert [item["key"] for item in public["items"]] == order

    # What is taken back before it is saved leaves nothing behind
    await undo(page)
    await expect(page.locator("tr.is-shared")).to_have_count(4)
    await page.get_by_role("button", name="Change Competitive risk here only").click()
    await page.get_by_label("Competitive risk: filter").uncheck()
    await page.get_by_role("button", name="Keep Competitive risk shared").click()
    await expect(page.locator("#save-bar")).to_be_hidden()
    await expect(field_row(page, "competitive_risk")).to_contain_text("Shared")
    visit.check()


async def test_a_shared_field_is_removed_here_and_nowhere_else(visit):
    await visit.sign_in()
    id = await shared_entity(visit)
    page = await visit.open(f"/backend/entities/{id}")
    await page.get_by_role("button", name="Remove Estimated seats here").click()
    await save(page)
    found = await visit.api("GET", f"/entities/definitions.manage?entityId={id}")
    assert found["deletedKeys"] == ["estimated_seats"]
    assert {item["organizationId"] for item in found["items"]} == {None}
    await undo(page)
    await expect(field_row(page, "estimated_seats")).to_contain_text("Shared")
    visit.check()
