"""Clears findings: rules on their facts, logs every ruling, and writes the objects that may be sent."""

import datetime as dt
import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.anonymity import check_hidden, is_tied
from stillwatch.sharing.clearance.basis import Bases
from stillwatch.sharing.clearance.build import DAY_S, Draft
from stillwatch.sharing.clearance.circumvention import circumventions
from stillwatch.sharing.clearance.drafting import content_of, drafts_of, later_than
from stillwatch.sharing.clearance.events import BasisAdopted, ItemRuled, ObjectMade, OpinionGiven, Reviewed, RulesUsed
from stillwatch.sharing.clearance.judging import end_of, rule, terms_of
from stillwatch.sharing.clearance.load import Rules, standard_rules
from stillwatch.sharing.clearance.model import Item, Kept, Ruling, Terms
from stillwatch.sharing.clearance.opining import end_opinion, give_opinion
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.clearance.places import Place
from stillwatch.sharing.clearance.readable import readable
from stillwatch.sharing.clearance.release import Cleared, expired, read_cleared
from stillwatch.sharing.clearance.ruled import Ruled, fields_ruled, told_in
from stillwatch.sharing.clearance.stated import adoptions_digest
from stillwatch.sharing.clearance.withdrawal import deletions_at, revocation_of, versions_at, withdraw
from stillwatch.sharing.objects.build import Object, canonical

__all__ = ["Cleared", "Clearing", "Held", "Outcome", "Terms"]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that waits for counsel, with its value in clear, the terms it would leave under, and who released it.

    Attributes:
        expires_at: the end of its own that would go out with it (Unix seconds).
    """

    key: str
    item_id: str
    field: str
    value: object
    number: int
    why: str
    source: str
    transformation: str
    terms: Terms
    released_by: tuple[str, ...]
    expires_at: float | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item."""

    item_id: str
    rulings: tuple[Ruling, ...]
    objects: tuple[str, ...]


class Clearing:
    """Clearance over one outbox, under one version of rules and bases.

    The terms are for items that are cleared from now on. What was cleared before keeps its own, in review too. `stated`
    says, for the log, which of rules and bases came from a file that somebody named (see stated.py).
    """

    def __init__(
        self,
        outbox: Outbox,
        rules: Rules,
        bases: Bases,
        terms: Terms,
        clock: Callable[[], float] = time.time,
        stated: tuple[str, ...] | None = None,
    ) -> None:
        self._outbox, self._rules, self._bases, self._terms = outbox, rules, bases, terms
        self._wall_clock, self._stated = clock, stated

    def clear(self, items: Sequence[Item], hidden_by: str = "") -> list[Outcome]:
        """Rule on items and write the objects of what leaves. The same items again make nothing new.

        Args:
            items: findings.
            hidden_by: who stands for the member from now on where it is not named; by default who does already.

        Raises:
            PolicyRefusedError: the log is ahead of the clock by more than a day.
            InputRejectedError: an item has a name or times that cannot be written down.
            PolicyRefusedError: the rules are not those that the log knows under their version, or an item was sent
                under the member's name before and is not to be now, or the other way.
            UsageError: the member is not to be named, and nobody stands for it yet.
        """
        check_hidden(self._outbox, items, self._terms, hidden_by or self._outbox.member.hidden_by)
        return self._clear([Kept(item=readable(item), terms=self._terms) for item in items], hidden_by)

    def held(self) -> list[Held]:
        """Return what waits for counsel, of all items that were cleared."""
        return [self._as_held(kept, one) for kept, one in self._all_ruled() if one.ruling.state == "held"]

    def review(self, *reviews: Reviewed) -> list[Outcome]:
        """Take a person's words on facts that are held; where they are enough, clear the items anew. All or none count.

        Only key, verdict, person and reason are taken; what a word is about is read from the outbox.

        Raises:
            UsageError: one says no person or no reason, or nothing is held under its key.
            PolicyRefusedError: one was decided already, or the same person speaks twice.
        """
        now_s = self._now_s()
        wanted = {review.key: review for review in reviews}
        found = {
            key: (kept, one)
            for kept, one in self._all_ruled()
            if one.ruling.state == "held" or one.ruling.review is not None
            if (key := self._outbox.key_of(kept.item, one.fact)) in wanted
        }
        for key in wanted:
            if key not in found:
                raise UsageError(f"nothing is held under {key}", hint="`share review` lists what is held")
        told = [self._word(review, *found[key], now_s) for key, review in wanted.items()]
        for word in told:
            self._outbox.reviews.check(word)
        self._outbox.record(told, now_s)
        done = [word for word in told if self._outbox.reviews.released(word.key, word.terms, word.bases)]
        return self._clear(list({word.item: found[word.key][0] for word in done}.values()))

    def give_opinion(self, given: OpinionGiven) -> bool:
        """Take a person's word for a standing opinion; return whether it stands now.

        Raises:
            UsageError: no person, no reason, no such class or field, or no end within a year.
            PolicyRefusedError: the class lets nothing of that go, whoever says so.
        """
        return give_opinion(self._outbox, self._rules, self._bases, given, self._now_s())

    def end_opinion(self, name: str, *, by: str, reason: str) -> None:
        """End a standing opinion, for good. One person is enough.

        Raises:
            UsageError: there is no such opinion, or no person or reason.
        """
        end_opinion(self._outbox, name, by=by, reason=reason, now_s=self._now_s())

    def ready(self) -> tuple[list[Cleared], list[str]]:
        """Return what may be sent now and was not, and why the rest may not.

        Each is judged anew at this moment: what would not be cleared now as it was then waits, whatever changed since
        (a basis lapsed, an opinion or an address ran out, a rule became stricter, an account proved a victim's).
        """
        now_s = self._now_s()
        self._note_rules(now_s)
        ready, waiting = [], []
        cleared_now: dict[str, _Now] = {}
        for made in self._outbox.latest().values():
            if self._outbox.was_taken(made.sha256) or made.withdrawn or self._outbox.is_about_nothing(made):
                continue
            if made.item not in cleared_now:
                cleared_now[made.item] = self._now(made.item, now_s)
            now = cleared_now[made.item]
            if now.anonymous not in (None, made.anonymous):  # its item was cleared the other way since
                continue
            found = read_cleared(self._outbox, made.sha256)
            why_not = _why_not(made, found, now)
            if why_not is None:
                ready.append(found)
            else:
                waiting.append(f"{made.object_id}: {why_not}")
        return ready, waiting

    def to_revoke(self, place: Place, *, anonymous: bool = False) -> tuple[list[Cleared], list[str]]:
        """Return the versions that take objects back from a place, and why others cannot be taken back by one.

        They go to who has the objects there, and to nobody else. Those that do not name the member are made apart from
        the rest, when they are asked for, so that no two share a moment.
        """
        now_s = self._now_s()
        back, stuck = [], []
        for version in versions_at(self._outbox, place, anonymous=anonymous):
            try:
                sha256 = revocation_of(self._outbox, version, lambda name: read_cleared(self._outbox, name).body, now_s)
                back.append(read_cleared(self._outbox, sha256))
            except PolicyRefusedError as error:  # one file that is lost keeps nothing else back
                what = f"{self._outbox.made[version].object_id} is not taken back"
                stuck.append(f"{what}; restore its file from a copy of the outbox: {error.message}")
        return back, stuck

    def to_delete(self, place: Place, *, anonymous: bool = False) -> list[str]:
        """Return the observables that were withdrawn and that a place still has: no version of them could say so."""
        return deletions_at(self._outbox, place, anonymous=anonymous)

    def expired(self, names: Iterable[str]) -> int:
        """Return how many of some objects, by SHA-256, are indicators that hold no more."""
        return expired((read_cleared(self._outbox, name) for name in names), self._now_s())

    def withdraw(self, object_id: str, *, by: str, reason: str) -> ObjectMade:
        """Take an object back, for good; see `withdrawal.withdraw`."""
        return withdraw(self._outbox, object_id, by=by, reason=reason, now_s=self._outbox.moment(self._wall_clock()))

    def _now_s(self) -> float:
        """Return the moment to judge at: a clock that was set back revives nothing that lapsed.

        Raises:
            PolicyRefusedError: the log was written to more than a day ahead of the clock, so one of the two is wrong.
        """
        now_s, last_s = self._wall_clock(), self._outbox.last_s
        if last_s > now_s + DAY_S:
            last, now = (dt.datetime.fromtimestamp(at, dt.UTC).date() for at in (last_s, now_s))
            raise PolicyRefusedError(
                f"the last entry of the clearance log is of {last}, and by the clock it is {now}",
                hint="set the clock; if it was wrong then and is right now, restore the outbox from a copy from before",
            )
        return self._outbox.moment(now_s)

    def _word(self, review: Reviewed, kept: Kept, one: Ruled, now_s: float) -> Reviewed:
        return msgspec.structs.replace(
            review,
            ts=now_s,
            item=self._outbox.item_key(kept.item),
            field=one.fact.field,
            value=self._outbox.value_digest(one.fact),
            terms=terms_of(self._outbox, kept, one.ruling),
            bases=one.ruling.bases,
        )

    def _clear(self, items: Sequence[Kept], hidden_by: str = "") -> list[Outcome]:
        now_s = self._now_s()
        self._note_rules(now_s)
        if hidden_by:  # once nothing refuses the whole any more
            self._outbox.be_hidden_by(hidden_by)
        return [self._clear_one(kept, now_s) for kept in items]

    def _note_rules(self, now_s: float) -> None:
        bases = self._bases
        used = RulesUsed(
            ts=now_s,
            version=self._rules.version,
            table=self._rules.digest,
            adoptions=adoptions_digest(self._outbox, bases),
            in_force=tuple(name for name in bases.known if bases.in_force(name, now_s)),
            stated=self._stated,
        )
        if self._outbox.tables.get(used.version, used.table) != used.table:
            raise PolicyRefusedError(
                f"the rules changed, and their version is still {used.version}", hint="give the table a new version"
            )
        self._note_adoptions(now_s)
        last = self._outbox.rules
        if last is None or msgspec.structs.replace(last, ts=now_s) != used:
            self._outbox.record([used], now_s)

    def _note_adoptions(self, now_s: float) -> None:
        adopted = [
            BasisAdopted(ts=0.0, basis=one.basis, by=one.by, reason=one.reason, start=one.start, until=one.until)
            for one in self._bases.adoptions.adoption
        ]
        new = [one for one in dict.fromkeys(adopted) if one not in self._outbox.adopted]
        self._outbox.record([msgspec.structs.replace(one, ts=now_s) for one in new], now_s)

    def _all_ruled(self) -> Iterator[tuple[Kept, Ruled]]:
        now_s = self._now_s()
        for kept in self._outbox.kept():
            for one in self._rule(kept, now_s):
                yield kept, one

    def _rule(self, kept: Kept, now_s: float) -> list[Ruled]:
        return rule(self._outbox, self._rules, self._bases, kept, now_s)

    def _clear_one(self, kept: Kept, now_s: float) -> Outcome:
        self._outbox.keep_item(kept)
        ruled = self._rule(kept, now_s)
        digest = self._log(kept.item, ruled, now_s)
        rulings = [one.ruling for one in ruled]
        drafts = drafts_of(self._outbox, kept, rulings, _shipped_version(), digest, now_s)
        new = [draft for draft in drafts if not (self._same(draft) or is_tied(self._outbox, draft, kept.terms))]
        file, names = self._outbox.keep_objects([canonical(draft.body) for draft in new])
        made = [
            msgspec.structs.replace(self._made(kept, draft, ruled, now_s), file=file, sha256=sha256)
            for draft, sha256 in zip(new, names, strict=True)
        ]
        self._outbox.record(made, now_s)
        latest = [self._outbox.latest_of(draft.body["id"]) for draft in drafts]
        return Outcome(
            item_id=kept.item.item_id,
            rulings=tuple(rulings),
            objects=tuple(one.sha256 for one in latest if one is not None and one.withdrawn is None),
        )

    def _log(self, item: Item, ruled: Sequence[Ruled], now_s: float) -> str:
        event = ItemRuled(
            ts=now_s,
            item=self._outbox.item_key(item),
            rules_version=self._rules.version,
            circumvention=circumventions(item.circumvention),
            fields=fields_ruled(self._outbox, ruled),
        )
        last = self._outbox.rulings.get(event.item)
        if last is not None and msgspec.structs.replace(last[1], ts=now_s) == event:
            return last[0]
        return self._outbox.record([event], now_s)[0]

    def _made(self, kept: Kept, draft: Draft, ruled: Sequence[Ruled], now_s: float) -> ObjectMade:
        return ObjectMade(
            ts=later_than(self._outbox.latest_of(draft.body["id"]), now_s, anonymous=kept.terms.anonymous),
            sha256="",
            file="",
            object_id=draft.body["id"],
            item=self._outbox.item_key(kept.item),
            rules_version=self._rules.version,
            numbers=tuple(sorted({ruling.number for ruling in draft.rulings})),
            bases=tuple(sorted({basis for ruling in draft.rulings for basis in ruling.bases})),
            released=tuple(sorted({ruling.review for ruling in draft.rulings if ruling.review is not None})),
            opinions=tuple(sorted({ruling.opinion for ruling in draft.rulings if ruling.opinion is not None})),
            audience=self._outbox.audience_digest(kept.terms),
            anonymous=kept.terms.anonymous,
            facts=told_in(self._outbox, kept.item, draft, ruled),
        )

    def _same(self, draft: Draft) -> bool:
        """Return whether the latest version says the same, or was withdrawn; what was withdrawn stays so."""
        last = self._outbox.latest_of(draft.body["id"])
        if last is None or last.withdrawn is not None:
            return last is not None
        try:
            before: Object = msgspec.json.decode(read_cleared(self._outbox, last.sha256).body)
        except PolicyRefusedError:  # its file is gone or was changed: a new version takes its place
            return False
        return content_of(before) == content_of(draft.body)

    def _now(self, item_key: str, now_s: float) -> "_Now":
        kept = self._outbox.kept_item(item_key)
        if kept is None:
            return _Now(None, [], {})
        ruled = self._rule(kept, now_s)
        drafts = drafts_of(self._outbox, kept, [one.ruling for one in ruled], _shipped_version(), "0" * 64, now_s)
        objects = {draft.body["id"]: content_of(draft.body) for draft in drafts}
        return _Now(kept.terms.anonymous, ruled, objects)

    def _as_held(self, kept: Kept, one: Ruled) -> Held:
        key = self._outbox.key_of(kept.item, one.fact)
        terms = terms_of(self._outbox, kept, one.ruling)
        return Held(
            key=key,
            item_id=kept.item.item_id,
            field=one.fact.field,
            value=one.fact.value,
            number=one.ruling.number,
            why=one.ruling.why,
            source=one.ruling.source,
            transformation=one.ruling.transformation,
            terms=kept.terms,
            released_by=tuple(review.by for review in self._outbox.reviews.releasing(key, terms, one.ruling.bases)),
            expires_at=end_of(one.ruling),
        )


@functools.cache
def _shipped_version() -> str:
    return standard_rules().version


class _Now(NamedTuple):
    """How an item is ruled on now, what its objects would say, and whether they would not name the member."""

    anonymous: bool | None
    ruled: list[Ruled]
    objects: dict[str, Object]


def _why_not(made: ObjectMade, found: Cleared, now: _Now) -> str | None:
    """Return why an object would not be cleared now as it was; None where it would."""
    if now.objects.get(made.object_id) == content_of(msgspec.json.decode(found.body)):
        return None
    stays = [one.ruling.why for one in now.ruled if one.ruling.state != "leaves" and one.ruling.number in made.numbers]
    return stays[0] if stays else "it would be cleared otherwise now; `share clear` its finding again"
