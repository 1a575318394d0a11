"""A real Chromium that may talk to the server under test only, and pages that complain about any error."""

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Route,
    async_playwright,
    expect,
)

from scripts.screenshots import server as demo_server

PASSWORD = "Secret-1"
"""The password of everybody whom a story makes."""


def unique(name: str) -> str:
    """A name that nothing else has."""
    return f"{name}-{uuid4().hex[:8]}"


async def undo(page: Page) -> None:
    """Take the last change back by its message, and wait until that is done."""
    await page.locator(".toast").get_by_role("button", name="Undo").click()
    await expect(page.locator(".toast").last).to_contain_text("Undone")


@dataclass
class Visit:
    """One person's browser on one server: its pages, and everything that went wrong in them."""

    context: BrowserContext
    url: str
    mail: Path
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def open(self, path: str) -> Page:
        """A new tab on a page."""
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._heard)
        await page.goto(self.url + path)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        if message.text.startswith("Failed to load resource"):
            self.refused.append(f"{message.text} {message.location.get('url', '')}")
        else:
            self.errors.append(message.text)

    async def sign_in(self, email: str = "admin@acme.com", password: str = "secret") -> Page:
        """Sign in by the form; the tab is then on Activity."""
        page = await self.open("/login")
        await page.get_by_label("Email").fill(email)
        await page.get_by_label("Password").fill(password)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url("**/activity")
        return page

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the API with this browser's session; its JSON answer."""
        data = None if body is None else json.dumps(body)
        headers = {"content-type": "application/json"} if data else {}
        answer = await self.context.request.fetch(
            f"{self.url}/api{path}", method=method, data=data, headers=headers
        )
        assert answer.ok, f"{method} {path}: {answer.status} {await answer.text()}"
        return await answer.json()

    async def make_dictionary(self, *entries: dict[str, Any]) -> dict[str, Any]:
        """A new dictionary with these entries, in this order."""
        key = f"story-{uuid4().hex[:8]}"
        made = await self.api("POST", "/dictionaries", {"key": key, "name": f"Story {key[-8:]}"})
        for position, entry in enumerate(entries):
            await self.api("POST", f"/dictionaries/{made['id']}/entries", {"position": position, **entry})
        return dict(made)

    async def entries(self, dictionary_id: str) -> list[dict[str, Any]]:
        """The entries of a dictionary, as the API has them."""
        return list((await self.api("GET", f"/dictionaries/{dictionary_id}/entries"))["items"])

    async def organization_id(self) -> str:
        """The id of the tenant's first organization."""
        return str((await self.api("GET", "/directory/organizations"))["items"][0]["id"])

    async def make_user(self, *roles: str) -> str:
        """A new user with these roles, who signs in with PASSWORD; the e-mail address."""
        email = f"{unique('story')}@example.com"
        place = await self.organization_id()
        body = {"email": email, "password": PASSWORD, "organizationId": place, "roles": list(roles)}
        await self.api("POST", "/auth/users", body)
        return email

    async def make_entity(self, *fields: tuple[str, str, dict[str, Any]], **options: Any) -> str:
        """A new user-defined entity with these fields, `(key, kind, config)`; its id."""
        id = f"user:{unique('story').replace('-', '_')}"
        await self.api("POST", "/entities/entities", {"entityId": id, "label": f"Story {id[-8:]}", **options})
        definitions = [{"key": key, "kind": kind, "configJson": config} for key, kind, config in fields]
        if definitions:
            await self.api(
                "POST", "/entities/definitions.batch", {"entityId": id, "definitions": definitions}
            )
        return id

    def check(self) -> None:
        """Nothing went wrong, and nobody else was asked for anything."""
        assert self.errors == []
        assert self.outside == []
        assert self.refused == []


@dataclass(frozen=True)
class Server:
    """A running server process with the demo's data, and where it puts its mail."""

    url: str
    mail: Path


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A real server process on data of its own, once for the test process; its people sign in often."""
    with (
        TemporaryDirectory(prefix="backstep-") as data,
        demo_server(Path(data), RATE_LIMIT_LOGIN_IP_POINTS="1000") as url,
    ):
        yield Server(url, Path(data) / "mail")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, once for the test process."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    expect.set_options(timeout=10_000)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        await chromium.close()


@pytest.fixture
async def visit(browser: Browser, server: Server) -> AsyncIterator[Visit]:
    """A person with a fresh browser profile."""
    async with guarded(browser, server) as made:
        yield made


@pytest.fixture
async def other(browser: Browser, server: Server) -> AsyncIterator[Visit]:
    """A second person with a browser of their own."""
    async with guarded(browser, server) as made:
        yield made


@asynccontextmanager
async def guarded(browser: Browser, server: Server) -> AsyncIterator[Visit]:
    """A fresh browser profile in light colors; requests to other hosts are stopped and noted."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    context.set_default_timeout(15_000)
    made = Visit(context, server.url.rstrip("/"), server.mail)
    home = urlsplit(made.url).netloc

    async def guard(route: Route, request: Request) -> None:
        if urlsplit(request.url).netloc == home:
            await route.continue_()
        else:
            made.outside.append(request.url)
            await route.abort()

    await context.route("**/*", guard)
    yield made
    await context.close()
