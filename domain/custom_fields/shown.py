"""A definition as forms and lists read it, and one list from the fields of several entities (entities.md 2.1)."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from domain.custom_fields.configuration import CURRENCY_OPTIONS, is_number, options_of
from domain.custom_fields.fields import FieldDefinition
from domain.custom_fields.fieldsets import group_of

Item = dict[str, Any]

_KIND_WEIGHT: Final = {
    "dictionary": 8,
    "relation": 6,
    "select": 4,
    "currency": 4,
    "multiline": 3,
    "boolean": 2,
    "integer": 2,
    "float": 2,
}


def public_item(definition: FieldDefinition) -> Item:
    """One item of the public list: what forms need, and nothing of its scope; absent options are left out."""
    config = definition.config
    item: Item = {"key": definition.key, "kind": definition.kind, "label": definition.label}
    if isinstance(config.get("description"), str):
        item["description"] = config["description"]
    item["multi"] = definition.multi
    if isinstance(config.get("options"), list) and definition.kind != "currency":
        item["options"] = options_of(config)
    url = _options_url(definition)
    if url is not None:
        item["optionsUrl"] = url
    item["filterable"] = config.get("filterable") is True
    item["formEditable"] = config.get("formEditable") is not False
    item["listVisible"] = config.get("listVisible") is not False
    if definition.editor is not None:
        item["editor"] = definition.editor
    item |= _kept(config)
    item["priority"] = definition.priority
    item["entityId"] = definition.entity_id
    sets = fieldsets_of(definition)
    if sets:
        item["fieldset"] = _word(config.get("fieldset")) or sets[0]
    if isinstance(config.get("fieldsets"), list):
        item["fieldsets"] = sets
    group = group_of(config.get("group"))
    return item if group is None else {**item, "group": group}


def _kept(config: dict[str, Any]) -> Item:
    """Options that are passed on as they are, when they have the right type."""
    kept: Item = {
        name: config[name] for name in ("input", "defaultCountryIso2") if isinstance(config.get(name), str)
    }
    if _word(config.get("dictionaryId")):
        kept["dictionaryId"] = config["dictionaryId"]
        kept["dictionaryInlineCreate"] = config.get("dictionaryInlineCreate") is not False
    kept |= {
        name: config[name]
        for name in ("validation", "acceptExtensions")
        if isinstance(config.get(name), list)
    }
    if "defaultValue" in config:
        kept["defaultValue"] = config["defaultValue"]
    if is_number(config.get("maxAttachmentSizeMb")):
        kept["maxAttachmentSizeMb"] = config["maxAttachmentSizeMb"]
    return kept


def _options_url(definition: FieldDefinition) -> str | None:
    if definition.kind == "currency":
        return CURRENCY_OPTIONS
    dictionary = _word(definition.config.get("dictionaryId"))
    if dictionary is not None:
        return f"/api/dictionaries/{dictionary}/entries"
    return _word(definition.config.get("optionsUrl"))


def fieldsets_of(definition: FieldDefinition) -> list[str]:
    """The codes of the fieldsets that a field belongs to; a list of several wins over a single one."""
    several = definition.config.get("fieldsets")
    codes = several if isinstance(several, list) else [definition.config.get("fieldset")]
    return list(dict.fromkeys(code for item in codes if (code := _word(item)) is not None))


def _word(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def merged(definitions: Iterable[FieldDefinition], entity_ids: Sequence[str]) -> list[Item]:
    """The public items of several entities by priority; of equal keys (whatever their case) the best one stays.

    Best is the one that shows most; then the lower priority, then the earlier entity. It takes the place of the other.
    """
    order = {entity_id: index for index, entity_id in enumerate(entity_ids)}
    best: dict[str, tuple[tuple[float, float, int], Item]] = {}
    for definition in sorted(definitions, key=lambda one: (order[one.entity_id], one.priority)):
        item = public_item(definition)
        rank = (-_weight(item), definition.priority, order[definition.entity_id])
        known = best.get(definition.key.lower())
        if known is None or rank < known[0]:
            best[definition.key.lower()] = (rank, item)
    return sorted((item for _, item in best.values()), key=lambda item: float(item["priority"]))


def _weight(item: Item) -> int:
    shown = 16 * item["listVisible"] + 8 * item["formEditable"] + 4 * item["filterable"]
    choices = (2 if item.get("options") else 0) + (5 if "dictionaryId" in item else 0)
    return int(shown) + _KIND_WEIGHT.get(item["kind"], 1) + choices
