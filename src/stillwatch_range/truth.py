"""What was planted, as written to truth.json (contract: cli.md)."""

import gzip
import io
from collections.abc import Iterable
from pathlib import Path

import msgspec

from stillwatch.errors import UsageError
from stillwatch.files import replace_file
from stillwatch_range.populations import Label


class TrueAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account of the window. Cohorts: `new:` = without history; `drift` = a new population."""

    label: Label
    cohort: str
    campaign: str | None = None


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
