"""Scenarios as data, and the labelled window that one of them and a seed make."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stillwatch_range.corpora import read_corpora
from stillwatch_range.enrolment import populate
from stillwatch_range.exchanges import Recorder, write_exchanges
from stillwatch_range.ids import Identifiers, stream
from stillwatch_range.material import Material
from stillwatch_range.plan import Scenario
from stillwatch_range.side_files import write_side_files
from stillwatch_range.text import invent_material
from stillwatch_range.timing import DAY_US, SECOND_US, Period
from stillwatch_range.truth import Truth, label, write_harvest, write_truth

__all__ = ["Scenario", "build_labelled_window", "build_window"]

_OPENING = datetime(2026, 3, 2, tzinfo=UTC)
_MODELS = ("larch-2-large", "larch-2-small")
_RELEASED_MODEL = "larch-3-large"
_TALKS_PER_PERSON = 4
"""Conversations to invent for each ordinary account: what they hold themselves, and as much again for cover."""
_EAGER_DAYS, _OTHERS_DAYS = 1, 6


def build_labelled_window(corpora: Path | None, out: Path, scenario: Scenario, seed: int) -> Truth:
    """Make a labelled window from a directory of corpora, or from text that the range makes itself."""
    if corpora is None:
        people = scenario.benign_accounts + scenario.history_accounts
        material = invent_material(seed, _TALKS_PER_PERSON * people)
    else:
        material = read_corpora(corpora)
    return build_window(material, out, scenario, seed)


def build_window(material: Material, out: Path, scenario: Scenario, seed: int) -> Truth:
    """Write a labelled window with its history, side files and truth, named as in cli.md.

    The same material, scenario and seed give the same bytes.

    Raises:
        UsageError: the material is too small for the scenario, or the scenario names what is not in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    opening_day = _OPENING + timedelta(days=scenario.later)
    opening = round(opening_day.timestamp()) * SECOND_US
    cast = populate(material, scenario, seed, opening)
    before = Period(opening, scenario.days)
    window = Period(before.end_us, scenario.days)
    release_us = window.start_us + round(scenario.released() * DAY_US)
    ids = Identifiers(stream(seed, "exchange ids").getrandbits(63))
    rng = stream(seed, "exchanges")
    recorders = [Recorder(rng, ids, material.pace, period, metadata=scenario.metadata) for period in (before, window)]
    for account in cast.accounts:
        model_at = _model_choice(rng.random(), rng.choice(_MODELS), release_us, eager=account.eager)
        recorders[0].record(account, account.history, model_at)
        recorders[1].record(account, account.window, model_at)
    tables = [recorder.table() for recorder in recorders]
    for name, table in zip(("history", "window"), tables, strict=True):
        write_exchanges(table, out / name)
    truth = label(cast.accounts, cast.families, recorders[1].harvested)
    write_side_files(out, cast.accounts, opening_day, (_RELEASED_MODEL, release_us), metadata=scenario.metadata)
    write_harvest(recorders[1].harvested, out / "harvest_ids.jsonl.gz")
    write_truth(truth, out / "truth.json")
    return truth


def _model_choice(eagerness: float, usual: str, release_us: int, *, eager: bool) -> Callable[[int], str]:
    """Return the model asked at a moment; the eager move to a new one within a day, half of the others within three."""
    moves_us = release_us + round(eagerness * (_EAGER_DAYS if eager else _OTHERS_DAYS) * DAY_US)
    moves = eager or eagerness < 0.5

    def model_at(moment_us: int) -> str:
        return _RELEASED_MODEL if moves and moment_us >= moves_us else usual

    return model_at
