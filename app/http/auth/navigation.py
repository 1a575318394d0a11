"""Menus: the pages that somebody may open, in groups and in sections of the settings (contract: auth.md 7.17)."""

import re
from collections.abc import Iterable, Sequence

from msgspec import UNSET, Struct, UnsetType

from domain.i18n import translate
from domain.pages import (
    ACCOUNT,
    CHANGE_PASSWORD,
    GROUP_ORDER,
    PAGES,
    SECTION_ORDER,
    Group,
    Page,
)
from domain.scope import Scope
from domain.sidebar import SidebarSettings

_LAST = 10_000
"""Where a page without priority and order stands."""
_UNKNOWN_SECTION = 999
_ITEM_ORDER = 100


class NavItem(Struct, rename="camel", omit_defaults=True):
    """A page in a menu; `defaultTitle` is what it is called unless the person renamed it."""

    id: str
    href: str
    title: str
    default_title: str
    enabled: bool
    hidden: bool
    page_context: str | UnsetType = UNSET
    icon_name: str | UnsetType = UNSET
    icon_markup: str | UnsetType = UNSET
    children: "list[NavItem] | UnsetType" = UNSET


class NavGroup(Struct, rename="camel"):
    """Pages that belong together."""

    id: str
    name: str
    default_name: str
    items: list[NavItem]


class SectionItem(Struct, rename="camel", omit_defaults=True):
    """A page in a section."""

    id: str
    label: str
    href: str
    order: int | UnsetType = UNSET
    label_key: str | UnsetType = UNSET
    icon_name: str | UnsetType = UNSET
    icon_markup: str | UnsetType = UNSET
    children: "list[SectionItem] | UnsetType" = UNSET


class Section(Struct, rename="camel", omit_defaults=True):
    """Settings that belong together."""

    id: str
    label: str
    items: list[SectionItem]
    order: int | UnsetType = UNSET
    label_key: str | UnsetType = UNSET


class Node:
    """A page and the pages below it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.children: list[Node] = []

    @property
    def place(self) -> int:
        """Where it stands in its list."""
        first = self.page.priority if self.page.priority is not None else self.page.order
        return _LAST if first is None else first


def visible_pages(scope: Scope) -> list[Page]:
    """The pages whose features the actor has; none for somebody without any organization."""
    if scope.allowed_ids is not None and not scope.allowed_ids:
        return []
    return [page for page in PAGES if scope.can(*page.features)]


def groups_of(pages: Iterable[Page], language: str) -> list[NavGroup]:
    """The pages in their groups, each below the nearest page of its group that its address continues."""
    found: dict[str, tuple[Group, list[Node]]] = {}
    for page in pages:
        found.setdefault(page.group.key, (page.group, []))[1].append(Node(page))
    made: list[tuple[tuple[int, int, str], NavGroup]] = []
    for key, (group, nodes) in found.items():
        name = translate(group.name, language)
        fixed = GROUP_ORDER.index(key) if key in GROUP_ORDER else len(GROUP_ORDER)
        rank = (fixed, min(node.place for node in nodes), name)
        items = [_item(node, language) for node in _sorted(_nested(nodes), language)]
        made.append((rank, NavGroup(key, name, name, items)))
    return [group for _, group in sorted(made, key=lambda pair: pair[0])]


def _nested(nodes: Sequence[Node]) -> list[Node]:
    by_href = {node.page.href: node for node in nodes}
    roots: list[Node] = []
    for node in nodes:
        above = node.page.href.rpartition("/")[0]
        while above and above not in by_href:
            above = above.rpartition("/")[0]
        (by_href[above].children if above else roots).append(node)
    return roots


def _sorted(nodes: Iterable[Node], language: str) -> list[Node]:
    return sorted(nodes, key=lambda node: (node.place, translate(node.page.title, language)))


def _item(node: Node, language: str) -> NavItem:
    page = node.page
    title = translate(page.title, language)
    children = [_item(child, language) for child in _sorted(node.children, language)]
    return NavItem(
        id=page.href,
        href=page.href,
        title=title,
        default_title=title,
        enabled=True,
        hidden=False,
        page_context="settings" if page.context == "settings" else UNSET,
        icon_name=page.icon,
        children=children or UNSET,
    )


def sections_of(pages: Iterable[Page], language: str) -> list[Section]:
    """The sections of the settings, in order."""
    found: dict[str, tuple[Group, list[Node]]] = {}
    for page in pages:
        if page.context == "settings":
            found.setdefault(page.group.key, (page.group, []))[1].append(Node(page))
    made = [_section(group, nodes, language) for group, nodes in found.values()]
    return sorted(made, key=lambda section: (section.order, section.label))


def _section(group: Group, nodes: Sequence[Node], language: str) -> Section:
    id = section_id(group.key)
    return Section(
        id=id,
        label=translate(group.name, language),
        label_key=group.key,
        order=SECTION_ORDER.get(id, _UNKNOWN_SECTION),
        items=_section_items(_nested(nodes), language),
    )


def section_id(group_key: str) -> str:
    """The id of a section, the same in every language: the last word of its key, but `nav.group` says nothing."""
    word = group_key.removesuffix(".nav.group").rpartition(".")[2].removesuffix("Group")
    return re.sub(r"(?<!^)(?=[A-Z])", "-", word).lower()


def _section_items(nodes: Iterable[Node], language: str) -> list[SectionItem]:
    items = [
        SectionItem(
            id=node.page.href.lstrip("/").replace("/", "-"),
            label=translate(node.page.title, language),
            href=node.page.href,
            order=_ITEM_ORDER if node.page.order is None else node.page.order,
            icon_name=node.page.icon,
            children=_section_items(node.children, language) or UNSET,
        )
        for node in nodes
    ]
    return sorted(items, key=lambda item: (item.order, item.label))


def path_prefixes(sections: Iterable[Section]) -> list[str]:
    """The beginnings of addresses that belong to the settings."""
    found: dict[str, None] = {}
    for href in _hrefs(item for section in sections for item in section.items):
        parent = href.rpartition("/")[0]
        if href.count("/") > 2 and not parent.endswith("/settings"):
            found[parent] = None
        found[href] = None
    return list(found)


def _hrefs(items: Iterable[SectionItem]) -> Iterable[str]:
    for item in items:
        yield item.href
        if item.children is not UNSET:
            yield from _hrefs(item.children)


def profile_sections(language: str) -> list[Section]:
    """The one section about the own account."""
    href = "/backend/profile/change-password"
    item = SectionItem("change-password", translate(CHANGE_PASSWORD, language), href, 1)
    return [Section("account", translate(ACCOUNT, language), [item], 1, "profile.sections.account")]


def arranged(groups: list[NavGroup], settings: SidebarSettings, *, as_default: bool) -> list[NavGroup]:
    """The groups as somebody wants them. `as_default`: what a role wants is what its people start from."""
    for group in groups:
        group.name = settings.group_labels.get(group.id, group.name)
        if as_default:
            group.default_name = group.name
        _rename(group.items, settings, as_default)
    rank = {id: place for place, id in enumerate(settings.group_order)}
    return sorted(groups, key=lambda group: rank.get(group.id, len(rank)))


def _rename(items: Iterable[NavItem], settings: SidebarSettings, as_default: bool) -> None:
    for item in items:
        item.title = settings.item_labels.get(item.id, settings.item_labels.get(item.href, item.title))
        item.hidden = item.hidden or item.id in settings.hidden_items or item.href in settings.hidden_items
        if as_default:
            item.default_title = item.title
        if item.children is not UNSET:
            _rename(item.children, settings, as_default)
