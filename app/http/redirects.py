"""Where a browser may be sent after signing in (contract: auth.md 1.5)."""

from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

from litestar import Request

_KEPT: Final = "/%:@!$&'()*+,;=-._~?#[]"


def safe_redirect(
    request: Request[Any, Any, Any], app_url: str | None, wanted: str | None, fallback: str
) -> str:
    """`wanted` as a path of this site with its query and fragment; `fallback` for anything that leads elsewhere.

    The site is `app_url`, or where the request came to when that is not set. As browsers do, backslashes count as
    slashes, and tabs and line breaks as nothing.
    """
    if wanted is None or len(wanted) > 2048:
        return fallback
    text = "".join(letter for letter in wanted.strip() if letter >= " " and letter != "\x7f")
    head, mark, tail = _split(text)
    base = app_url or str(request.base_url)
    try:
        home, target = urlsplit(base), urlsplit(urljoin(base, head.replace("\\", "/")))
        same = (target.scheme, target.hostname, target.port) == (home.scheme, home.hostname, home.port)
    except ValueError:
        return fallback
    if not same or target.username is not None or not target.path.startswith("/") or "//" in target.path:
        return fallback
    return quote(f"{target.path}{mark}{tail}", safe=_KEPT)


def _split(text: str) -> tuple[str, str, str]:
    """The part before the query or fragment, the mark that begins it, and the rest."""
    for index, letter in enumerate(text):
        if letter in "?#":
            return text[:index], letter, text[index + 1 :]
    return text, "", ""
