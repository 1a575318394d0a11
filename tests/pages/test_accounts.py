"""The pages of the accounts, told as stories in a real Chromium against a real server."""

import asyncio
import re
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.pages.conftest import PASSWORD, Visit, undo, unique

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.xdist_group("pages")]


def row(page: Page, text: str) -> Locator:
    return page.locator("tr.row").filter(has_text=text)


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
    email = await visit.make_user("employee")
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


async def test_an_invited_person_chooses_a_password_and_signs_in(visit, other):
    # Given an administrator who makes a user without a password, by the address that menus name
    page = await visit.sign_in()
    await page.goto(f"{visit.url}/backend/users/create")
    email = f"{unique('guest')}@example.com"
    dialog = page.get_by_role("dialog", name="New user")
    await dialog.get_by_label("Email").fill(email)
    await dialog.get_by_label("employee").check()
    await expect(dialog.get_by_label("First sign-in")).to_have_value("invite")
    await expect(dialog.get_by_label("Password")).to_be_hidden()
    await dialog.get_by_role("button", name="Create user").click()
    await expect(row(page, email)).to_be_visible()
    first = await mailed_link(visit.mail, email)

    # When the invitation is sent once more
    await page.get_by_role("button", name=f"Edit {email}").click()
    await expect(page.get_by_text("has not chosen a password yet")).to_be_visible()
    await page.get_by_role("button", name="Send the invitation again").click()
    await expect(page.locator(".toast").last).to_contain_text(f"Invitation sent to {email}")
    link = await mailed_link(visit.mail, email, other_than=first)

    # Then its link lets the person choose a password, sign in, and be somebody who has one
    guest = await other.open(link)
    for label in ("New password", "New password again"):
        await guest.get_by_label(label, exact=True).fill(PASSWORD)
    await guest.get_by_role("button", name="Set password").click()
    await guest.get_by_role("link", name="Sign in").click()
    await guest.get_by_label("Email").fill(email)
    await guest.get_by_label("Password").fill(PASSWORD)
    await guest.get_by_role("button", name="Sign in", exact=True).click()
    await guest.wait_for_url("**/activity")
    await page.reload()
    await page.get_by_role("button", name=f"Edit {email}").click()
    await expect(page.get_by_role("dialog").get_by_label("New password")).to_be_visible()
    await expect(page.get_by_text("has not chosen a password yet")).to_have_count(0)
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
    email = await visit.make_user(name)
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
    assert stored["organizations"] == [await visit.organization_id()]
    visit.check()


async def test_a_user_gets_own_grants_and_goes_back_to_those_of_the_roles(visit):
    page = await visit.sign_in()
    email = await visit.make_user("employee")
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

    await page.get_by_label(re.compile("Grants of the roles")).click()
    await page.get_by_role("button", name="Use the roles’ grants").click()
    await expect(page.get_by_label(re.compile("^View dashboard"))).to_be_disabled()
    assert not (await visit.api("GET", f"/auth/users/acl?userId={user['id']}"))["hasCustomAcl"]
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


async def status_with_key(visit: Visit, secret: str) -> int:
    """What a call with this key and without a session gets."""
    context = await visit.context.browser.new_context()  # type: ignore[union-attr]
    answer = await context.request.get(f"{visit.url}/api/dictionaries", headers={"x-api-key": secret})
    await context.close()
    return answer.status


async def test_the_own_password_is_changed_and_other_sessions_end(visit, other):
    administrator = await visit.sign_in()
    email = await visit.make_user("employee")
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

    await elsewhere.goto(f"{other.url}/backend/dictionaries", wait_until="commit")
    await expect(elsewhere).to_have_url(
        re.compile(r"/login\?")
    )  # asks again while one page gives way to the other
    await page.reload()
    await expect(page.locator(".session")).to_contain_text("This one")
    await page.locator("#locale").select_option("pl")
    await expect(page.locator(".toast")).to_contain_text("Polski")
    visit.check()


async def test_a_forgotten_password_is_set_by_the_mailed_link(visit, other):
    await other.sign_in()
    email = await other.make_user("employee")
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


async def mailed_link(folder: Path, email: str, other_than: str = "") -> str:
    """The path of the link in the newest message to somebody; waits until there is one, and another one."""
    for _ in range(100):
        for path in sorted(folder.glob("*.eml"), reverse=True) if folder.is_dir() else []:
            message: Message = message_from_bytes(path.read_bytes(), policy=default)
            text = str(message.get_body(("plain",)).get_content())  # type: ignore[attr-defined]
            found = re.search(r"/reset/\w+", text) if email in str(message["To"]) else None
            if found and found[0] != other_than:
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
