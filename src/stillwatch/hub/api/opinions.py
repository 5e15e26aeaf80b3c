"""Opinions: how far a member agrees with what an object states. There are none on anybody."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from stillwatch.hub.api import bodies, reports
from stillwatch.hub.api.journal import write_down
from stillwatch.hub.api.subjects import kind_of, subject
from stillwatch.hub.http import Answer, Call, HubError, json_answer
from stillwatch.hub.hub import Hub
from stillwatch.hub.operations import Operation
from stillwatch.hub.storage.moments import version_text
from stillwatch.sharing.objects.build import ENTITY_TYPES
from stillwatch.sharing.objects.hub_rules import STATEMENTS, states_conduct
from stillwatch.sharing.objects.vocabulary import OpinionWord

_WORDS: tuple[OpinionWord, ...] = get_args(OpinionWord)
_ABOUT_NOBODY = frozenset({"created_by_ref", "object_marking_refs"})


class Opinion(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An opinion; its explanation goes to the owner, without a name."""

    object_id: bodies.ObjectId
    opinion: OpinionWord
    explanation: bodies.Text | None = None


class Opinions(msgspec.Struct, kw_only=True):
    """How many members have which opinion, as of a day ago; the owner alone gets the explanations."""

    object_id: str
    members: reports.Members
    opinions: dict[OpinionWord, reports.Members]
    as_of: str
    explanations: list[str] | msgspec.UnsetType = msgspec.UNSET


class Views:
    """Handlers for opinions."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def operations(self) -> list[Operation]:
        """Return the operations."""
        return [
            Operation(
                "/v1/opinions",
                "post",
                "Say how far one agrees; it takes the place of what one said before.",
                self.add,
                Opinion,
                ((202, bodies.Taken),),
                (400, 413, 422),
            ),
            Operation("/v1/opinions/{object_id}", "get", "How many agree.", self.count, None, ((200, Opinions),)),
        ]

    def add(self, call: Call) -> Answer:
        """Keep an opinion."""
        given = bodies.read(call.body, Opinion)
        if not states_conduct(given.object_id):
            kinds = f"{', '.join(sorted(STATEMENTS))}, and observables but accounts and e-mail addresses"
            raise HubError(422, "an opinion is on a statement of conduct, not on somebody", kinds)
        storage = self._hub.storage
        with storage.writing() as db:
            seen = subject(db, call.member, given.object_id)
            if any(is_about_somebody(one.item) for one in seen):
                raise HubError(422, "the object is about somebody, on whom there are no opinions")
            reports.keep(db, storage, "opinion", call.member, seen, given)
            write_down(db, storage, "statement.added", member=call.member.member_id, opinion=given)
        return json_answer(bodies.Taken(object_id=given.object_id), 202)

    def count(self, call: Call) -> Answer:
        """Answer how many agree."""
        now = self._hub.storage.now()
        with self._hub.storage.reading() as db:
            seen = subject(db, call.member, call.path["object_id"])
            found = reports.counted(db, "opinion", call.member, seen, now)
            mine = [one for one in seen if one.owner == call.member.number]
            to_me = reports.counted(db, "opinion", call.member, mine, now)
        words = Counter(one["opinion"] for one in found)
        told = Opinions(
            object_id=seen[0].found.id,
            members=reports.band_of(len(found)),
            opinions={word: reports.band_of(words[word]) for word in _WORDS},
            as_of=version_text(int(now - reports.DELAY_S) * 1_000_000),
        )
        if mine:
            told.explanations = sorted(one["explanation"] for one in to_me if one["explanation"] is not None)
        return json_answer(told)


def is_about_somebody(item: Mapping[str, Any]) -> bool:
    """Whether an object refers to an identity, an intrusion set or a threat actor as what it is about."""
    refs = [
        ref
        for name, value in item.items()
        if name.endswith(("_ref", "_refs")) and name not in _ABOUT_NOBODY
        for ref in (value if isinstance(value, list) else [value])
    ]
    return any(isinstance(ref, str) and kind_of(ref) in ENTITY_TYPES for ref in refs)
