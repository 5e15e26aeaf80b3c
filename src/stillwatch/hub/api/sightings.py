"""Sightings: that a member saw what an object describes, too."""

from datetime import UTC, date, datetime

import msgspec

from stillwatch.hub.api import bodies, reports
from stillwatch.hub.api.journal import write_down
from stillwatch.hub.api.subjects import kind_of, subject
from stillwatch.hub.http import Answer, Call, HubError, json_answer
from stillwatch.hub.hub import Hub
from stillwatch.hub.operations import Operation
from stillwatch.hub.storage.moments import version_text
from stillwatch.sharing.objects.build import ENTITY_TYPES
from stillwatch.sharing.objects.vocabulary import BANDS, Band

_DAY_S = 86_400


class Sighting(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whether the caller saw it, how much (only what was seen has a band), and on which day."""

    object_id: bodies.ObjectId
    seen: bool
    day: date
    band: Band | None = None

    def __post_init__(self) -> None:
        if self.band is not None and not self.seen:
            raise ValueError("what was not seen has no band")


class Count(msgspec.Struct, kw_only=True):
    """How many members beside a named owner saw it, and the middle one of their bands, as of a day ago."""

    object_id: str
    members: reports.Members
    band: Band | None
    as_of: str


class Sightings:
    """Handlers for sightings."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def operations(self) -> list[Operation]:
        """Return the operations."""
        return [
            Operation(
                "/v1/sightings",
                "post",
                "Say whether one saw it too; it takes the place of what one said before.",
                self.add,
                Sighting,
                ((202, bodies.Taken),),
                (400, 413, 422),
            ),
            Operation("/v1/sightings/{object_id}", "get", "How many saw it.", self.count, None, ((200, Count),)),
        ]

    def add(self, call: Call) -> Answer:
        """Keep a sighting."""
        given = bodies.read(call.body, Sighting)
        if kind_of(given.object_id) in ENTITY_TYPES:
            raise HubError(422, "a sighting is of conduct, not of somebody")
        storage = self._hub.storage
        if given.day > datetime.fromtimestamp(storage.now() + _DAY_S, UTC).date():  # it is tomorrow somewhere
            raise HubError(422, "the day of the sighting is still to come")
        with storage.writing() as db:
            seen = subject(db, call.member, given.object_id)
            reports.keep(db, storage, "sighting", call.member, seen, given)
            write_down(db, storage, "statement.added", member=call.member.member_id, sighting=given)
        return json_answer(bodies.Taken(object_id=given.object_id), 202)

    def count(self, call: Call) -> Answer:
        """Answer how many saw it."""
        now = self._hub.storage.now()
        with self._hub.storage.reading() as db:
            seen = subject(db, call.member, call.path["object_id"])
            found = [one for one in reports.counted(db, "sighting", call.member, seen, now) if one["seen"]]
        bands = sorted(BANDS.index(one["band"]) for one in found if one["band"] is not None)
        middle = BANDS[bands[(len(bands) - 1) // 2]] if len(bands) >= reports.LEAST else None
        return json_answer(
            Count(
                object_id=seen[0].found.id,
                members=reports.band_of(len(found)),
                band=middle,
                as_of=version_text(int(now - reports.DELAY_S) * 1_000_000),
            )
        )
