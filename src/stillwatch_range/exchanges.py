"""Turns accounts and their work into exchanges and account records, in the native format."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.records.exchange import EXCHANGE_SCHEMA
from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Dialogue, Pace, Turn
from stillwatch_range.metadata import Client
from stillwatch_range.populations import Account, Shift, Work
from stillwatch_range.timing import SCHEDULES, Period, at_once

_METADATA_FIELDS = (
    *(
        "org_id",
        "key_id",
        "channel",
        "client_ip",
        "asn",
        "country",
        "user_agent",
        "tls_fingerprint",
        "device_id",
        "end_user_id",
        "tool_count",
        "tool_names",
        "reasoning_handle",
        "reasoning_handle_account",
        "extra",
    ),
)
_ORIGIN_FIELDS = _METADATA_FIELDS[:9]
_COLUMNS = (
    *("exchange_id", "ts", "account_id", "model", *_ORIGIN_FIELDS, "end_user_id", "session_id", "turn", "operation"),
    *("tool_count", "tool_names", "reasoning_handle", "reasoning_handle_account"),
    *("n", "seed", "logprobs", "top_logprobs", "extra"),
    *("temperature", "top_p", "max_tokens", "stream", "system", "prompt", "status", "error_code", "finish_reason"),
    *("input_tokens", "output_tokens", "latency_ms", "ttft_ms"),
)
_CHARS_PER_TOKEN = 4
_OVERLOADS, _REFUSALS = 0.01, 0.004
"""Part of everybody's requests that meet a busy provider, and that safeguards refuse without need."""
_REFUSAL_TOKENS = 60
_FORGOTTEN = 0.15
"""Part of the handles of which the provider no longer knows whose they were."""


class Recorder:
    """Collects the exchanges of one period."""

    def __init__(self, rng: random.Random, ids: Identifiers, pace: Pace, period: Period, *, metadata: bool) -> None:
        self._rng = rng
        self._ids = ids
        self._pace = pace
        self._period = period
        self._dropped = set() if metadata else set(_METADATA_FIELDS)
        self._rows: list[tuple[object, ...]] = []
        self.harvested: list[tuple[str, str]] = []

    def record(self, account: Account, work: list[Work], model_at: Callable[[int], str]) -> None:
        """Add all that an account sent in the period. `model_at` tells the model it asks at a moment (µs)."""
        shifts: dict[Shift | None, list[Work]] = {}
        for item in work:
            shifts.setdefault(item.shift, []).append(item)
        for shift, items in shifts.items():
            self._record_shift(account, shift or Shift(), items, model_at)

    def _record_shift(self, account: Account, shift: Shift, work: list[Work], model_at: Callable[[int], str]) -> None:
        client = shift.client or account.party.client
        period = self._period if shift.days is None else self._period.part(*shift.days)
        schedule = SCHEDULES[shift.rhythm or account.rhythm]
        talks = [_as_sent(account, client, item) for item in work]
        arrivals = schedule(self._rng, self._pace, period, client.utc_offset, talks)
        if client.concurrency > 1:
            arrivals = at_once(self._rng, arrivals, client.concurrency)
        for item, talk, times in zip(work, talks, arrivals, strict=True):
            session = self._ids.take("sess_") if client.logs_sessions else None
            user = self._ids.take("user_") if client.names_users else None
            address, device = self._roam(client)
            for number, (turn, moment) in enumerate(zip(talk, times, strict=True)):
                exchange_id = self._ids.take("ex_", 12)
                campaign = item.campaign or account.campaign
                if item.harvest and campaign is not None:
                    self.harvested.append((exchange_id, campaign))
                head = (exchange_id, moment, account.account_id, model_at(moment))
                origin = self._origin(account, client, address, device)
                place = (user, session, None if session is None else number, client.operation)
                held = (*_tools(client, turn), *self._handle(account, client, turn, number), *_habits(client))
                self._rows.append((*head, *origin, *place, *held, *self._body(client, turn)))

    def table(self) -> pa.Table:
        """Return the exchanges in order of time."""
        self._rows.sort(key=lambda row: (row[1], row[0]))
        columns = dict(zip(_COLUMNS, zip(*self._rows, strict=True), strict=True)) if self._rows else {}
        arrays = [
            pa.nulls(len(self._rows), field.type)
            if field.name not in columns or field.name in self._dropped
            else pa.array(columns[field.name], field.type)
            for field in EXCHANGE_SCHEMA
        ]
        return pa.Table.from_arrays(arrays, schema=EXCHANGE_SCHEMA)

    def _roam(self, client: Client) -> tuple[tuple[str, int], str | None]:
        rng = self._rng
        away = len(client.addresses) > 1 and rng.random() < 0.3
        address = rng.choice(client.addresses[1:]) if away else client.addresses[0]
        if not client.devices:
            return address, None
        return address, client.devices[0] if rng.random() < 0.8 else rng.choice(client.devices)

    @staticmethod
    def _origin(account: Account, client: Client, address: tuple[str, int], device: str | None) -> tuple[object, ...]:
        identity = account.party.identity
        return (
            *(identity.org_id, client.key_id, client.channel, *address, identity.country),
            *(client.user_agent, client.tls_fingerprint, device),
        )

    def _handle(self, account: Account, client: Client, turn: Turn, number: int) -> tuple[str | None, str | None]:
        """Return the reasoning handle that a turn presents, and the account that it was issued to."""
        if turn.handle is not None:
            return turn.handle
        if not client.keeps_reasoning or number == 0:
            return None, None
        return self._ids.take("rh_", 16), None if self._rng.random() < _FORGOTTEN else account.account_id

    def _body(self, client: Client, turn: Turn) -> tuple[object, ...]:
        rng = self._rng
        asked = max(1, round((len(turn.prompt) + len(turn.system or "")) / _CHARS_PER_TOKEN * rng.uniform(0.85, 1.2)))
        chance = rng.random()
        outcome: tuple[int, str | None, str | None] = (200, None, "stop")
        answered = self._answer(asked)
        if chance < _OVERLOADS:
            answered, outcome = 0, (529, "overloaded", None)
        elif turn.refused or chance < _OVERLOADS + _REFUSALS:
            answered = min(answered, 1 + int(rng.expovariate(1 / _REFUSAL_TOKENS)))
            outcome = (200, None, "refusal") if rng.random() < 0.6 else (400, "policy_violation", None)
        elif client.max_tokens is not None and answered > client.max_tokens:
            answered, outcome = client.max_tokens, (200, None, "length")
        if outcome[0] != 200:
            answered = 0
        first_ms = round(rng.lognormvariate(5.9, 0.4) + asked * 0.03)
        return (
            *(client.temperature, client.top_p, client.max_tokens, client.stream, turn.system, turn.prompt),
            *outcome,
            *(asked, answered, first_ms + round(answered * rng.lognormvariate(2.6, 0.3)), first_ms),
        )

    def _answer(self, asked: int) -> int:
        answers = self._pace.answers
        size = min(max(asked.bit_length(), min(answers)), max(answers))
        while size not in answers:
            size += 1
        return self._rng.choice(answers[size])


def _as_sent(account: Account, client: Client, work: Work) -> Dialogue:
    """Return a conversation with the client's own system prompt, where it is its owner's."""
    if work.harvest or account.label == "hard_negative" or client.system is None:
        return work.dialogue
    return tuple(turn._replace(system=turn.system or client.system) for turn in work.dialogue)


def _tools(client: Client, turn: Turn) -> tuple[int | None, list[str] | None]:
    names = turn.tools or client.tools
    return (len(names), list(names)) if names else (None, None)


def _habits(client: Client) -> tuple[object, ...]:
    headers = list(client.headers.items()) or None
    return client.n, client.seed, client.logprobs, client.top_logprobs, headers


def write_exchanges(table: pa.Table, directory: Path) -> None:
    """Write one period's exchanges as native Parquet."""
    directory.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, directory / "exchanges.parquet", compression="zstd", row_group_size=65_536)


def account_records(accounts: Iterable[Account], *, metadata: bool) -> list[dict[str, object]]:
    """Return the provider's account records, in order of their identifiers."""
    records = []
    for account in sorted(accounts, key=lambda account: account.account_id):
        record: dict[str, object] = {"account_id": account.account_id}
        if metadata:
            identity = account.party.identity
            record |= {
                "org_id": identity.org_id,
                "created_at": _rfc3339(identity.created_us),
                "email_hash": identity.email_hash,
                "email_domain": identity.email_domain,
                "payment_id": identity.payment_id,
                "phone_hash": identity.phone_hash,
                "plan": identity.plan,
                "programme": identity.programme,
                "verification": identity.verification,
                "country": identity.country,
                "status": "active",
                "parent_org_id": identity.parent_org_id,
            }
        records.append(record)
    return records


def _rfc3339(moment_us: int) -> str:
    from_epoch = pa.scalar(moment_us, pa.timestamp("us", tz="UTC")).as_py()
    return str(from_epoch.isoformat(timespec="microseconds")).replace("+00:00", "Z")
