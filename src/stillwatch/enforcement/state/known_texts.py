"""The frames of known campaigns, so that a fresh account of one is met on its first request.

A verdict names the bands that its campaign's texts share (detection.verdicts); a text that shares one is treated like
the hardest-hit account of that campaign, within what the policy allows for a text alone.
"""

from collections.abc import Iterable
from typing import NamedTuple

from stillwatch.detection.findings.model import Verdict
from stillwatch.enforcement.model import LEVEL
from stillwatch.features.sketch import text_bands


class TextMatch(NamedTuple):
    """The campaign that a text belongs to, the place of its hardest action in ACTIONS, and when that lapses."""

    level: int
    until_s: float
    campaign_id: str | None


class KnownTexts:
    """Bands of known campaigns. Replaced whole when a run's verdicts are."""

    def __init__(self, verdicts: Iterable[Verdict] = (), at_s: float = 0.0) -> None:
        """Take the bands of verdicts of a run that ended at `at_s` (Unix seconds)."""
        self._bands: dict[int, TextMatch] = {}
        for verdict in verdicts:
            self.add(verdict, at_s)

    def add(self, verdict: Verdict, at_s: float) -> None:
        """Take the bands of one verdict more."""
        match = TextMatch(LEVEL[verdict.action], at_s + verdict.ttl_s, verdict.campaign_id)
        for band in verdict.template_bands:
            value = int(band, 16)
            known = self._bands.get(value)
            if known is None or match[:2] > known[:2]:
                self._bands[value] = match

    def __len__(self) -> int:
        return len(self._bands)

    def match(self, bands: list[int], now_s: float) -> TextMatch | None:
        """Return the hardest match of a text's bands that holds."""
        known = self._bands
        found: TextMatch | None = None
        for band in bands:
            match = known.get(band)
            if match is not None and match.until_s > now_s and (found is None or match[:2] > found[:2]):
                found = match
        return found


def read_text(system: str | None, prompt: str) -> tuple[list[int], int]:
    """Return the bands of a text and the hash of the prompt's first words."""
    bands, head = text_bands(system, prompt)
    return bands.tolist(), head
