"""Random commands of all kinds by eight clients at once: whatever they did, it can be done again.

`STORMS=10 STORM_ACTIONS=1000` makes ten runs of a thousand actions.
"""

import os

import pytest

from app.main import Application
from app.replay.copy import Span
from app.replay.run import Run, Silent, Wanted
from tests.conftest import MakeTenant
from tests.heart.proofs import assert_proven
from tests.replay.storm import Storm

STORMS = int(os.environ.get("STORMS", "1"))
ACTIONS = int(os.environ.get("STORM_ACTIONS", "250"))


@pytest.mark.parametrize("seed", range(STORMS))
async def test_given_eight_clients_at_once_then_their_history_leads_to_the_same_state_both_ways(
    application: Application, make_tenant: MakeTenant, template: str, seed: int
) -> None:
    tenants = [await make_tenant() for _ in range(2)]
    storm = Storm(application.bus, application.database, tenants, seed)
    await storm.begin()
    await storm.blow(ACTIONS)
    print(f"seed {seed}: {dict(storm.counts)}, {len(storm.kinds)} kinds of commands")
    assert storm.counts["done"] > ACTIONS // 5 and storm.counts["undone"] and storm.counts["redone"]
    for tenant in tenants:
        await assert_proven(application, tenant.id)
        for mode in ("state", "commands"):
            wanted = Wanted(mode, Span(tenant.id))  # type: ignore[arg-type]  # one of the two literals
            doing = Run(application.database, application.settings, wanted, Silent(), template)
            async with doing.finished() as finished:
                report = finished.report
            assert report.verdict == "equal", "\n".join(report.lines())
            print("\n".join(report.lines()))
