"""What a letter looks like (contract: auth.md section 3: preview, title, body, button, hint; localised)."""

from uuid import uuid4

import pytest

from app.mail.rendering import message_of
from domain.i18n import LOCALES
from domain.mail import Letter

VALUES = {
    "link": "https://office.example/reset/" + "ab" * 32,
    "email": "ada@example.com",
    "tenant": "Ærø & <Søns>",
    "minutes": "60",
    "hours": "48",
}
TITLES = {
    "en": "Choose a new password",
    "pl": "Ustaw nowe hasło",
    "es": "Elige una contraseña nueva",
    "de": "Neues Passwort wählen",
}


def message(kind: str = "password_reset", locale: str = "en", **values: str):
    letter = Letter(kind, "ada@example.com", locale, VALUES | values)  # type: ignore[arg-type]
    return message_of(letter, "Backstep <office@example.com>", uuid4())


@pytest.mark.parametrize("kind", ["password_reset", "invitation"])
@pytest.mark.parametrize("locale", LOCALES)
def test_every_letter_has_text_and_html_in_every_language(kind: str, locale: str) -> None:
    made = message(kind, locale)

    text, html = made.get_body(("plain",)), made.get_body(("html",))
    assert text is not None and html is not None
    assert made["Content-Language"] == locale
    assert f'lang="{locale}"' in html.get_content()
    for body in (text.get_content(), html.get_content()):
        assert VALUES["link"] in body
        assert "{" not in body.replace("{{", "")
        assert "Ærø" in body
    assert "Ærø & <Søns>" in made["Subject"]


@pytest.mark.parametrize("locale", LOCALES)
def test_a_letter_speaks_the_readers_language(locale: str) -> None:
    assert TITLES[locale] in message(locale=locale).get_body(("plain",)).get_content()


def test_an_unknown_language_is_english() -> None:
    assert TITLES["en"] in message(locale="fr").get_body(("plain",)).get_content()


def test_values_are_escaped_in_html_and_styles_are_inline() -> None:
    html = message(tenant='<script>alert("x")</script>').get_body(("html",)).get_content()

    assert "<script" not in html
    assert "&lt;script" in html
    assert 'class="button"' in html and 'style="' in html


def test_line_breaks_in_a_name_do_not_make_headers() -> None:
    made = message("invitation", tenant="Acme\r\nBcc: thief@example.com")

    assert made["Bcc"] is None
    assert "\n" not in made["Subject"]


def test_the_message_is_named_by_its_row_and_marked_as_automatic() -> None:
    id = uuid4()
    made = message_of(Letter("invitation", "ada@example.com", "en", VALUES), "office@example.com", id)

    assert made["Message-ID"] == f"<{id}@example.com>"
    assert made["Auto-Submitted"] == "auto-generated"
    assert (made["From"], made["To"]) == ("office@example.com", "ada@example.com")
