"""Making rich text harmless before it is stored (entities.md 3.6)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import nh3

from domain.custom_fields.fields import RICH_TEXT, FieldDefinition

_TAGS: Final = frozenset(
    (
        *(
            "a",
            "b",
            "blockquote",
            "br",
            "code",
            "div",
            "em",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "hr",
            "i",
            "img",
        ),
        *(
            "input",
            "label",
            "li",
            "ol",
            "p",
            "pre",
            "s",
            "span",
            "strong",
            "table",
            "tbody",
            "td",
            "th",
            "thead",
        ),
        *("tr", "u", "ul"),
    )
)
_DROPPED: Final = frozenset(
    (
        *(
            "button",
            "embed",
            "form",
            "iframe",
            "link",
            "math",
            "meta",
            "object",
            "option",
            "script",
            "select",
        ),
        *("style", "svg", "textarea"),
    )
)
_STYLED: Final = ("table", "span", "p", "div", "ol", "ul", "li", "h1", "h2", "h3", "h4", "h5", "h6")
_ATTRIBUTES: Final[dict[str, set[str]]] = {
    **{tag: {"style"} for tag in _STYLED},
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan", "style"},
    "th": {"colspan", "rowspan", "style"},
    "input": {"type", "checked", "disabled"},
    "ul": {"data-task-list", "style"},
}
_SCHEMES: Final = frozenset(("http", "https", "mailto", "tel"))

_COLOR: Final = r"#[0-9a-f]{3,8}|[a-z]{3,30}|rgba?\([\d\s.,%/]{1,40}\)|hsla?\([\d\s.,%/deg]{1,40}\)"
_LENGTH: Final = r"-?\d{1,5}(?:\.\d{1,4})?(?:px|em|rem|pt|%|ex|ch|vw|vh)?"
_SIDES: Final = rf"(?:{_LENGTH})(?:\s+(?:{_LENGTH})){{0,3}}"
_BORDER: Final = (
    rf"(?:(?:{_LENGTH}|thin|medium|thick|none|hidden|solid|dashed|dotted|double|{_COLOR})(?:\s+|$)){{1,3}}"
)
_STYLES: Final = {
    name: re.compile(pattern, re.IGNORECASE | re.ASCII)
    for name, pattern in {
        "color": _COLOR,
        "background-color": _COLOR,
        "font-size": rf"{_LENGTH}|(?:x{{1,3}}-)?(?:small|large)|medium|smaller|larger",
        "font-weight": r"normal|bold|bolder|lighter|[1-9]\d{0,2}|1000",
        "font-style": "normal|italic|oblique",
        "text-align": "left|right|center|justify|start|end",
        "text-decoration": r"(?:none|underline|overline|line-through)(?:\s+(?:underline|overline|line-through)){0,2}",
        "width": f"{_LENGTH}|auto",
        "height": f"{_LENGTH}|auto",
        "border": _BORDER,
        "border-collapse": "collapse|separate",
        "padding": _SIDES,
        "padding-left": _LENGTH,
        "list-style": r"(?:none|disc|circle|square|decimal|(?:low|upp)er-(?:alpha|roman)|inside|outside)"
        r"(?:\s+(?:inside|outside))?",
    }.items()
}
_UNSUITED_INPUT: Final = re.compile(r"<input(?![^>]*\stype=\"checkbox\")[^>]*>", re.IGNORECASE)


def sanitized(definitions: Iterable[FieldDefinition], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with rich text made harmless: texts, and texts in lists, of the fields that hold any."""
    rich = {definition.key for definition in definitions if definition.editor == RICH_TEXT}
    return {key: _cleaned(value) if key in rich else value for key, value in values.items()}


def sanitize(text: str) -> str:
    """HTML with nothing in it but the allowed tags, attributes, addresses and styles; once more changes nothing."""
    cleaned = nh3.clean(
        text,
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED),
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes=set(_SCHEMES),
        link_rel=None,
        strip_comments=True,
    )
    return _UNSUITED_INPUT.sub("", cleaned)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return sanitize(value)
    if isinstance(value, list):
        return [sanitize(item) if isinstance(item, str) else item for item in value]
    return value


def _attribute(tag: str, name: str, value: str) -> str | None:
    """The value that an allowed attribute keeps; None drops it."""
    if name == "style":
        return _style(value) or None
    if name in ("href", "src"):
        # Browsers pass over blanks at the start, and over tabs and line ends everywhere.
        address = re.sub(r"[\t\n\r]", "", value).lstrip("".join(map(chr, range(33))))
        return None if re.match(r"[/\\]{2}", address) else value
    if name == "type":
        return value.lower() if value.lower() == "checkbox" else None
    return value


def _style(value: str) -> str:
    """The allowed declarations of a style, each with a value of the allowed form."""
    kept = []
    for declaration in value.split(";"):
        name, _, setting = declaration.partition(":")
        name, setting = name.strip().lower(), setting.strip()
        pattern = _STYLES.get(name)
        if pattern is not None and len(setting) <= 100 and pattern.fullmatch(setting):
            kept.append(f"{name}: {setting}")
    return "; ".join(kept)
