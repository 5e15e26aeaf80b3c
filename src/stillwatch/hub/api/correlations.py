"""Correlations: that other members hold what one of the caller's own objects holds, and nothing more."""

from collections.abc import Set as AbstractSet
from typing import Literal

import msgspec

from stillwatch.hub import correlation
from stillwatch.hub.api.paging import AFTER, LIMIT, Pager, limit_of
from stillwatch.hub.api.subjects import visible
from stillwatch.hub.api.tokens import Meter
from stillwatch.hub.http import Answer, Call, json_answer
from stillwatch.hub.hub import Hub
from stillwatch.hub.operations import Operation

MOST = 100
"""Matches of one page."""
_MOST_STEPS = 10


class Match(msgspec.Struct, kw_only=True):
    """A match of an object of the caller's own.

    `object_ids` are those of the others' objects that the caller may see; what it may not see is in `members` alone.
    """

    object_id: str
    kind: correlation.Kind
    members: Literal["1", "2", "3+"]
    strength: correlation.Strength
    object_ids: list[str]


class Matches(msgspec.Struct, kw_only=True):
    """A page of matches; one that has changed comes again."""

    correlations: list[Match]
    more: bool
    next: str | None


class Correlations:
    """Handlers for correlations."""

    def __init__(self, hub: Hub, meter: Meter) -> None:
        self._hub, self._meter = hub, meter
        self._pager = Pager(hub.storage.secret("cursor"), "correlations")

    def operations(self) -> list[Operation]:
        """Return the operations."""
        summary = "What of the caller's own objects others hold too, where both owners consent."
        query = (AFTER, LIMIT)
        return [Operation("/v1/correlations", "get", summary, self.page, None, ((200, Matches),), (400,), query)]

    def page(self, call: Call) -> Answer:
        """Answer a page of matches, after what was stored in the meantime is compared."""
        after, limit = self._pager.after(call), min(limit_of(call), MOST)
        self._catch_up()
        with self._hub.storage.reading() as db:
            found, more = correlation.read(db, call.member.number, after=after, limit=limit)
            named = {partner.object_id for one in found for partner in one.partners}
            seen = visible(db, call.member, named)
        told = [_told(seen, one) for one in found]
        last = found[-1].number if found else after
        return json_answer(Matches(correlations=told, more=more, next=self._pager.next(call, last)))

    def _catch_up(self) -> None:
        for _ in range(_MOST_STEPS):  # what is left waits for the next call, so that no call takes long
            done, met = correlation.catch_up(self._hub.storage)
            self._meter.matched(met)
            if done:
                return


def _told(seen: AbstractSet[tuple[int, int, str]], one: correlation.Match) -> Match:
    ids = {other.object_id for other in one.partners if (other.collection, other.owner, other.object_id) in seen}
    return Match(
        object_id=one.object_id,
        kind=one.kind,
        members="3+" if one.members > 2 else "2" if one.members == 2 else "1",
        strength=correlation.strength(one.kind, one.shared),
        object_ids=sorted(ids),
    )
