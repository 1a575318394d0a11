"""Lists of records: filters, orders, search, pages (entities.md 3.2)."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar

from app.main import Application, create_app
from queries import custom_values
from tests.conftest import MakeTenant, Tenant, new_tenant
from tests.entities.conftest import THING, Desk, desk_of
from tests.entities.test_records import PATH, create, listed, put, remove


@pytest.fixture
async def things(desk: Desk) -> Desk:
    """Fields of each sort, and a few records; `name` tells them apart."""
    await desk.entity()
    for key, kind in (
        *(("name", "text"), ("qty", "integer"), ("price", "float"), ("done", "boolean")),
        *(("labels", "select"), ("note", "text")),
    ):
        await desk.define(key, kind)
    return desk


async def names(desk: Desk, query: str = "") -> list[str]:
    """The names of the listed records, in order."""
    return [item["name"] for item in await listed(desk, query)]


async def stock(desk: Desk) -> None:
    """Five records."""
    await create(desk, name="a", qty=10, price=1.10, done=True, labels=["red", "blue"], note="yes")
    await create(desk, name="b", qty=9, price=10, done=False, labels=["red"], note="no")
    await create(desk, name="c", qty=1, price=9.5, labels="blue", note="1")
    await create(desk, name="d", qty=0, note="Smith, John")
    await create(desk, name="e", note="50% off_")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("&qty=1", "c"),  # a number, not a boolean (W7)
        ("&qty=0", "d"),
        ("&cf_qty=10", "a"),
        ("&qty=10.0", "a"),
        ("&qty=1e1", "a"),
        ("&price=1.1", "a"),
        ("&price=1.10", "a"),
        ("&price=10", "b"),
        ("&done=true", "a"),
        ("&done=no", "b"),
        ("&note=yes", "a"),  # a text, not a boolean (W7)
        ("&note=1", "c"),
        ("&note=true", ""),
        ("&name=A", ""),  # case matters
        ("&name=a,c", "ac"),
        ("&cf_nameIn=a, c", "ac"),
        ("&labels=red", "ab"),
        ("&cf_labels=blue", "ac"),
        ("&cf_labelsIn=blue,red", "abc"),  # members of arrays (W11), each record once
        ("&labels=red&qty=9", "b"),
        ("&labels=red&qty=1", ""),
        ("&note=Smith, John", "d"),
        ("&note=50%25 off_", "e"),
        ("&name=a&name=b", "b"),  # the last one wins
        ("&undeclared=1", ""),
        ("&id=00000000-0000-4000-8000-00000000dead", ""),
        ("&id=nonsense", ""),
        ("&created_at=2020-01-01", ""),
    ],
)
async def test_filters(things: Desk, query: str, expected: str) -> None:
    """Given five records, When a filter is sent, Then it compares by the kind of its field."""
    await stock(things)
    answer = await things.get(f"{PATH}?entityId={THING}&sortField=name{query}")
    assert "".join(item["name"] for item in answer["items"]) == expected
    assert answer["total"] == len(expected)


async def test_columns_of_the_record_filter_too(things: Desk) -> None:
    await stock(things)
    first = (await listed(things, "&name=a"))[0]
    assert await names(things, f"&id={first['id']}") == ["a"]
    assert await names(things, f"&page=1&pageSize=1&id={first['id'].upper()}") == ["a"]
    assert "a" in await names(things, f"&updated_at={first['updatedAt']}")
    assert await names(things, f"&id={first['id']},{uuid4()}&qty=10") == ["a"]
    assert await names(things, f"&id={first['id']}&qty=9") == []


async def test_long_values_are_told_apart(things: Desk) -> None:
    await create(things, name="a", note="x" * 300)
    await create(things, name="b", note="x" * 299 + "y")
    assert await names(things, f"&note={'x' * 300}") == ["a"]
    assert await names(things, f"&note={'x' * 200}") == []


@pytest.mark.parametrize(
    ("sort", "ascending", "descending"),
    [
        ("cf:qty", "dcbae", "abcde"),  # numbers by size, records without a value last
        ("cf_qty", "dcbae", "abcde"),
        ("qty", "dcabe", "bacde"),  # a bare key compares the text of the value
        ("cf:price", "acbde", "bcade"),
        ("price", "abcde", "cbade"),
        ("name", "abcde", "edcba"),
        ("cf:done", "bacde", "abcde"),
        ("createdAt", "abcde", "edcba"),
        ("created_at", "abcde", "edcba"),
        ("updated_at", "abcde", "edcba"),
    ],
)
async def test_orders(things: Desk, sort: str, ascending: str, descending: str) -> None:
    await stock(things)
    for direction, expected in (("asc", ascending), ("DESC", descending), ("other", ascending)):
        found = await names(things, f"&sortField={sort}&sortDir={direction}")
        if sort == "price" or ("e" in expected[-2:] and sort in ("cf:price", "cf:done")):
            found, expected = found[:2], expected[:2]  # the rest has no value: by id
        assert "".join(found) == "".join(expected), direction


async def test_the_default_order_is_by_id(things: Desk) -> None:
    await stock(things)
    ids = [item["id"] for item in await listed(things)]
    assert ids == sorted(ids)
    assert [item["id"] for item in await listed(things, "&sortDir=desc")] == ids[::-1]


@pytest.mark.parametrize("walk", [0.0, 1e9], ids=["walked", "gathered"])
@pytest.mark.parametrize("sort", ["id", "cf:qty", "name", "created_at"])
@pytest.mark.parametrize("narrowed", ["", "&done=true", "&cf_labelsIn=l0,l1"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_pages_neither_repeat_nor_skip(
    paged: Desk, monkeypatch: pytest.MonkeyPatch, walk: float, sort: str, narrowed: str, direction: str
) -> None:
    """Weak spot W20: every order is total; both ways to find a page answer the same, over the missing values too."""
    monkeypatch.setattr(custom_values, "_WALK", walk)
    query = f"&sortField={sort}&sortDir={direction}{narrowed}"
    whole = [item["id"] for item in await listed(paged, f"{query}&all=true")]
    answer = await paged.get(f"{PATH}?entityId={THING}{query}&pageSize=7")
    assert answer["total"] == len(whole) == {"": 30, "&done=true": 15}.get(narrowed, 20)
    assert answer["totalPages"] == -(-len(whole) // 7)
    seen: list[str] = []
    for page in range(1, answer["totalPages"] + 2):
        seen += [item["id"] for item in await listed(paged, f"{query}&pageSize=7&page={page}")]
    assert seen == whole


def _expected(labels: tuple[str, ...], done: bool | None, qty: int | None, more: bool) -> int:
    """How many of the thirty records meet the filters."""
    met = [
        n
        for n in range(30)
        if (done is None or (n % 2 == 0) is done)
        and (qty is None or (n % 3 and n % 4 == qty))
        and (not labels or f"l{n % 3}" in labels)
        and (not more or n % 3)
    ]
    return len(met)


@pytest.mark.parametrize("few", [-1, 7, 20_000], ids=["joined", "looked up if few", "looked up"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("&done=true&cf_labels=l9", _expected((), True, None, False)),
        ("&cf_labels=l9&done=true", _expected((), True, None, False)),
        ("&done=true&qty=2", _expected((), True, 2, False)),
        ("&cf_labelsIn=l0,l1,l9&done=false", _expected((), False, None, False)),
        ("&done=true&cf_labelsIn=l0,l1&qty=2", _expected(("l0", "l1"), True, 2, False)),
        (
            "&cf_nameIn=n0,n1,n2,n3,n4&done=true&cf_labels=l1&cf_qtyIn=0,1,2,3",
            _expected(("l1",), True, None, True),
        ),
        (
            "&done=true&cf_labels=l1&cf_nameIn=n0,n1,n2,n3,n4&cf_qtyIn=0,1,2,3&cf_qty=2&undeclared=1",
            0,
        ),
        ("&done=true&cf_labels=nowhere", 0),
    ],
)
@pytest.mark.parametrize("sort", ["id", "cf:qty", "name"])
async def test_several_filters_find_the_same_whichever_way(
    paged: Desk, monkeypatch: pytest.MonkeyPatch, few: int, query: str, expected: int, sort: str
) -> None:
    """The filter that few records meet leads; where many meet each of them, they are joined."""
    monkeypatch.setattr(custom_values, "_FEW", few)
    answer = await paged.get(f"{PATH}?entityId={THING}{query}&sortField={sort}&all=true")
    ids = [item["id"] for item in answer["items"]]
    assert answer["total"] == len(ids) == len(set(ids)) == expected


@pytest.fixture(scope="module")
async def paged(application: Application) -> Any:
    """Thirty records, a third of them without a sort value."""
    tenant = await new_tenant(application)
    asgi: Litestar = create_app(application.settings, application)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(asgi), base_url="http://backstep.test"
    ) as client:
        desk = Desk(client, tenant.admin)
        await desk.entity()
        for key, kind in (("name", "text"), ("qty", "integer"), ("done", "boolean"), ("labels", "select")):
            await desk.define(key, kind)
        for n in range(30):
            sortable = {"name": f"n{n % 5}", "qty": n % 4} if n % 3 else {}
            await create(desk, done=n % 2 == 0, labels=[f"l{n % 3}", "l9"], **sortable)
        yield desk


async def test_page_numbers_and_sizes_are_forced_into_range(things: Desk) -> None:
    await stock(things)
    for query, page, size in (
        ("", 1, 50),
        ("&page=0&pageSize=0", 1, 1),
        ("&page=x&pageSize=y", 1, 50),
        ("&page=-3&pageSize=1000", 1, 100),
        ("&page=9&pageSize=2", 9, 2),
        ("&all=true&page=3&pageSize=2", 1, 1000),
    ):
        answer = await things.get(f"{PATH}?entityId={THING}{query}")
        assert (answer["page"], answer["pageSize"], answer["total"]) == (page, size, 5)
        assert answer["totalPages"] == -(-5 // size)


async def test_nothing_listed_is_no_page(things: Desk) -> None:
    assert await things.get(f"{PATH}?entityId={THING}") == {
        "items": [],
        "total": 0,
        "page": 1,
        "pageSize": 50,
        "totalPages": 0,
    }
    for query in ("", "?entityId=", "?entityId=%20"):
        assert await things.get(f"{PATH}{query}", 400) == {"error": "entityId is required"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("&search=SMITH&searchFields=note", "d"),
        ("&search=smith&searchFields=name,note", "d"),  # any of the fields (W10)
        ("&search=a&searchFields=name,note", "a"),
        ("&search=50%25&searchFields=note", "e"),  # no wildcards (W10)
        ("&search=_&searchFields=note", "e"),
        ("&search=%25&searchFields=name,note", "e"),
        ("&search=blu&searchFields=cf_labels", "ac"),
        ("&search=9.5&searchFields=price", "c"),
        ("&search=smith", ""),  # the ids alone
        ("&search=%20&searchFields=note", "abcde"),
        ("&search=yes&searchFields=note&qty=10", "a"),
        ("&search=yes&searchFields=note&qty=9", ""),
    ],
)
async def test_search(things: Desk, query: str, expected: str) -> None:
    await stock(things)
    answer = await things.get(f"{PATH}?entityId={THING}&sortField=name{query}")
    assert "".join(item["name"] for item in answer["items"]) == expected
    assert answer["total"] == len(expected)


async def test_search_by_a_part_of_the_id(things: Desk) -> None:
    await stock(things)
    (item,) = await listed(things, "&name=c")
    for part in (item["id"], item["id"][-12:], item["id"][:8].upper()):
        assert "c" in await names(things, f"&search={part}")
    assert await names(things, f"&search={item['id'][-12:]}&searchFields=id,name") == ["c"]


async def test_deleted_records_show_only_on_demand(things: Desk) -> None:
    await stock(things)
    (item,) = await listed(things, "&name=b")
    await remove(things, item["id"])
    for query in ("", "&labels=red", "&sortField=cf:qty"):
        assert "b" not in await names(things, query)
        answer = await things.get(f"{PATH}?entityId={THING}&withDeleted=yes{query}")
        assert "b" in [item["name"] for item in answer["items"]]
        assert answer["total"] == len(answer["items"])
    assert await names(things, "&withDeleted=true&sortField=deleted_at&pageSize=1") == ["b"]


async def test_columns_follow_the_definitions(things: Desk, elsewhere: Desk) -> None:
    await create(things, name="a", note="n")
    await things.undefine("note")
    (item,) = await listed(things)
    assert "note" not in item
    await elsewhere.define("extra")
    await elsewhere.define("name")
    await create(elsewhere, extra="x")
    (item,) = await listed(elsewhere)
    assert item["extra"] == "x" and "qty" not in item, "fields of the organization above are not its own"


async def test_a_list_holds_what_its_organizations_have(things: Desk, elsewhere: Desk, child: UUID) -> None:
    await create(things, name="up")
    await elsewhere.define("name")
    await create(elsewhere, name="down")
    assert await names(elsewhere) == ["down"]
    assert sorted(await names(things)) == ["down", "up"]
    assert await names(elsewhere, "&name=up,down") == ["down"]
    assert await names(things, "&sortField=name") == ["down", "up"]


async def test_many_definitions_fit_in_a_row(things: Desk) -> None:
    fields = [{"key": f"f{n}", "kind": "integer"} for n in range(120)]
    await things.batch(*fields)
    await create(things, **{f"f{n}": n for n in range(0, 120, 2)})
    (item,) = await listed(things)
    assert [item[f"f{n}"] for n in range(4)] == [0, None, 2, None]


async def test_totals_come_from_counters_and_stay_exact(
    things: Desk, application: Application, tenant: Tenant
) -> None:
    ids = [await create(things, name=str(n)) for n in range(3)]
    await remove(things, ids[0])
    assert (await things.get(f"{PATH}?entityId={THING}&pageSize=1"))["total"] == 2
    assert (await things.get(f"{PATH}?entityId={THING}&pageSize=1&withDeleted=1"))["total"] == 3


async def test_tenants_do_not_meet(things: Desk, make_tenant: MakeTenant, client: httpx.AsyncClient) -> None:
    id = await create(things, name="secret")
    other = desk_of(client, (await make_tenant()).admin)
    await other.get(f"{PATH}?entityId={THING}", 403)
    await other.entity()
    await other.define("name")
    for query in (
        "",
        "&withDeleted=true",
        "&all=1",
        f"&id={id}",
        "&name=secret",
        "&search=secret&searchFields=name",
    ):
        assert await listed(other, query) == []
    await remove(other, id, 404)
    await put(other, id, name="theirs")
    assert [item["name"] for item in await listed(things)] == ["secret"]
    assert [item["name"] for item in await listed(other)] == ["theirs"]
