"""The table of all commands for the documentation, made from the registry."""

from commands.registry import Definition, definitions

HEAD = """# Commands

Made by `backstep commands`; a test keeps it true. Every change goes through one of these. Features are checked by the
bus, on undo and redo too. A command that cannot be undone, or is not logged, says why.

| command | resource | features | undo | log | why |
|---|---|---|---|---|---|
"""


def markdown() -> str:
    """The page `docs/commands.md`."""
    return HEAD + "".join(_line(definition) for definition in definitions())


def _line(definition: Definition) -> str:
    features = ", ".join(f"`{feature}`" for feature in definition.features)
    if definition.system_only:
        features = "the system only"
    undo, logged = ("yes" if flag else "no" for flag in (definition.undoable, definition.logged))
    why = definition.why or ""
    return f"| `{definition.id}` | `{definition.resource}` | {features} | {undo} | {logged} | {why} |\n"
