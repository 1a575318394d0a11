"""The pages of the accounts, told as stories in a real Chromium against a real server."""

import asyncio
import re
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from playwright.async_api import Locator, Page, expect

if TYPE_CHECKING:
    from tests.pages.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]

PASSWORD = "Secret-1"


def unique(name: str) -> str:
    return f"{name}-{uuid4().hex[:8]}"


async def organization_id(visit: "Visit") -> str:
    return str((await visit.api("GET", "/directory/organizations"))["items"][0]["id"])


async def make_user(visit: "Visit", *roles: str) -> str:
    """A new user with a password and these roles; the e-mail address."""
    email = f"{unique('story')}@example.com"
    place = await organization_id(visit)
    body = {"email": email, "password": PASSWORD, "organizationId": place, "roles": list(roles)}
    await visit.api("POST", "/auth/users", body)
    return email


def row(page: Page, text: str) -> Locator:
    return page.locator("tr.row").filter(has_text=text)


async def undo(page: Page) -> None:
    await page.locator(".toast").get_by_role("button", name="Undo").click()
    await expect(page.locator(".toast").last).to_contain_text("Undone")


async def test_a_user_is_created_edited_and_deleted_and_each_is_undone(visit):
    # Given an administrator who comes by the menu
    page = await visit.sign_in()
    await page.get_by_role("button", name="Administration").click()
    await page.get_by_role("link", name="Users").click()
    await expect(row(page, "employee@acme.com")).to_be_visible()
    email = f"{unique('ada')}@example.com"

    # When they make a user, forgetting something first
    await page.get_by_role("button", name="New user").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Ada Story")
    await dialog.get_by_label("Email").fill(email)
    await dialog.get_by_label("employee").check()
    await dialog.get_by_label("First sign-in").select_option("password")
    await dialog.get_by_label("Password").fill("weak")
    async with page.expect_response("**/auth/users") as refused:
        await dialog.get_by_role("button", name="Create user").click()
    assert (await refused.value).status == 400

    # Then the fault stands beside its field, and a better one will do
    await expect(dialog.get_by_text("Password must contain a")).to_be_visible()
    visit.refused.clear()
    await dialog.get_by_label("Password").fill(PASSWORD)
    await dialog.get_by_role("button", name="Create user").click()
    made = row(page, email)
    await expect(made).to_contain_text("Ada Story")
    await expect(made.locator(".badge")).to_have_text(["employee"])

    # When they change the name, Then Undo brings the old one back
    await made.get_by_role("button", name="Edit Ada Story").click()
    await dialog.get_by_label("Name").fill("Ada Changed")
    await dialog.get_by_role("button", name="Save").click()
    await expect(made).to_contain_text("Ada Changed")
    await undo(page)
    await expect(made).to_contain_text("Ada Story")

    # When they delete the user, Then Undo brings the same one back, roles included
    before = await visit.api("GET", f"/auth/users?search={email}")
    await made.get_by_role("button", name="Delete Ada Story").click()
    await expect(made).to_have_count(0)
    await undo(page)
    await expect(made.locator(".badge")).to_have_text(["employee"])
    after = await visit.api("GET", f"/auth/users?search={email}")
    assert after["items"][0]["id"] == before["items"][0]["id"]
    visit.check()


async def test_users_are_searched_and_filtered_and_the_address_keeps_it(visit):
    page = await visit.sign_in()
    email = await make_user(visit, "employee")
    await page.goto(f"{visit.url}/backend/users")
    await page.get_by_label("Search users").fill(email)
    await expect(page.locator("tr.row")).to_have_count(1)
    await expect(page).to_have_url(re.compile("search=story"))
    await page.locator("#role").select_option(label="admin")
    await expect(page.get_by_text("No user matches")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("No user matches")).to_be_visible()
    await expect(page.locator("#role").locator("option:checked")).to_have_text("admin")
    await page.locator("#role").select_option(label="employee")
    await expect(row(page, email)).to_be_visible()
    visit.check()


async def test_what_a_role_grants_is_refused_then_allowed(visit, other):
    # Given a new role that grants nothing, made by the page
    page = await visit.sign_in()
    await page.goto(f"{visit.url}/backend/roles")
    name = unique("Librarians")
    await page.get_by_role("button", name="New role").click()
    await page.get_by_role("dialog").get_by_label("Name").fill(name)
    await page.get_by_role("dialog").get_by_role("button", name="Create role").click()
    await page.wait_for_url("**/backend/roles/*")
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)

    # And somebody who has it
    email = await make_user(visit, name)
    reader = await other.sign_in(email, PASSWORD)
    await expect(reader.get_by_role("button", name="Administration")).to_be_hidden()
    await reader.goto(f"{other.url}/backend/dictionaries")
    await expect(reader.locator("#problem")).to_contain_text("dictionaries.view")
    other.refused.clear()

    # When the administrator grants it
    await page.get_by_label("Search features").fill("shared dictionaries")
    await page.get_by_label(re.compile("View shared dictionaries")).check()
    await expect(page.locator(".save-bar")).to_contain_text("+1")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".toast")).to_contain_text("Update role grants")

    # Then the page opens for that person, and closes again with Undo
    await reader.reload()
    await expect(reader.locator("#problem")).to_be_hidden()
    other.check()
    await undo(page)
    await expect(page.get_by_label(re.compile("View shared dictionaries"))).not_to_be_checked()
    await reader.reload()
    await expect(reader.locator("#problem")).to_contain_text("dictionaries.view")
    visit.check()


async def test_a_feature_brings_along_what_it_needs_and_wildcards_are_shown(visit):
    page = await visit.sign_in()
    made = await visit.api("POST", "/auth/roles", {"name": unique("Editors")})
    await page.goto(f"{visit.url}/backend/roles/{made['id']}")
    manage = page.get_by_label(re.compile("Manage organizations"))
    view = page.get_by_label(re.compile("^View organizations"))
    await manage.check()
    await expect(view).to_be_checked()
    await expect(page.get_by_text("Also granted what it needs: View organizations")).to_be_visible()

    # Without what it needs, it warns, and offers it
    await view.uncheck()
    await expect(page.locator(".grant-warning:visible")).to_contain_text(
        "Works only with “View organizations”"
    )
    await page.get_by_role("button", name="Grant that too").click()
    await expect(view).to_be_checked()

    # A wildcard covers its module; what it covers says so, and it is stored as it is
    card = page.get_by_label("API Keys", exact=True)
    await card.get_by_label(re.compile("Everything")).check()
    await expect(card.locator(".badge")).to_have_text(["by api_keys.*"] * 3)
    await page.get_by_label("Only in these, and those below them").check()
    await expect(page.get_by_text("these grants hold nowhere")).to_be_visible()
    await page.get_by_label("Acme Corp").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".save-bar")).to_be_hidden()
    stored = await visit.api("GET", f"/auth/roles/acl?roleId={made['id']}")
    assert set(stored["features"]) == {
        "directory.organizations.manage",
        "directory.organizations.view",
        "api_keys.*",
    }
    assert stored["organizations"] == [await organization_id(visit)]
    visit.check()


async def test_a_user_gets_own_grants_and_goes_back_to_those_of_the_roles(visit):
    page = await visit.sign_in()
    email = await make_user(visit, "employee")
    [user] = (await visit.api("GET", f"/auth/users?search={email}"))["items"]
    await page.goto(f"{visit.url}/backend/users/{user['id']}")
    await expect(page.get_by_label(re.compile("^View dashboard"))).to_be_disabled()
    await page.get_by_label(re.compile("Grants of their own")).check()
    await page.get_by_label(re.compile("^View dashboard")).uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".save-bar")).to_be_hidden()
    own = await visit.api("GET", f"/auth/users/acl?userId={user['id']}")
    assert own["hasCustomAcl"]
    assert "dashboards.view" not in own["features"]
    assert "dictionaries.view" in own["features"]

    await page.get_by_label(re.compile("Grants of the roles")).check()
    await page.get_by_role("button", name="Use the roles’ grants").click()
    await expect(page.get_by_label(re.compile("^View dashboard"))).to_be_disabled()
    assert not (await visit.api("GET", f"/auth/users/acl?userId={user['id']}"))["hasCustomAcl"]
    visit.check()


async def make_branch(visit: "Visit") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A new organization below the first one, with three children: `<name> a`, `b` and `c`."""
    name = unique("Branch")
    root = {"name": name, "parentId": await organization_id(visit)}
    root["id"] = (await visit.api("POST", "/directory/organizations", root))["id"]
    children = []
    for letter in "abc":
        child = {"name": f"{name} {letter}", "parentId": root["id"]}
        child["id"] = (await visit.api("POST", "/directory/organizations", child))["id"]
        children.append(child)
    return root, children


async def parent_of(visit: "Visit", organization: dict[str, Any]) -> str | None:
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


async def test_an_api_key_is_shown_once_works_and_is_revoked(visit):
    page = await visit.sign_in()
    await page.goto(f"{visit.url}/backend/api-keys")
    name = unique("Import")
    await page.get_by_role("button", name="New API key").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill(name)
    await dialog.get_by_label("employee").check()
    await dialog.get_by_role("button", name="Create key").click()
    secret = await page.get_by_label("Secret of the new key").input_value()
    assert re.fullmatch(r"omk_[0-9a-f]{8}\.[0-9a-f]{48}", secret)
    await expect(dialog).to_contain_text("one time only")
    await page.get_by_role("button", name="I have stored it").click()

    made = row(page, name)
    await expect(made).to_contain_text(secret[:12])
    assert secret not in await page.content()
    assert await status_with_key(visit, secret) == 200
    await made.get_by_role("button", name=f"Revoke {name}").click()
    await dialog.get_by_role("button", name="Revoke").click()
    await expect(made).to_have_count(0)
    assert await status_with_key(visit, secret) == 401
    await undo(page)
    await expect(made).to_be_visible()
    visit.check()


async def status_with_key(visit: "Visit", secret: str) -> int:
    """What a call with this key and without a session gets."""
    context = await visit.context.browser.new_context()  # type: ignore[union-attr]
    answer = await context.request.get(f"{visit.url}/api/dictionaries", headers={"x-api-key": secret})
    await context.close()
    return answer.status


async def test_the_own_password_is_changed_and_other_sessions_end(visit, other):
    administrator = await visit.sign_in()
    email = await make_user(visit, "employee")
    await administrator.close()
    await visit.context.clear_cookies()
    elsewhere = await other.sign_in(email, PASSWORD)
    await visit.sign_in(email, PASSWORD)
    page = await visit.open("/backend/account")
    await expect(page.locator(".session")).to_have_count(2)

    async def change(current: str, new: str, again: str) -> None:
        await page.get_by_label("Current password").fill(current)
        await page.get_by_label("New password", exact=True).fill(new)
        await page.get_by_label("New password again").fill(again)
        await page.get_by_role("button", name="Change password").click()

    await change(PASSWORD, "Other-22", "Other-23")
    await expect(page.get_by_text("This is not the same password.")).to_be_visible()
    await change("wrong", "Other-22", "Other-22")
    await expect(page.get_by_text("Current password is incorrect.")).to_be_visible()
    visit.refused.clear()
    await change(PASSWORD, "Other-22", "Other-22")
    await expect(page.locator(".toast")).to_contain_text("Your password was changed")
    await expect(page.locator(".session")).to_have_count(1)

    await elsewhere.goto(f"{other.url}/backend/dictionaries")
    await elsewhere.wait_for_url("**/login?**")
    await page.reload()
    await expect(page.locator(".session")).to_contain_text("This one")
    await page.locator("#locale").select_option("pl")
    await expect(page.locator(".toast")).to_contain_text("Polski")
    visit.check()


async def test_a_forgotten_password_is_set_by_the_mailed_link(visit, other):
    await other.sign_in()
    email = await make_user(other, "employee")
    page = await visit.open("/login")
    await page.get_by_role("link", name="Forgot password?").click()
    await page.get_by_label("Email").fill(email)
    await page.get_by_role("button", name="Send the link").click()
    await expect(page.get_by_text("a link is on its way")).to_be_visible()

    link = await mailed_link(visit.mail, email)
    await page.goto(visit.url + link)
    for label in ("New password", "New password again"):
        await page.get_by_label(label, exact=True).fill("Third-33")
    await page.get_by_role("button", name="Set password").click()
    await page.get_by_role("link", name="Sign in").click()
    await page.wait_for_url("**/login")
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill("Third-33")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url("**/activity")
    visit.check()

    # The link works once
    await page.goto(visit.url + link)
    for label in ("New password", "New password again"):
        await page.get_by_label(label, exact=True).fill("Fourth-44")
    await page.get_by_role("button", name="Set password").click()
    await expect(page.get_by_role("alert")).to_be_visible()


async def mailed_link(folder: Path, email: str) -> str:
    """The path of the link in the newest message to somebody; waits until there is one."""
    for _ in range(100):
        for path in sorted(folder.glob("*.eml"), reverse=True) if folder.is_dir() else []:
            message: Message = message_from_bytes(path.read_bytes(), policy=default)
            text = str(message.get_body(("plain",)).get_content())  # type: ignore[attr-defined]
            if email in str(message["To"]) and (found := re.search(r"/reset/\w+", text)):
                return found[0]
        await asyncio.sleep(0.1)
    raise AssertionError(f"no message to {email}")


async def test_who_may_not_sees_no_administration_and_is_told_why(visit):
    page = await visit.sign_in("employee@acme.com")
    await expect(page.get_by_role("button", name="Administration")).to_be_hidden()
    for path, feature in (
        ("users", "auth.users.list"),
        ("roles", "auth.roles.list"),
        ("organizations", "directory.organizations.view"),
        ("api-keys", "api_keys.view"),
    ):
        await page.goto(f"{visit.url}/backend/{path}")
        await expect(page.locator("#problem")).to_contain_text(feature)
        await expect(page.locator("#create")).to_be_hidden()
    assert visit.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everything_fits_a_phone(visit, scheme):
    page = await visit.sign_in()
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": 360, "height": 740})
    role = (await visit.api("GET", "/auth/roles"))["items"][0]["id"]
    user = (await visit.api("GET", "/auth/users"))["items"][0]["id"]
    paths = ["users", f"users/{user}", "roles", f"roles/{role}", "organizations", "api-keys", "account"]
    for path in [*(f"/backend/{path}" for path in paths), "/reset", "/reset/abcdefghijkl"]:
        await page.goto(visit.url + path)
        await expect(page.locator("h1").first).to_be_visible()
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
    visit.check()
