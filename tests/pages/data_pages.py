"""What the tests of the data's pages share: fields, records, and the parts of a list."""

from typing import Any
from urllib.parse import quote

from playwright.async_api import Locator, Page

from tests.pages.conftest import Visit

NAME = ("name", "text", {"label": "Name", "validation": [{"rule": "required", "message": "It needs a name"}]})
SIZE = ("size", "integer", {"label": "Size", "filterable": True})
LEVEL = ("level", "select", {"label": "Level", "options": ["low", "high"], "filterable": True})
ACTIVE = ("active", "boolean", {"label": "Active", "filterable": True})
DUE = ("due", "date", {"label": "Due", "filterable": True})


async def make_records(visit: Visit, id: str, *records: dict[str, Any]) -> list[str]:
    """Records with these values, the first made first; their ids."""
    made = []
    for values in records:
        answer = await visit.api("POST", "/entities/records", {"entityId": id, "values": values})
        made.append(answer["item"]["recordId"])
    return made


async def records(visit: Visit, id: str) -> list[dict[str, Any]]:
    """The records of an entity by name, without the times of their changes."""
    answer = await visit.api("GET", f"/entities/records?entityId={id}&sortField=cf:name")
    return [{k: v for k, v in one.items() if k not in ("updated_at", "updatedAt")} for one in answer["items"]]


def address(visit: Visit, id: str) -> str:
    """Where the records of an entity are."""
    return f"{visit.url}/backend/data/{quote(id, safe='')}"


def row(page: Page, text: str) -> Locator:
    """The row that says that."""
    return page.locator("tr.row").filter(has_text=text)


def shown(page: Page) -> Locator:
    """The rows that are loaded."""
    return page.locator("tr.row:not(.is-skeleton)")


def filters(page: Page) -> Locator:
    """The filters above the list."""
    return page.locator("#filters")


async def names(page: Page) -> list[str]:
    """What the rows are called, in their order."""
    return [text.strip() for text in await shown(page).locator("td:first-child").all_text_contents()]
