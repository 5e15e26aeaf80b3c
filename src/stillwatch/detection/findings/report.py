"""report.html: one page that a person reads, complete in itself, without scripts, safe to open on hostile input."""

import base64
import functools
import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import islice
from typing import Any

import jinja2
from markupsafe import Markup

from stillwatch.detection.findings import formats, wording
from stillwatch.detection.findings.charts.graph import Graph, account_graph
from stillwatch.detection.findings.charts.timeline import Timeline, timeline
from stillwatch.detection.findings.charts.waterfall import Waterfall, waterfall
from stillwatch.detection.findings.model import (
    ACTIONS,
    AccountFinding,
    Campaign,
    Findings,
    Member,
    Role,
    SharedKey,
    Template,
)
from stillwatch.detection.findings.run import RunFacts

_CAMPAIGNS_TOLD, _CAMPAIGNS_LISTED = 20, 100
_ACCOUNTS_LISTED, _MEMBERS_LISTED, _TEMPLATES_SHOWN, _KEYS_LISTED = 25, 12, 5, 10
_TEMPLATE_CHARACTERS = 1200


@dataclass(frozen=True, slots=True)
class CampaignView:
    """One campaign as the page tells it: the finding, its pictures, and the parts that are shown."""

    number: int
    finding: Campaign
    bits: float
    sentences: list[str]
    waterfall: Waterfall
    timeline: Timeline | None
    graph: Graph | None
    members: list[Member]
    templates: list[Template]
    shared_keys: list[SharedKey]

    @classmethod
    def of(cls, number: int, campaign: Campaign) -> "CampaignView":
        """Choose what is shown of one campaign."""
        order: dict[Role, int] = {"harvester": 0, "victim": 1, "linked": 2}
        return cls(
            number=number,
            finding=campaign,
            bits=wording.evidence_bits(campaign),
            sentences=wording.campaign_sentences(campaign),
            waterfall=waterfall(campaign.evidence),
            timeline=timeline(campaign.timeline),
            graph=account_graph(campaign),
            members=heapq.nsmallest(
                _MEMBERS_LISTED, campaign.accounts, key=lambda m: (order[m.role], -m.share, m.account_id)
            ),
            templates=campaign.templates[:_TEMPLATES_SHOWN],
            shared_keys=heapq.nsmallest(
                _KEYS_LISTED, campaign.shared_keys, key=lambda k: (-len(k.accounts), k.key_kind, k.digest)
            ),
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over all accounts."""

    accounts: int
    exchanges: int
    actions: Mapping[str, int]
    limited: int
    not_assessable: list[tuple[str, int]]
    outside: list[AccountFinding]
    outside_count: int

    @classmethod
    def of(cls, findings: Findings) -> "Tally":
        """Count in one pass; memory does not grow with the number of accounts."""
        actions: Counter[str] = Counter()
        gaps: Counter[str] = Counter()
        exchanges = limited = outside_count = 0
        for account in findings.accounts:
            actions[account.action] += 1
            gaps.update(account.not_assessable)
            exchanges += account.exchanges
            limited += wording.limits_service(account)
            outside_count += _scored_outside(account)
        outside = filter(_scored_outside, findings.accounts)
        return cls(
            accounts=len(findings.accounts),
            exchanges=exchanges,
            actions={action: actions[action] for action in ACTIONS},
            limited=limited,
            not_assessable=sorted(gaps.items(), key=lambda item: (-item[1], item[0])),
            outside=heapq.nsmallest(_ACCOUNTS_LISTED, outside, key=lambda a: (-a.score_bits, a.account_id)),
            outside_count=outside_count,
        )


def _scored_outside(account: AccountFinding) -> bool:
    return account.campaign_id is None and account.score_bits > 0


def render_report(findings: Findings, run: RunFacts) -> str:
    """Return the page.

    Args:
        findings: in the order and precision of `canonical`.
        run: facts about the run; missing ones leave their part of the page out.

    Raises:
        ValueError: a timestamp that is not RFC 3339 with a zone.
    """
    tally = Tally.of(findings)
    ordered = wording.by_importance(findings.campaigns)
    css = _stylesheet()
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            css=Markup(css),  # noqa: S704 - our own file
            csp=f"default-src 'none'; style-src '{_digest(css)}'; img-src data:; base-uri 'none'; form-action 'none'",
            headline=wording.headline(findings),
            findings=findings,
            listed=ordered[:_CAMPAIGNS_LISTED],
            told=(CampaignView.of(number, campaign) for number, campaign in _first(ordered)),
            told_count=min(len(ordered), _CAMPAIGNS_TOLD),
            tally=tally,
            overview=wording.overview(findings.campaigns, tally.accounts, tally.limited, tally.actions["watch"]),
            run=run,
            configuration=list(_flat(run.configuration)),
        )
    )


def _first(campaigns: list[Campaign]) -> Iterator[tuple[int, Campaign]]:
    return islice(enumerate(campaigns, 1), _CAMPAIGNS_TOLD)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield prefix + name, ", ".join(map(str, value)) or "none"
        else:
            yield prefix + name, "not set" if value is None else str(value)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@functools.cache
def _stylesheet() -> str:
    return resources.files(__package__).joinpath("templates/report.css").read_text("utf-8").strip()


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stillwatch.detection.findings"),
        autoescape=True,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(formats, name)
        for name in (
            "count",
            "percent",
            "p_value",
            "shorten",
            "clip",
            "signed_bits",
            "parse_instant",
            "moment",
            "day",
        )
    }
    environment.globals |= {
        "plural": formats.plural,
        "words": wording,
        "limits": {"template": _TEMPLATE_CHARACTERS},
    }
    return environment


def _finalize(value: object) -> object:
    """Pass every value that a template prints through `neutralise`; markup is our own and already went through."""
    return value if isinstance(value, Markup) else formats.neutralise(str(value))
