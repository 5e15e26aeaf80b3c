"""What was planted, as written to truth.json (contract: cli.md)."""

import gzip
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from stillwatch.errors import UsageError
from stillwatch.files import replace_file
from stillwatch_range.populations import Account, Label


class TrueAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account of the window. Cohorts: `new:` = without history; `drift` = a new population.

    Attributes:
        label: what it is.
        cohort: the family of its campaign, the workload, the kind of ordinary customer.
        campaign: the campaign that it belongs to, the first where it serves several.
        also: the other campaigns that it serves; harvest_ids.jsonl.gz tells which exchange is whose.
        victim: it belongs to a customer whose key was stolen.
    """

    label: Label
    cohort: str
    campaign: str | None = None
    also: tuple[str, ...] = ()
    victim: bool = False


class TrueCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """One planted campaign.

    Attributes:
        accounts: accounts that took part.
        exchanges: harvested exchanges.
        mixing: realised part of its accounts' exchanges that is unrelated to the harvest.
        share: part of the window's exchanges that it harvested.
    """

    family: str
    accounts: int
    exchanges: int
    mixing: float
    share: float


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """The labels of one window."""

    accounts: dict[str, TrueAccount]
    campaigns: dict[str, TrueCampaign]


class _Harvested(msgspec.Struct):
    exchange_id: str
    campaign: str


def label(accounts: list[Account], families: dict[str, str], harvested: list[tuple[str, str]]) -> Truth:
    """Return the labels of a window.

    Args:
        accounts: all accounts; those that sent nothing in the window are left out.
        families: the family of each campaign.
        harvested: (exchange, campaign) of all harvested exchanges.
    """
    counts = Counter(campaign for _, campaign in harvested)
    present = [account for account in accounts if account.window]
    sent: Counter[str] = Counter()
    members: Counter[str] = Counter()
    total = 0
    for account in present:
        exchanges = sum(len(work.dialogue) for work in account.window)
        total += exchanges
        for campaign in filter(None, (account.campaign, *account.also)):
            members[campaign] += 1
            sent[campaign] += exchanges
    return Truth(
        accounts={
            account.account_id: TrueAccount(
                label=account.label,
                cohort=account.cohort,
                campaign=account.campaign,
                also=tuple(account.also),
                victim=account.victim,
            )
            for account in present
        },
        campaigns={
            campaign: TrueCampaign(
                family=family,
                accounts=members[campaign],
                exchanges=counts[campaign],
                mixing=round(1 - counts[campaign] / sent[campaign], 4),
                share=round(counts[campaign] / total, 6),
            )
            for campaign, family in families.items()
        },
    )


def write_truth(truth: Truth, path: Path) -> None:
    """Write truth.json."""
    replace_file(path, msgspec.json.format(msgspec.json.encode(truth, order="sorted"), indent=1) + b"\n")


def read_truth(path: Path) -> Truth:
    """Read truth.json.

    Raises:
        UsageError: the file is absent or is not a truth file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} is not a truth file: {error}") from error


def write_harvest(harvested: Iterable[tuple[str, str]], path: Path) -> None:
    """Write harvest_ids.jsonl.gz: which exchanges are harvest, and of which campaign."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as stream:
        for exchange_id, campaign in sorted(harvested):
            stream.write(msgspec.json.encode({"exchange_id": exchange_id, "campaign": campaign}) + b"\n")
    replace_file(path, buffer.getvalue())


def read_harvest(path: Path) -> dict[str, str]:
    """Read harvest_ids.jsonl.gz: the campaign of each harvested exchange.

    Raises:
        UsageError: the file is absent or of another form.
    """
    try:
        lines = gzip.decompress(path.read_bytes()).splitlines()
        harvested = [msgspec.json.decode(line, type=_Harvested) for line in lines]
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} does not tell which exchanges are harvest: {error}") from error
    return {exchange.exchange_id: exchange.campaign for exchange in harvested}
