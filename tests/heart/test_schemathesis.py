"""The API keeps to its own document, whatever the document allows to be sent, and what it forbids."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.http.openapi import all_operations
from tests.heart.requests import STREAMS
from tests.process.conftest import Serve, Server, serve  # a fixture

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("process"), pytest.mark.slow]

EXAMPLES = 4
LEFT_OUT = STREAMS | {"/auth/logout"}
"""What does not end, and what would end the session of the test."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the demo tenant."""
    folder: Path = tmp_path_factory.mktemp("schemathesis")
    starting = serve.__wrapped__(folder)  # type: ignore[attr-defined]  # the fixture's own function
    start: Serve = next(starting)
    server = start(folder / "data", "--demo", RATE_LIMIT_ENABLED="false")
    server.wait_ready(60)
    yield server
    next(starting, None)


@pytest.fixture(scope="module")
def schema(running: Server) -> Any:
    """The served document."""
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{running.port}/openapi.json")


@pytest.fixture(scope="module")
def token(running: Server) -> str:
    """The access token of the demo admin."""
    answer = httpx.post(
        f"http://127.0.0.1:{running.port}/auth/login", data={"email": "admin@acme.com", "password": "secret"}
    )
    return str(answer.json()["token"])


def documented() -> list[Any]:
    return [
        pytest.param(one.method, one.path, id=f"{one.method} {one.path}")
        for one in all_operations()
        if one.path not in LEFT_OUT
    ]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("method", "path"), documented())
def test_given_any_request_then_the_answer_is_a_documented_one(
    schema: Any, token: str, method: str, path: str, mode: GenerationMode
) -> None:
    operation = schema[path][method]
    headers = {"authorization": f"Bearer {token}"}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def conforms(case: Any) -> None:
        response = case.call(headers=headers)
        case.validate_response(response, checks=CHECKS, headers=headers)

    if mode is GenerationMode.NEGATIVE and not (
        operation.body or operation.query or operation.path_parameters
    ):
        pytest.skip("nothing about it can be wrong")
    conforms()
