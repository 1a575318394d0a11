"""The list of toggles: pages, filters, sorting, exports, access log (contract: feature-toggles.md 2.1)."""

from typing import Any

import pytest

from tests.feature_toggles.conftest import GLOBAL, Board, fresh


@pytest.fixture
async def three(board: Board) -> tuple[str, list[str]]:
    """Three toggles that share the beginning of their identifier: that, and the ids."""
    mark = fresh("list")
    ids = [
        (
            await board.make(
                ("boolean", "string", "json")[n],
                [True, "x", {"n": 1}][n],
                identifier=f"{mark}.{n}",
                name=f"Näme {'abc'[n]}",
                description=f"Describes {n} 50%" if n else None,
                category=f"Group{n // 2}",
            )
        )[0]
        for n in range(3)
    ]
    return mark, ids


async def test_given_pages_then_the_counts_are_exact(board: Board, three: tuple[str, list[str]]) -> None:
    mark, ids = three
    answer = await board.get(GLOBAL, board.tenant.admin, identifier=mark, pageSize=2, sortField="identifier")
    assert [item["id"] for item in answer.json()["items"]] == ids[:2]
    assert {**answer.json(), "items": None} == {
        "items": None,
        "total": 3,
        "page": 1,
        "pageSize": 2,
        "totalPages": 2,
    }
    second = await board.get(GLOBAL, identifier=mark, pageSize=2, sortField="identifier", page=2)
    assert [item["id"] for item in second.json()["items"]] == ids[2:]
    assert set(second.json()["items"][0]) == {
        *(
            "id",
            "identifier",
            "name",
            "description",
            "category",
            "type",
            "defaultValue",
            "createdAt",
            "updatedAt",
        )
    }
    none = (await board.get(GLOBAL, search=fresh("nothing"))).json()
    assert (none["items"], none["total"], none["totalPages"]) == ([], 0, 0)
    assert (await board.get(GLOBAL, pageSize=200)).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"page": 0},
        {"page": "x"},
        {"pageSize": 0},
        {"pageSize": 201},
        {"type": "date"},
        {"sortField": "x"},
        {"sortDir": "up"},
    ],
)
async def test_given_a_bad_query_then_400_with_details(board: Board, query: dict[str, Any]) -> None:
    answer = await board.get(GLOBAL, **query)
    assert answer.status_code == 400
    assert answer.json()["details"][0]["path"] == list(query)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"sortField": "id"}, None),
        ({"sortField": "name", "sortDir": "desc"}, [2, 1, 0]),
        ({"sortField": "category", "sortDir": "desc"}, [2, 0, 1]),
        ({"sortField": "type"}, [0, 2, 1]),
        ({"sortField": "createdAt"}, [0, 1, 2]),
        ({"sortField": "updatedAt", "sortDir": "desc"}, [2, 1, 0]),
        ({"type": "json"}, [2]),
        ({"category": " GROUP0 ", "sortField": "name"}, [0, 1]),
        ({"name": "NÄME B"}, [1]),
        ({"search": "describes 1 50%", "sortField": "name"}, [1]),
        ({"search": "describes 1 50_"}, []),
        ({"search": "  "}, None),
        ({"search": "Group1", "type": "boolean"}, []),
        ({"ids": "nope"}, []),
    ],
)
async def test_given_filters_and_sorts_then_all_of_them_count(
    board: Board, three: tuple[str, list[str]], query: dict[str, Any], found: list[int] | None
) -> None:
    mark, ids = three
    answer = await board.get(GLOBAL, identifier=mark, **query)
    wanted = sorted(ids) if found is None else [ids[n] for n in found]
    assert [item["id"] for item in answer.json()["items"]] == wanted


async def test_given_ids_and_both_directions(board: Board, three: tuple[str, list[str]]) -> None:
    mark, ids = three
    up = (await board.get(GLOBAL, identifier=mark, sortField="id", sortDir="asc")).json()["items"]
    down = (await board.get(GLOBAL, identifier=mark, sortField="id", sortDir="desc")).json()["items"]
    assert [item["id"] for item in up] == [item["id"] for item in reversed(down)] == sorted(ids)
    some = (await board.get(GLOBAL, identifier=mark, ids=f"{ids[2]},nope")).json()["items"]
    assert [item["id"] for item in some] == [ids[2]]


async def test_given_an_export_then_a_file_comes(board: Board, three: tuple[str, list[str]]) -> None:
    mark, ids = three
    answer = await board.get(GLOBAL, identifier=mark, format="csv", sortField="identifier")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = answer.text.split("\n")
    assert len(lines) == 4
    assert [line.split(",")[0] for line in lines[1:]] == ids


async def test_given_reads_then_the_access_log_knows(board: Board, three: tuple[str, list[str]]) -> None:
    mark, ids = three
    await board.get(GLOBAL, identifier=mark)
    await board.get(f"{GLOBAL}/{ids[0]}")
    await board.get(f"{GLOBAL}/{ids[0]}/override")
    for kind, wanted in (
        ("feature_toggles.global", set(ids)),
        ("feature_toggles.feature_toggle", {ids[0]}),
        ("feature_toggles.feature_toggle_override", {ids[0]}),
    ):
        rows = (await board.get("/audit_logs/audit-logs/access", resourceKind=kind, pageSize=200)).json()[
            "items"
        ]
        assert {row["resourceId"] for row in rows} == wanted, kind
