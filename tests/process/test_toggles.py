"""Two server processes on one installation: what one changes of a feature toggle, the other answers at once."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.process.conftest import Serve, Server


def ask(server: Server, token: str, method: str, path: str, body: Any = None) -> Any:
    """The decoded answer to a request of somebody who is signed in."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}", data=data, method=method, headers=headers
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def test_given_two_servers_then_a_change_in_one_is_answered_by_the_other(
    serve: Serve, own_data: Path
) -> None:
    first = serve(own_data)
    first.wait_ready()
    second = serve(own_data)
    second.wait_ready()
    status, answer = first.login("superadmin@acme.com", "secret")
    assert status == 200
    token = str(answer["token"])
    made = ask(
        first,
        token,
        "POST",
        "/feature_toggles/global",
        {"identifier": "story.limit", "name": "Limit", "type": "number", "defaultValue": 1},
    )

    def value(server: Server) -> Any:
        return ask(server, token, "GET", "/feature_toggles/check/number?identifier=story.limit")["value"]

    def until(server: Server, wanted: Any) -> float:
        """Seconds until the server answers the value."""
        begun = time.monotonic()
        while value(server) != wanted:
            assert time.monotonic() - begun < 10, f"still {value(server)}, not {wanted}"
            time.sleep(0.005)
        return time.monotonic() - begun

    assert value(first) == value(second) == 1
    for here, there, wanted in ((first, second, 2), (second, first, 3), (first, second, 4)):
        ask(here, token, "PUT", "/feature_toggles/global", {"id": made["id"], "defaultValue": wanted})
        assert value(here) == wanted, "in the process that changed it, with the answer"
        assert until(there, wanted) < 3, "elsewhere long before the minute of the cache is over"
    ask(
        second,
        token,
        "PUT",
        "/feature_toggles/overrides",
        {"toggleId": made["id"], "isOverride": True, "overrideValue": 9},
    )
    assert until(first, 9) < 3
    seeded = ask(second, token, "GET", "/feature_toggles/global?identifier=customers.interactions")
    assert seeded["total"] == 3, "a fresh installation has the default toggles, once"
