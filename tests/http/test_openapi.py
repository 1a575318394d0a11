"""The OpenAPI document and its Markdown form."""

import json
import subprocess
import sys
from typing import Any

import pytest

from app.http.markdown import render
from app.http.openapi import all_operations, document, refuse_repeated
from tests.http.conftest import OPERATIONS


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    return document(OPERATIONS)


def test_an_operation_is_described_with_gate_parameters_body_and_answers(small):
    rename = small["paths"]["/things/{thingId}"]["patch"]
    assert rename["x-features"] == ["things.manage"]
    assert rename["security"] and not small["paths"]["/sign-in"]["post"]["security"]
    (path,) = [one for one in rename["parameters"] if one.get("in") == "path"]
    assert (path["name"], path["required"], path["schema"]["format"]) == ("thingId", True, "uuid")
    assert {"$ref": "#/components/parameters/IdempotencyKey"} in rename["parameters"]
    content = rename["requestBody"]["content"]["application/json"]
    assert set(content["schema"]["properties"]) == {"newName", "color", "position", "tags"}
    assert content["schema"]["required"] == ["newName"]
    assert content["example"]["newName"]
    assert set(rename["responses"]) >= {"200", "400", "401", "403", "404", "409", "413", "500"}
    assert rename["responses"]["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ThingView"
    }
    assert "x-om-operation" in rename["responses"]["200"]["headers"]


def test_forms_and_query_parameters_are_described(small):
    body = small["paths"]["/sign-in"]["post"]["requestBody"]["content"]
    assert body["application/x-www-form-urlencoded"]["example"].startswith("email=")
    search = next(one for one in small["paths"]["/things"]["get"]["parameters"] if one["name"] == "search")
    assert (search["in"], search["required"], search["example"]) == ("query", True, "x")


def test_every_reference_resolves_and_no_component_is_unused(small):
    text = json.dumps(small)
    for name in small["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text
    seen = [part.split('"')[0] for part in text.split('"$ref": "')[1:]]
    for reference in seen:
        node: Any = small
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_ids_of_operations_are_unique():
    with pytest.raises(ValueError, match="declared twice"):
        refuse_repeated([*OPERATIONS, OPERATIONS[0]])


def test_markdown_has_curl_examples(small):
    text = render(small)
    assert "### PATCH /things/{thingId}" in text
    assert "curl -X GET 'http://127.0.0.1:8000/things?search=x'" in text
    assert "-H 'Content-Type: application/x-www-form-urlencoded'" in text
    assert "Requires: features `things.manage`" in text


def test_the_document_is_served_in_its_three_places(client):
    first = client.get("/openapi.json")
    assert first.json()["openapi"].startswith("3.1")
    assert client.get("/api/docs/openapi").json() == first.json()
    markdown = client.get("/api/docs/markdown")
    assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
    assert "## Dictionaries" in markdown.text


def test_the_whole_document_is_valid_and_made_without_a_database():
    from jsonschema_rs import Draft202012Validator

    whole = document()
    ids = [one.operation_id for one in all_operations()]
    assert len(ids) == len(set(ids))
    for name, schema in whole["components"]["schemas"].items():
        (
            Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": whole["components"]}),
            schema,
        )
    for item in whole["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    rooted = {**content["schema"], "components": whole["components"]}
                    Draft202012Validator(rooted).validate(content["example"])
    script = "import app.http.openapi as o, sys; o.document(); assert not {'app.main', 'granian'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
