"""The logo of the selected organization (contract: directory.md 12)."""

from tests.directory.conftest import Desk, cookies, operation_of

PATH = "/directory/organization-branding"
LOCK = "x-om-ext-optimistic-lock-expected-updated-at"


async def test_a_logo_is_set_and_taken_back(desk: Desk) -> None:
    child = await desk.create("Child", parentId=desk.home)
    before = (await desk.get(PATH)).json()
    assert set(before) == {"organizationId", "organizationName", "tenantId", "logoUrl", "updatedAt"}
    assert (before["organizationId"], before["logoUrl"]) == (desk.home, None)
    done = await desk.send(
        "PUT", PATH, {"logoUrl": "https://x.example/l.png"}, more={LOCK: before["updatedAt"]}
    )
    assert (done.status_code, done.json()["logoUrl"]) == (200, "https://x.example/l.png")
    assert operation_of(done)["commandId"] == "directory.organizations.update"
    assert (await desk.rows())["Child"]["parentId"] == desk.home, "the tree is left alone"
    stale = await desk.send("PUT", PATH, {"logoUrl": None}, more={LOCK: before["updatedAt"]})
    assert stale.status_code == 409
    assert (await desk.undo(done)).status_code == 200
    assert (await desk.get(PATH)).json()["logoUrl"] is None
    selected = (await desk.get(PATH, more=cookies(om_selected_org=child))).json()
    assert selected["organizationName"] == "Child"


async def test_refusals(desk: Desk) -> None:
    for body in ({}, {"logoUrl": "ftp://x"}, {"logoUrl": 1}, []):
        answer = await desk.send("PUT", PATH, body)
        assert answer.status_code == 422
        assert answer.json()["issues"]
    everything = cookies(om_selected_org="__all__")
    assert (await desk.get(PATH, more=everything)).status_code == 400
    assert (await desk.send("PUT", PATH, {"logoUrl": None}, more=everything)).status_code == 400
    assert (await desk.get(PATH, desk.tenant.employee)).status_code == 403
