"""Writes counsel's adoptions: which legal bases a member relies on, from today to a day that somebody chose."""

import datetime as dt
from pathlib import Path

from stillwatch.errors import UsageError
from stillwatch.files import replace_file
from stillwatch.sharing.clearance.basis import LONGEST, Adoption, Adoptions, load_adoptions, standard_bases


def adopt_basis(file: Path, name: str, *, until: str, by: str, reason: str, now_s: float) -> Adoptions:
    """Add the adoption of a basis to a file (TOML), which is made where there is none.

    Raises:
        UsageError: there is no such basis, or no person, reason or end to come within a year is given.
    """
    known = standard_bases().known
    if name not in known:
        raise UsageError(f"no basis is called {name!r}", hint=f"known: {', '.join(known)}")
    today = dt.datetime.fromtimestamp(now_s, dt.UTC).date()
    try:
        last = dt.date.fromisoformat(until)
    except ValueError as error:
        raise UsageError(f"{until!r} is no day", hint="--until takes the last day, such as 2027-06-30") from error
    if last < today or not by.strip() or not reason.strip():
        raise UsageError(
            "an adoption needs a person, a reason, and an end that is to come", hint="--by, --reason, --until"
        )
    if last - today > LONGEST:
        raise UsageError(
            f"an adoption lasts {LONGEST.days} days at most",
            hint=f"--until {today + LONGEST} at the latest; then renew it",
        )
    before = load_adoptions(file) if file.exists() else Adoptions()
    jurisdictions = tuple(dict.fromkeys((*before.jurisdictions, known[name].jurisdiction)))
    adoption = Adoption(basis=name, by=by, reason=reason, start=today, until=last)
    after = Adoptions(jurisdictions=jurisdictions, adoption=(*before.adoption, adoption))
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(file, _as_toml(after).encode())
    return after


def _as_toml(adoptions: Adoptions) -> str:
    lines = [f"jurisdictions = [{', '.join(map(_quoted, adoptions.jurisdictions))}]"]
    for one in adoptions.adoption:
        lines += [
            "",
            "[[adoption]]",
            f"basis = {_quoted(one.basis)}",
            f"by = {_quoted(one.by)}",
            f"reason = {_quoted(one.reason)}",
            f"from = {one.start}",
            f"until = {one.until}",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = "".join(
        f"\\u{ord(character):04x}" if ord(character) < 32 or character in '"\\\x7f' else character for character in text
    )
    return f'"{escaped}"'
