"""What the pages' routes promise to browsers, without a database: pages are shells."""

import re
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
from litestar import Litestar
from msgspec import Struct

from app.pages.routes import page_handlers
from domain.pages import PAGES


class Demo(Struct):
    demo: bool = True
    password_min_length: int = 6
    password_require_digit: bool = True
    password_require_uppercase: bool = True
    password_require_special: bool = True


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Litestar(page_handlers(Demo()), openapi_config=None))
    async with httpx.AsyncClient(transport=transport, base_url="http://backstep.test") as client:
        yield client


SIGNED_IN = {"cookie": "auth_token=anything"}


PATHS = (
    *("activity", "dictionaries", "dictionaries/1", "explorer", "users", "users/1", "roles", "roles/1"),
    *("organizations", "api-keys", "account", "data", "data/auth:user", "data/user%3Atodo"),
    *("entities", "entities/user:todo", "entities/user/user%3Atodo/records"),
    *("toggles", "system", "history/auth.user/1", "undo-many", "events"),
)

BUILT: Final = (
    "auth.",
    "directory.",
    "audit_logs.",
    "api_keys.",
    "dictionaries.",
    "entities.",
    "query_index.",
    "feature_toggles.",
    "configs.",
)
"""What the features of the parts of the product that exist begin with."""


@pytest.mark.parametrize("path", [*(f"/backend/{path}" for path in PATHS), "/reset", "/reset/abcdefghij"])
async def test_a_page_is_a_shell_that_allows_its_own_files_only(
    browser: httpx.AsyncClient, path: str
) -> None:
    page = await browser.get(path, headers=SIGNED_IN)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page.text)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.text)


@pytest.mark.parametrize(
    "href",
    [page.href for page in PAGES if all(feature.startswith(BUILT) for feature in page.features)]
    + ["/backend/profile/change-password", "/backend/profile", "/backend/settings"],
)
async def test_every_page_that_a_menu_names_is_there(browser: httpx.AsyncClient, href: str) -> None:
    browser.cookies.set("auth_token", "anything")
    answer = await browser.get(href, follow_redirects=True)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(answer.history) <= 1


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/backend/users/create", "/backend/users#create"),
        ("/backend/users/1/edit", "/backend/users/1"),
        ("/backend/entities/user/user%3Atodo", "/backend/entities/user%3Atodo"),
        ("/backend/config/dictionaries/%3Fa", "/backend/dictionaries/%3Fa"),
    ],
)
async def test_an_address_of_elsewhere_leads_to_the_page(
    browser: httpx.AsyncClient, path: str, target: str
) -> None:
    answer = await browser.get(path, headers=SIGNED_IN)
    assert (answer.status_code, answer.headers["location"]) == (302, target)


async def test_without_a_session_a_page_leads_to_the_sign_in_page_and_back(
    browser: httpx.AsyncClient,
) -> None:
    page = await browser.get("/backend/activity?type=edit&id=1")
    assert page.status_code == 302
    assert page.headers["location"] == "/login?redirect=%2Fbackend%2Factivity%3Ftype%3Dedit%26id%3D1"
    remembered = await browser.get("/backend/activity", headers={"cookie": "session_token=anything"})
    assert remembered.headers["location"] == "/api/auth/session/refresh?redirect=%2Fbackend%2Factivity"


async def test_every_file_a_page_names_exists_and_may_be_kept_for_ever(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/login")
    files = set(re.findall(r"/static/[^\"]+", page.text))
    assert any(name.endswith("/js/login.js") for name in files)
    for name in files:
        file = await browser.get(name)
        assert file.status_code == 200, name
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert file.headers["content-type"].startswith(("text/css", "text/javascript", "image/svg+xml"))


@pytest.mark.parametrize(
    "name", ["0000000000000000/js/login.js", "{digest}/js/none.js", "{digest}/../routes.py", "{digest}/"]
)
async def test_no_other_file_is_served(browser: httpx.AsyncClient, name: str) -> None:
    page = await browser.get("/login")
    found = re.search(r"/static/(\w+)/", page.text)
    assert found
    answer = await browser.get("/static/" + name.replace("{digest}", found[1]))
    assert answer.status_code == 404


async def test_modules_never_make_markup_from_data(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/backend/activity", headers=SIGNED_IN)
    modules = set(re.findall(r"modulepreload\" href=\"([^\"]+)", page.text))
    assert len(modules) > 10
    for name in modules:
        source = (await browser.get(name)).text
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", source), name


@pytest.mark.parametrize("demo", [True, False])
async def test_demo_accounts_are_named_in_demo_mode_only(demo: bool) -> None:
    app = Litestar(page_handlers(Demo(demo)), openapi_config=None)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://backstep.test"
    ) as client:
        assert ("admin@acme.com" in (await client.get("/login")).text) is demo
