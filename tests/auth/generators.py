"""Random commands on roles, users, grants and API keys.

Features are such as an admin has, so that what one actor did can be taken back by the same one, newest first; the flag
of super admins is drawn besides.
"""

from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from commands.api_keys import CreateKey, DeleteKey
from commands.auth.acls import UpdateRoleAcl, UpdateUserAcl
from commands.auth.roles import CreateRole, DeleteRole, UpdateRole
from commands.auth.users import CreateUser, DeleteUser, UpdateUser
from commands.registry import Command
from tests.generators import UNKNOWN, World, generates, maybe, one_of_ids, some_custom, texts

names = st.sampled_from(("Sales", "Support", "support", "Über uns", "x" * 100, "admin", "employee"))
addresses = st.sampled_from([f"person{n}@example.com" for n in range(6)] + ["Person1@Example.com"])
features = st.lists(
    st.sampled_from(
        ("auth.*", "audit_logs.*", "customers.*", "dictionaries.view", "customers.people.view", " ")
    ),
    max_size=4,
)
flags = st.integers(0, 7).map(lambda n: n == 0)


def _role(world: World) -> SearchStrategy[UUID]:
    return one_of_ids(world.ids("roles"))


def _user(world: World) -> SearchStrategy[UUID]:
    return one_of_ids(world.ids("users"))


def _organization(world: World) -> SearchStrategy[UUID]:
    """The first organization, where the actors are: what happens in another one is taken back from there only."""
    return one_of_ids(world.ids("organizations")[:1])


def _tokens(world: World) -> SearchStrategy[list[str]]:
    """Ids and names of roles; rarely one that nobody has."""
    known = [str(id) for id in world.ids("roles")] + [row["name"] for row in world.matching("roles")]
    token = st.integers(0, 20).flatmap(
        lambda n: st.just(str(UNKNOWN)) if n == 0 or not known else st.sampled_from(known)
    )
    return st.lists(token, max_size=3)


def _places(world: World) -> SearchStrategy[list[str] | None]:
    ids = [str(id) for id in world.ids("organizations")]
    return st.none() | st.lists(st.sampled_from([*ids, "__all__", "nowhere"]), max_size=2)


@generates(CreateRole)
def create_role(world: World) -> SearchStrategy[Command]:
    return st.builds(CreateRole, name=names, custom_fields=some_custom())


@generates(UpdateRole)
def update_role(world: World) -> SearchStrategy[Command]:
    return st.builds(UpdateRole, id=_role(world), name=maybe(names), custom_fields=some_custom())


@generates(DeleteRole)
def delete_role(world: World) -> SearchStrategy[Command]:
    return st.builds(DeleteRole, id=_role(world))


@generates(UpdateRoleAcl)
def update_role_acl(world: World) -> SearchStrategy[Command]:
    return st.builds(
        UpdateRoleAcl,
        role_id=_role(world),
        is_super_admin=maybe(flags),
        features=maybe(features),
        organizations=maybe(_places(world)),
    )


@generates(CreateUser)
def create_user(world: World) -> SearchStrategy[Command]:
    return addresses.flatmap(
        lambda address: st.builds(
            CreateUser,
            email=st.just(address),
            email_hash=st.just(f"v2:{address.lower()}"),
            organization_id=_organization(world),
            name=st.none() | texts,
            password_hash=st.none() | st.just("sealed"),
            roles=_tokens(world),
            custom_fields=some_custom(),
        )
    )


@generates(UpdateUser)
def update_user(world: World) -> SearchStrategy[Command]:
    plain = st.builds(
        UpdateUser,
        id=_user(world),
        name=maybe(st.none() | texts),
        password_hash=maybe(st.sampled_from(("sealed", "sealed anew"))),
        organization_id=maybe(_organization(world)),
        roles=maybe(_tokens(world)),
        custom_fields=some_custom(),
    )
    moved = addresses.flatmap(
        lambda address: st.builds(
            UpdateUser,
            id=_user(world),
            email=st.just(address),
            email_hash=st.just(f"v2:{address.lower()}"),
            name=maybe(texts),
        )
    )
    return plain | moved


@generates(DeleteUser)
def delete_user(world: World) -> SearchStrategy[Command]:
    return st.builds(DeleteUser, id=_user(world))


@generates(UpdateUserAcl)
def update_user_acl(world: World) -> SearchStrategy[Command]:
    return st.builds(
        UpdateUserAcl,
        user_id=_user(world),
        is_super_admin=flags,
        features=features,
        organizations=_places(world),
    )


@generates(CreateKey)
def create_key(world: World) -> SearchStrategy[Command]:
    """The prefix is unique in the installation, so it is drawn anew each time."""
    return st.builds(
        lambda **values: CreateKey(key_prefix=f"omk_{uuid4().hex[:8]}", key_hash=uuid4().hex, **values),
        name=texts,
        description=st.none() | texts,
        organization_id=st.none() | _organization(world),
        roles=_tokens(world),
    )


@generates(DeleteKey)
def delete_key(world: World) -> SearchStrategy[Command]:
    return st.builds(DeleteKey, id=one_of_ids(world.ids("api_keys")))
