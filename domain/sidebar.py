"""How somebody wants the sidebar: order, names and what is hidden (contract: auth.md 8.7 and 8.8)."""

from collections.abc import Iterable
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import Meta, Struct

from domain.scope import Scope

VERSION: Final = 2
"""Of the form of the settings."""

DEFAULT_NAME: Final = "My preferences"
"""Of a variant that nobody named."""

Name = Annotated[str, Meta(min_length=1)]
Label = Annotated[str, Meta(min_length=1, max_length=120)]
Names = Annotated[list[Name], Meta(max_length=500)]


class SidebarSettings(Struct, frozen=True, rename="camel"):
    """Groups and items are named by their ids. What is not given is empty: settings are always replaced as a whole."""

    version: int = VERSION
    group_order: Annotated[list[Name], Meta(max_length=200)] = []
    group_labels: Annotated[dict[str, Label], Meta(max_length=1000)] = {}
    item_labels: Annotated[dict[str, Label], Meta(max_length=1000)] = {}
    hidden_items: Names = []
    item_order: Annotated[dict[str, Names], Meta(max_length=1000)] = {}
    """Of each group, its items in order."""

    def tidy(self) -> "SidebarSettings":
        """The same without outer blanks, blank and repeated names, and groups without items."""
        order = {group.strip(): _names(items) for group, items in self.item_order.items() if group.strip()}
        return SidebarSettings(
            group_order=_names(self.group_order),
            group_labels=_labels(self.group_labels),
            item_labels=_labels(self.item_labels),
            hidden_items=_names(self.hidden_items),
            item_order={group: items for group, items in order.items() if items},
        )

    def stored(self) -> dict[str, Any]:
        """The JSON object that stands in the table."""
        return {
            "version": VERSION,
            "groupOrder": self.group_order,
            "groupLabels": self.group_labels,
            "itemLabels": self.item_labels,
            "hiddenItems": self.hidden_items,
            "itemOrder": self.item_order,
        }


def home_of_preferences(scope: Scope) -> UUID | None:
    """The organization that a person's layout belongs to: the own one, and for a super admin the selected one."""
    return scope.selected_organization_id if scope.is_super_admin else scope.home_organization_id


def _names(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in names if name.strip()))


def _labels(labels: dict[str, str]) -> dict[str, str]:
    return {key.strip(): text.strip() for key, text in labels.items() if key.strip() and text.strip()}
