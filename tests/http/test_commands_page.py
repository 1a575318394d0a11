from pathlib import Path

import pytest

from app.catalogue import markdown
from app.http.openapi import all_operations
from app.http.operation import check_commands
from app.main import load_parts


def test_the_page_of_commands_is_what_the_registry_says() -> None:
    load_parts()
    assert Path("docs/commands.md").read_text(encoding="utf-8") == markdown(), "run backstep commands"


def test_an_operation_that_may_change_something_names_its_command() -> None:
    load_parts()
    operations = all_operations()
    check_commands(operations)
    writing = next(item for item in operations if item.method != "GET" and item.commands)
    nameless = type(writing)(
        **{name: getattr(writing, name) for name in writing.__struct_fields__} | {"commands": ()}
    )
    with pytest.raises(RuntimeError, match="declares no command"):
        check_commands([nameless])
