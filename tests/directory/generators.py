"""Random commands of the directory."""

from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from commands.directory.organizations import CreateOrganization, DeleteOrganization, UpdateOrganization
from commands.registry import Command
from tests.generators import World, generates, maybe, one_of_ids, some_custom, texts

slugs = st.none() | st.sampled_from(("sales", "Sales", "north-1", "north", "a_b"))
logos = st.none() | st.sampled_from(("https://example.com/l.png", "/api/attachments/image/file/1/l.png"))


def _organization(world: World) -> SearchStrategy[UUID]:
    return one_of_ids(world.ids("organizations", deleted_at=None))


def _some_organizations(world: World) -> SearchStrategy[list[UUID]]:
    return st.lists(_organization(world), max_size=3)


@generates(CreateOrganization)
def create_organization(world: World) -> SearchStrategy[Command]:
    return st.builds(
        CreateOrganization,
        name=texts,
        slug=slugs,
        logo_url=logos,
        is_active=st.booleans(),
        parent_id=st.none() | _organization(world),
        child_ids=st.just([]) | _some_organizations(world),
        custom_fields=some_custom(),
    )


@generates(UpdateOrganization)
def update_organization(world: World) -> SearchStrategy[Command]:
    return st.builds(
        UpdateOrganization,
        id=_organization(world),
        name=maybe(texts),
        slug=maybe(slugs),
        logo_url=maybe(logos),
        is_active=maybe(st.booleans()),
        parent_id=maybe(st.none() | _organization(world)),
        child_ids=maybe(_some_organizations(world)),
        custom_fields=some_custom(),
    )


@generates(DeleteOrganization)
def delete_organization(world: World) -> SearchStrategy[Command]:
    return st.builds(DeleteOrganization, id=_organization(world))
