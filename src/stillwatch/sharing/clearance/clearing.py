"""Clears findings: rules on their facts, logs every ruling, and writes the objects that may be sent."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.basis import Bases
from stillwatch.sharing.clearance.build import Draft
from stillwatch.sharing.clearance.circumvention import circumventions
from stillwatch.sharing.clearance.counsel import person
from stillwatch.sharing.clearance.drafting import content_of, drafts_of, later_than
from stillwatch.sharing.clearance.engine import Engine
from stillwatch.sharing.clearance.events import (
    BasisAdopted,
    ItemRuled,
    ObjectMade,
    OpinionEnded,
    OpinionGiven,
    Reviewed,
    RulesUsed,
)
from stillwatch.sharing.clearance.load import Rules
from stillwatch.sharing.clearance.model import Fact, Item, Kept, Ruling, Terms
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.clearance.readable import readable
from stillwatch.sharing.clearance.release import Cleared, expired, read_cleared
from stillwatch.sharing.clearance.ruled import Ruled, fields_ruled
from stillwatch.sharing.clearance.transform import Means
from stillwatch.sharing.clearance.withdrawal import is_observable, revocation
from stillwatch.sharing.objects.build import Object, canonical

__all__ = ["Clearing", "Held", "Outcome", "Terms"]

_LONGEST_OPINION_S = 366 * 86_400


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that waits for counsel, with its value in clear, the terms it would leave under, and who released it."""

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


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item."""

    item_id: str
    rulings: tuple[Ruling, ...]
    objects: tuple[str, ...]


class Clearing:
    """Clearance over one outbox, under one version of rules and bases.

    The terms are for items that are cleared from now on. What was cleared before keeps its own, in review too.
    """

    def __init__(
        self, outbox: Outbox, rules: Rules, bases: Bases, terms: Terms, clock: Callable[[], float] = time.time
    ) -> None:
        self._outbox, self._rules, self._bases, self._terms, self._clock = outbox, rules, bases, terms, clock

    def clear(self, items: Sequence[Item]) -> list[Outcome]:
        """Rule on items and write the objects of what leaves. The same items again make nothing new.

        Raises:
            InputRejectedError: an item has a name or times that cannot be written down.
            PolicyRefusedError: the rules are not those that the log knows under their version.
        """
        return self._clear([Kept(item=readable(item), terms=self._terms) for item in items])

    def held(self) -> list[Held]:
        """Return what waits for counsel, of all items that were cleared."""
        return [
            self._as_held(kept, one)
            for kept, one in self._all_ruled()
            if one.ruling.state == "held" and not self._outbox.reviews.refused(self._outbox.key_of(kept.item, one.fact))
        ]

    def review(self, *reviews: Reviewed) -> list[Outcome]:
        """Take a person's words on facts that are held; where they are enough, clear the items anew. All or none count.

        Only key, verdict, person and reason are taken; what a word is about is read from the outbox.

        Raises:
            UsageError: one says no person or no reason, or nothing is held under its key.
            PolicyRefusedError: one was decided already, or the same person speaks twice.
        """
        now_s = self._clock()
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
        now_s = self._clock()
        one = self._rules.numbered(given.number)
        person(given.by)
        if one is None or not set(given.fields) <= set(one.fields):
            raise UsageError(f"class {given.number} is not in the rules, or has no such field")
        if not given.reason.strip() or not now_s < given.until_s <= now_s + _LONGEST_OPINION_S:
            raise UsageError("an opinion needs a reason, and an end to come that is at most a year away")
        open_fields = {field for rule in one.rule for field in rule.fields}
        fields = given.fields or tuple(field for field in one.fields if field in open_fields)
        if not fields or not set(fields) <= open_fields:
            raise PolicyRefusedError(f"class {one.number} lets nothing of that go", hint="no opinion can change it")
        holding, _ = self._bases.support(one.bases, now_s)
        told = msgspec.structs.replace(given, ts=now_s, fields=tuple(sorted(fields)), bases=tuple(sorted(holding)))
        self._outbox.record([told], now_s)
        return any(opinion.id == told.opinion for opinion in self._outbox.opinions)

    def end_opinion(self, name: str, *, by: str, reason: str) -> None:
        """End a standing opinion, for good. One person is enough.

        Raises:
            UsageError: there is no such opinion, or no person or reason.
        """
        person(by)
        if not reason.strip() or not self._outbox.knows_opinion(name):
            raise UsageError(f"no opinion is called {name}, or no reason was given", hint="give --reason")
        now_s = self._clock()
        self._outbox.record([OpinionEnded(ts=now_s, opinion=name, by=by, reason=reason)], now_s)

    def ready(self) -> tuple[list[Cleared], list[str]]:
        """Return what may be sent now and was not, and why the rest may not.

        Each is judged anew at this moment: what would not be cleared now as it was then waits, whatever changed since
        (a basis lapsed, an opinion or an address ran out, a rule became stricter, an account proved a victim's).
        """
        now_s = self._clock()
        self._note_rules(now_s)
        ready, waiting = [], []
        cleared_now: dict[str, tuple[list[Ruled], dict[str, Object]]] = {}
        for made in self._outbox.latest().values():
            if made.sha256 in self._outbox.pushed or (made.withdrawn and is_observable(made.object_id)):
                continue
            if made.withdrawn is None and made.item not in cleared_now:
                cleared_now[made.item] = self._now(made.item, now_s)
            found = read_cleared(self._outbox, made.sha256)
            why_not = None if made.withdrawn else _why_not(made, found, *cleared_now[made.item])
            if why_not is None:
                ready.append(found)
            else:
                waiting.append(f"{made.object_id}: {why_not}")
        return ready, waiting

    def to_delete(self) -> list[str]:
        """Return the observables that were withdrawn and that a hub still has: no version of them could say so."""
        return [
            made.object_id
            for made in self._outbox.latest().values()
            if made.withdrawn and is_observable(made.object_id) and made.object_id not in self._outbox.deleted
            if self._outbox.last_accepted(made.object_id) is not None
        ]

    def expired(self, names: Iterable[str]) -> int:
        """Return how many of some objects, by SHA-256, are indicators that hold no more."""
        return expired((read_cleared(self._outbox, name) for name in names), self._clock())

    def withdraw(self, object_id: str, *, by: str, reason: str) -> ObjectMade:
        """Take an object back, for all who have it, and for good. It needs one person's word.

        An observable has no versions: it is offered no more, and where a hub has it, it must be deleted there.

        Raises:
            UsageError: it says no person or no reason.
            PolicyRefusedError: nothing of that id was cleared here, or it was withdrawn already.
        """
        person(by)
        if not reason.strip():
            raise UsageError("a withdrawal needs a reason", hint="say why with --reason")
        last = self._outbox.latest_of(object_id)
        if last is None or last.withdrawn is not None:
            raise PolicyRefusedError(
                f"{object_id} was not cleared here, or was withdrawn already", hint="`share status` lists what was"
            )
        at, file, sha256 = later_than(last, self._clock()), last.file, last.sha256
        if not is_observable(object_id):
            sent = self._outbox.last_accepted(object_id)
            body: Object = msgspec.json.decode(read_cleared(self._outbox, (sent or last).sha256).body)
            file, [sha256] = self._outbox.keep_objects([canonical(revocation(body, at=at, sent=sent is not None))])
        withdrawn = msgspec.structs.replace(last, ts=at, file=file, sha256=sha256, withdrawn=f"{by}: {reason}")
        self._outbox.record([withdrawn], at)
        return withdrawn

    def _word(self, review: Reviewed, kept: Kept, one: Ruled, now_s: float) -> Reviewed:
        return msgspec.structs.replace(
            review,
            ts=now_s,
            item=self._outbox.item_key(kept.item),
            field=one.fact.field,
            value=self._outbox.value_digest(one.fact),
            terms=self._outbox.terms_digest(kept.terms, one.ruling.transformation),
            bases=one.ruling.bases,
        )

    def _clear(self, items: Sequence[Kept]) -> list[Outcome]:
        now_s = self._clock()
        self._note_rules(now_s)
        return [self._clear_one(kept, now_s) for kept in items]

    def _note_rules(self, now_s: float) -> None:
        bases = self._bases
        used = RulesUsed(
            ts=now_s,
            version=self._rules.version,
            table=self._rules.digest,
            adoptions=self._outbox.digest("adoptions", repr(bases.adoptions)),
            in_force=tuple(name for name in bases.known if bases.in_force(name, now_s)),
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
        now_s = self._clock()
        for kept in self._outbox.kept():
            for one in self._rule(kept, now_s):
                yield kept, one

    def _rule(self, kept: Kept, now_s: float) -> list[Ruled]:
        means = Means(pseudonym_key=self._outbox.secret, audience=",".join(sorted(set(kept.terms.recipients))))
        engine = Engine(self._rules, self._bases, self._outbox.opinions, means, now_s)
        return [
            Ruled(fact, self._with_review(engine, kept, fact, ruling))
            for fact, ruling in zip(kept.item.facts, engine.rule_on(kept.item), strict=True)
        ]

    def _with_review(self, engine: Engine, kept: Kept, fact: Fact, ruling: Ruling) -> Ruling:
        reviews = self._outbox.reviews
        if ruling.state != "held" or not reviews:
            return ruling
        key = self._outbox.key_of(kept.item, fact)
        terms = self._outbox.terms_digest(kept.terms, ruling.transformation)
        return engine.released(fact, key) if reviews.released(key, terms, ruling.bases) else ruling

    def _clear_one(self, kept: Kept, now_s: float) -> Outcome:
        self._outbox.keep_item(kept)
        ruled = self._rule(kept, now_s)
        digest = self._log(kept.item, ruled, now_s)
        rulings = [one.ruling for one in ruled]
        drafts = drafts_of(self._outbox, kept, rulings, self._rules.version, digest, now_s)
        new = [draft for draft in drafts if not self._same(draft)]
        file, names = self._outbox.keep_objects([canonical(draft.body) for draft in new])
        item_key = self._outbox.item_key(kept.item)
        made = [self._made(item_key, draft, file, sha256, now_s) for draft, sha256 in zip(new, names, strict=True)]
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

    def _made(self, item_key: str, draft: Draft, file: str, sha256: str, now_s: float) -> ObjectMade:
        return ObjectMade(
            ts=later_than(self._outbox.latest_of(draft.body["id"]), now_s),
            sha256=sha256,
            file=file,
            object_id=draft.body["id"],
            item=item_key,
            rules_version=self._rules.version,
            numbers=tuple(sorted({ruling.number for ruling in draft.rulings})),
            bases=tuple(sorted({basis for ruling in draft.rulings for basis in ruling.bases})),
            released=tuple(sorted({ruling.review for ruling in draft.rulings if ruling.review is not None})),
            opinions=tuple(sorted({ruling.opinion for ruling in draft.rulings if ruling.opinion is not None})),
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

    def _now(self, item_key: str, now_s: float) -> tuple[list[Ruled], dict[str, Object]]:
        """Return how an item is ruled on now, and what its objects would say."""
        kept = self._outbox.kept_item(item_key)
        if kept is None:
            return [], {}
        ruled = self._rule(kept, now_s)
        drafts = drafts_of(self._outbox, kept, [one.ruling for one in ruled], self._rules.version, "0" * 64, now_s)
        return ruled, {draft.body["id"]: content_of(draft.body) for draft in drafts}

    def _as_held(self, kept: Kept, one: Ruled) -> Held:
        key = self._outbox.key_of(kept.item, one.fact)
        terms = self._outbox.terms_digest(kept.terms, one.ruling.transformation)
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
        )


def _why_not(made: ObjectMade, found: Cleared, ruled: Sequence[Ruled], now: dict[str, Object]) -> str | None:
    """Return why an object would not be cleared now as it was; None where it would."""
    if now.get(made.object_id) == content_of(msgspec.json.decode(found.body)):
        return None
    stays = [one.ruling.why for one in ruled if one.ruling.state != "leaves" and one.ruling.number in made.numbers]
    return stays[0] if stays else "it would be cleared otherwise now; `share clear` its finding again"
