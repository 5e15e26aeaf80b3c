"""Counsel's part: who said what about a fact, and when that is enough. Two persons release, one refuses."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.events import OpinionEnded, OpinionGiven, Reviewed
from stillwatch.sharing.clearance.opinions import Opinion

PERSONS = 2
_LOOK_ALIKE = str.maketrans(
    "аеорсухіѕјԁɡһкмтвнӏԛԝοαινρτυκχγβη01ıøłđæœ",  # noqa: RUF001
    "aeopcyxisjdghkmtbhlqwoaivptukxybnolioldao",
)
"""Letters of other scripts that look like Latin ones, and digits that look like letters."""


def person(name: str) -> str:
    """Return the form of a name by which persons are told apart: its letters, as they look, in whatever order.

    Two persons whose names look alike count as one. Who it is that speaks is for the system to know that lets them.

    Raises:
        UsageError: it is no name.
    """
    seen = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold()).translate(_LOOK_ALIKE)
    letters = sorted(character for character in seen if character.isalnum())
    if not letters:
        raise UsageError("a review needs a person", hint="say who with --by")
    return "".join(letters)


class Reviews:
    """All that was said about facts that were held, in order."""

    def __init__(self, reviews: Iterable[Reviewed] = ()) -> None:
        self._by_key: dict[str, list[Reviewed]] = defaultdict(list)
        for review in reviews:
            self.add(review)

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def add(self, review: Reviewed) -> None:
        """Take one person's word."""
        self._by_key[review.key].append(review)

    def of(self, key: str) -> list[Reviewed]:
        """Return what was said of one fact."""
        return list(self._by_key.get(key, ()))

    def refused(self, key: str) -> bool:
        """Return whether somebody refused; that is the end of it, under whatever terms."""
        return any(review.verdict == "refuse" for review in self._by_key.get(key, ()))

    def releasing(self, key: str, terms: str, bases: Sequence[str]) -> list[Reviewed]:
        """Return the words for a release that count: under these terms, and while the bases that held then still do."""
        return [
            review
            for review in self._by_key.get(key, ())
            if review.verdict == "release" and review.terms == terms and set(review.bases) <= set(bases)
        ]

    def released(self, key: str, terms: str, bases: Sequence[str]) -> bool:
        """Return whether enough different persons released and none refused."""
        persons = {person(review.by) for review in self.releasing(key, terms, bases)}
        return len(persons) >= PERSONS and not self.refused(key)

    def check(self, review: Reviewed) -> None:
        """Check that a word may be added.

        Raises:
            UsageError: it says no person or no reason.
            PolicyRefusedError: it was decided already, or the same person speaks twice.
        """
        name = person(review.by)
        if not review.reason.strip():
            raise UsageError("a review needs a reason", hint="say why with --reason")
        if self.refused(review.key) or self.released(review.key, review.terms, review.bases):
            raise PolicyRefusedError(f"{review.key} was decided already", hint="`share review` lists what is held")
        before = {person(one.by) for one in self.releasing(review.key, review.terms, review.bases)}
        if review.verdict == "release" and name in before:
            raise PolicyRefusedError(
                f"{review.by} has released {review.key} already", hint=f"a release takes {PERSONS} different persons"
            )


def opinions_of(events: Iterable[OpinionGiven | OpinionEnded]) -> list[Opinion]:
    """Return the standing opinions that two persons gave in the same words, each from the second word on.

    One person ends an opinion, for good: what is given later under its name does not stand.
    """
    told = list(events)
    ended = {event.opinion for event in told if isinstance(event, OpinionEnded)}
    return [one for one in given_by_two(told) if one.id not in ended]


def given_by_two(events: Iterable[OpinionGiven | OpinionEnded]) -> list[Opinion]:
    """Return all opinions that two persons gave in the same words, those too that somebody ended."""
    words: dict[tuple[str, int, tuple[str, ...], float], list[OpinionGiven]] = defaultdict(list)
    for event in events:
        if isinstance(event, OpinionGiven):
            words[event.opinion, event.number, event.fields, event.until_s].append(event)
    pairs = [_pair(given) for given in words.values()]
    return [_opinion(*pair) for pair in pairs if pair is not None]


def _pair(given: Sequence[OpinionGiven]) -> tuple[OpinionGiven, OpinionGiven] | None:
    first = given[0]
    return next(((first, second) for second in given[1:] if person(second.by) != person(first.by)), None)


def _opinion(first: OpinionGiven, second: OpinionGiven) -> Opinion:
    return Opinion(
        id=first.opinion,
        number=first.number,
        fields=first.fields,
        start_s=second.ts,
        until_s=first.until_s,
        reason=first.reason,
        by=(first.by, second.by),
        bases=tuple(sorted({*first.bases, *second.bases})),
    )
