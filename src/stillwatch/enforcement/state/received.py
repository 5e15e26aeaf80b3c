"""What other providers reported, as a request meets it: a challenge at most, and never against all customers.

The service has no history. So it keeps the latest text of the accounts that it saw last, and does not hear a band, or a
source, that more of them meet than a tenth (or FEW): what so many send is ordinary, or a campaign so large that
detection finds it by itself. Accounts that our own verdicts or our own campaigns' texts speak against are not counted.
"""

import itertools
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.enforcement.model import LEVEL
from stillwatch.enforcement.state.known_texts import TextMatch
from stillwatch.features.sketch import text_bands
from stillwatch.records.indicators import ReceivedIndicator

LEVELS = {"low": LEVEL["watch"], "moderate": LEVEL["challenge"], "high": LEVEL["challenge"]}
"""What a report brings on a text, by the confidence of who reports it. There is nothing harder."""
PANEL = 2_000
SHARE = 0.1
FEW = 20


class Report(NamedTuple):
    """A band's report: place of its action in ACTIONS, when it begins and lapses (Unix seconds), which it is."""

    level: int
    from_s: float
    until_s: float
    indicator_id: str
    source: str


class Reports(NamedTuple):
    """Reports by band, of each source the hardest; and the bands, ascending."""

    by_band: Mapping[int, tuple[Report, ...]]
    bands: npt.NDArray[np.uint64]


class _Seen(NamedTuple):
    """The latest text of an account, which bands and sources it met, and which indicator brought something on it."""

    bands: list[int]
    met: tuple[int | str, ...]
    indicator_id: str | None


def reports_of(indicators: Iterable[ReceivedIndicator], now_s: float) -> Reports:
    """Return the reports that have not lapsed at a moment (Unix seconds). Texts without words are reported in vain."""
    wordless = set(text_bands(None, "")[0].tolist())
    found: dict[int, dict[str, Report]] = {}
    for one in indicators:
        begin, end = one.valid_from.timestamp(), one.valid_until.timestamp()
        if end <= now_s:
            continue
        report = Report(LEVELS[one.confidence], begin, end, one.indicator_id, one.source)
        for band in {int(band, 16) for band in one.template_bands} - wordless:
            of_band = found.setdefault(band, {})
            known = of_band.get(one.source)
            if known is None or _rank(report, now_s) > _rank(known, now_s):
                of_band[one.source] = report
    by_band = {band: tuple(of_band.values()) for band, of_band in found.items()}
    return Reports(by_band, np.sort(np.fromiter(by_band, np.uint64, len(by_band))))


def _rank(report: Report, now_s: float) -> tuple[bool, int, float, str]:
    return report.from_s <= now_s, report.level, report.until_s, report.indicator_id


class Received:
    """Reports in force, replaced whole when the file is, and the accounts that they are held against."""

    def __init__(self, known_accounts: int = 0) -> None:
        """`known_accounts` is the number of customers, as far as it is known before they are seen."""
        self._reports: Mapping[int, tuple[Report, ...]] = {}
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._counts: Counter[int | str] = Counter()
        self._known = min(PANEL, known_accounts)

    def __len__(self) -> int:
        return len(self._reports)

    def replace(self, reports: Reports) -> None:
        """Put other reports in force, held at once against the texts that were seen before they came."""
        self._reports = reports.by_band
        self._counts.clear()
        before = [account for account, seen in self._seen.items() if seen.met]
        for account in before:
            self._seen[account] = self._seen[account]._replace(met=())
        met = self._met_by(reports.bands)
        for bands in met.values():
            self._counts.update(bands)
        for account, bands in met.items():  # after all bands: a source does not answer for what everybody sends
            sources = self._sources(bands)
            self._counts.update(sources)
            self._seen[account] = self._seen[account]._replace(met=(*bands, *sources))

    def _met_by(self, reported: npt.NDArray[np.uint64]) -> dict[str, set[int]]:
        """Return the reported bands that each account's latest text has; at once, since every decision waits for it."""
        accounts, texts = list(self._seen), [seen.bands for seen in self._seen.values()]
        bands = np.fromiter(itertools.chain.from_iterable(texts), np.uint64)
        ends = np.cumsum([len(text) for text in texts])
        found: dict[str, set[int]] = {}
        if reported.size:
            place = np.minimum(np.searchsorted(reported, bands), reported.size - 1)
            hits = np.flatnonzero(reported[place] == bands)
            for owner, band in zip(np.searchsorted(ends, hits, side="right"), bands[hits].tolist(), strict=True):
                found.setdefault(accounts[owner], set()).add(band)
        return found

    def match(self, account_id: str, bands: list[int], now_s: float, *, ordinary: bool) -> TextMatch | None:
        """Return the hardest report that holds for a text and that is heard.

        Args:
            account_id: whose text it is.
            bands: its bands.
            now_s: Unix seconds.
            ordinary: whether nothing of our own speaks against the account.
        """
        met = self._reports.keys() & bands
        if ordinary:
            self._see(account_id, bands, met)
        found: Report | None = None
        for band in met:
            for report in self._reports[band]:
                holds = report.from_s <= now_s < report.until_s
                if (
                    holds
                    and (found is None or _rank(report, now_s) > _rank(found, now_s))
                    and self._heard(band, report)
                ):
                    found = report
        if found is None:
            return None
        if ordinary:
            self._seen[account_id] = self._seen[account_id]._replace(indicator_id=found.indicator_id)
        return TextMatch(found.level, found.until_s, found.indicator_id)

    def latest(self, account_id: str) -> str | None:
        """Return the indicator that an account's latest text met, while the account is among those seen last."""
        seen = self._seen.get(account_id)
        return None if seen is None else seen.indicator_id

    def not_heard(self) -> set[str]:
        """Return the indicators of which a band is not heard, and the sources that are not heard at all."""
        found: set[str] = set()
        for met in filter(self._common, self._counts):
            found.update([met] if isinstance(met, str) else (one.indicator_id for one in self._reports[met]))
        return found

    def _heard(self, band: int, report: Report) -> bool:
        return not (self._common(band) or self._common(report.source))

    def _common(self, met: int | str) -> bool:
        return self._counts[met] > max(FEW, SHARE * max(len(self._seen), self._known))

    def _see(self, account_id: str, bands: list[int], met: set[int]) -> None:
        before = self._seen.pop(account_id, None)
        if before is None and len(self._seen) >= PANEL:
            _, before = self._seen.popitem(last=False)
        for known in () if before is None else before.met:
            self._counts[known] -= 1
            if not self._counts[known]:
                del self._counts[known]
        if not met:
            self._seen[account_id] = _Seen(bands, (), None)
            return
        self._counts.update(met)
        sources = self._sources(met)
        self._counts.update(sources)
        self._seen[account_id] = _Seen(bands, (*met, *sources), None)

    def _sources(self, met: set[int]) -> set[str]:
        """Return who reports those of the bands that are heard."""
        return {report.source for band in met if not self._common(band) for report in self._reports[band]}
