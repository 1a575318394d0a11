"""What the server says, in the languages that it speaks (contract: command-bus.md section 15).

The catalogues stand beside this file, one for each language. English sentences are written in the code and are the
keys of `texts`; a sentence with values in it is found by its pattern (`{x}` for each value). Labels of actions are
found by the id of the command, texts of mail by their kind. What a catalogue lacks is said in English.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

LOCALES: Final = ("en", "pl", "es", "de")
DEFAULT: Final = "en"

_LONGEST: Final = 500
"""Characters; longer texts hold more of the client's words than of ours."""

_VALUE: Final = re.compile(r"\{(\w+)\}")


class Catalogue(Struct, frozen=True):
    """One language. English has no `texts` and `actions`: those stand in the code."""

    mail: dict[str, dict[str, str]]
    actions: dict[str, str] = {}
    texts: dict[str, str] = {}


@cache
def catalogue(locale: str) -> Catalogue:
    """The catalogue of a language that the server speaks, else the English one."""
    known = locale if locale in LOCALES else DEFAULT
    return msgspec.json.decode((Path(__file__).parent / f"{known}.json").read_bytes(), type=Catalogue)


def translate(text: str, locale: str) -> str:
    """An English sentence of ours in another language; whatever is not in the catalogue stays as it is."""
    if locale == DEFAULT or locale not in LOCALES or len(text) > _LONGEST:
        return text
    return _translated(text, locale)


@lru_cache(maxsize=4096)
def _translated(text: str, locale: str) -> str:
    texts = catalogue(locale).texts
    found = texts.get(text)
    if found is not None:
        return found
    for pattern, key in _patterns(locale):
        match = pattern.fullmatch(text)
        if match is not None:
            values = {name: translate(value, locale) for name, value in match.groupdict().items()}
            return filled(texts[key], values)
    return text


@cache
def _patterns(locale: str) -> list[tuple[re.Pattern[str], str]]:
    """The sentences with values in them, those with the most words of ours first."""
    keys = [key for key in catalogue(locale).texts if _VALUE.search(key)]
    return [(_pattern(key), key) for key in sorted(keys, key=lambda key: -len(_VALUE.sub("", key)))]


def _pattern(key: str) -> re.Pattern[str]:
    parts = _VALUE.split(key)
    return re.compile(
        "".join(f"(?P<{part}>.+?)" if index % 2 else re.escape(part) for index, part in enumerate(parts)),
        re.DOTALL,
    )


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with its `{x}` replaced; one without a value stays."""
    return _VALUE.sub(lambda match: values.get(match[1], match[0]), text)


def action_label(command_id: str, label: str | None, locale: str) -> str | None:
    """The label of an action in the log; one that a person gave (to a batch) stays as it was given."""
    if locale == DEFAULT or label is None or (command_id == "backstep.batch" and label != "Batch"):
        return label
    return catalogue(locale).actions.get(command_id, label)


def mail_text(kind: str, name: str, locale: str, values: Mapping[str, str]) -> str:
    """A text of a letter. Raises KeyError for one that the English catalogue lacks."""
    texts = catalogue(locale).mail.get(kind, {})
    return filled(texts[name] if name in texts else catalogue(DEFAULT).mail[kind][name], values)


def localized(body: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """The body of an error with its sentences in another language: `error`, `message`, and those of its issues."""
    said = dict(body)
    for name in ("error", "message"):
        if isinstance(said.get(name), str):
            said[name] = translate(said[name], locale)
    for name in ("details", "issues"):
        if isinstance(said.get(name), list):
            said[name] = [_issue(one, locale) for one in said[name]]
    for name in ("fieldErrors", "fields"):
        if isinstance(said.get(name), dict):
            said[name] = {field: _texts(texts, locale) for field, texts in said[name].items()}
    if isinstance(said.get("details"), dict):
        said["details"] = localized(said["details"], locale)
    return said | ({"formErrors": _texts(said["formErrors"], locale)} if "formErrors" in said else {})


def _texts(texts: Any, locale: str) -> Any:
    """One sentence, or a list of them; anything else stays."""
    if isinstance(texts, list):
        return [_texts(one, locale) for one in texts]
    return translate(texts, locale) if isinstance(texts, str) else texts


def _issue(issue: Any, locale: str) -> Any:
    if isinstance(issue, dict) and isinstance(issue.get("message"), str):
        return {**issue, "message": translate(issue["message"], locale)}
    return issue
