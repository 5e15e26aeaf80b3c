"""A provider and an attacker in turns: a day of harvest, what came of it, another way of working the next day."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.detection.findings.model import ACTIONS
from stillwatch.files import replace_file
from stillwatch_range.attacker import Adaptation, Feedback, Stance
from stillwatch_range.campaigns import CampaignPlan, enlist, share_out
from stillwatch_range.exchanges import Recorder, account_records
from stillwatch_range.families.base import Source
from stillwatch_range.ids import Identifiers, stream
from stillwatch_range.material import Dialogue, Material
from stillwatch_range.metadata import World
from stillwatch_range.plan import Scenario
from stillwatch_range.populations import Account, Conversations, Shift
from stillwatch_range.queues import work_queue
from stillwatch_range.replay import PASSAGE_SCHEMA, Provider, request_for
from stillwatch_range.rewording import reword_dialogue
from stillwatch_range.scenario import build_window
from stillwatch_range.timing import DAY_US, Period

_FOR_COVER = 0.3
"""Part of the ordinary conversations that is kept for the attacker's cover."""
_REFUSED = frozenset(ACTIONS.index(action) for action in ("throttle", "challenge", "block"))
_CONTAINED = ACTIONS.index("throttle")


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One day of an attacker that adapts.

    Attributes:
        number: from 1.
        sent: harvested requests that it tried, `taken` those that nothing held back.
        share: taken / sent.
        kept: taken / what it tried on the first day: slowing down loses harvest, too.
        accounts: accounts in use, `accounts_spent` all that it has used so far.
        refused_accounts: accounts that were refused something in the round.
        wordings: rewordings of its prompts used so far.
        days_per_thousand: days that a thousand harvested exchanges take at this rate, None where nothing is taken.
        innocents: ordinary and legitimate heavy accounts that were contained in the round.
    """

    number: int
    sent: int
    taken: int
    share: float
    kept: float
    accounts: int
    accounts_spent: int
    refused_accounts: int
    wordings: int
    days_per_thousand: float | None
    innocents: int


def run_rounds(
    material: Material, scenario: Scenario, family: str, adapt: Adaptation, seed: int, work: Path, *, step_hours: float
) -> list[Round]:
    """Let an attacker harvest for as many days as the scenario's window has, and adapt after each that went badly.

    Args:
        material: texts of customers and of the harvest; part of the former is kept for the attacker's cover.
        scenario: the provider's customers; campaigns planted in it stay what they are.
        family: what the attacker harvests, of the material or of those that the range makes itself.
        adapt: what it changes after a day on which it was caught.
        seed: the same seed gives the same rounds.
        work: an empty directory.
        step_hours: hours between two runs of detection.

    Raises:
        UsageError: the material is too small, or the family is not in it.
    """
    customers, cover = _divide(material, stream(seed, "cover"))
    logs = work / "logs"
    build_window(customers, logs, scenario, seed)
    provider = Provider(request_for(logs, work / "run"), work, step_hours)
    attacker = _Attacker.arrive(material, scenario, family, cover, seed, logs)
    stance, rounds = Stance(), list[Round]()
    while len(rounds) < scenario.days:
        day = attacker.opening.part(len(rounds), len(rounds) + 1)
        harvested = attacker.harvest(stance, day, logs, work / f"day-{len(rounds)}.parquet")
        passed = [PASSAGE_SCHEMA.empty_table()]
        for step in provider.cut([work / f"day-{len(rounds)}.parquet"]):
            passed.append(provider.serve(step))
            provider.detect(step)
        passage = pa.concat_tables(passed)
        own = [account.account_id for account in attacker.active]
        feedback, taken, innocents = look_back(passage, harvested, own)
        first = rounds[0].sent if rounds else feedback.harvest_sent
        rounds.append(
            Round(
                number=len(rounds) + 1,
                sent=feedback.harvest_sent,
                taken=taken,
                share=taken / max(1, feedback.harvest_sent),
                kept=taken / max(1, first),
                accounts=len(attacker.active),
                accounts_spent=attacker.spent,
                refused_accounts=len(feedback.refused_accounts),
                wordings=stance.worded + stance.wordings,
                days_per_thousand=1000 / taken if taken else None,
                innocents=innocents,
            )
        )
        if feedback.caught:
            stance = adapt(stance)
            attacker.drop(feedback.refused_accounts if stance.drops else frozenset())
    return rounds


def look_back(passage: pa.Table, harvested: dict[str, str], active: list[str]) -> tuple[Feedback, int, int]:
    """Return what the attacker saw of a day, what it took, and how many others' accounts were contained.

    Args:
        passage: what became of each exchange of the day (PASSAGE_SCHEMA).
        harvested: exchanges that are harvest.
        active: the attacker's accounts.
    """
    accounts = np.array(passage.column("account_id").to_pylist())
    harvest = np.array([exchange in harvested for exchange in passage.column("exchange_id").to_pylist()])
    level = np.maximum(passage.column("by_account"), passage.column("by_text"))
    own, refused = np.isin(accounts, active), np.isin(level, sorted(_REFUSED))
    feedback = Feedback(
        harvest_sent=int(harvest.sum()),
        harvest_refused=int((harvest & refused).sum()),
        cover_sent=int((own & ~harvest).sum()),
        cover_refused=int((own & ~harvest & refused).sum()),
        refused_accounts=frozenset(accounts[own & refused].tolist()),
    )
    contained: npt.NDArray[np.bool_] = level >= _CONTAINED
    return feedback, int((harvest & ~contained).sum()), int(np.unique(accounts[~own & contained]).size)


def _divide(material: Material, rng: random.Random) -> tuple[Material, list[Dialogue]]:
    """Keep some conversations of each population for the attacker's cover."""
    ordinary: dict[str, list[Dialogue]] = {}
    cover: list[Dialogue] = []
    for name, talks in material.populations.items():
        mixed = rng.sample(talks, len(talks))
        kept = round(_FOR_COVER * len(mixed))
        cover += mixed[:kept]
        ordinary[name] = mixed[kept:]
    return replace(material, populations=ordinary), rng.sample(cover, len(cover))


def _all_of(talks: Conversations) -> Iterator[Dialogue]:
    while talks.left():
        yield talks.take()


@dataclass(slots=True)
class _Attacker:
    """The attacker's side: its accounts, its queue and its cover, and the identifiers that it gets."""

    rng: random.Random
    ids: Identifiers
    world: World
    family: str
    queue: Iterator[Dialogue]
    cover: Iterator[Dialogue]
    material: Material
    models: list[str]
    opening: Period
    campaign: str
    active: list[Account] = field(default_factory=list)
    housed: set[str] = field(default_factory=set)
    spent: int = 0

    @classmethod
    def arrive(
        cls, material: Material, scenario: Scenario, family: str, cover: list[Dialogue], seed: int, logs: Path
    ) -> "_Attacker":
        """Return an attacker at the start of a window that was built with the same scenario and seed."""
        rng, ids = stream(seed, "attacker"), Identifiers(stream(seed, "attacker ids").getrandbits(63))
        window = pq.read_table(logs / "window", columns=["ts"])
        start_us = int(np.asarray(window.column("ts").cast(pa.int64())).min()) // DAY_US * DAY_US
        chance = stream(seed, "world")
        world = World(chance, ids, start_us, scenario.benign_accounts + scenario.history_accounts)
        chance.seed(rng.random())  # the networks that the customers are in, but other people
        talks = Conversations(rng, {"cover": cover})
        plan = CampaignPlan(family=family, accounts=1, mixing=0.0)
        queue = work_queue(plan, material, Source(rng, talks, material.tasks), wanted=None, most=None)
        models = pq.read_table(logs / "history", columns=["model"]).column("model").unique().to_pylist()
        opening = Period(start_us, scenario.days)
        campaign = ids.take("camp_", 6)
        return cls(rng, ids, world, family, iter(queue), _all_of(talks), material, models, opening, campaign)

    def harvest(self, stance: Stance, day: Period, logs: Path, target: Path) -> dict[str, str]:
        """Write a day's log, the customers' traffic and the attacker's, and return the campaign of what is harvest."""
        plan = CampaignPlan(
            family=self.family,
            accounts=max(1, stance.accounts - len(self.active)),
            mixing=stance.mixing,
            shared_infrastructure=stance.shared_infrastructure,
            residential=stance.residential,
            rhythm=stance.rhythm,
        )
        if len(self.active) < stance.accounts:
            self._enlist(plan, logs)
        self._change(stance)
        used = range(stance.worded + 1, stance.worded + stance.wordings + 1) or (0,)
        tasks = [reword_dialogue(task, self.rng.choice(used)) for task in islice(self.queue, stance.daily)]
        share_out(self.rng, plan, self.active, tasks, self.cover, shifts=[Shift()] * len(self.active))
        recorder = Recorder(self.rng, self.ids, self.material.pace, day, metadata=True)
        for account in self.active:
            model = self.rng.choice(self.models)
            recorder.record(account, account.window, lambda _, model=model: model)  # type: ignore[misc]
            account.window = []
        _write_day(logs, day, recorder.table(), target)
        return dict(recorder.harvested)

    def drop(self, refused: frozenset[str]) -> None:
        """Give up accounts."""
        self.active = [account for account in self.active if account.account_id not in refused]

    def _enlist(self, plan: CampaignPlan, logs: Path) -> None:
        fresh, _ = enlist(self.world, self.ids, plan)
        for account in fresh:
            account.campaign = self.campaign
            if plan.residential:
                self.housed.add(account.account_id)
        self.active += fresh
        self.spent += len(fresh)
        records = b"".join(msgspec.json.encode(record) + b"\n" for record in account_records(fresh, metadata=True))
        replace_file(logs / "accounts.jsonl", (logs / "accounts.jsonl").read_bytes() + records)

    def _change(self, stance: Stance) -> None:
        """Let all accounts work as the stance says, those from earlier rounds too."""
        for account in self.active:
            account.rhythm = stance.rhythm
            client = account.party.client
            if stance.rotates_clients:
                other = self.world.person(program=client.is_program).client
                account.party.client = replace(other, key_id=client.key_id, addresses=client.addresses)
            if stance.residential and account.account_id not in self.housed:
                self.housed.add(account.account_id)
                account.party.client.addresses = self.world.person(network="home").client.addresses[:1]


def _write_day(logs: Path, day: Period, attack: pa.Table, target: Path) -> None:
    window = pq.read_table(logs / "window")
    moments = np.asarray(window.column("ts").cast(pa.int64()))
    customers = window.filter(pa.array((moments >= day.start_us) & (moments < day.end_us)))
    pq.write_table(pa.concat_tables([customers, attack]), target)
