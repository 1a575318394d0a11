"""The upgrade actions of the parts that exist: each is run once, by a person who decides when (configs.md 6 and 7).

A module that comes later declares its own in the same way, beside its commands.
"""

from uuid import UUID

from app import VERSION
from commands.configs import UpgradeAction, upgrade_action, upgrade_actions, version_order
from commands.dictionaries import seed_dictionary
from commands.unit import Unit
from domain.feature_toggles import feature_toggle_overrides
from queries.configs import UpgradeRunRow


@upgrade_action(
    "dictionaries.install-system",
    version="0.1.0",
    message="Every organization has the system dictionaries, such as the currencies."
    " Organizations that were made by hand may lack them.",
    cta_label="Install dictionaries",
    success_message="The system dictionaries are ready.",
    loading_label="Installing dictionaries…",
)
async def install_system_dictionaries(unit: Unit, organization_id: UUID) -> None:
    """Seed the system dictionaries in the organization; what it has is left alone."""
    from app.seed_data import system_drafts

    for draft in system_drafts():
        await seed_dictionary(draft.command(organization_id), unit)


@upgrade_action(
    "feature_toggles.drop-orphaned-overrides",
    version="0.1.0",
    message="Values that were set for feature toggles which do not exist any more are deleted.",
    cta_label="Delete old values",
    success_message="The old values are deleted.",
    loading_label="Deleting old values…",
    per_organization=False,
)
async def drop_orphaned_overrides(unit: Unit, organization_id: UUID) -> None:
    """Delete the tenant's overrides of toggles whose creation was taken back."""
    found = await unit.fetch(
        "select o.id from feature_toggle_overrides o where o.tenant_id = $1"
        " and not exists (select from feature_toggles_everywhere() t where t.id = o.toggle_id)",
        unit.scope.tenant_id,
    )
    await unit.delete_many(feature_toggle_overrides, [row["id"] for row in found])


def pending(runs: list[UpgradeRunRow], organization_id: UUID) -> UpgradeAction | None:
    """The first action that is not newer than the program and was not run: here, or anywhere in the tenant."""
    return next(
        (
            action
            for action in upgrade_actions()
            if version_order(action.version) <= version_order(VERSION)
            and not any(
                (run.action_id, run.version) == (action.id, action.version)
                and (run.organization_id == organization_id or not action.per_organization)
                for run in runs
            )
        ),
        None,
    )
