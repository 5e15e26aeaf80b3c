"""Indicators that other providers shared (received.jsonl): facts and confidence, and no word for an action."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from stillwatch.errors import UsageError
from stillwatch.records.listed import ListedFile

_HINT = "take the received.jsonl that `stillwatch share pull` wrote"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_Band = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}\\Z")]
_Code = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_.:-]{1,128}\\Z")]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_NUMBER_BAND = "^[0-9]{1,12}(-[0-9]{1,12}|[+])\\Z"


class Clearance(msgspec.Struct, frozen=True, kw_only=True):
    """The clearance that let an indicator leave its producer: version of the rules, digest of the log's entry."""

    rules_version: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    log_digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}\\Z")]


class ReceivedIndicator(msgspec.Struct, frozen=True, kw_only=True):
    """One line of received.jsonl. Whoever reads it decides alone: a field that named an action would not be heard.

    Attributes:
        indicator_id, campaign_ref: STIX ids.
        source: the member that vouches for it, or `anonymous`.
        template_bands: LSH bands of the prompts' frame (features.sketch.bands), 64 bits each in hex.
        circumvention: controls that were circumvented, in the words of the shared vocabulary.
        valid_from, valid_until: RFC 3339 with a zone; it holds from the first until before the second.
        sightings: how many members saw it too, as a band such as `10-99`; None where that is not told.
        received_at: when it came; None where that was not kept.
    """

    indicator_id: Annotated[str, msgspec.Meta(pattern=f"^indicator--{_UUID}\\Z")]
    source: _Code
    confidence: Literal["low", "moderate", "high"]
    valid_from: _Moment
    valid_until: _Moment
    campaign_ref: Annotated[str, msgspec.Meta(pattern=f"^campaign--{_UUID}\\Z")] | None = None
    template_bands: tuple[_Band, ...] = ()
    circumvention: tuple[_Code, ...] = ()
    sightings: Annotated[str, msgspec.Meta(pattern=_NUMBER_BAND)] | None = None
    cleared: Clearance | None = None
    received_at: _Moment | None = None

    def holds(self, moment_s: float) -> bool:
        """Whether it has begun and has not expired at a moment (Unix seconds)."""
        return self.valid_from.timestamp() <= moment_s < self.valid_until.timestamp()


def load_indicators(path: Path) -> tuple[ReceivedIndicator, ...]:
    """Read received.jsonl, in file order, with what has lapsed or not begun: `in_force` leaves that out.

    Raises:
        UsageError: the file is not there, or a line is wrong; says which.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist", hint=_HINT)
    found: dict[str, ReceivedIndicator] = {}
    listed = ListedFile(path, ReceivedIndicator, _HINT)
    for number, indicator in listed:
        if indicator.indicator_id in found:
            raise listed.wrong(number, f"{indicator.indicator_id} stands here twice")
        found[indicator.indicator_id] = indicator
    return tuple(found.values())


def in_force(indicators: Iterable[ReceivedIndicator], moment_s: float) -> list[ReceivedIndicator]:
    """Return the indicators that hold at a moment (Unix seconds)."""
    return [one for one in indicators if one.holds(moment_s)]
