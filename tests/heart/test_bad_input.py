"""Whatever is sent, the answer is a refusal in the contract's shape, and nothing is written."""

import json
from collections.abc import Iterator, Mapping

import httpx
import msgspec
import pytest

from app.http.decode import convert_body, parse_body
from app.http.operation import Operation
from app.main import Application
from domain.errors import Problem
from tests.conftest import Tenant, new_tenant
from tests.heart.proofs import differing
from tests.heart.requests import Holdings, body_of, holdings_of, operations, path_of, path_values, whole_of

JSON = {"content-type": "application/json"}
DEEP = 100_000
BODIES: dict[str, bytes] = {
    "half an object": b'{"value": ',
    "no JSON": b"value=red&label=blue",
    "two values": b"{} {}",
    "a trailing comma": b'{"value": "red",}',
    "an array": b"[]",
    "an array of objects": b'[{"value": "red"}]',
    "a number": b"1",
    "a text": b'"red"',
    "null": b"null",
    "not a number": b'{"value": NaN, "position": Infinity}',
    "invalid UTF-8": b'{"value": "\xff\xfe\xfa"}',
    "cut UTF-8": b'{"value": "\xe2\x82"}',
    "UTF-16": '{"value": "red"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "raw control characters": b'{"value": "a\x01\x00b"}',
    "NUL bytes": b"\x00" * 20,
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep inside a field": b'{"value":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "unclosed deep arrays": b"[" * DEEP,
    "two megabytes": b'{"value": "' + b"x" * 2_000_000 + b'"}',
    "two megabytes of keys": b"{" + b",".join(b'"k%d":1' % n for n in range(180_000)) + b"}",
    "random bytes": bytes(range(256)),
}
VALUES: dict[str, str] = {
    "null": "null",
    "true": "true",
    "a number": "1",
    "a negative number": "-1",
    "a fraction": "1.5",
    "a huge number": "1" + "0" * 400,
    "a huge exponent": "1e400",
    "just above 32 bits": "2147483648",
    "just above 64 bits": "18446744073709551616",
    "an object": '{"a": {}}',
    "an array": "[]",
    "an array of everything": '[null, 1, "x", {}, []]',
    "an empty text": '""',
    "blanks": '"   \\t "',
    "a NUL": '"a\\u0000b"',
    "a lone surrogate": '"a\\ud800b"',
    "a text": '"no id of anything"',
    "a nil id": '"00000000-0000-0000-0000-000000000000"',
    "a long text": json.dumps("x" * 100_000),
    "a long text of wide characters": json.dumps("😀" * 3_000),
}
IDS = {
    "unknown": "00000000-0000-4000-8000-000000000000",
    "garbage": "garbage",
    "an injection": "' or 1=1; --",
    "a NUL": "%00",
    "invalid UTF-8": "%FF%FE",
    "a long text": "x" * 4_000,
    "dots": "%2e%2e",
    "almost an id": "00000000-0000-4000-8000-00000000000g",
}


@pytest.fixture(scope="module")
async def tenant(application: Application) -> Tenant:
    """One tenant for all, because nothing is ever written."""
    return await new_tenant(application)


@pytest.fixture(scope="module")
async def holdings(application: Application, tenant: Tenant) -> Holdings:
    return await holdings_of(application.bus, tenant)


def assert_refused(answer: httpx.Response, what: str) -> None:
    """A 4xx in the contract's shape."""
    assert 400 <= answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:300]}"
    assert answer.status_code != 401, f"{what}: the test is signed in"
    body = answer.json()
    assert isinstance(body, dict) and isinstance(body["error"], str) and body["error"], (
        f"{what}: {answer.text[:300]}"
    )
    details = body.get("details", [])
    for fault in details if isinstance(details, list) else ():
        assert isinstance(fault["code"], str) and isinstance(fault["path"], list) and fault["message"], what


async def send(
    client: httpx.AsyncClient, item: Operation, ids: Mapping[str, str], body: bytes
) -> httpx.Response:
    return await client.request(item.method, path_of(item, ids), content=body, headers=JSON)


@pytest.fixture
def signed_in(client: httpx.AsyncClient, tenant: Tenant) -> httpx.AsyncClient:
    client.headers.update(tenant.admin.headers)
    return client


@pytest.mark.parametrize("item", operations(auth=True, body=True))
async def test_given_a_body_that_is_none_then_it_is_refused_and_nothing_is_written(
    signed_in: httpx.AsyncClient,
    application: Application,
    tenant: Tenant,
    holdings: Holdings,
    item: Operation,
) -> None:
    before = await whole_of(application, tenant)
    for what, body in BODIES.items():
        assert_refused(await send(signed_in, item, holdings.ids, body), what)
    assert differing(before, await whole_of(application, tenant)) == {}


@pytest.mark.parametrize("item", operations(auth=True, body=True))
async def test_given_a_wrong_value_in_any_field_then_it_is_refused_and_nothing_is_written(
    signed_in: httpx.AsyncClient,
    application: Application,
    tenant: Tenant,
    holdings: Holdings,
    item: Operation,
) -> None:
    before = await whole_of(application, tenant)
    for what, body in spoiled(item, holdings.ids):
        if not is_valid(item, body, holdings.ids):
            assert_refused(await send(signed_in, item, holdings.ids, body), what)
        ids = dict.fromkeys(("dictionaryId", "entryId", "resourceId"), IDS["unknown"])
        ids = {**holdings.ids, **ids}
        if item.path_parameters:
            assert_refused(await send(signed_in, item, ids, body), f"{what}, of an unknown record")
    assert differing(before, await whole_of(application, tenant)) == {}


def spoiled(item: Operation, ids: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """The example body with each of its fields, and every other one that it may have, set to something wrong."""
    example = body_of(item, ids) or {}
    fields = [field.encode_name for field in msgspec.inspect.type_info(item.body).fields]  # type: ignore[attr-defined]
    for field in (*fields, "__proto__", "id", "tenantId"):
        for name, value in VALUES.items():
            rest = {key: inner for key, inner in example.items() if key != field}
            text = json.dumps(rest)[:-1] + (", " if rest else "") + f'"{field}": {value}}}'
            yield f"{field} is {name}", text.encode()


def is_valid(item: Operation, body: bytes, ids: Mapping[str, str]) -> bool:
    """Whether the operation may take this body for good."""
    try:
        convert_body(item.body, parse_body(body), path_values(item, ids))
    except Problem:
        return False
    return True


@pytest.mark.parametrize("item", [item for item in operations(auth=True) if item.values[0].path_parameters])
async def test_given_a_wrong_id_in_the_path_then_it_is_refused_and_nothing_is_written(
    signed_in: httpx.AsyncClient,
    application: Application,
    tenant: Tenant,
    holdings: Holdings,
    item: Operation,
) -> None:
    before = await whole_of(application, tenant)
    for parameter in item.path_parameters:
        for what, id in IDS.items():
            path = path_of(item, {**holdings.ids, parameter: id})
            answer = await signed_in.request(item.method, path, json=body_of(item, holdings.ids))
            assert_refused(answer, f"{parameter} is {what}")
    assert differing(before, await whole_of(application, tenant)) == {}


QUERY_VALUES = (
    *(
        "",
        " ",
        "0",
        "-1",
        "1.5",
        "1e9",
        "9" * 30,
        "9" * 400,
        "NaN",
        "Infinity",
        "true",
        "banana",
        "a,b,,c",
        "[]",
        "{}",
    ),
    *(
        "%00",
        "%FF%FE",
        "%ED%A0%80",
        "x" * 3_000,
        "'; drop table x; --",
        "2026-99-99",
        "9999-12-31T23:59:59Z",
        "%25%25",
    ),
    *("0001-01-01", "00000000-0000-4000-8000-000000000000," * 300),
)


@pytest.mark.parametrize(
    "item",
    [
        item
        for item in operations(auth=True)
        if item.values[0].method == "GET" and item.values[0].path != "/auth/logout"
    ],
)
async def test_given_odd_query_values_then_there_is_an_answer_and_no_fault(
    signed_in: httpx.AsyncClient, holdings: Holdings, item: Operation
) -> None:
    path = path_of(item, holdings.ids)
    names = [one.name for one in item.query] + ["tenantId", "unknown"]
    for name in names:
        for value in QUERY_VALUES:
            answer = await signed_in.get(f"{path}?{name}={value}", follow_redirects=False)
            if answer.status_code >= 400:
                assert_refused(answer, f"{name}={value[:40]}")
    everything = "&".join(f"{name}=1" for name in names)
    for query in (
        everything,
        everything + "&" + everything,
        "&&==&=&%",
        "a&b&c",
        "=".join(names),
        "x=1&" * 2_000,
    ):
        answer = await signed_in.get(f"{path}?{query}", follow_redirects=False)
        assert answer.status_code < 500, f"{query[:60]}: {answer.text[:300]}"


@pytest.mark.parametrize("item", operations(auth=True, body=True))
async def test_given_odd_headers_then_there_is_an_answer_and_no_fault(
    signed_in: httpx.AsyncClient,
    application: Application,
    tenant: Tenant,
    holdings: Holdings,
    item: Operation,
) -> None:
    before = await whole_of(application, tenant)
    unknown = dict.fromkeys(("dictionaryId", "resourceId"), IDS["unknown"])
    ids = {**holdings.ids, **unknown, "undoToken": "none", "logId": "none"}
    odd = [
        b"",
        b" ",
        b"\xff\xfe",
        b"x" * 5_000,
        b"NaN",
        b"-1",
        b"2026-13-45",
        b"9999999999999999",
        b"%00%ff",
        b"null",
    ]
    names = [
        "idempotency-key",
        "x-om-ext-optimistic-lock-expected-updated-at",
        "x-backstep-reason",
        "content-type",
    ]
    names += [
        "x-backstep-dry-run",
        "x-backstep-source",
        "x-correlation-id",
        "x-request-id",
        "accept-language",
    ]
    names += ["cookie"]
    if not item.path_parameters and "actions" not in item.path:
        pytest.skip("it would create something, rightly")
    for name in names:
        for value in odd:
            answer = await signed_in.request(
                item.method, path_of(item, ids), json=body_of(item, ids), headers={name: value}
            )
            assert_refused(answer, f"{name}: {value[:40]!r}")
    assert differing(before, await whole_of(application, tenant)) == {}


FORMS: dict[str, tuple[str, bytes]] = {
    "nothing": ("application/x-www-form-urlencoded", b""),
    "JSON that is broken": ("application/json", b'{"email": '),
    "JSON of wrong types": ("application/json", b'{"email": {"$ne": 1}, "password": [1]}'),
    "deep JSON": ("application/json", b"[" * DEEP),
    "NUL": ("application/x-www-form-urlencoded", b"email=a%00b@example.com&password=%00"),
    "invalid UTF-8": ("application/x-www-form-urlencoded", b"email=%ff%fe@example.com&password=%ed%a0%80"),
    "raw bytes": ("application/x-www-form-urlencoded", bytes(range(256)) * 20),
    "a broken multipart": ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; na"),
    "a multipart without a boundary": ("multipart/form-data", b"--x\r\n\r\n"),
    "an unknown type": ("image/png", b"\x89PNG"),
    "a long field": ("application/x-www-form-urlencoded", b"email=" + b"x" * 500_000 + b"&password=y"),
    "two megabytes": ("application/x-www-form-urlencoded", b"email=" + b"x" * 2_000_000),
    "many fields": ("application/x-www-form-urlencoded", b"a=1&" * 50_000),
}


@pytest.mark.parametrize("path", ["/auth/login", "/auth/session/refresh"])
async def test_given_a_bad_form_then_it_is_refused(client: httpx.AsyncClient, path: str) -> None:
    for what, (media_type, body) in FORMS.items():
        answer = await client.post(path, content=body, headers={"content-type": media_type})
        assert 400 <= answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:300]}"
        assert isinstance(answer.json()["error"], str), what


async def test_given_an_unknown_path_or_method_then_404(
    signed_in: httpx.AsyncClient, holdings: Holdings
) -> None:
    there = "/dictionaries/{dictionaryId}".format_map(holdings.ids)
    for method, path in (
        *(("PUT", there), ("POST", there), ("DELETE", "/dictionaries"), ("TRACE", there), ("PROPFIND", "/")),
        *(("GET", "/nothing"), ("GET", "/api/nothing"), ("GET", "/dictionaries//x")),
        *(
            ("GET", "/dictionaries/a/b/c/d/e"),
            ("GET", "/%00"),
            ("GET", "/%ff%fe"),
            ("GET", "/" + "x" * 5_000),
            ("POST", "/api/api/dictionaries"),
        ),
    ):
        answer = await signed_in.request(method, path)
        assert answer.status_code in (400, 404), (
            f"{method} {path[:60]}: {answer.status_code} {answer.text[:200]}"
        )
        assert_refused(answer, f"{method} {path[:60]}")
