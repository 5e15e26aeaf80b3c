"""Which accounts share which rare keys and prompt templates: keys, accounts, templates in three columns.

Columns instead of springs: every label stays readable, the picture is the same on every run, and it prints.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stillwatch.detection.findings.charts.scale import Tick
from stillwatch.detection.findings.formats import plural, shorten
from stillwatch.detection.findings.model import Campaign, SharedKey, Template

WIDTH = 760
_KEY_X, _ACCOUNT_X, _TEMPLATE_X = 140, 380, 620
_PLATE = 140
_ROW, _TOP, _BOTTOM = 26, 40, 12
_MOST_KEYS, _MOST_TEMPLATES, _MOST_ACCOUNTS = 8, 6, 24

Shape = Literal["key", "account", "group", "template"]


@dataclass(frozen=True, slots=True)
class Node:
    """A labelled mark; `shape` tells what it stands for, beside the column it is in."""

    shape: Shape
    x: float
    y: float
    label: str
    sublabel: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """A curve, as an SVG path; `kind` is that of its end which is not an account."""

    kind: Literal["key", "template"]
    path: str


@dataclass(frozen=True, slots=True)
class Graph:
    """The picture, and in `left_out` a sentence on what it does not show ("" where it shows all)."""

    height: int
    nodes: list[Node]
    edges: list[Edge]
    description: str
    left_out: str
    headings: list[Tick]
    width: int = WIDTH
    plate: int = _PLATE


@dataclass(frozen=True, slots=True)
class _Group:
    """Accounts with the same links; one account where there are few enough."""

    accounts: tuple[str, ...]
    keys: tuple[int, ...]
    templates: tuple[int, ...]


def account_graph(campaign: Campaign) -> Graph | None:
    """Lay out the links of one campaign; None where neither a shared key nor a template names its accounts.

    At most 8 keys, 6 templates and 24 marks for accounts are drawn; beyond that, accounts with the same links
    become one mark, and what still does not fit is counted in `left_out`.
    """
    keys = sorted(campaign.shared_keys, key=lambda k: (-len(k.accounts), k.key_kind, k.digest))[:_MOST_KEYS]
    numbered = [(number, t) for number, t in enumerate(campaign.templates, 1) if t.account_ids]
    templates = sorted(numbered, key=lambda pair: (-len(pair[1].account_ids), pair[0]))[:_MOST_TEMPLATES]
    groups, unlinked = _groups(campaign, keys, [template for _, template in templates])
    if not groups:
        return None
    drawn = groups[:_MOST_ACCOUNTS]
    rows = max(len(keys), len(templates), len(drawn))
    height = _TOP + rows * _ROW + _BOTTOM
    key_y, template_y = _column(len(keys), rows), _column(len(templates), rows)
    group_y = _column(len(drawn), rows)
    nodes = [Node("key", _KEY_X, y, *_key_label(key)) for y, key in zip(key_y, keys, strict=True)]
    nodes += [_group_node(y, group) for y, group in zip(group_y, drawn, strict=True)]
    nodes += [
        Node("template", _TEMPLATE_X, y, f"template {number}", plural(template.exchanges, "exchange"))
        for y, (number, template) in zip(template_y, templates, strict=True)
    ]
    edges = list(_edges(drawn, group_y, key_y, template_y))
    return Graph(
        height=height,
        nodes=nodes,
        edges=edges,
        description=_describe(campaign, keys, templates),
        left_out=_left_out(campaign, groups, unlinked),
        headings=_headings(bool(keys), bool(templates)),
    )


def _headings(keys: bool, templates: bool) -> list[Tick]:  # noqa: FBT001 - private, two columns present or not
    columns = (
        (_KEY_X, "Rare keys", keys),
        (_ACCOUNT_X, "Accounts", True),
        (_TEMPLATE_X, "Templates", templates),
    )
    return [Tick(x, name) for x, name, present in columns if present]


def _groups(campaign: Campaign, keys: Sequence[SharedKey], templates: Sequence[Template]) -> tuple[list[_Group], int]:
    """Return accounts with links, alone or by equal links, most linked first, and the number without any."""
    key_links = _links(key.accounts for key in keys)
    template_links = _links(template.account_ids for template in templates)
    members = [member.account_id for member in campaign.accounts]
    linked = [account for account in members if account in key_links or account in template_links]
    by_links: dict[tuple[tuple[int, ...], tuple[int, ...]], list[str]] = defaultdict(list)
    for account in sorted(linked):
        by_links[tuple(key_links.get(account, ())), tuple(template_links.get(account, ()))].append(account)
    if len(linked) <= _MOST_ACCOUNTS:
        groups = [_Group((account,), *links) for links, accounts in by_links.items() for account in accounts]
        groups.sort(key=lambda g: (_barycentre(g, len(keys), len(templates)), g.accounts))
    else:
        groups = [_Group(tuple(accounts), *links) for links, accounts in by_links.items()]
        groups.sort(key=lambda g: (-len(g.accounts), g.accounts))
        first = groups[:_MOST_ACCOUNTS]
        first.sort(key=lambda g: (_barycentre(g, len(keys), len(templates)), g.accounts))
        groups[:_MOST_ACCOUNTS] = first
    return groups, len(members) - len(linked)


def _links(holders: Iterable[Sequence[str]]) -> Mapping[str, list[int]]:
    links: dict[str, list[int]] = defaultdict(list)
    for index, accounts in enumerate(holders):
        for account in set(accounts):
            links[account].append(index)
    return dict(links)


def _barycentre(group: _Group, keys: int, templates: int) -> float:
    places = [(i + 0.5) / keys for i in group.keys] + [(i + 0.5) / templates for i in group.templates]
    return sum(places) / len(places)


def _column(marks: int, rows: int) -> list[float]:
    step = rows / marks if marks else 0.0
    return [round(_TOP + (i + 0.5) * step * _ROW, 1) for i in range(marks)]


def _group_node(y: float, group: _Group) -> Node:
    if len(group.accounts) == 1:
        return Node("account", _ACCOUNT_X, y, shorten(group.accounts[0], 18))
    return Node("group", _ACCOUNT_X, y, plural(len(group.accounts), "account"))


def _key_label(key: SharedKey) -> tuple[str, str]:
    return shorten(key.key_kind.replace("_", " "), 18), shorten(key.digest, 12)


def _edges(
    groups: Sequence[_Group], group_y: Sequence[float], key_y: Sequence[float], template_y: Sequence[float]
) -> Iterable[Edge]:
    for group, y in zip(groups, group_y, strict=True):
        for key in group.keys:
            yield Edge("key", _curve(_KEY_X, key_y[key], _ACCOUNT_X - _PLATE / 2, y))
        for template in group.templates:
            yield Edge("template", _curve(_ACCOUNT_X + _PLATE / 2, y, _TEMPLATE_X, template_y[template]))


def _curve(x0: float, y0: float, x1: float, y1: float) -> str:
    middle = (x0 + x1) / 2
    return f"M{x0} {y0}C{middle} {y0} {middle} {y1} {x1} {y1}"


def _describe(campaign: Campaign, keys: Sequence[SharedKey], templates: Sequence[tuple[int, Template]]) -> str:
    accounts = plural(len(campaign.accounts), "account")
    parts = [f"{' '.join(_key_label(key))} is shared by {plural(len(key.accounts), 'account')}" for key in keys]
    parts += [
        f"template {number} is used by {plural(len(template.account_ids), 'account')}" for number, template in templates
    ]
    return f"{accounts} and what they share: {'; '.join(parts)}."


def _left_out(campaign: Campaign, groups: Sequence[_Group], unlinked: int) -> str:
    rare = sum(len(group.accounts) for group in groups[_MOST_ACCOUNTS:])
    keys = max(0, len(campaign.shared_keys) - _MOST_KEYS)
    templates = max(0, sum(bool(t.account_ids) for t in campaign.templates) - _MOST_TEMPLATES)
    parts = [
        plural(number, one, many)
        for number, one, many in (
            (rare, "account with other links", "accounts with other links"),
            (unlinked, "account without a drawn link", "accounts without a drawn link"),
            (keys, "shared key", None),
            (templates, "template", None),
        )
        if number
    ]
    return f"Not drawn: {', '.join(parts)}." if parts else ""
