"""Languages (contract: auth.md 7.18 and 7.19, command-bus.md section 15)."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.main import Application, create_app
from app.settings import Settings
from commands import registry
from domain import i18n
from tests.auth.conftest import House

JSON = {"accept": "application/json"}
COOKIE = "locale=de; Path=/; Max-Age=31536000; SameSite=Lax"


async def test_a_link_keeps_the_language_and_leads_on(client: httpx.AsyncClient) -> None:
    response = await client.get("/auth/locale", params={"locale": "de", "redirect": "/a?b=c#d"})

    assert response.status_code == 302
    assert response.headers["location"] == "/a?b=c#d"
    assert response.headers["set-cookie"] == COOKIE


@pytest.mark.parametrize("redirect", ["//x", "https://evil.example.net", "/a//b", "\\\\x", ""])
async def test_a_link_leads_nowhere_else(client: httpx.AsyncClient, redirect: str) -> None:
    response = await client.get("/auth/locale", params={"locale": "de", "redirect": redirect})

    assert response.headers["location"] == "/"


async def test_callers_that_want_json_get_it(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/auth/locale", params={"locale": "pl"}, headers=JSON)

    assert (response.status_code, response.json()) == (200, {"ok": True, "redirect": "/"})
    assert response.headers["set-cookie"].startswith("locale=pl;")


@pytest.mark.parametrize("locale", ["EN", "fr", "xx", "", " de"])
async def test_other_languages_are_refused(client: httpx.AsyncClient, locale: str) -> None:
    got = await client.get("/auth/locale", params={"locale": locale})
    posted = await client.post("/auth/locale", json={"locale": locale})

    for response in (got, posted):
        assert (response.status_code, response.json()) == (400, {"error": "Invalid locale"})
        assert "set-cookie" not in response.headers
    assert (await client.get("/auth/locale")).status_code == 400


async def test_posting_keeps_the_language(client: httpx.AsyncClient) -> None:
    response = await client.post("/auth/locale", json={"locale": "de"})

    assert (response.status_code, response.json()) == (201, {"ok": True})
    assert response.headers["set-cookie"] == COOKIE


@pytest.mark.parametrize("raw", [b"null", b"{bad", b'"de"', b"[]"])
async def test_a_body_that_is_no_object(client: httpx.AsyncClient, raw: bytes) -> None:
    response = await client.post("/auth/locale", content=raw, headers={"content-type": "application/json"})

    assert (response.status_code, response.json()) == (400, {"error": "Bad request"})


@pytest.fixture
async def fixed(application: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an installation with one language."""
    before = application.settings
    application.settings = Settings.read(data=before.data, secret="x" * 32, force_locale="pl")
    transport = httpx.ASGITransport(create_app(application.settings, application))
    async with httpx.AsyncClient(transport=transport, base_url="http://backstep.test") as made:
        yield made
    application.settings = before


async def test_a_fixed_language_cannot_be_changed(fixed: httpx.AsyncClient) -> None:
    for response in (
        await fixed.get("/auth/locale", params={"locale": "de"}),
        await fixed.post("/auth/locale", json={"locale": "de"}),
    ):
        assert response.status_code == 409
        assert response.json()["error"] == "Język tej instalacji jest stały"


# What the server says


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, "Invalid locale"),
        ({"accept-language": "pl-PL,de;q=0.5"}, "Nieprawidłowy język"),
        ({"accept-language": "fr,de;q=0.5"}, "Ungültige Sprache"),
        ({"accept-language": "pl", "cookie": "locale=es"}, "Idioma no válido"),
        ({"accept-language": "pl", "cookie": "locale=fr"}, "Nieprawidłowy język"),
        ({"accept-language": "pl", "cookie": "locale=en"}, "Invalid locale"),
    ],
)
async def test_errors_speak_the_language_of_the_request(
    client: httpx.AsyncClient, headers: dict[str, str], wanted: str
) -> None:
    response = await client.post("/auth/locale", json={"locale": "xx"}, headers=headers)

    assert response.json()["error"] == wanted


async def test_issues_are_translated_and_codes_are_not(client: httpx.AsyncClient, house: House) -> None:
    headers = await house.sign_in("admin") | {"accept-language": "de"}

    response = await client.put("/auth/profile", json={"password": "x"}, headers=headers)

    issues = {tuple(one["path"]): one for one in response.json()["issues"]}
    assert issues[("currentPassword",)]["message"] == "Das aktuelle Passwort ist erforderlich."
    assert issues[("currentPassword",)]["code"] == "custom"
    assert any("6 Zeichen" in one["message"] for one in response.json()["issues"])


async def test_labels_of_the_log_are_translated_when_they_are_read(
    client: httpx.AsyncClient, house: House
) -> None:
    headers = await house.sign_in("admin")
    await client.put("/auth/profile", json={"email": f"a.{house.id.hex[:12]}@example.com"}, headers=headers)
    labels = {}
    for locale in i18n.LOCALES:
        answer = await client.get(
            "/audit_logs/audit-logs/actions", headers=headers | {"accept-language": locale}
        )
        labels[locale] = next(
            one["actionLabel"]
            for one in answer.json()["items"]
            if one["commandId"] == "auth.users.update_profile"
        )
    assert labels == {
        "en": "Update user",
        "pl": "Zmiana użytkownika",
        "es": "Modificar usuario",
        "de": "Benutzer ändern",
    }


# Catalogues

FOREIGN = [locale for locale in i18n.LOCALES if locale != "en"]
_VALUE = re.compile(r"\{\w+\}")


@pytest.mark.parametrize("locale", FOREIGN)
def test_catalogues_say_the_same_things(locale: str) -> None:
    one, other = i18n.catalogue("pl"), i18n.catalogue(locale)

    assert one.texts.keys() == other.texts.keys()
    assert one.actions.keys() == other.actions.keys()
    english = i18n.catalogue("en").mail
    assert {kind: set(texts) for kind, texts in english.items()} == {
        kind: set(texts) for kind, texts in other.mail.items()
    }
    pairs = [*other.texts.items()]
    pairs += [
        (english[kind][name], text) for kind, texts in other.mail.items() for name, text in texts.items()
    ]
    for source, text in pairs:
        assert text.strip()
        assert set(_VALUE.findall(text)) <= set(_VALUE.findall(source)), source


@pytest.mark.parametrize("locale", FOREIGN)
def test_every_command_has_a_label(locale: str) -> None:
    missing = {kind.id for kind in registry.definitions()} - i18n.catalogue(locale).actions.keys()
    missing = {id for id in missing if not id.startswith("tests.")}

    assert missing == set(), f"say them in domain/i18n/{locale}.json"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Role(s) not found: boss, clerk", "Rollen nicht gefunden: boss, clerk"),
        (
            "Undo failed: something depends on the record now",
            "Rückgängigmachen fehlgeschlagen: inzwischen hängt etwas von dem Datensatz ab",
        ),
        (
            "Invalid input: expected string, received undefined",
            "Ungültige Eingabe: erwartet string, erhalten undefined",
        ),
        ("record_modified", "record_modified"),
        ("{tenant} and {x}", "{tenant} and {x}"),
        ("", ""),
    ],
)
def test_sentences_with_values(text: str, wanted: str) -> None:
    assert i18n.translate(text, "de") == wanted


def test_a_batch_keeps_the_label_that_somebody_gave_it() -> None:
    assert i18n.action_label("backstep.batch", "Roles", "de") == "Roles"
    assert i18n.action_label("backstep.batch", "Batch", "de") == "Stapel"
    assert i18n.action_label("unknown.command", "Something", "de") == "Something"


def test_bodies_keep_their_shape() -> None:
    body: dict[str, Any] = {
        "error": "Validation failed",
        "fieldErrors": {"email": ["Invalid email address"], "name": "Not found"},
        "details": {"formErrors": []},
        "code": "x",
    }

    said = i18n.localized(body, "es")

    assert said == {
        "error": "La validación ha fallado",
        "fieldErrors": {"email": ["Dirección de correo no válida"], "name": "No encontrado"},
        "details": {"formErrors": []},
        "code": "x",
    }
    assert body["error"] == "Validation failed"
