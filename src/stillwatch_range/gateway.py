"""What a gateway does with the verdicts of detection: by account until they lapse, and by the text of a request."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from stillwatch.detection.findings.model import ACTIONS, Action, Verdict
from stillwatch.errors import UsageError
from stillwatch.records.indicators import ReceivedIndicator, load_indicators

Ints = npt.NDArray[np.int64]
Bands = npt.NDArray[np.uint64]
Levels = npt.NDArray[np.int8]
"""Actions as their places in ACTIONS: 0 is `allow`, and the higher, the harder."""

_RECEIVED: Action = "challenge"
_SECOND_US = 1_000_000
_FOREVER = int(np.iinfo(np.int64).max)


class _Held(NamedTuple):
    """A verdict that holds until a moment (µs since 1970 UTC)."""

    level: int
    until_us: int


_NOTHING = _Held(0, 0)


def read_verdicts(path: Path) -> list[Verdict]:
    """Read verdicts.jsonl.

    Raises:
        UsageError: the file is absent or holds no verdicts.
    """
    try:
        return [msgspec.json.decode(line, type=Verdict) for line in path.read_bytes().splitlines()]
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} is not a file of verdicts: {error}") from error


def read_received(path: Path) -> list[Verdict]:
    """Read what another provider knows, from the received.jsonl of `share pull` or from its own verdicts.jsonl.

    Raises:
        UsageError: the file is absent or holds neither.
    """
    try:
        with path.open("rb") as stream:
            first = stream.readline()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return list(map(_as_verdict, load_indicators(path))) if b'"indicator_id"' in first else read_verdicts(path)


def _as_verdict(indicator: ReceivedIndicator) -> Verdict:
    """Return what an indicator brings on a text. It holds for the whole replay, whose clock is an invented one."""
    return Verdict(
        account_id=indicator.source,
        action="watch" if indicator.confidence == "low" else _RECEIVED,
        reason_code="received_indicator",
        ttl_s=0,
        campaign_id=indicator.indicator_id,
        template_bands=list(indicator.template_bands),
    )


class Gateway:
    """Holds verdicts, and tells what they do to a request.

    A run's verdicts replace those of the run before, since it has looked at all that this one has; without a new run
    each holds for its `ttl_s`. A text matches where it shares a band with a campaign's frames, all that a verdict
    tells of them; it is treated like the hardest hit of the campaign's accounts, whoever sends it.
    """

    def __init__(self, received: Iterable[Verdict] = ()) -> None:
        """Start with the texts, not the accounts, of verdicts that another provider sent.

        They do not lapse, and they are acted on with a challenge at most: who receives an indicator has not seen
        the evidence behind it.
        """
        most = ACTIONS.index(_RECEIVED)
        self._received = {
            band: _Held(min(held.level, most), _FOREVER) for band, held in _texts_of(received, _FOREVER).items()
        }
        self._accounts: dict[str, _Held] = {}
        self._texts: dict[int, _Held] = {}

    def load(self, verdicts: list[Verdict], at_us: int) -> None:
        """Take over the verdicts of a run that ended at a moment."""
        self._accounts = {verdict.account_id: _held(verdict, at_us) for verdict in verdicts}
        self._texts = _texts_of(verdicts, at_us)

    def by_account(self, accounts: list[str], ts_us: Ints) -> Levels:
        """Return what the accounts' own verdicts do to requests at these moments."""
        held = np.array([self._accounts.get(account, _NOTHING) for account in accounts], np.int64).reshape(-1, 2)
        levels: Levels = np.where(ts_us < held[:, 1], held[:, 0], 0).astype(np.int8)
        return levels

    def by_text(self, bands: Bands, ts_us: Ints) -> Levels:
        """Return what the texts of requests bring on them; `bands` has a row per request."""
        levels: Levels = np.maximum(_matches(self._received, bands, ts_us), _matches(self._texts, bands, ts_us))
        return levels


def _held(verdict: Verdict, at_us: int) -> _Held:
    return _Held(ACTIONS.index(verdict.action), min(_FOREVER, at_us + verdict.ttl_s * _SECOND_US))


def _texts_of(verdicts: Iterable[Verdict], at_us: int) -> dict[int, _Held]:
    """Return each band of the verdicts with the hardest that holds for an account of its campaigns."""
    texts: dict[int, _Held] = {}
    for verdict in verdicts:
        held = _held(verdict, at_us)
        for band in verdict.template_bands:
            value = int(band, 16)
            texts[value] = max(held, texts.get(value, _NOTHING))
    return texts


def _matches(texts: Mapping[int, _Held], bands: Bands, ts_us: Ints) -> Levels:
    if not texts:
        return np.zeros(len(bands), np.int8)
    values = np.array(sorted(texts), np.uint64)
    held = np.array([texts[int(value)] for value in values], np.int64)
    place = np.minimum(np.searchsorted(values, bands), values.size - 1)
    holds = (values[place] == bands) & (ts_us[:, None] < held[place, 1])
    levels: Levels = np.where(holds, held[place, 0], 0).max(axis=1, initial=0).astype(np.int8)
    return levels
