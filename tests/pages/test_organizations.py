"""The tree of organizations: what a person does with it by keyboard, pointer and menu, in a real Chromium."""

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.pages.conftest import Visit, undo, unique

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


async def make_branch(visit: Visit) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A new organization below the first one, with three children: `<name> a`, `b` and `c`."""
    name = unique("Branch")
    root = {"name": name, "parentId": await visit.organization_id()}
    root["id"] = (await visit.api("POST", "/directory/organizations", root))["id"]
    children = []
    for letter in "abc":
        child = {"name": f"{name} {letter}", "parentId": root["id"]}
        child["id"] = (await visit.api("POST", "/directory/organizations", child))["id"]
        children.append(child)
    return root, children


async def parent_of(visit: Visit, organization: dict[str, Any]) -> str | None:
    found = await visit.api("GET", f"/directory/organizations?view=manage&ids={organization['id']}")
    parent = found["items"][0]["parentId"]
    return None if parent is None else str(parent)


async def test_an_organization_is_moved_by_keyboard_and_by_drag_and_undone(visit):
    page = await visit.sign_in()
    root, [a, b, c] = await make_branch(visit)
    await page.goto(f"{visit.url}/backend/organizations")

    # When b is moved below the one above it by keyboard, and out again
    line = page.get_by_role("treeitem", name=b["name"])
    await line.focus()
    await page.keyboard.press("Alt+ArrowRight")
    await expect(line).to_have_attribute("aria-level", "4")
    await expect(line).to_be_focused()
    assert await parent_of(visit, b) == a["id"]
    await page.keyboard.press("Alt+ArrowLeft")
    await expect(line).to_have_attribute("aria-level", "3")
    assert await parent_of(visit, b) == root["id"]
    await undo(page)
    await expect(line).to_have_attribute("aria-level", "4")

    # When c is dragged onto a
    grip = page.get_by_role("treeitem", name=c["name"]).locator(".grip")
    await grip.scroll_into_view_if_needed()
    start = await grip.bounding_box()
    target = await page.get_by_role("treeitem", name=a["name"]).bounding_box()
    assert start is not None
    assert target is not None
    await page.mouse.move(start["x"] + 8, start["y"] + 12)
    await page.mouse.down()
    await page.mouse.move(target["x"] + 200, target["y"] + 20, steps=6)
    await page.mouse.up()

    # Then it is below a, and Undo takes it back
    dragged = page.get_by_role("treeitem", name=c["name"])
    await expect(dragged).to_have_attribute("aria-level", "4")
    assert await parent_of(visit, c) == a["id"]
    await undo(page)
    await expect(dragged).to_have_attribute("aria-level", "3")
    assert await parent_of(visit, c) == root["id"]
    visit.check()


async def test_an_organization_is_made_renamed_switched_off_moved_and_deleted(visit):
    page = await visit.sign_in()
    root, [a, *_] = await make_branch(visit)
    await page.goto(f"{visit.url}/backend/organizations")
    line = page.get_by_role("treeitem", name=a["name"])
    name = f"{root['name']} new"

    async def choose(action: str) -> None:
        await line.get_by_role("button", name="Actions for").click()
        await page.get_by_role("button", name=action).click()

    dialog = page.get_by_role("dialog")
    await choose("Add below…")
    await dialog.get_by_label("Name", exact=True).fill(name)
    await dialog.get_by_role("button", name="Create organization").click()
    await expect(page.get_by_role("treeitem", name=name)).to_be_focused()

    await choose("Edit…")
    await dialog.get_by_label("Short name").fill("no good")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_text("Letters, digits, - and _.").last).to_be_visible()
    await dialog.get_by_label("Short name").fill("fine")
    await dialog.get_by_role("button", name="Save").click()
    await expect(line.locator(".branch-slug")).to_have_text(re.compile("^fine"))

    await choose("Deactivate")
    await expect(line.get_by_text("Inactive")).to_be_visible()
    await choose("Move…")
    await dialog.get_by_label("Belongs to").select_option("")
    await dialog.get_by_role("button", name="Move").click()
    await expect(line).to_have_attribute("aria-level", "1")

    await choose("Delete")
    await expect(dialog).to_contain_text("will move up to the top level")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(line).to_have_count(0)
    await undo(page)
    await expect(line).to_have_attribute("aria-level", "1")
    await expect(page.get_by_role("treeitem", name=name)).to_have_attribute("aria-level", "2")
    visit.check()
