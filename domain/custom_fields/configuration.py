"""The configuration of a field: its documented form, and how it is completed when saved (entities.md 1.2, 1.3)."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.custom_fields.fields import Kind

Config = dict[str, Any]

CODE: Final = r"^[a-z0-9_\-]+$"
CURRENCY_OPTIONS: Final = "/api/currencies/currencies/options"

Code = Annotated[str, Meta(min_length=1, max_length=100, pattern=CODE)]
Title = Annotated[str, Meta(max_length=200)]
Hint = Annotated[str, Meta(max_length=500)]
Label = Annotated[str, Meta(max_length=200)]
Description = Annotated[str, Meta(max_length=2000)]
Url = Annotated[str, Meta(max_length=2000, pattern=r"^https?://[^\s/]+\S*$", extra={"format": "url"})]
DictionaryId = Annotated[
    str,
    Meta(
        pattern="^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
        extra={"format": "uuid"},
    ),
]
RuleName = Literal["required", "date", "integer", "float", "lt", "lte", "gt", "gte", "eq", "ne", "regex"]
Comparison = Literal["lt", "lte", "gt", "gte"]


class Rule(Struct, frozen=True):
    """One validation rule; comparisons need a number as `param`, a pattern a text."""

    rule: RuleName
    message: Annotated[str, Meta(min_length=1, max_length=1000)]
    param: Any = UNSET

    def __post_init__(self) -> None:
        """Refuse a rule that could never be applied."""
        if self.rule in get_args(Comparison) and not is_number(self.param):
            raise ValueError("Invalid input: the rule needs a number as param")
        if self.rule == "regex" and not (isinstance(self.param, str) and self.param):
            raise ValueError("Invalid input: the rule needs a pattern as param")


Rules = Annotated[list[Rule], Meta(max_length=32)]


class Group(Struct, frozen=True):
    """Where in a form a field stands."""

    code: Code
    title: Title | UnsetType = UNSET
    hint: Hint | UnsetType = UNSET


class FieldConfig(Struct, frozen=True, rename="camel"):
    """What a single definition may configure. Keys that are not named here are kept as they are."""

    label: Label | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    options: Annotated[list[str | int | float], Meta(max_length=2000)] | UnsetType = UNSET
    options_url: Url | UnsetType = UNSET
    multi: bool | UnsetType = UNSET
    editor: str | UnsetType = UNSET
    input: str | UnsetType = UNSET
    filterable: bool | UnsetType = UNSET
    form_editable: bool | UnsetType = UNSET
    list_visible: bool | UnsetType = UNSET
    priority: int | float | UnsetType = UNSET
    encrypted: bool | UnsetType = UNSET
    related_entity_id: str | UnsetType = UNSET
    dictionary_id: DictionaryId | UnsetType = UNSET
    dictionary_inline_create: bool | UnsetType = UNSET
    validation: Rules | UnsetType = UNSET
    fieldset: Code | UnsetType = UNSET
    group: Group | UnsetType = UNSET


class BatchConfig(Struct, frozen=True, rename="camel"):
    """What a batch may configure: free in form, but for what would do harm later."""

    label: Label | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    options: Annotated[list[Any], Meta(max_length=2000)] | UnsetType | None = UNSET
    options_url: Annotated[str, Meta(max_length=2000)] | UnsetType | None = UNSET
    dictionary_id: str | UnsetType | None = UNSET
    validation: Rules | UnsetType | None = UNSET
    encrypted: bool | UnsetType | None = UNSET


def normalized(key: str, kind: Kind, config: Config) -> Config:
    """A configuration as it is stored: with its label, what is shown by default, and what its kind prescribes."""
    stored = dict(config)
    label = stored.get("label")
    stored["label"] = label if isinstance(label, str) and label.strip() else key
    for name in ("formEditable", "listVisible"):
        if stored.get(name) is None:
            stored[name] = True
    if kind == "dictionary":
        stored["dictionaryId"] = str(stored.get("dictionaryId") or "").strip()
        stored["dictionaryInlineCreate"] = stored.get("dictionaryInlineCreate") is not False
    elif kind == "currency":
        stored["optionsUrl"] = CURRENCY_OPTIONS
        stored.pop("options", None)
    elif kind == "multiline" and not stored.get("editor"):
        stored["editor"] = "markdown"
    default = stored.get("defaultValue")
    if kind == "integer" and isinstance(default, float) and default.is_integer():
        stored["defaultValue"] = int(default)
    return stored


def obstacle(kind: Kind, config: Config) -> str | None:
    """Why a definition of this kind cannot be configured so; None when it can (1.3, and 2.2 on dictionaries).

    Whether a dictionary has an entry of the default value is for the command to find out.
    """
    if kind == "dictionary" and not str(config.get("dictionaryId") or "").strip():
        return "A dictionary field needs a dictionary"
    default = config.get("defaultValue")
    if default is None or kind == "phone":
        return None
    if kind in ("relation", "attachment"):
        return "A field of this kind cannot have a default value"
    if not _DEFAULTS.get(kind, _is_text)(default):
        return "The default value does not fit the kind of the field"
    choices = {option["value"] for option in options_of(config)} if kind == "select" else None
    if choices and text_of(default) not in choices:
        return "The default value is none of the options"
    return None


def options_of(config: Config) -> list[dict[str, str]]:
    """The choices in the form that clients read: texts and `{value, label}` objects, trimmed; all else is dropped."""
    stored = config.get("options")
    found: list[dict[str, str]] = []
    for option in stored if isinstance(stored, list) else []:
        value, label = (
            (option.get("value"), option.get("label")) if isinstance(option, dict) else (option, None)
        )
        if isinstance(value, str) and value.strip():
            shown = label.strip() if isinstance(label, str) and label.strip() else value.strip()
            found.append({"value": value.strip(), "label": shown})
    return found


def text_of(value: Any) -> str:
    """A text or a number as text, `2.0` as `2`."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_DEFAULTS: Final[dict[str, Callable[[Any], bool]]] = {
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: is_number(value) and float(value).is_integer(),
    "float": is_number,
    "select": lambda value: isinstance(value, str) or is_number(value),
}
