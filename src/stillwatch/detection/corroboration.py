"""What follows from what others reported: accounts are watched or challenged, campaigns get a line of evidence.

Nobody's word blocks. A report alone leads to `challenge` at most, and it changes neither a campaign's kind nor its
confidence: both are shared in turn, and an echo must not make itself surer.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from stillwatch.detection.campaigns.build import Built
from stillwatch.detection.campaigns.evidence import REPORTED
from stillwatch.detection.findings.model import ACTIONS, AccountFinding, Action, Campaign, Evidence, Kind, Reason
from stillwatch.detection.population import Population
from stillwatch.detection.received import BITS, Matches
from stillwatch.records.indicators import ReceivedIndicator

Ints = npt.NDArray[np.int64]

SIGNAL = "received_indicator"
_EXPLAINED: frozenset[Kind] = frozenset({"authorised", "public_benchmark", "single_organisation"})
_ENOUGH = 2
"""So many exchanges of an account must match one indicator: one alone may be a coincidence."""
_PART = 0.2
"""A campaign is what was reported if this part of its exchanges matches: a campaign's bands are those of so many."""


@dataclass(frozen=True, slots=True)
class Corroborated:
    """Accounts after what others reported.

    Attributes:
        accounts: findings by account number.
        by_report: accounts whose action stands on a report alone.
        notes: what a reader of the run must know.
    """

    accounts: list[AccountFinding]
    by_report: frozenset[str]
    notes: list[str]


def raise_accounts(
    accounts: list[AccountFinding],
    matches: Matches | None,
    population: Population,
    campaigns: list[Campaign],
    covered: Ints,
) -> Corroborated:
    """Raise the accounts whose exchanges match, to watch or to challenge; nothing is lowered.

    Accounts that the registry covers, and those of a benchmark or of one organisation's application, are only watched.
    So are all where indicators alone would challenge more ordinary accounts than `matches.limit`.

    Args:
        accounts: findings by account number.
        matches: None where nothing was received.
        population: the window.
        campaigns: all that were found.
        covered: number of the registry entry that covers each account, -1 for none.
    """
    if matches is None:
        return Corroborated(accounts, frozenset(), [])
    explained = _members(campaigns, _EXPLAINED)
    harvesting = _members(campaigns, {"harvest"})
    raised, alone = _not_assessable(accounts, matches), list[int]()
    for account, reports in _by_account(matches, population).items():
        finding = raised[account]
        most: Action = "watch" if covered[account] >= 0 or finding.account_id in explained else "challenge"
        report = reports[0]
        wanted: Action = min("challenge" if report.challenges else "watch", most, key=ACTIONS.index)
        if ACTIONS.index(wanted) > ACTIONS.index(finding.action) and finding.account_id not in harvesting:
            alone.append(account)
        reason = Reason(
            signal=SIGNAL,
            bits=BITS[report.indicator.confidence],
            p_value=None,
            detail=_detail(report, len(reports) - 1),
        )
        raised[account] = replace(
            finding,
            action=max(finding.action, wanted, key=ACTIONS.index),
            score_bits=finding.score_bits + reason.bits,
            reasons=[*finding.reasons, reason],
        )
    return _within_limit(accounts, raised, alone, matches)


def report_campaigns(built: list[Built], matches: Matches | None) -> list[Built]:
    """Add a line of evidence to each campaign that others reported; what follows from the rest stays as it is."""
    if matches is None:
        return built
    return [Built(_reported(one, matches), one.rows, one.families) for one in built]


@dataclass(frozen=True, slots=True)
class _Report:
    indicator: ReceivedIndicator
    exchanges: int

    @property
    def challenges(self) -> bool:
        return self.indicator.confidence != "low" and self.exchanges >= _ENOUGH

    @property
    def rank(self) -> tuple[bool, float, int, str]:
        return self.challenges, BITS[self.indicator.confidence], self.exchanges, self.indicator.indicator_id


def _by_account(matches: Matches, population: Population) -> dict[int, list[_Report]]:
    """Return the reports that each account matches, the strongest first."""
    pairs = np.stack([population.row_account[matches.rows], matches.numbers], axis=1)
    unique, counts = np.unique(pairs, axis=0, return_counts=True)
    found: dict[int, list[_Report]] = {}
    for (account, number), count in zip(unique.tolist(), counts.tolist(), strict=True):
        found.setdefault(account, []).append(_Report(matches.indicators[number], count))
    return {account: sorted(reports, key=lambda one: one.rank, reverse=True) for account, reports in found.items()}


def _members(campaigns: Iterable[Campaign], kinds: Collection[Kind]) -> set[str]:
    return {
        member.account_id
        for campaign in campaigns
        if campaign.kind in kinds
        for member in campaign.accounts
        if member.role != "linked"
    }


def _detail(report: _Report, more: int) -> str:
    number = report.exchanges
    share = "shares" if number == 1 else "share"
    others = f"; {more} more match" if more else ""
    return (
        f"{number} of its exchanges {share} wording with {report.indicator.indicator_id}, "
        f"which others reported with {report.indicator.confidence} confidence{others}"
    )


def _not_assessable(accounts: list[AccountFinding], matches: Matches) -> list[AccountFinding]:
    return [
        finding if told else replace(finding, not_assessable=[*finding.not_assessable, SIGNAL])
        for finding, told in zip(accounts, matches.assessable.tolist(), strict=True)
    ]


def _within_limit(
    before: list[AccountFinding], raised: list[AccountFinding], alone: list[int], matches: Matches
) -> Corroborated:
    """Let no more accounts be challenged by reports alone than the limit: beyond it, all of them are only watched."""
    notes, limit = list(matches.notes), matches.limit
    challenged = [account for account in alone if raised[account].action == "challenge"]
    if len(challenged) > limit:
        notes.append(
            f"Received indicators alone would challenge {len(challenged)} accounts, more than {limit}: all are watched."
        )
        for account in challenged:
            action = max(before[account].action, "watch", key=ACTIONS.index)
            raised[account] = replace(raised[account], action=action)
    by_report = frozenset(
        raised[account].account_id for account in alone if raised[account].action != before[account].action
    )
    return Corroborated(raised, by_report, notes)


def _reported(one: Built, matches: Matches) -> Campaign:
    inside = np.isin(matches.rows, one.rows)
    number = int(np.unique(matches.rows[inside]).size)
    if number < max(_ENOUGH, _PART * one.rows.size):
        return one.campaign
    numbers, counts = np.unique(matches.numbers[inside], return_counts=True)
    surest = min(numbers.tolist(), key=lambda n: (-BITS[matches.indicators[n].confidence], -counts[numbers == n][0]))
    indicator = matches.indicators[surest]
    piece = Evidence(
        factor="coordination",
        signal=REPORTED,
        bits=BITS[indicator.confidence],
        p_value=None,
        detail=(
            f"{number} of its {one.rows.size} exchanges share wording with what others reported, first of all "
            f"{indicator.indicator_id} ({indicator.confidence} confidence)"
        ),
    )
    return replace(one.campaign, evidence=[*one.campaign.evidence, piece])
