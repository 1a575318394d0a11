"""A letter written down: one message of text and HTML, in the reader's language."""

from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from functools import cache
from typing import Any, Final
from uuid import UUID

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from domain.i18n import mail_text
from domain.mail import Letter

PARTS: Final = ("subject", "preview", "title", "body", "button", "hint")
"""The texts that the catalogues have for each kind of letter."""

_SHARED: Final = ("greeting", "link_hint", "footer")


def message_of(letter: Letter, sender: str, id: UUID) -> EmailMessage:
    """The message of a letter; `id` names it, so that a repetition can be recognised."""
    texts: dict[str, Any] = {
        name: mail_text(letter.kind, name, letter.locale, letter.values) for name in PARTS
    }
    texts |= {name: mail_text("shared", name, letter.locale, letter.values) for name in _SHARED}
    texts |= {"locale": letter.locale, "link": letter.values["link"]}
    message = EmailMessage()
    message["From"] = sender
    message["To"] = letter.to
    message["Subject"] = " ".join(texts["subject"].split())
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    templates = _templates()
    message.set_content(templates.get_template("letter.txt").render(texts))
    html = templates.get_template("letter.html").render(texts)
    message.add_alternative(css_inline.inline(html, load_remote_stylesheets=False), subtype="html")
    message["Content-Language"] = letter.locale
    return message


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("app.mail", "templates"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
