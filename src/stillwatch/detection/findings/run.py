"""What the report and the SIEM export need to know about the run that made the findings."""

from collections.abc import Mapping
from typing import Any, Self

import msgspec


class StageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One stage as `progress.StageClock.as_records` tells it."""

    name: str
    rows: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mib: int = 0
    rows_per_s: int = 0


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """First and last exchange that was looked at, RFC 3339."""

    first: str
    last: str


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of run.json that the report shows; each may be missing, and others are ignored.

    Attributes:
        versions: component to version; `stillwatch` names this program's.
        configuration: what was set, as it took effect.
        counts: `read`, `accepted`, `duplicate`, `rejected`.
        timings: the stages in the order they ran.
        engine: the query engine.
    """

    versions: dict[str, str] = {}
    configuration: dict[str, Any] = {}
    counts: dict[str, int] = {}
    timings: list[StageFacts] = []
    engine: str = ""
    window: Window | None = None

    @classmethod
    def of(cls, run: Mapping[str, object]) -> Self:
        """Read the known keys of `run`; raises msgspec.ValidationError where one has another shape."""
        return msgspec.convert(dict(run), cls, from_attributes=True)
