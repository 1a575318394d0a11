"""Passwords, tokens and redirects without a server around them."""

import asyncio
from typing import Any

import pytest
from argon2 import PasswordHasher
from litestar import Request

from app.http.locale import best_locale
from app.http.redirects import safe_redirect
from domain import passwords
from domain.credentials import SignInKeys, api_key_prefix, new_api_secret, new_session_token
from domain.features import catalogue, default_grants, matches
from domain.passwords import PasswordPolicy, Passwords

MASTER = b"m" * 32


async def test_passwords_are_verified_and_salted() -> None:
    hasher = Passwords(MASTER)
    one, two = await asyncio.gather(hasher.hash("secret"), hasher.hash("secret"))

    assert one != two
    assert await hasher.verify(one, "secret")
    assert not await hasher.verify(one, "Secret")
    assert not await hasher.verify(None, "secret")
    assert not await hasher.verify("not a hash", "secret")
    assert not await Passwords(b"x" * 32).verify(one, "secret")


def test_the_dummy_costs_what_a_password_costs() -> None:
    assert not PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).check_needs_rehash(
        passwords._DUMMY
    )


@pytest.mark.parametrize(
    ("password", "faults"),
    [
        ("Str0ng!", 0),
        ("str0ng!", 1),
        ("Strong!", 1),
        ("Str0ng", 1),
        ("S0!", 1),
        ("", 4),
        ("A1!" + "x" * 254, 1),
    ],
)
def test_the_password_policy(password: str, faults: int) -> None:
    assert len(PasswordPolicy().faults(password)) == faults


def test_keys_of_one_kind_do_not_open_another() -> None:
    keys = SignInKeys.derive(MASTER)

    made = [keys.jwt, keys.session, keys.lookup, keys.api_key, keys.password_seal]
    assert len(set(made)) == len(made)
    assert SignInKeys.derive(MASTER, jwt_secret="s").jwt == SignInKeys.derive(b"x" * 32, jwt_secret="s").jwt
    with pytest.raises(ValueError, match="32 bytes"):
        SignInKeys.derive(MASTER, jwt_staff_secret="short")


def test_hashes_of_emails_and_secrets() -> None:
    keys = SignInKeys.derive(MASTER)

    assert keys.email_hash(" Ann@Example.com ") == keys.email_hash("ann@example.com")
    assert keys.email_hash("a@b.cc").startswith("v2:")
    assert keys.session_hash("a") != keys.api_key_hash("a")
    secret = new_api_secret()
    assert (len(secret), api_key_prefix(secret)) == (61, secret[:12])
    assert api_key_prefix(new_session_token()) is None


def at(base: str = "http://backstep.test") -> Any:
    scope: Any = {
        "type": "http",
        "headers": [],
        "scheme": "http",
        "server": ("backstep.test", 80),
        "path": "/x",
    }
    scope |= {"root_path": "", "query_string": b"", "app": None}
    request: Any = Request(scope)
    request._base_url = base
    return request


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        ("/a", "/a"),
        ("/a?x=//y&z=1#//f", "/a?x=//y&z=1#//f"),
        ("a/b", "/a/b"),
        ("/a/../b", "/b"),
        ("http://backstep.test/a?b#c", "/a?b#c"),
        ("HTTP://BACKSTEP.TEST/a", "/a"),
        ("/ü?ä", "/%C3%BC?%C3%A4"),
        ("//evil.com", "-"),
        ("/\\evil.com", "-"),
        ("\\\\evil.com", "-"),
        ("/\t/evil.com", "-"),
        ("/a//b", "-"),
        ("/.//evil.com", "-"),
        ("/a/..//evil.com", "-"),
        ("http://backstep.test.evil.com/a", "-"),
        ("http://backstep.test@evil.com/a", "-"),
        ("http://x@backstep.test/a", "-"),
        ("https://backstep.test/a", "-"),
        ("http://backstep.test:81/a", "-"),
        ("javascript:alert(1)", "-"),
        ("http://[broken", "-"),
        ("/" + "a" * 3_000, "-"),
        (None, "-"),
    ],
)
def test_redirects_stay_on_this_site(wanted: str | None, answer: str) -> None:
    assert safe_redirect(at(), "http://backstep.test", wanted, "-") == answer


@pytest.mark.parametrize(
    ("accepted", "locale"),
    [
        ("", "en"),
        ("de", "de"),
        ("fr;q=1, es;q=0.1", "es"),
        ("pl-PL,de;q=0.9", "pl"),
        ("de;q=x", "en"),
        ("*", "en"),
    ],
)
def test_the_best_locale(accepted: str, locale: str) -> None:
    assert best_locale(accepted) == locale


@pytest.mark.parametrize(
    ("grant", "feature", "covered"),
    [
        ("*", "anything.at.all", True),
        ("auth.*", "auth.users.list", True),
        ("auth.*", "auth", True),
        ("auth.*", "auth.*", True),
        ("auth.*", "authority.x", False),
        ("auth.users.*", "auth.users.list", True),
        ("auth.users.*", "auth.roles.list", False),
        ("auth.users.list", "auth.users.list", True),
        ("auth.users", "auth.users.list", False),
    ],
)
def test_how_a_grant_covers_a_feature(grant: str, feature: str, covered: bool) -> None:
    assert matches(grant, feature) is covered


def test_the_catalogue_is_sound() -> None:
    import domain.api_keys
    import domain.audit_logs
    import domain.catalogue
    import domain.dictionaries  # noqa: F401

    found = catalogue()
    ids = [feature.id for feature in found]
    assert len(ids) == len(set(ids)) >= 78
    assert found == sorted(found, key=lambda feature: (feature.module, feature.id))
    assert {needed for feature in found for needed in feature.depends_on} <= set(ids)
    for feature in found:
        for role in ("superadmin", "admin", "employee"):
            held = any(matches(grant, feature.id) for grant in default_grants(role))
            assert held is (role in feature.roles), (feature.id, role)
