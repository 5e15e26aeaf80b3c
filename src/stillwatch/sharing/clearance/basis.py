"""Legal bases with their dates: what is in force, what counsel has adopted, and what lapses by itself.

A basis counts only while three things hold: it is in force by its own dates, counsel adopted it by name, and that
adoption has not ended. The default is that nothing is adopted.
"""

import datetime as dt
import tomllib
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

import msgspec

from stillwatch.errors import Location, UsageError

LONGEST = dt.timedelta(days=366)
"""How long an adoption may last before counsel looks at it again."""
_HINT = "see docs/reference/clearance.md for adoptions"


class Period(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """Days from `start` to `end`, both in force (UTC); without an end where none is known."""

    start: dt.date
    end: dt.date | None = None

    def holds(self, day: dt.date) -> bool:
        """Return whether a day lies in it."""
        return self.start <= day and (self.end is None or day <= self.end)


class Basis(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A law, statement or guideline that sharing may rest on."""

    id: str
    title: str
    jurisdiction: str
    periods: tuple[Period, ...]
    source: str
    caveat: str = ""


class Adoption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Counsel's word that this member relies on a basis. `until` is the last day; it must be renewed."""

    basis: str
    by: str
    reason: str
    start: dt.date = msgspec.field(name="from")
    until: dt.date


class Adoptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file in which counsel adopts bases: where the member is bound, and what it relies on there."""

    jurisdictions: tuple[str, ...] = ()
    adoption: tuple[Adoption, ...] = ()


class _Known(msgspec.Struct, frozen=True):
    basis: tuple[Basis, ...]


class Bases:
    """The known bases, and what of them a member has adopted."""

    def __init__(self, known: Iterable[Basis], adoptions: Adoptions | None = None) -> None:
        self.known = {basis.id: basis for basis in known}
        self.adoptions = adoptions or Adoptions()

    def in_force(self, name: str, now_s: float) -> bool:
        """Return whether a basis counts at a moment (Unix seconds)."""
        return self.why_not(name, now_s) is None

    def why_not(self, name: str, now_s: float) -> str | None:
        """Return why a basis does not count at a moment; None where it does."""
        day = dt.datetime.fromtimestamp(now_s, dt.UTC).date()
        if not any(period.holds(day) for period in self.known[name].periods):
            return f"{name} is not in force on {day}"
        adopted = [adoption for adoption in self.adoptions.adoption if adoption.basis == name]
        if not adopted:
            return f"counsel has not adopted {name} (`share bases --adopt` does)"
        if not any(adoption.start <= day <= adoption.until for adoption in adopted):
            return f"counsel's adoption of {name} does not cover {day}"
        return None

    def support(self, names: Iterable[str], now_s: float) -> tuple[tuple[str, ...], str | None]:
        """Return the bases in force among those of a class, and what is missing (None where nothing is).

        In each jurisdiction that the member names, one basis that the class lists for it must be in force.
        """
        listed = [self.known[name] for name in names]
        holding = tuple(basis.id for basis in listed if self.in_force(basis.id, now_s))
        if not self.adoptions.jurisdictions:
            return (
                holding,
                "counsel has adopted no legal basis (`share bases --adopt` does; two persons may release this)",
            )
        for jurisdiction in self.adoptions.jurisdictions:
            there = [basis.id for basis in listed if basis.jurisdiction == jurisdiction]
            if not any(name in holding for name in there):
                reasons = "; ".join(filter(None, (self.why_not(name, now_s) for name in there)))
                return holding, f"no legal basis in {jurisdiction}: {reasons or 'the class lists none'}"
        return holding, None


def standard_bases(adoptions: Adoptions | None = None) -> Bases:
    """Return the bases that ship with the package (bases.toml), as far as counsel adopted them."""
    file = resources.files("stillwatch.sharing.clearance").joinpath("bases.toml")
    return Bases(msgspec.convert(tomllib.loads(file.read_text("utf-8")), _Known).basis, adoptions)


def load_adoptions(path: Path) -> Adoptions:
    """Read counsel's adoptions (TOML).

    Raises:
        UsageError: it cannot be read, or names no known basis or jurisdiction, no person, no reason, or no end
            within a year.
    """
    try:
        adoptions = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Adoptions)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(str(error), where=Location(str(path)), hint=_HINT) from error
    faults = list(_faults(adoptions))
    if faults:
        raise UsageError("; ".join(faults), where=Location(str(path)), hint=_HINT)
    return adoptions


def _faults(adoptions: Adoptions) -> Iterator[str]:
    known = standard_bases().known
    places = sorted({basis.jurisdiction for basis in known.values()})
    for place in adoptions.jurisdictions:
        if place not in places:
            yield f"no basis is known for the jurisdiction {place!r}; known: {', '.join(places)}"
    for adoption in adoptions.adoption:
        if adoption.basis not in known:
            yield f"no basis is called {adoption.basis!r}; known: {', '.join(known)}"
        if not adoption.by.strip() or not adoption.reason.strip():
            yield f"the adoption of {adoption.basis!r} says no person or no reason"
        if adoption.until < adoption.start:
            yield f"the adoption of {adoption.basis!r} ends before it begins"
        if adoption.until - adoption.start > LONGEST:
            yield f"the adoption of {adoption.basis!r} lasts longer than {LONGEST.days} days"
