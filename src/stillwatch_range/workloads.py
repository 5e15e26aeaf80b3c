"""Legitimate heavy users that look like attackers: who they are, what they ask, and when."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import islice
from typing import Any, Literal

import msgspec

from stillwatch.errors import UsageError
from stillwatch_range.families.base import Source
from stillwatch_range.families.bypass import variants
from stillwatch_range.families.trajectories import trajectories
from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Dialogue, Material, Turn
from stillwatch_range.metadata import Party, World
from stillwatch_range.populations import Account, Licence, Shift, Work
from stillwatch_range.text import Words, fill_around, invent_answer
from stillwatch_range.timing import Rhythm

_RUSH_DAYS = 1.5
"""How long after a release those are at work who waited for it."""
_CLIENT = ("name", "city", "thing", "audience", "tone")
_TEAM = 12
"""People who share one key."""
_REFUSED = 0.7
"""Part of a red team's attempts that is refused."""
_CHATTINESS = 0.6


@dataclass(frozen=True, slots=True)
class Workload:
    """A legitimate heavy use.

    Attributes:
        name: the cohort's name, and what it asks: key into Material.workloads or a use that the range knows itself.
        accounts: how many accounts run it.
        strangers: the accounts belong to different customers and draw from the same items; otherwise each item
            is asked once, and unless `tied` says else they are the keys of one firm.
        items: conversations per account in the window.
        earlier_items: conversations per account before it, where the workload is not new.
        pool: strangers draw from this many public items, None = all.
        one_org: the firm's keys stand under one organisation at the provider.
        licence: the kind of entry under which its accounts stand in the registry.
        rhythm: how its requests arrive.
        tied: what different customers have in common: an agency that pays, a campus; or that one account is
            used by a whole team from everywhere.
        repeats: how often each account asks its items.
        at_release: it is run in the hours after a release, on the new model.
        names_users: it tells the provider which of its own users asks.
        profile: the recorded program that it is run with, where the scenario has profiles, None = any.
        made_of: what it asks where the range makes it itself: wordings, people's conversations, tool use, bypasses.
    """

    name: str
    accounts: int
    strangers: bool
    items: int
    earlier_items: int
    pool: int | None = None
    one_org: bool = True
    licence: Licence | None = None
    rhythm: Rhythm = "program"
    tied: Literal["agency", "campus", "team"] | None = None
    repeats: int = 1
    at_release: bool = False
    names_users: bool = False
    profile: str | None = None
    made_of: Literal["text", "talks", "tools", "bypass"] = "text"


WORKLOADS = (
    Workload("classifier", accounts=6, strangers=False, items=150, earlier_items=80),
    Workload("judge", accounts=10, strangers=True, items=120, earlier_items=60, pool=400, profile="langchain"),
    Workload("benchmark", accounts=8, strangers=True, items=200, earlier_items=100, pool=600, profile="lm-eval-chat"),
    Workload("summaries", accounts=1, strangers=False, items=120, earlier_items=80),
    Workload("agent", accounts=2, strangers=False, items=15, earlier_items=10),
    Workload("licensed", accounts=2, strangers=False, items=300, earlier_items=150, licence="distillation"),
)
"""Heavy uses of the corpora."""


@lru_cache(maxsize=1)
def known_workloads() -> dict[str, Workload]:
    """Return all heavy uses by name: those of the corpora, and those that the range makes itself."""
    own = {
        name: msgspec.convert({"name": name, **{key: use[key] for key in use if key != "text"}}, Workload)
        for name, use in _uses().items()
    }
    return {**{workload.name: workload for workload in WORKLOADS}, **own}


def heavy_accounts(
    world: World,
    source: Source,
    ids: Identifiers,
    material: Material,
    workload: Workload,
    *,
    known: bool,
    release_day: float,
) -> list[Account]:
    """Return the accounts of one legitimate heavy use, with history only where it is `known` there.

    Args:
        world: where its customers come from.
        source: chance, and what its items are made from.
        ids: source of identifiers.
        material: items of the corpora.
        workload: the use.
        known: whether it was there before the window.
        release_day: when a model is released, in days since the window's start.

    Raises:
        UsageError: no such use, or too few conversations for it.
    """
    rng, known = source.rng, known and workload.earlier_items > 0
    cohort = workload.name if known else f"new:{workload.name}"
    accounts = [
        Account(
            ids.take("acct_"),
            party,
            "hard_negative",
            cohort,
            rhythm=workload.rhythm,
            licence=workload.licence,
            eager=workload.at_release,
        )
        for party in _parties(world, workload)
    ]
    variants_of = _items(source, material, workload, earlier=known)
    pools = [rng.sample(items, min(workload.pool or len(items), len(items))) for items in variants_of]
    shared_out = variants_of if workload.tied == "agency" else variants_of[:1]
    queues = [rng.sample(items, len(items)) for items in shared_out]
    days = (release_day, release_day + _RUSH_DAYS) if workload.at_release else None
    for number, account in enumerate(accounts):
        shifts = _shifts(world, account, workload, days)
        for part, mean in ((account.window, workload.items), (account.history, workload.earlier_items if known else 0)):
            if workload.strangers:
                pool = pools[number % len(pools)]
                talks = rng.sample(pool, min(len(pool), round(mean * rng.uniform(0.6, 1.5))))
            else:
                queue = queues[number % len(queues)]
                talks = [queue.pop() for _ in range(min(len(queue), round(mean * rng.uniform(0.6, 1.4))))]
            part.extend(
                Work(talk, shift=rng.choice(shifts) if part is account.window else None)
                for _ in range(workload.repeats)
                for talk in talks
            )
    return accounts


def _parties(world: World, workload: Workload) -> list[Party]:
    count = workload.accounts
    if workload.tied == "agency":
        parties = world.agency(count, program=True)
    elif workload.tied == "campus":
        human = workload.rhythm == "human"
        parties = [world.person(firm=0, network="campus", program=not human) for _ in range(count)]
    elif workload.rhythm == "human" and workload.strangers:
        parties = [world.person() for _ in range(count)]
    else:
        customers = [1] * count if workload.strangers else [count]
        parties = [party for keys in customers for party in world.company(keys, one_org=workload.one_org)]
    for party in parties:
        party.client.names_users = workload.names_users
    return parties


def _shifts(world: World, account: Account, workload: Workload, days: tuple[float, float] | None) -> list[Shift | None]:
    """Return the ways in which an account's requests are sent, to be chosen from by lot."""
    if workload.tied == "team":
        return [Shift(days, world.colleague(account.party)) for _ in range(_TEAM)]
    return [None if days is None else Shift(days)]


def _items(source: Source, material: Material, workload: Workload, *, earlier: bool) -> list[list[Dialogue]]:
    """Return the items of each variant of a use; one that the range makes has as many as it can need."""
    if workload.name in material.workloads:
        return material.workloads[workload.name]
    if workload.name not in _uses():
        known = sorted({*material.workloads, *_uses()})
        raise UsageError(f"unknown workload {workload.name!r}", hint=f"one of {', '.join(known)}")
    each = workload.items + (workload.earlier_items if earlier else 0)
    count = workload.pool or round(1.4 * each * workload.accounts) + 1
    words: Words = _uses()[workload.name].get("text", {})
    system = fill_around(source.rng, source.rng.choice(words["system"]), {}, {}) if "system" in words else None
    if workload.made_of == "tools":
        made = list(islice(trajectories(source), count))
    elif workload.made_of == "bypass":
        made = list(islice(variants(source, _REFUSED), count))
    elif workload.made_of == "talks":
        made = [source.talks.take() for _ in range(count)]
    elif workload.tied == "agency":
        return [_of_client(source, words, count // workload.accounts + 1) for _ in range(workload.accounts)]
    else:
        made = [_written(source, words) for _ in range(count)]
    if system is None:
        return [made]
    return [[tuple(turn._replace(system=system) for turn in talk) for talk in made]]


def _of_client(source: Source, words: Words, count: int) -> list[Dialogue]:
    """Return conversations about one client of an agency, who stays the same with what it sells and to whom."""
    client = {slot: fill_around(source.rng, f"{{{slot}}}", words, {}) for slot in _CLIENT}
    return [_written(source, words, client) for _ in range(count)]


def _written(source: Source, words: Words, known: dict[str, str] | None = None) -> Dialogue:
    """Return one conversation: a wording, and where there are any, some that follow it."""
    rng = source.rng
    form = rng.choice(words["frame"])
    given = dict(known or {})
    if "{answer}" in form:
        given["answer"] = invent_answer(rng)
    if "{task}" in form:
        given["task"] = source.task()
    turns = [Turn(fill_around(rng, form, words, given))]
    while "follow" in words and rng.random() < _CHATTINESS:
        turns.append(Turn(fill_around(rng, rng.choice(words["follow"]), words, {})))
    return tuple(turns)


@lru_cache(maxsize=1)
def _uses() -> dict[str, dict[str, Any]]:
    return tomllib.loads((files("stillwatch_range") / "workloads.toml").read_text("utf-8"))
