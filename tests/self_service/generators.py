"""Random commands that people give about their own account, and about consents."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import UNSET

from commands import auth as a
from commands.registry import Command
from domain.sidebar import SidebarSettings
from tests.generators import UNKNOWN, World, generates, maybe, one_of_ids, texts

emails = st.sampled_from(("ada@example.com", "Ada@Example.com", "bob@example.com", "taken@example.com"))
names = st.lists(texts, max_size=3)
labels = st.dictionaries(texts, texts, max_size=2)
variant_names = st.sampled_from(("Work", "work", "Play", "My preferences"))
settings = st.builds(
    SidebarSettings,
    group_order=names,
    group_labels=labels,
    item_labels=labels,
    hidden_items=names,
    item_order=st.dictionaries(texts, names, max_size=2),
)
moments = st.none() | st.integers(1_700_000_000, 1_800_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))
sealed = st.none() | st.sampled_from(("sealed:1:one", "sealed:1:other"))


def _roles(world: World) -> SearchStrategy[list[UUID]]:
    return st.lists(one_of_ids(world.ids("roles", deleted_at=None)), max_size=2)


@generates(a.UpdateProfile)
def update_profile(world: World) -> SearchStrategy[Command]:
    def build(email: object, password: object) -> Command:
        digest = UNSET if email is UNSET else f"v2:{str(email).lower()}"
        return a.UpdateProfile(email=email, email_hash=digest, password_hash=password)  # type: ignore[arg-type]

    return st.builds(build, maybe(emails), maybe(st.sampled_from(("sealed:1:a", "sealed:1:b"))))


@generates(a.RecordConsent)
def record_consent(world: World) -> SearchStrategy[Command]:
    known = world.matching("user_consents")
    fresh = st.builds(
        a.RecordConsent,
        consent_id=st.uuids(version=4),
        user_id=one_of_ids(world.ids("users")),
        organization_id=st.none(),
        consent_type=st.sampled_from(("marketing_email", "terms")),
        is_granted=st.booleans(),
        granted_at=moments,
        withdrawn_at=moments,
        integrity_hash=st.sampled_from(("00", "ff")),
        source=sealed,
        ip_address=sealed,
    )
    if not known:
        return fresh
    again = st.sampled_from(known).flatmap(
        lambda row: st.builds(
            a.RecordConsent,
            consent_id=st.just(UUID(row["id"])),
            user_id=st.just(UUID(row["user_id"])),
            organization_id=st.none(),
            consent_type=st.just(row["consent_type"]),
            is_granted=st.booleans(),
            granted_at=moments,
            withdrawn_at=moments,
            integrity_hash=st.sampled_from(("00", "ff")),
            source=sealed,
            ip_address=sealed,
            previous=st.just(datetime.fromisoformat(row["updated_at"])) | moments,
        )
    )
    return fresh | again


@generates(a.UpdateSidebar)
def update_sidebar(world: World) -> SearchStrategy[Command]:
    return st.builds(
        a.UpdateSidebar, settings=settings, apply_to_roles=_roles(world), clear_role_ids=_roles(world)
    )


@generates(a.UpdateRoleSidebar)
def update_role_sidebar(world: World) -> SearchStrategy[Command]:
    return st.builds(
        a.UpdateRoleSidebar, role_id=one_of_ids(world.ids("roles", deleted_at=None)), settings=settings
    )


@generates(a.ClearRoleSidebar)
def clear_role_sidebar(world: World) -> SearchStrategy[Command]:
    with_layout = [UUID(row["role_id"]) for row in world.matching("role_sidebar_preferences")]
    return st.builds(a.ClearRoleSidebar, role_id=one_of_ids(with_layout or [UNKNOWN]))


@generates(a.CreateVariant)
def create_variant(world: World) -> SearchStrategy[Command]:
    return st.builds(a.CreateVariant, name=maybe(variant_names), settings=settings, is_active=st.booleans())


def _variant(world: World) -> SearchStrategy[UUID]:
    return one_of_ids(world.ids("sidebar_variants", deleted_at=None) or world.ids("sidebar_variants"))


@generates(a.UpdateVariant)
def update_variant(world: World) -> SearchStrategy[Command]:
    return st.builds(
        a.UpdateVariant,
        id=_variant(world),
        name=maybe(variant_names),
        settings=maybe(settings),
        is_active=maybe(st.booleans()),
    )


@generates(a.DeleteVariant)
def delete_variant(world: World) -> SearchStrategy[Command]:
    return st.builds(a.DeleteVariant, id=_variant(world))
