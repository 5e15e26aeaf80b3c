"""The decision service without its transports: decides, records, takes in exchanges, and keeps itself up to date."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from stillwatch.detection.findings.model import Action
from stillwatch.enforcement.casework import Casework
from stillwatch.enforcement.decide import Standing
from stillwatch.enforcement.decider import Decided, Decider, Reading
from stillwatch.enforcement.model import ORDINARY, DecideRequest, Decision, Mode
from stillwatch.enforcement.policy.model import Policy
from stillwatch.enforcement.record import snapshot
from stillwatch.enforcement.record.at_once import AtOnce
from stillwatch.enforcement.record.budgets import Budgets
from stillwatch.enforcement.record.intake import Intake, Kept, Taken
from stillwatch.enforcement.record.ledger import Entry, Ledger
from stillwatch.enforcement.record.rulings import Rulings
from stillwatch.enforcement.record.spool import Spool
from stillwatch.enforcement.record.store import Event, Store
from stillwatch.enforcement.state.cohorts import Cohorts
from stillwatch.enforcement.state.leased import Peers
from stillwatch.enforcement.state.received import Reports
from stillwatch.enforcement.state.received_file import ReceivedFile
from stillwatch.enforcement.state.verdict_file import Loaded, VerdictFile
from stillwatch.enforcement.state.watched import Watched
from stillwatch.errors import StillwatchError
from stillwatch.files import replace_file
from stillwatch.records.registry import RegistryEntry

_ALLOWS_A_SAMPLE = 100
_SWEEP_S = 60.0
_TOLD_AT_ONCE = 10
_log = logging.getLogger(__name__)
T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


class SharedStore(NamedTuple):
    """A Redis or Valkey: its address, and how long a request waits for it."""

    url: str
    deadline_s: float = 0.01


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a service starts from.

    Attributes:
        data_dir: where it keeps what must outlive it; one process at a time.
        verdicts: the verdicts.jsonl that `detect` replaces.
        received: the received.jsonl that `share pull` replaces.
        key_accounts: accounts by hash of their API key.
        accounts: rows of the account file by account, for cohorts.
        shared: through what it shares limits and verdicts with other replicas.
    """

    data_dir: Path
    policy: Policy
    mode: Mode = "shadow"
    verdicts: Path | None = None
    received: Path | None = None
    key_accounts: Mapping[str, str] = field(default_factory=dict)
    accounts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    registry: tuple[RegistryEntry, ...] = ()
    shared: SharedStore | None = None


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """What is held about an account, for the provider's own people.

    Attributes:
        received_indicator: what other providers reported that its latest text met, as far as it was seen of late.
    """

    account_id: str
    cohort: str
    exempt_beyond: Action | None
    verdict: Standing | None
    history: list[Event]
    received_indicator: str | None = None


class Service:
    """One per process; not thread-safe: its transports share one event loop."""

    def __init__(self, setup: Setup, clock: Callable[[], float], aside: Executor | None = None) -> None:
        """Open the data directory and put in force what was before.

        Args:
            setup: what it starts from.
            clock: gives Unix seconds.
            aside: one thread for what reads or writes much, so that no decision waits for it; None = do it at once.

        Raises:
            StillwatchError: the directory, the verdict file or what was received holds something else.
        """
        setup.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._clock, self._data = clock, setup.data_dir
        self.aside = aside or AtOnce()
        cohorts = Cohorts(setup.policy, setup.accounts, setup.registry)
        self.peers = None if setup.shared is None else Peers()
        self.decider = Decider(
            setup.policy, setup.mode, cohorts, dict(setup.key_accounts), self.peers, len(setup.accounts)
        )
        self._store = Store(setup.data_dir / "store.db")
        self.rulings = Rulings(self._store)
        self.budgets = Budgets(setup.policy, self._store, self.rulings)
        self.decider.shadowed_cohorts = self.budgets.fallen
        self.casework = Casework(self.decider, self._store, self.rulings, self.budgets, clock())
        self.ledger = Ledger(setup.data_dir / "decisions")
        self._spool = Spool(setup.data_dir / "exchanges")
        self._intake = Intake(self._spool, self.decider.counters, self.decider.handles)
        self.counts: Counter[tuple[str, ...]] = Counter()
        self._allows = 0
        self._swept_s = clock()
        self._saving: Future[None] | None = None
        snapshot.restore(setup.data_dir / "snapshot.msgpack", self.decider.counters, self.decider.handles)
        self._not_heard: set[str] = set()
        self._verdicts = self._received = None
        if setup.verdicts is not None:
            self._verdicts = Watched(VerdictFile(setup.verdicts).read_if_new, self.aside)
            self._put_in_force(self._verdicts.read_if_new())
        if setup.received is not None:
            self._received = Watched(ReceivedFile(setup.received, clock).read_if_new, self.aside)
            self._hear(self._received.read_if_new())

    def decide(self, request: DecideRequest, transport: str) -> Decision:
        """Decide on a request, and record it: whatever is not an ordinary allow, and one of a hundred of those."""
        return self.decide_on(request, self.read(request), transport)

    def read(self, request: DecideRequest) -> Reading | None:
        """Read a request; None if its account is unknown."""
        return self.decider.read(request, self._clock())

    def decide_on(self, request: DecideRequest, reading: Reading | None, transport: str) -> Decision:
        """Decide on a request that was read, see `decide`."""
        now_s = self._clock()
        decided = self.decider.decide_on(request, reading, now_s)
        decision = decided.decision
        self.counts["decisions", transport, decision.action, decision.mode] += 1
        if decided.cohort is not None and decided.account_id is not None:
            self._watch_budget(decided, now_s)
        sampled = 1.0
        if decision.reason_code == ORDINARY:
            self._allows += 1
            if self._allows % _ALLOWS_A_SAMPLE:
                return decision
            sampled = 1 / _ALLOWS_A_SAMPLE
        alone = self.peers is not None and self.peers.lost
        self.ledger.append(_entry(decided, request, transport, now_s, sampled, alone=alone))
        return decision

    def is_lifted(self, request: DecideRequest) -> bool:
        """Whether a person lifted what held against a request's account."""
        account = self.decider.account_of(request)
        return account is not None and self.decider.standings.is_lifted(account, self._clock())

    def keep(self, records: list[bytes]) -> Kept:
        """Check and keep finished exchanges, see `Intake.keep`; in the thread `aside`, one post at a time."""
        return self._intake.keep(records, self._clock())

    def settle(self, kept: Kept) -> Taken:
        """Count finished exchanges that were kept."""
        taken = self._intake.settle(kept, self._clock())
        self.counts["exchanges", "accepted"] += taken.accepted
        self.counts["exchanges", "rejected"] += len(taken.rejected)
        return taken

    def account(self, account_id: str) -> AccountView:
        """Return what is held about an account."""
        now_s = self._clock()
        member = self.decider.cohorts.of(account_id, None, None, now_s)
        return AccountView(
            account_id=account_id,
            cohort=member.cohort,
            exempt_beyond=None if member.most == "block" else member.most,
            verdict=self.decider.standings.of(account_id, now_s),
            history=self.casework.history(account_id),
            received_indicator=self.decider.received.latest(account_id),
        )

    def tick(self) -> None:
        """Do what is due: hand the record to the system, look at the files, forget, take a snapshot."""
        self.ledger.flush()
        self._look("verdict", self._verdicts, self._put_in_force)
        self._look("received", self._received, self._hear)
        now_s = self._clock()
        if now_s - self._swept_s >= _SWEEP_S:
            self._swept_s = now_s
            self.decider.counters.sweep(now_s)
            self.decider.standings.sweep(now_s)
            self._tell_what_is_not_heard()
            self._snapshot()

    def close(self) -> None:
        """See everything on the disk."""
        self._snapshot()
        self.aside.shutdown()
        self.ledger.close()
        self._spool.close()
        self._store.close()

    def now(self) -> float:
        """Unix seconds, by the service's own clock."""
        return self._clock()

    def _snapshot(self) -> None:
        """Take a snapshot, written aside; what became of the one before is told here.

        Raises:
            OSError: the disk refused the one before.
        """
        before, self._saving = self._saving, None
        if before is not None and not before.done():
            self._saving = before
            return
        data = snapshot.pack(self.decider.counters, self.decider.handles)
        self._saving = self.aside.submit(replace_file, self._data / "snapshot.msgpack", data)
        if before is not None:
            before.result()

    def _look(self, kind: str, file: Watched[T] | None, take: Callable[[T | None], None]) -> None:
        """Take over a file that was replaced; where it holds something else, what was in force stays in force."""
        if file is None:
            return
        try:
            take(file.take())
        except StillwatchError as error:
            self.counts[f"{kind}_files", "refused"] += 1
            _log.error("the %s file was not taken over: %s", kind, error)

    def _put_in_force(self, loaded: Loaded | None) -> None:
        if loaded is not None:
            self.decider.standings.replace(loaded.found)
            self.decider.texts = loaded.texts
            self.counts["verdict_files", "loaded"] += 1

    def _hear(self, reports: Reports | None) -> None:
        if reports is not None:
            self.decider.received.replace(reports)
            self.counts["received_files", "loaded"] += 1

    def _tell_what_is_not_heard(self) -> None:
        not_heard = self.decider.received.not_heard()
        for name in sorted(not_heard - self._not_heard)[:_TOLD_AT_ONCE]:
            _log.warning("%s is not heard in full: many accounts send what it reports", name)
        self._not_heard = not_heard

    def _watch_budget(self, decided: Decided, now_s: float) -> None:
        refused = decided.decision.refuses
        cohort, account = decided.cohort or "", decided.account_id or ""
        if self.budgets.watch(cohort, account, refused=refused, now_s=now_s):
            _log.warning("the cohort %s falls back to shadow: %s", cohort, self.budgets.fallen[cohort])


def _entry(
    decided: Decided, request: DecideRequest, transport: str, now_s: float, sampled: float, *, alone: bool
) -> Entry:
    decision, hit, shadow = decided.decision, decided.enforced, decided.shadow
    return Entry(
        decision_id=decision.decision_id,
        ts=now_s,
        action=decision.action,
        mode=decision.mode,
        reason_code=decision.reason_code,
        transport=transport,
        policy_id=decision.policy_id,
        policy_version=decision.policy_version,
        inputs=hashlib.blake2b(_encode(request), digest_size=16).hexdigest(),
        account_id=decided.account_id,
        cohort=decided.cohort,
        rule=None if hit is None else hit.rule.id,
        shadow=None if shadow is None else (shadow.rule.id, shadow.action),
        limits=decided.limits,
        campaign_id=decision.evidence_ref,
        model=request.model,
        removed=_removed(decision),
        sampled=sampled,
        alone=alone,
    )


def _removed(decision: Decision) -> tuple[str, ...]:
    if not decision.degrades or decision.degrade is None:
        return ()
    bounds = [
        f"{name}<={value}" for name in ("max_tokens", "n") if (value := getattr(decision.degrade, name)) is not None
    ]
    return (*bounds, *decision.degrade.strip)
