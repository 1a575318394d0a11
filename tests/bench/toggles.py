"""What a check of a feature toggle costs beside an authenticated route that does nothing.

Both are called over ASGI in this process, in turn and without a network, so that what they share is as small as it can
be and the ratio as strict: identity, gates, routing, middleware. Run alone with `python -m tests.bench.toggles`.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from litestar import Litestar, Response
from msgspec import Struct

from app.database import Database
from app.database import Target as Where
from app.embedded import embedded
from app.http.answers import OK
from app.http.call import Call
from app.http.operation import handlers, operation, operations_of
from app.main import Application, create_app
from app.migrate import migrate
from app.settings import Settings
from commands.feature_toggles import SeedToggles
from domain.scope import system_scope
from tests.conftest import new_tenant

LIMIT = 1.3
"""The most that a check may cost, as a multiple of the route that does nothing."""

REQUESTS = 1_500


class Costs(Struct):
    """Medians over the rounds, in microseconds a request; `ratio` is the median of the rounds' ratios."""

    nothing: float
    check: float
    missing: float
    ratio: float


@operation(
    "GET",
    "/bench/nothing",
    tag="Bench",
    summary="Do nothing",
    operation_id="bench_nothing",
    answers={200: OK},
)
async def nothing(call: Call[None]) -> Response[Any]:
    """200 `{"ok": true}` for whoever is signed in."""
    return call.json(b'{"ok":true}')


async def measure(dsn: str, data: Path, rounds: int) -> Costs:
    """Call the routes in rounds, in turn, on a fresh tenant."""
    await migrate(dsn, embedded=True)
    settings = Settings.read(data=data, rate_limit_enabled=False, log_level="error")
    application = Application(settings, Database(Where(dsn, "backstep_app", embedded=True)))
    await application.start()
    try:
        tenant = await new_tenant(application)
        await application.bus.execute(SeedToggles(), system_scope(tenant.id))
        app = create_app(settings, application)
        for route in handlers(operations_of(__name__)):
            app.register(route)
        paths = {
            "nothing": ("/bench/nothing", b"", 200),
            "check": ("/feature_toggles/check/boolean", b"identifier=feature_toggles_ui", 200),
            "missing": (
                "/feature_toggles/check/boolean",
                b"identifier=no.such.toggle." + uuid4().hex.encode(),
                404,
            ),
        }
        token = tenant.employee.headers["authorization"].encode()
        samples: dict[str, list[float]] = {name: [] for name in paths}
        for number in range(rounds + 1):
            for name in paths if number % 2 else reversed(paths):
                cost = await _round(app, *paths[name], token)
                if number:
                    samples[name].append(cost)
    finally:
        await application.stop()
    middle = {name: statistics.median(costs) for name, costs in samples.items()}
    ratios = [one / other for one, other in zip(samples["check"], samples["nothing"], strict=True)]
    return Costs(**middle, ratio=statistics.median(ratios))


async def _round(app: Litestar, path: str, query: bytes, status: int, token: bytes) -> float:
    """Microseconds a request, over many of them."""
    started = time.perf_counter()
    for _ in range(REQUESTS):
        await _ask(app, path, query, status, token)
    return (time.perf_counter() - started) / REQUESTS * 1e6


async def _ask(app: Litestar, path: str, query: bytes, status: int, token: bytes) -> None:
    answered: list[int] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"backstep.test"), (b"authorization", token)],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)  # type: ignore[arg-type]  # plain dictionaries of the ASGI form
    if answered != [status]:
        raise RuntimeError(f"{path} answered {answered}")


def main() -> None:
    """Measure on a database of its own, and print the figures."""
    with tempfile.TemporaryDirectory(prefix="backstep-toggles-") as made:
        data = Path(made)
        data.chmod(0o755)
        with embedded(data) as dsn:
            costs = asyncio.run(measure(dsn, data, 7))
    print(f"nothing {costs.nothing:.0f} us, check {costs.check:.0f} us, missing {costs.missing:.0f} us")
    print(f"a check costs {costs.ratio:.2f} of a route that does nothing (at most {LIMIT})")


if __name__ == "__main__":
    main()
