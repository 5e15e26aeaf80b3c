"""What each account has used of each limit, and which beginnings of prompts it has sent before."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stillwatch.enforcement.limits import Meter
from stillwatch.enforcement.policy.model import Limit, Policy
from stillwatch.enforcement.state.leased import LeasedMeter, Peers

_BITS = 512
_DAY_S = 86_400.0
_UNKNOWN_TOKENS = 1_000
_BYTES_PER_TOKEN = 4
_ROOM = 10_000


class Cost(NamedTuple):
    """What a request counts for: tokens are reserved before the answer is known, then settled; head: see Beginnings."""

    tokens: int = 0
    head: int | None = None


def reserved_tokens(prompt_chars: int, max_tokens: int | None) -> int:
    """Return the tokens that a request reserves: its text at four characters a token, and the output it asks for.

    A request that names no maximum reserves 1,000 tokens of output.
    """
    return prompt_chars // _BYTES_PER_TOKEN + (_UNKNOWN_TOKENS if max_tokens is None else max_tokens)


class Beginnings:
    """A small Bloom filter per account of the first words of its prompts: 64 bytes, two bits a prompt.

    A filter more than half full starts anew, so an account of very many templates is asked again for old ones: it is
    counted up, never waved through.
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def is_new(self, account_id: str, head: int) -> bool:
        """Whether the account has not sent a prompt with this beginning."""
        mask = _mask(head)
        return self._seen.get(account_id, 0) & mask != mask

    def add(self, account_id: str, head: int) -> None:
        """Remember a beginning."""
        seen = self._seen.get(account_id, 0)
        self._seen[account_id] = (0 if seen.bit_count() > _BITS // 2 else seen) | _mask(head)

    def clear(self) -> None:
        """Forget all, at the end of a day."""
        self._seen.clear()


def places(head: int) -> tuple[int, int]:
    """Return the two bits that stand for a beginning."""
    return head % _BITS, (head >> 20) % _BITS


def _mask(head: int) -> int:
    first, second = places(head)
    return 1 << first | 1 << second


class Lack(NamedTuple):
    """Units of a limit that must be leased before a request can be judged; head: it counts unseen beginnings."""

    limit: Limit
    meter: LeasedMeter
    units: float
    head: int | None


class Counters:
    """The limits of a policy, counted for each account in memory."""

    def __init__(self, policy: Policy, peers: Peers | None = None) -> None:
        """`peers`: the limits are shared with other replicas."""
        self._limits: tuple[tuple[Limit, Meter], ...] = tuple(
            (limit, Meter(limit.rate) if peers is None else LeasedMeter(limit.rate, peers)) for limit in policy.limit
        )
        self._beginnings = Beginnings() if any(limit.counts == "unseen_templates" for limit in policy.limit) else None
        self._due: dict[str, float] = {}
        self._agreed: set[str] = set()
        self._day = 0
        self._crowded: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(len(meter) for _, meter in self._limits)

    @property
    def reads_text(self) -> bool:
        """Whether some limit needs the beginning of the prompt."""
        return self._beginnings is not None

    def exceeded(self, account_id: str, cohort: str, cost: Cost, now_s: float) -> Mapping[str, float]:
        """Return the limits that a request does not fit into, each with the seconds until it would."""
        waits: dict[str, float] = {}
        for limit, meter in self._limits:
            if limit.cohorts and cohort not in limit.cohorts:
                continue
            units = self._units(limit, account_id, cost)
            wait = meter.wait(account_id, units, now_s) if units else 0.0
            if wait > 0.0:
                waits[limit.id] = wait
        return waits

    def charge(self, account_id: str, cohort: str, cost: Cost, now_s: float) -> None:
        """Count a request that passes."""
        for limit, meter in self._limits:
            if limit.cohorts and cohort not in limit.cohorts:
                continue
            units = self._units(limit, account_id, cost)
            if units:
                meter.charge(account_id, units, now_s)
        if self._beginnings is not None and cost.head is not None:
            self._beginnings.add(account_id, cost.head)

    def lacking(self, account_id: str, cohort: str, cost: Cost, now_s: float) -> list[Lack]:
        """Return what must be leased before a request can be judged: nothing without replicas."""
        found = []
        for limit, meter in self.leased():
            if limit.cohorts and cohort not in limit.cohorts:
                continue
            units = self._units(limit, account_id, cost)
            missing = meter.lacking(account_id, units, now_s) if units else 0.0
            if missing:
                found.append(Lack(limit, meter, missing, cost.head if limit.counts == "unseen_templates" else None))
        return found

    def leased(self) -> Iterator[tuple[Limit, LeasedMeter]]:
        """Yield the limits that are shared with other replicas."""
        for limit, meter in self._limits:
            if isinstance(meter, LeasedMeter):
                yield limit, meter

    def sent_elsewhere(self, account_id: str, head: int) -> None:
        """Remember a beginning that the account has sent to another replica."""
        if self._beginnings is not None:
            self._beginnings.add(account_id, head)

    def settle(self, account_id: str, unused_tokens: int, now_s: float) -> None:
        """Give back output tokens that were reserved and not used (or charge what was used beyond)."""
        for limit, meter in self._limits:
            if limit.counts == "tokens":
                meter.charge(account_id, -unused_tokens, now_s)

    def pace(self, account_id: str, every_s: int, now_s: float) -> float:
        """Let a throttled account through once in `every_s` seconds; return 0, or the seconds that it must wait.

        The clock starts with the first request under the throttle, which waits: who obeys Retry-After gets through.
        """
        due = self._due.get(account_id)
        if due is not None and due <= now_s:
            self._due[account_id] = now_s + every_s
            self._agreed.discard(account_id)
            return 0.0
        if due is None:
            due = self._due[account_id] = now_s + every_s
        return due - now_s

    def must_agree(self, account_id: str, now_s: float) -> bool:
        """Whether replicas must agree on a throttled account's request, since it may pass as far as is known here."""
        due = self._due.get(account_id)
        return account_id not in self._agreed and (due is None or due <= now_s)

    def agree(self, account_id: str, due_s: float, now_s: float) -> None:
        """Take over what replicas agreed on: the account's next request passes now, or not before `due_s`."""
        self._due[account_id] = due_s
        if due_s <= now_s:
            self._agreed.add(account_id)

    def sweep(self, now_s: float) -> None:
        """Forget accounts that owe nothing, and beginnings of the day before."""
        for limit, meter in self._limits:
            if len(meter) >= self._crowded.get(limit.id, 0):  # so that sweeping costs no more than counting
                meter.sweep(now_s)
                self._crowded[limit.id] = 2 * len(meter) + _ROOM
        self._due = {account: due for account, due in self._due.items() if due > now_s - _DAY_S}
        self._agreed &= self._due.keys()
        day = int(now_s // _DAY_S)
        if self._beginnings is not None and day != self._day:
            self._day = day
            self._beginnings.clear()

    def dump(self) -> dict[str, dict[str, float]]:
        """Return what is owed, by limit, to be kept over a restart."""
        return {limit.id: meter.dump() for limit, meter in self._limits}

    def load(self, owed: Mapping[str, dict[str, float]]) -> None:
        """Take over what `dump` returned, for the limits that still exist."""
        for limit, meter in self._limits:
            meter.load(owed.get(limit.id, {}))

    def _units(self, limit: Limit, account_id: str, cost: Cost) -> float:
        if limit.counts == "requests":
            return 1.0
        if limit.counts == "tokens":
            return float(cost.tokens)
        if self._beginnings is None or cost.head is None:
            return 0.0
        return 1.0 if self._beginnings.is_new(account_id, cost.head) else 0.0
