"""The integrity of the log in a real Chromium: seals, a break and its place, an exported head, retention."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest
from playwright.async_api import expect

from app.embedded import embedded
from scripts.screenshots import server as demo_server
from tests.pages.conftest import Server, guarded

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180), pytest.mark.xdist_group("pages")]

PATH = "/backend/log-integrity"


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    """A server of its own, whose log may be tampered with."""
    with (
        TemporaryDirectory(prefix="backstep-") as data,
        demo_server(Path(data), RATE_LIMIT_LOGIN_IP_POINTS="1000") as url,
    ):
        yield Server(url, Path(data) / "mail")


@pytest.fixture
async def guest(browser, own):
    """A person with a fresh browser profile on that server."""
    async with guarded(browser, own) as made:
        yield made


@asynccontextmanager
async def owner(own: Server) -> AsyncIterator[Any]:
    """The connection of the database's owner."""
    with embedded(own.mail.parent) as dsn:
        connection = await asyncpg.connect(dsn)
        try:
            yield connection
        finally:
            await connection.close()


async def sealed(page) -> None:
    """Wait until nothing waits for a seal."""
    waiting = page.locator(".fact").filter(has_text="Waiting for a seal").locator("dd")
    for _ in range(30):
        await page.get_by_role("button", name="Look again").click()
        if await waiting.inner_text() == "0":
            return
        await page.wait_for_timeout(1_000)
    await expect(waiting).to_have_text("0")


async def test_given_a_sealed_log_then_a_verification_finds_it_intact_and_a_changed_row_by_its_place(
    guest, own, tmp_path
):
    await guest.sign_in("admin@acme.com")
    page = await guest.open(PATH)
    await expect(page.get_by_text("The log was not verified yet.")).to_be_visible()
    await sealed(page)
    await expect(page.locator(".fact").filter(has_text="State")).to_contain_text("Sealed")
    await page.get_by_role("button", name="Verify", exact=True).click()
    verdict = page.get_by_role("region", name="Verification").get_by_role("status")
    await expect(verdict).to_contain_text("Intact")

    # The head is exported, and the log leads to it
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Export head").click()
    file = tmp_path / "head.json"
    await (await download.value).save_as(file)
    await page.get_by_label("Exported head").set_input_files(file)
    await expect(verdict).to_contain_text("Intact")
    (tmp_path / "forged.json").write_text(file.read_text().replace('"seal": ', '"seal": 1'))
    await page.get_by_label("Exported head").set_input_files(tmp_path / "forged.json")
    await expect(page.locator(".toast").filter(has_text="did not export this head")).to_be_visible()
    (tmp_path / "none.json").write_text("nothing")
    await page.get_by_label("Exported head").set_input_files(tmp_path / "none.json")
    await expect(page.locator(".toast").filter(has_text="no exported head")).to_be_visible()

    # When a row is changed by SQL
    async with owner(own) as connection:
        row = await connection.fetchrow(
            "select id, seq, tenant_id, reason from action_logs where seq = (select min(seq) + 2 from action_logs)"
        )
        await connection.execute("update action_logs set reason = 'forged' where id = $1", row["id"])
    await page.get_by_role("button", name="Verify", exact=True).click()
    await expect(verdict).to_contain_text("Broken: changed")
    broken = page.get_by_role("row").filter(has_text=str(row["id"]))
    await expect(broken).to_contain_text("Changed")
    await expect(broken).to_contain_text(str(row["seq"]))

    # When the end of the log is cut off, only the head tells
    async with owner(own) as connection:
        await connection.execute("update action_logs set reason = $2 where id = $1", row["id"], row["reason"])
        last = await connection.fetchval(
            "select max(last_seq) from log_seals where tenant_id = $1", row["tenant_id"]
        )
        kept = await connection.fetch("select * from log_seals where tenant_id = $1", row["tenant_id"])
        await connection.execute("delete from log_seals where tenant_id = $1", row["tenant_id"])
        assert last and kept
    await page.get_by_label("Exported head").set_input_files(file)
    await expect(verdict).to_contain_text("Broken")
    await expect(page.get_by_role("row").filter(has_text="End cut off")).to_be_visible()
    assert guest.errors == [] and guest.outside == []
    assert len(guest.refused) == 1, "the forged head"


async def test_a_super_admin_sets_a_policy_sees_what_would_go_and_removes_it(guest, own):
    page = await guest.sign_in("superadmin@acme.com")
    made = await guest.make_dictionary({"value": "red"})
    async with owner(own) as connection, connection.transaction():
        tenant = await connection.fetchval(
            "select tenant_id from action_logs where resource_id = $1 limit 1", made["id"]
        )
        await connection.execute("delete from log_seals where tenant_id = $1", tenant)
        await connection.execute(
            "update action_logs set recorded_at = recorded_at - interval '100 days' where tenant_id = $1",
            tenant,
        )
    await page.goto(f"{guest.url}{PATH}")
    await expect(page.get_by_text("Everything is kept for ever")).to_be_visible()

    # A policy is made by keyboard, changed, and taken back
    await page.get_by_role("button", name="New policy").press("Enter")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Actions on").select_option("dictionaries.entry")
    await dialog.get_by_label("Days").fill("7")
    await dialog.get_by_role("button", name="Save policy").click()
    await expect(dialog.get_by_label("Days")).to_have_attribute("aria-invalid", "true")
    await dialog.get_by_label("Days").fill("365")
    await page.keyboard.press("Enter")
    row = page.get_by_role("row").filter(has_text="dictionaries.entry")
    await expect(row).to_contain_text("365 days")
    await row.get_by_role("button", name="Change how long").click()
    await page.get_by_role("dialog").get_by_label("Days").fill("60")
    await page.get_by_role("dialog").get_by_role("button", name="Save policy").click()
    await expect(row).to_contain_text("60 days")
    await page.locator(".toast").last.get_by_role("button", name="Undo").click()
    await expect(row).to_contain_text("365 days")
    await row.get_by_role("button", name="Change how long").click()
    await page.get_by_role("dialog").get_by_label("Days").fill("60")
    await page.get_by_role("dialog").get_by_role("button", name="Save policy").click()
    await expect(row).to_contain_text("60 days")

    # What would go is shown, and removed
    box = page.locator("#run-box")
    for _ in range(30):
        await page.get_by_role("button", name="Look again").click()
        if await box.is_visible():
            break
        await page.wait_for_timeout(1_000)
    await expect(box).to_contain_text("can go now")
    await page.get_by_role("button", name="Remove now").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    for _ in range(30):
        await page.get_by_role("button", name="Look again").click()
        if await page.locator(".fact").filter(has_text="Removed by retention").count():
            break
        await page.wait_for_timeout(1_000)
    await expect(page.locator(".fact").filter(has_text="Removed by retention")).to_be_visible()
    await expect(page.get_by_text("history is told from there")).to_be_visible()
    await page.get_by_role("button", name="Verify", exact=True).click()
    verdict = page.get_by_role("region", name="Verification").get_by_role("status")
    await expect(verdict).to_contain_text("Intact")
    guest.check()


async def test_an_admin_may_look_but_not_remove_and_it_fits_a_phone_in_the_dark(guest):
    await guest.sign_in("admin@acme.com")
    page = await guest.open(PATH)
    await page.set_viewport_size({"width": 360, "height": 700})
    await page.emulate_media(color_scheme="dark")
    await expect(page.get_by_text("Only super admins may change this.")).to_be_visible()
    await expect(page.get_by_role("button", name="New policy")).to_have_count(0)
    await expect(page.get_by_role("button", name="Remove now")).to_have_count(0)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    guest.check()


async def test_by_keyboard_the_page_is_reached_from_the_menu(guest):
    page = await guest.sign_in("admin@acme.com")
    await page.get_by_role("button", name="Administration").click()
    await page.get_by_role("link", name="Log integrity").press("Enter")
    await page.wait_for_url(f"**{PATH}")
    await expect(page.get_by_role("heading", name="Log integrity", exact=True)).to_be_visible()
    await expect(page.locator(".fact").first).to_be_visible()
    guest.check()
