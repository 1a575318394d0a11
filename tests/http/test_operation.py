"""The request pipeline of one operation: match, identity, tenant, features, body, handler, errors."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from msgspec import structs

from tests.http.conftest import ACTOR, DRY_RUN, LOG, NOW, TENANT, THING, Bus, RenameThing

OTHER = "99999999-9999-4999-8999-999999999999"


def details(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 400, response.text
    assert response.json()["error"] == "Invalid input"
    return response.json()["details"]


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_every_operation_is_served_at_its_path_and_under_api(client, bus: Bus, prefix: str):
    response = client.patch(f"{prefix}/things/{THING}", json={"newName": "  Ann  ", "unknown": 1})
    assert (response.status_code, response.json()) == (200, {"id": str(THING)})
    assert bus.asked[0][0] == RenameThing(THING, "Ann")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nope"), ("PUT", "/things"), ("POST", f"/api/things/{THING}")]
)
def test_unknown_paths_and_methods_are_not_found(client, method: str, path: str):
    response = client.request(method, path)
    assert (response.status_code, response.json()) == (404, {"error": "Not Found"})


def test_nobody_is_unauthorized(client):
    del client.headers["authorization"]
    response = client.get("/things")
    assert (response.status_code, response.json()) == (401, {"error": "Unauthorized"})


def test_a_missing_feature_is_named(client, bus: Bus):
    response = client.patch(f"/things/{THING}", json=[], headers={"authorization": "Bearer things.view"})
    assert response.status_code == 403
    assert response.json() == {"error": "Forbidden", "requiredFeatures": ["things.manage"]}
    assert bus.asked == []


@pytest.mark.parametrize("tenant", [OTHER, "null", "", "x"])
def test_another_tenant_is_refused_before_the_features(client, tenant: str):
    for response in (
        client.get(
            "/things", params={"tenantId": [str(TENANT), tenant]}, headers={"authorization": "Bearer none"}
        ),
        client.patch(f"/things/{THING}", json={"tenantId": tenant}),
        client.delete(f"/things/{THING}", params={"tenantId": tenant}),
    ):
        assert response.status_code == 403
        assert response.json() == {"error": "Not authorized to target this tenant."}


@pytest.mark.parametrize("tenant", [str(TENANT), "undefined"])
def test_the_own_tenant_may_be_named(client, tenant: str):
    assert client.get("/things", params={"tenantId": tenant}).status_code == 200
    assert client.patch(f"/things/{THING}", json={"tenantId": tenant, "newName": "a"}).status_code == 200


def test_a_super_admin_may_name_any_tenant(client):
    assert (
        client.get(
            "/things", params={"tenantId": OTHER}, headers={"authorization": "Bearer super"}
        ).status_code
        == 200
    )


def test_the_path_wins_over_the_body(client, bus: Bus):
    client.patch(f"/things/{THING}", json={"thingId": OTHER, "newName": "a"})
    assert bus.asked[0][0].thing_id == THING


def test_a_malformed_path_id_is_an_issue(client):
    for response in (client.patch("/things/nope", json={"newName": "a"}), client.delete("/things/nope")):
        (issue,) = details(response)
        assert (issue["code"], issue["format"], issue["path"]) == ("invalid_format", "uuid", ["thingId"])
        assert issue["message"] == "Invalid UUID"


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}"])
def test_an_empty_body_is_an_empty_object(client, body: bytes):
    (issue,) = details(client.patch(f"/things/{THING}", content=body))
    assert issue == {
        "expected": "string",
        "code": "invalid_type",
        "path": ["newName"],
        "message": "Invalid input: expected string, received undefined",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"newName":"\xff"}',
        b'{"newName":"a"} x',
        b'{"newName":"\\ud800"}',
        b"[" * 9_000,
        b'{"newName":"a","x":' + b"[" * 5_000 + b"]" * 4_000,
        b'{"newName":"a\\u0000b"}',
        b'{"newName":"a","other":{"deep":["\\u0000"]}}',
        b'{"newName":"a","k\\u0000":1}',
        b'{"newName":NaN}',
        b'{"newName":1e999}',
    ],
)
def test_unreadable_bodies_never_reach_the_bus(client, bus: Bus, body: bytes):
    assert details(client.patch(f"/things/{THING}", content=body))
    assert bus.asked == []


def test_an_escaped_backslash_before_u0000_is_no_nul(client, bus: Bus):
    client.patch(f"/things/{THING}", content=b'{"newName":"a\\\\u0000"}')
    assert bus.asked[0][0].new_name == "a\\u0000"


@pytest.mark.parametrize(
    ("body", "received"), [(b"[]", "array"), (b"null", "null"), (b"3", "number"), (b'"x"', "string")]
)
def test_a_body_that_is_no_object_says_so(client, body: bytes, received: str):
    (issue,) = details(client.patch(f"/things/{THING}", content=body))
    assert (issue["path"], issue["message"]) == ([], f"Invalid input: expected object, received {received}")


def test_nul_characters_are_refused_in_path_and_query(client):
    assert details(client.get("/things?search=a%00"))[0]["path"] == ["search"]
    assert details(client.delete("/things/a%00b"))[0]["path"] == ["thingId"]


def test_a_body_over_the_limit_is_413(client, bus: Bus):
    whole = client.patch(f"/things/{THING}", content=b"x" * 10_001)
    chunked = client.patch(f"/things/{THING}", content=iter([b"x" * 6_000, b"x" * 6_000]))
    assert whole.status_code == chunked.status_code == 413
    assert "error" in whole.json()
    assert bus.asked == []


def test_json_is_read_whatever_the_content_type(client):
    headers = {"content-type": "text/plain"}
    assert client.patch(f"/things/{THING}", content=b'{"newName":"a"}', headers=headers).status_code == 200


def test_forms_are_read_in_three_encodings_and_cookies_are_kept_apart(client):
    wanted = {"email": "a@b.c", "note": "é + ü"}
    for sent in (
        {"data": wanted},
        {"files": {name: (None, text) for name, text in wanted.items()}},
        {"json": wanted},
    ):
        response = client.post("/sign-in", **sent)
        assert response.json() == wanted
        assert len(response.headers.get_list("set-cookie")) == 2
    assert client.post("/sign-in", content=b"a=%00").status_code == 400
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post("/sign-in", content=b"--x\r\nbroken", headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("data", 400),
        ("argument", 400),
        ("unique", 409),
        ("lock", 503),
        ("away", 503),
        ("closed", 503),
        ("misuse", 500),
        ("ours", 500),
    ],
)
def test_failures_become_the_documented_answers_without_internals(client, how: str, status: int):
    response = client.get(f"/broken/{how}")
    assert response.status_code == status
    assert "error" in response.json()
    assert "secret" not in response.text
    if status == 503:
        assert response.headers["retry-after"] == "2"
    if status == 500:
        assert response.json()["error"] == "Internal server error"
        assert response.headers["x-request-id"] in response.json()["message"]


def test_a_bad_token_clears_both_cookies(client):
    response = client.get("/broken/expired")
    assert response.status_code == 401
    assert [cookie.split("=")[0] for cookie in response.headers.get_list("set-cookie")] == [
        "auth_token",
        "session_token",
    ]


def test_the_operation_header_survives_quotes_and_other_alphabets(client):
    value = client.patch(f"/things/{THING}", json={"newName": "a"}).headers["x-om-operation"]
    assert value.startswith("omop:%7B%22id%22%3A%22")
    assert "(1)" in value
    assert list(json.loads(unquote(value.removeprefix("omop:"))).items()) == [
        ("id", str(LOG)),
        ("undoToken", "55555555-5555-4555-8555-555555555555"),
        ("commandId", "things.rename"),
        ("actionLabel", 'Żółć "quoted" (1)\n'),
        ("resourceKind", "things.thing"),
        ("resourceId", str(THING)),
        ("executedAt", "2026-03-04T05:06:07.891Z"),
    ]


def test_no_operation_header_without_a_token(client, bus: Bus):
    assert bus.outcome.log is not None
    bus.outcome = structs.replace(
        bus.outcome, log=structs.replace(bus.outcome.log, undo_token=None), replayed=True
    )
    response = client.patch(f"/things/{THING}", json={"newName": "a"})
    assert "x-om-operation" not in response.headers
    assert response.headers["idempotency-replayed"] == "true"


def test_a_dry_run_answers_200_with_what_would_change(client, bus: Bus):
    bus.outcome = structs.replace(bus.outcome, log=None, dry_run=DRY_RUN)
    response = client.patch(f"/things/{THING}", json={"newName": "a"}, headers={"x-backstep-dry-run": "yes"})
    assert bus.asked[0][2].dry_run is True
    assert response.status_code == 200
    assert response.json()["dryRun"] is True
    assert response.json()["commandId"] == "things.rename"


def test_options_come_from_the_headers(client, bus: Bus):
    headers = {
        "x-request-id": "req-1",
        "x-correlation-id": "group 7",
        "x-backstep-reason": "Za%C5%BC%C3%B3%C5%82%C4%87" + "x" * 600,
        "x-backstep-source": "system",
        "idempotency-key": "once ~",
        "x-om-ext-optimistic-lock-expected-updated-at": NOW.isoformat(),
    }
    response = client.patch(f"/things/{THING}", json={"newName": "a"}, headers=headers)
    options = bus.asked[0][2]
    assert response.headers["x-request-id"] == options.request_id == "req-1"
    assert options.correlation_id is None
    assert options.reason.startswith("Zażółćxxx") and len(options.reason) == 500
    assert (options.source, options.idempotency_key, options.expected_updated_at) == ("ui", "once ~", NOW)


def test_an_api_key_is_the_api_unless_it_says_ui(client):
    headers = {"authorization": "Bearer key things.*"}
    assert client.get("/things", headers=headers).json()["source"] == "api"
    assert client.get("/things", headers={**headers, "x-backstep-source": "UI"}).json()["source"] == "ui"


@pytest.mark.parametrize("key", ["", "x" * 256, "\u00e9"])
def test_a_bad_idempotency_key_is_400(client, bus: Bus, key: str):
    headers = {"idempotency-key": key.encode("latin-1")}
    assert details(client.patch(f"/things/{THING}", json={"newName": "a"}, headers=headers))
    assert bus.asked == []


@pytest.mark.parametrize("lock", ["", "garbage", "2026-13-01T00:00:00Z", "0"])
def test_an_unreadable_lock_time_is_no_lock(client, lock: str):
    headers = {"x-om-ext-optimistic-lock-expected-updated-at": lock}
    assert client.delete(f"/things/{THING}", headers=headers).json() == {"id": str(THING), "lock": None}


def test_who_acts_reaches_the_bus(client, bus: Bus):
    client.patch(f"/things/{THING}", json={"newName": "a"})
    assert bus.asked[0][1].actor.id == ACTOR
