"""The choices of relation fields (contract: entities.md 5.1)."""

from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from app.main import Application
from tests.conftest import Tenant
from tests.entities.conftest import THING, Desk, new_organization
from tests.entities.test_custom_entities import with_features


async def options(desk: Desk, entity: str, **query: str) -> list[dict[str, Any]]:
    more = "".join(f"&{name}={quote(value)}" for name, value in query.items())
    return list((await desk.get(f"/entities/relations/options?entityId={entity}{more}"))["items"])


async def labels(desk: Desk, entity: str, **query: str) -> list[str]:
    return [item["label"] for item in await options(desk, entity, **query)]


async def test_given_no_entity_or_an_unknown_one_then_there_is_nothing_to_choose(desk: Desk) -> None:
    assert await options(desk, "") == []
    assert (await desk.get("/entities/relations/options"))["items"] == []
    assert await options(desk, "user:nothing") == []
    assert await options(desk, "auth:session") == []


async def test_given_a_table_then_its_rows_are_offered_by_label(desk: Desk, tenant: Tenant) -> None:
    assert await labels(desk, "auth:role") == ["admin", "employee", "superadmin"]
    assert await labels(desk, "auth:role", q="ADM") == ["admin", "superadmin"]
    assert await labels(desk, "auth:role", q="%") == []
    users = await options(desk, "auth:user", labelField="email")
    assert [item["label"] for item in users] == sorted(item["label"] for item in users)
    assert users[0] == {"value": str(tenant.admin.id), "label": tenant.admin.email}
    ids = f"{users[2]['value']}, {users[0]['value']},nonsense,{users[0]['value']}"
    assert await options(desk, "auth:user", labelField="email", ids=ids) == [users[0], users[2]]


async def test_given_a_column_that_is_no_label_then_it_is_never_shown(desk: Desk) -> None:
    for column in ("password_hash", "email_hash", "name; drop table users", "id"):
        assert await labels(desk, "auth:user", labelField=column) == ["Admin", "Employee", "Superadmin"]


async def test_given_an_entity_of_another_module_then_its_feature_is_needed(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    narrow = await with_features(desk.client, application, tenant, "entities.definitions.view")
    answer = await narrow.get("/entities/relations/options?entityId=auth:user", 403)
    assert answer["requiredFeatures"] == ["auth.users.list"]
    both = await with_features(
        desk.client, application, tenant, "entities.definitions.view", "auth.users.list"
    )
    assert await labels(both, "auth:user")


async def test_given_an_employee_then_403(employee: Desk) -> None:
    answer = await employee.get("/entities/relations/options?entityId=auth:role", 403)
    assert answer["requiredFeatures"] == ["entities.definitions.view"]


async def test_given_another_organization_then_its_rows_are_not_offered(
    desk: Desk, application: Application, tenant: Tenant, child: UUID
) -> None:
    other = await new_organization(application, tenant, None)
    for organization in (other, child):
        scope = Desk(desk.client, tenant.admin)
        scope.organization = organization
        await scope.post("/dictionaries", {"key": "d", "name": f"Of {organization}"}, 201)
    assert await labels(desk, "dictionaries:dictionary") == [f"Of {child}"]


async def test_given_many_rows_then_at_most_200_are_offered(desk: Desk) -> None:
    dictionary = await desk.dictionary("many")
    for batch in range(3):
        commands = [
            {
                "command": "dictionaries.entries.create",
                "input": {"dictionaryId": dictionary.rpartition("/")[2], "value": f"v{batch}-{n:03}"},
            }
            for n in range(100)
        ]
        await desk.post("/commands/batch", {"commands": commands})
    found = await labels(desk, "dictionaries:dictionary_entry")
    assert len(found) == 200 and found == sorted(found)


async def test_given_a_custom_entity_then_its_records_are_offered(desk: Desk) -> None:
    await desk.entity(labelField="title")
    await desk.define("title")
    await desk.define("kind")
    await desk.define("secret", encrypted=True)
    made = {}
    for title in ("beta", "Alpha", "gamma"):
        values = {"title": title, "kind": f"k-{title}", "secret": f"s {title}"}
        answer = await desk.post("/entities/records", {"entityId": THING, "values": values})
        made[title] = answer["item"]["recordId"]
    assert await labels(desk, THING) == ["Alpha", "beta", "gamma"]
    assert await labels(desk, THING, q="MM") == ["gamma"]
    assert await labels(desk, THING, labelField="kind") == ["k-Alpha", "k-beta", "k-gamma"]
    assert await labels(desk, THING, labelField="secret") == ["s Alpha", "s beta", "s gamma"]
    assert await labels(desk, THING, labelField="secret", q="S B") == ["s beta"]
    assert await labels(desk, THING, labelField="secret", q="bse1") == []
    assert await labels(desk, THING, labelField="undefined") == ["Alpha", "beta", "gamma"]
    chosen = await options(desk, THING, ids=made["beta"], routeContextFields="kind,title,entity_id")
    assert chosen == [{"value": made["beta"], "label": "beta", "routeContext": {"kind": "k-beta"}}]
    await desk._send("DELETE", "/entities/records", {"entityId": THING, "recordId": made["beta"]}, 200)
    assert await labels(desk, THING) == ["Alpha", "gamma"]


SECRETS = ["Zimt", "Item 10", "ÉCLAIR", "Item 9", "eclair", "ähnlich", "Item 010", "007"]
SORTED = ["007", "ähnlich", "ÉCLAIR", "eclair", "Item 9", "Item 10", "Item 010", "Zimt"]


async def test_given_sealed_labels_then_choices_stand_as_people_sort_them(desk: Desk) -> None:
    """Numbers by size, letters whatever case and accents, equal ones by id, those without a label last."""
    await desk.entity(labelField="secret")
    await desk.define("secret", encrypted=True)
    made = [
        (await desk.post("/entities/records", {"entityId": THING, "values": values}))["item"]["recordId"]
        for values in ({}, *({"secret": secret} for secret in SECRETS), {"secret": None})
    ]
    found = await options(desk, THING)
    places = {made[n + 1]: (SORTED.index(secret), secret) for n, secret in enumerate(SECRETS)}
    for same in (("ÉCLAIR", "eclair"), ("Item 10", "Item 010")):
        ids = sorted(id for id, (_, secret) in places.items() if secret in same)
        at = min(SORTED.index(secret) for secret in same)
        places |= {id: (at + n, places[id][1]) for n, id in enumerate(ids)}
    expected = sorted(places, key=lambda id: places[id][0]) + sorted((made[0], made[-1]))
    assert [one["value"] for one in found] == expected
    assert [one["label"] for one in found[-2:]] == [one["value"] for one in found[-2:]]

    # A list of records never opens a field for its order: it comes by id, in the direction asked for
    for direction in ("asc", "desc"):
        path = f"/entities/records?entityId={THING}&sortField=cf:secret&sortDir={direction}"
        ids = [item["id"] for item in (await desk.get(path))["items"]]
        assert ids == sorted(made, reverse=direction == "desc")


async def test_given_more_sealed_labels_than_are_opened_then_the_answer_says_so(
    desk: Desk, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.entity(labelField="secret")
    await desk.define("secret", encrypted=True)
    made = {}
    for n in range(5):
        body = {"entityId": THING, "values": {"secret": f"s{n}"}}
        made[(await desk.post("/entities/records", body))["item"]["recordId"]] = f"s{n}"
    assert "meta" not in await desk.get(f"/entities/relations/options?entityId={THING}")
    capped = application.settings.model_copy(update={"encrypted_sort_max_rows": 3})
    monkeypatch.setattr(application, "settings", capped)
    answer = await desk.get(f"/entities/relations/options?entityId={THING}")
    assert [one["label"] for one in answer["items"]] == sorted(made[id] for id in sorted(made)[:3])
    assert answer["meta"]["encryptedSortRowCapWarning"] == {
        "entity": THING,
        "sortFields": ["secret"],
        "maxRows": 3,
        "totalMatched": 5,
    }


async def test_given_a_restricted_entity_then_its_own_feature_is_needed(
    desk: Desk, application: Application, tenant: Tenant
) -> None:
    await desk.entity(accessRestricted=True)
    coarse = ("entities.definitions.view", "entities.records.view")
    narrow = await with_features(desk.client, application, tenant, *coarse)
    answer = await narrow.get(f"/entities/relations/options?entityId={THING}", 403)
    assert answer["requiredFeatures"] == [f"entities.records.{THING}.view"]
    wide = await with_features(desk.client, application, tenant, *coarse, f"entities.records.{THING}.view")
    assert await options(wide, THING) == []
    assert await options(desk, THING, ids=str(uuid4())) == []
