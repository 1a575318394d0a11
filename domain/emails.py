"""E-mail addresses: what counts as one, and the answer when one is taken (contract: auth.md 7.8)."""

import re
from typing import Annotated, Final

from msgspec import Meta

from domain.errors import Problem, issue

MAX_EMAIL: Final = 320
EMAIL_PATTERN: Final = (
    r"^[A-Za-z0-9_'+-]+(?:\.[A-Za-z0-9_'+-]+)*@(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,}$"
)
"""One word or several with single dots between them, an @, and a host name of at least two parts."""

Email = Annotated[str, Meta(max_length=MAX_EMAIL, pattern=EMAIL_PATTERN, extra={"format": "email"})]
"""For request bodies."""

_EMAIL: Final = re.compile(EMAIL_PATTERN.removesuffix("$") + r"\Z")


def is_email(text: str) -> bool:
    """Whether `text` is an e-mail address."""
    return len(text) <= MAX_EMAIL and _EMAIL.match(text) is not None


def duplicate_email() -> Problem:
    """400: somebody else in the tenant has this e-mail address."""
    message = "This email is already in use"
    details = [issue(message, ["email"], "duplicate", origin="validation")]
    return Problem(400, {"error": message, "fieldErrors": {"email": message}, "details": details})
