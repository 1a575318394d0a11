"""What anybody may look up (contract: directory.md 3)."""

from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from app.main import Application
from app.rate_limit import RateLimits
from app.settings import Settings
from domain.directory import tenants
from tests.auth.conftest import House
from tests.conftest import MakeTenant, Tenant
from tests.directory.conftest import ORGANIZATIONS, TENANTS, UNKNOWN, Desk

OF_TENANT = "/directory/tenants/lookup"
OF_ORGANIZATION = "/directory/organizations/lookup"


@pytest.mark.parametrize("name", ["tenantId", "tenant"])
async def test_anybody_gets_the_name_of_a_tenant(
    client: httpx.AsyncClient, tenant: Tenant, name: str
) -> None:
    answer = await client.get(OF_TENANT, params={name: str(tenant.id)})
    assert answer.status_code == 200
    assert answer.json()["ok"] is True
    assert set(answer.json()["tenant"]) == {"id", "name"}
    assert answer.json()["tenant"]["id"] == str(tenant.id)
    assert answer.json()["tenant"]["name"].startswith("Tenant ")


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ({}, 400, "Invalid tenant id."),
        ({"tenantId": ""}, 400, "Invalid tenant id."),
        ({"tenantId": "x"}, 400, "Invalid tenant id."),
        ({"tenantId": UNKNOWN}, 404, "Tenant not found."),
    ],
)
async def test_no_tenant(client: httpx.AsyncClient, query: dict[str, str], status: int, error: str) -> None:
    answer = await client.get(OF_TENANT, params=query)
    assert (answer.status_code, answer.json()) == (status, {"ok": False, "error": error})


async def test_an_inactive_tenant_is_found_and_a_deleted_one_is_not(
    client: httpx.AsyncClient, house: House
) -> None:
    await house.close(is_active=False)
    assert (await client.get(OF_TENANT, params={"tenantId": str(house.id)})).status_code == 200
    await house.set(tenants, house.id, deleted_at="2026-01-01T00:00:00Z")
    assert (await client.get(OF_TENANT, params={"tenantId": str(house.id)})).status_code == 404


async def test_an_organization_by_slug(desk: Desk) -> None:
    slug = f"s-{uuid4().hex}"
    made = await desk.create("Shop", slug=slug)
    answer = await desk.client.get(OF_ORGANIZATION, params={"slug": slug})
    assert answer.status_code == 200
    assert answer.json() == {"ok": True, "organization": {"id": made, "name": "Shop", "slug": slug}}


@pytest.mark.parametrize(
    ("slug", "status"), [(None, 400), ("", 400), ("x" * 151, 400), ("no-such-slug", 404)]
)
async def test_no_organization(client: httpx.AsyncClient, slug: str | None, status: int) -> None:
    answer = await client.get(OF_ORGANIZATION, params={} if slug is None else {"slug": slug})
    error = "Invalid slug." if status == 400 else "Organization not found."
    assert (answer.status_code, answer.json()) == (status, {"ok": False, "error": error})


async def test_case_and_blanks_matter(desk: Desk) -> None:
    slug = f"s-{uuid4().hex}"
    await desk.create("Shop", slug=slug)
    for other in (slug.upper(), f" {slug}", f"{slug} "):
        assert (await desk.client.get(OF_ORGANIZATION, params={"slug": other})).status_code == 404


async def test_of_several_the_oldest(desk: Desk, make_tenant: MakeTenant) -> None:
    other = Desk(desk.client, await make_tenant())
    slug = f"s-{uuid4().hex}"
    first = await other.create("First", slug=slug)
    await desk.create("Second", slug=slug)
    found = (await desk.client.get(OF_ORGANIZATION, params={"slug": slug})).json()["organization"]
    assert (found["id"], found["slug"]) == (first, slug)
    assert (await other.delete(first)).status_code == 200
    assert (await desk.client.get(OF_ORGANIZATION, params={"slug": slug})).json()["organization"][
        "name"
    ] == "Second"


@pytest.mark.parametrize("path", [OF_TENANT, OF_ORGANIZATION])
async def test_the_61st_in_a_minute_is_refused_junk_counts_too(
    client: httpx.AsyncClient,
    application: Application,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    limits = RateLimits(Settings(data=tmp_path, rate_limit_enabled=True), {})
    monkeypatch.setattr(application, "rate_limits", limits)
    for _ in range(60):
        assert (await client.get(path)).status_code == 400
    refused = await client.get(path)
    assert refused.status_code == 429
    assert set(refused.json()) == {"error"}
    assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_no_lookup_tells_the_tenant_of_an_organization_or_is_noted(desk: Desk) -> None:
    slug = f"s-{uuid4().hex}"
    await desk.create("Shop", slug=slug)
    answer = await desk.client.get(OF_ORGANIZATION, params={"slug": slug})
    assert str(desk.tenant.id) not in answer.text
    assert await desk.readings("directory.organization") == []
    assert UUID(answer.json()["organization"]["id"])
    assert (await desk.client.get(ORGANIZATIONS)).status_code == 401
    assert (await desk.client.get(TENANTS)).status_code == 401
